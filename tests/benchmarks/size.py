"""Benchmark `size`: how much a team gets to read, and how much of this repository a change has to touch."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from tests.project import interview, registry
from tests.repository.test_english import PAGES, RATIOS, in_10_000_words, prose

from . import measure

# Of a level: files, lines.
PROJECT = {2: (45, 2_000), 4: (85, 3_000)}
STOPS = 3
LONGEST_PATH = 110
FILES_PER_HOST = 20
FILES_PER_REMOTE = 3
FILES_PER_ENGINE = 3
FILES_PER_CHECK = 1
NOT_MEASURED = {
    "cookiecutter-data-science": "the package of `ccds` holds no template: it clones one from a git host at each run",
}
# Files that nobody edits to add something: history, and those that `poe render-flows` and `poe lint-pages` write.
UNTOUCHED = re.compile(
    r"CHANGELOG\.md|docs/(.+/)?(decisions|lint)/.*|docs/(.+/)?lint\.md|template/\{\{ on_\w+ \}\}/.*|uv\.lock"
)
# A host's name in an address or in a folder of this repository says nothing about the host.
NOT_THE_HOST = r"(?<![\w.-])(?:{names})(?![\w-]|\.com|\.org)"
REFERENCE = re.compile(r"pathjoin\('extensions', '([^']+)'\)")
CHECK = re.compile(r"\bMLO\d{3}\b")


def compare(workspace: Path) -> measure.Comparison:
    """Count the files and lines of projects, and the places of this repository that an addition touches."""
    goals = [*project_goals(workspace), *repository_goals(measure.ROOT), *english_goals()]
    values = {goal.what: goal.value for goal in goals if goal.value is not None}
    return measure.Comparison(
        name="size",
        about="the project of each level, its lines without those of data; and this repository",
        unit="count",
        ours=measure.Side("this template", [values]),
        peers=[measure.Side(name, not_measured=reason) for name, reason in NOT_MEASURED.items()],
        goals=[*goals, measure.Goal("minutes of .ci/run, by hand with `time .ci/run`", 25, None)],
    )


def project_goals(workspace: Path) -> list[measure.Goal]:
    """Count the files of a project of each level, and the lines that people read."""
    template = measure.clean_template(workspace)
    goals = []
    for number in range(len(registry("levels", template))):
        project = workspace / f"sized-{number}"
        measure.note(f"size: render level {number}")
        measure.copy(template, project, "--data", f"maturity_level={number}")
        most = PROJECT.get(number, (None, None))
        counts = counted(project)
        goals += [
            measure.Goal(f"{what}, level {number}", at, counts[what]) for what, at in zip(counts, most, strict=True)
        ]
    return goals


def counted(project: Path) -> dict[str, int]:
    """Count all files, and the lines of those that are not data: raw files, and the sample of their records."""
    files = measure.files_of(project)
    read = [path for path in files if path.suffix != ".csv"]
    return {"files": len(files), "lines": sum(len(path.read_bytes().splitlines()) for path in read)}


def repository_goals(root: Path) -> list[measure.Goal]:
    """Count the stops to a CI file, the files that name a host, remote, engine or check, and the longest path."""
    paths = tracked(root)
    texts = texts_of(root, paths)
    hosts = registry("hosts", root)
    of_hosts = {host: files_that_name(texts, rf"{host}|{each['name']}", NOT_THE_HOST) for host, each in hosts.items()}
    schemes = [scheme for scheme in registry("remotes", root) if scheme != "folder"]
    remotes = {scheme: files_that_name(texts, rf"\b{scheme}://") for scheme in schemes}
    engines = [files_that_name(texts, rf"\b{engine}\b") for engine in registry("engines", root) if engine != "local"]
    ids = {each for path, text in texts.items() if path.startswith("src/") for each in CHECK.findall(text)}
    checks = [files_that_name(texts, each) for each in sorted(ids)]
    return [
        measure.Goal("stops from git_host to a host's file", STOPS, max(stops(root, host) for host in hosts)),
        *(
            measure.Goal(f"files that name {hosts[host]['name']}", FILES_PER_HOST, len(them))
            for host, them in of_hosts.items()
        ),
        *(
            measure.Goal(f"files that name {scheme}://", FILES_PER_REMOTE, len(them))
            for scheme, them in remotes.items()
        ),
        measure.Goal("files that name an engine besides `local`, median", FILES_PER_ENGINE, middle(map(len, engines))),
        measure.Goal(
            "files that name a check, median", FILES_PER_CHECK, middle(len(without_tests(each)) for each in checks)
        ),
        measure.Goal(
            "tests that name a check, median", 1, middle(len(each) - len(without_tests(each)) for each in checks)
        ),
        measure.Goal("characters of the longest path", LONGEST_PATH, max(map(len, paths))),
    ]


def english_goals() -> list[measure.Goal]:
    """Count words in the docs, between the bounds that their test has."""
    text = " ".join(map(prose, PAGES))
    return [
        measure.Goal(f"{words.replace('|', ', ')} in 10,000 words", most, in_10_000_words(words, text), least)
        for words, (least, most) in RATIOS.items()
    ]


def stops(root: Path, host: str) -> int:
    """Count the files to open from the answer `git_host` to a file that the host gets, the longest way.

    For example: copier.yml decides `on_gitlab`, and template/{{ on_gitlab }}/.gitlab-ci.yml.jinja is the file, which
    makes two. Each file of extensions/ that one of them includes is one more.
    """
    condition = str(interview(root)[f"on_{host}"]["default"])
    if f"git_host == '{host}'" not in condition:
        raise measure.BenchmarkError(f"copier.yml decides on_{host} by something other than git_host: {condition}")
    folder = root / "template" / f"{{{{ on_{host} }}}}"
    texts = [path.read_text(encoding="utf-8") for path in measure.files_of(folder)]
    return 2 + max(len(referred(root, condition) | referred(root, text)) for text in texts)


def referred(root: Path, text: str) -> set[str]:
    """Return the files of extensions/ that a text includes or imports, and those that these do in turn."""
    found: set[str] = set()
    waiting = set(REFERENCE.findall(text))
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= set(REFERENCE.findall((root / "extensions" / name).read_text(encoding="utf-8"))) - found
    return found


def tracked(root: Path) -> list[str]:
    """Return the paths that git tracks."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout.split("\0")[:-1]


def texts_of(root: Path, paths: list[str]) -> dict[str, str]:
    """Return the text of each file that a person edits to add something; a binary file is read as far as it goes."""
    edited = [path for path in paths if not UNTOUCHED.fullmatch(path) and (root / path).is_file()]
    return {path: (root / path).read_text(encoding="utf-8", errors="replace") for path in edited}


def files_that_name(texts: dict[str, str], names: str, pattern: str = "{names}") -> list[str]:
    """Return the files with one of the names in their path or text."""
    wanted = re.compile(pattern.format(names=names))
    return [path for path, text in texts.items() if wanted.search(text)]


def without_tests(paths: list[str]) -> list[str]:
    """Return the paths outside tests/."""
    return [path for path in paths if not path.startswith("tests/")]


def middle(counts: Iterable[int]) -> float | None:
    """Return the median, or None if there is nothing to count."""
    return median(found) if (found := list(counts)) else None
