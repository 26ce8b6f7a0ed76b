"""What a team does to a project between two updates: from files to files, so that it can be done to any project."""

import re
from collections.abc import Iterable

Files = dict[str, bytes]

PACKAGE, RENAMED = "german_credit", "credit_risk"

# Lines of a file, and what the team makes of them; empty ones stand for the end of the file.
CHANGES = {
    "README.md": [("", "\n## Ours\n\nWhat we agreed on.\n")],
    ".gitignore": [("", "\n/ours/\n")],
    "ruff.toml": [('  "RUF003",\n', '  "RUF003",\n  "S101", # ours\n')],
    "poe_tasks.toml": [('cmd = "pytest operation/tests/unit"\n', 'cmd = "pytest operation/tests/unit --verbose"\n')],
    "pyproject.toml": [
        ("dependencies = [\n", 'dependencies = [\n  "lightgbm>=4,<5",\n'),
        ('  "scikit-learn>=1.7,<1.10",\n', '  "scikit-learn>=1.8,<1.10",\n'),
        ("", '\n[tool.poe.tasks.ours]\nhelp = "Ours"\ncmd = "python -m ours"\n'),
    ],
    f"src/{PACKAGE}/prepare.py": [("", "\n\ndef ours() -> int:\n    return 1\n")],
    f"src/{PACKAGE}/train.py": [("import argparse\n", "import argparse  # ours\n")],
    "operation/tests/conftest.py": [("", "\n\nOURS = 1\n")],
    "dvc.yaml": [("stages:\n", "stages:\n  ours:\n    cmd: python -m german_credit.ours\n\n")],
    "params.yaml": [("seed: 42\n", "seed: 7\n")],
    "operation/configuration/environment_dev/settings.yaml": [("port: 8000\n", "port: 8010\n")],
}
DELETED = ["docs/code/README.md", "operation/tests/sample.csv", ".python-version", "operation/tests/conftest.py"]
ADDED = [f"src/{PACKAGE}/ours.py", "operation/execution/ours.py", "notebooks/ours.md", "data/raw/ours.csv.dvc"]

# The CI of a host, the step behind which the team adds its own, and the words before how long the job may take.
TESTS = "uv run poe test\n"
ACTIONS = (TESTS, f"{TESTS}      - name: Ours\n        run: uv run poe ours\n")
NAMED = "        displayName: Unit tests\n"
CI = {
    "github": (".github/workflows/ci.yml", ACTIONS, "    timeout-minutes: "),
    "forgejo": (".forgejo/workflows/ci.yml", ACTIONS, "    timeout-minutes: "),
    "azure_devops": (
        "azure_pipelines/ci.yml",
        (NAMED, f"{NAMED}      - script: uv run poe ours\n"),
        "    timeoutInMinutes: ",
    ),
    "gitlab": (".gitlab/flows/ci.yml", (TESTS, f"{TESTS}    - uv run poe ours\n"), "  timeout: "),
    "bitbucket": ("bitbucket-pipelines.yml", (TESTS, f"{TESTS}          - uv run poe ours\n"), "        max-time: "),
}


def work(files: Files, host: str = "github") -> Files:
    """A project after some weeks of work."""
    path, step, _ = CI[host]
    changed = {name: text for name, text in files.items() if name not in DELETED}
    for name, changes in (CHANGES | {path: [step]}).items():
        if name in changed:
            changed[name] = change(changed[name], changes)
    return changed | dict.fromkeys(ADDED, b"# Ours\n")


def change(content: bytes, changes: Iterable[tuple[str, str]]) -> bytes:
    """A file with other lines."""
    text = content.decode("utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1) if before else text + after
    return text.encode("utf-8")


def rename(files: Files, only: Iterable[str]) -> Files:
    """A project whose package has another name in these files; the file of the data keeps its own."""
    name, new = re.compile(rb"\b%s\b(?!\.csv)" % PACKAGE.encode()), RENAMED.encode()
    renamed = files | {path: name.sub(new, files[path]) for path in only if not path.startswith(".")}
    return {path.replace(f"src/{PACKAGE}/", f"src/{RENAMED}/"): content for path, content in renamed.items()}


def added(before: Files, after: Files, path: str) -> set[bytes]:
    """The lines of a file that were not there before."""
    return set(after[path].splitlines()) - set(before.get(path, b"").splitlines())
