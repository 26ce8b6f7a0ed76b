"""Check what this machine needs, and fix it."""

import os
import re
import shlex
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from copier_mlops.address import redacted
from copier_mlops.command import CommandError, run
from copier_mlops.project import root


@dataclass(frozen=True)
class Finding:
    """The result of a check. `advice` is the command with which you can fix it, if `poe setup` cannot."""

    ok: bool
    text: str
    advice: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", redacted(self.text))

    @classmethod
    def of(cls, error: BaseException, prefix: str = "mlops: ") -> Self:
        """Return an error as a finding: its sentence, and the command after `fix:`."""
        text, _, advice = str(error).strip().partition("\n  fix: ")
        return cls(
            False, text.removeprefix(prefix) or type(error).__name__, advice or "fix the problem that the text names"
        )


@dataclass(frozen=True)
class Check:
    """One check. `see` never changes anything; `fix` may raise, and the finding after it counts.

    Checks of the same `place` run one after the other.
    """

    name: str
    see: Callable[[], Finding]
    fix: Callable[[], object]
    place: str

    def look(self) -> Finding:
        """Return the finding of `see`; an error in it becomes a finding as well, so that the other checks go on."""
        try:
            return self.see()
        except (Exception, SystemExit) as error:
            return Finding.of(error)


def prepare(check: Check, fixes: bool = True) -> tuple[str, Finding]:
    """Run the check; if it fails and `fixes` is set, fix it and check again.

    Returns:
        The state (`ok`, `done` or `FAILED`), and the last finding.
    """
    finding = check.look()
    if finding.ok or not fixes:
        return "ok" if finding.ok else "FAILED", finding
    try:
        check.fix()
    except (Exception, SystemExit) as error:  # one step that fails must not stop the others
        text = f"{finding.text}; {error}" if str(error) else finding.text
        return "FAILED", Finding(False, text, finding.advice)
    finding = check.look()
    return "done" if finding.ok else "FAILED", finding


# Like `uv run`: packages that you installed in addition stay, for example the group of a build for a GPU.
SYNC = ("uv", "sync", "--inexact")


def is_kept() -> bool:
    """Return whether `UV_NO_SYNC` forbids changes of the virtual environment, as for `uv run`."""
    return os.environ.get("UV_NO_SYNC", "").lower() in ("1", "true", "t", "yes", "y", "on")


def look_virtual_environment() -> Finding:
    """Check that uv.lock matches pyproject.toml, and the virtual environment matches uv.lock."""
    commands: list[tuple[str, ...]] = [("uv", "lock", "--check")]
    if not is_kept():
        commands.append((*SYNC, "--frozen", "--check"))
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(run, *command) for command in commands]
    try:
        for each in started:
            each.result()
    except CommandError as error:
        if NO_TIMES in str(error):
            return Finding(False, f"your package index does not say when it got its files: {_said(error)}", TAKE_ALL)
        text = f"not in step with pyproject.toml: {_said(error)}"
        return _unreachable(str(error)) or Finding(False, text, "uv lock" if is_kept() else " ".join(SYNC))
    if is_kept():
        return Finding(True, "uv.lock is in step with pyproject.toml; UV_NO_SYNC leaves the environment as it is")
    return Finding(True, "in step with pyproject.toml and uv.lock")


def sync_virtual_environment() -> None:
    """Install the dependencies of pyproject.toml and uv.lock.

    Raises:
        CommandError: The installation failed; the text is empty if the finding has the reason.
    """
    try:
        run(*(("uv", "lock") if is_kept() else SYNC))
    except CommandError as error:
        raise CommandError("" if _unreachable(str(error)) else _said(error)) from None


# The errors of uv if it cannot fetch the template's package, and of git with the reason.
PINNED = re.compile(r"copier-mlops @ ([^\s`]+)|[Ff]ailed to fetch: `?([^\s`]*/copier-mlops/?)(?:`|$)", re.MULTILINE)
REASON = re.compile(r"^\W*((?:fatal|remote|ERROR|error): .*|.*Permission denied.*)$", re.MULTILINE)
CAUSE = re.compile(r"(?:cause: |[├╰]─▶ )(.*)")
LOGIN = re.compile("could not read Username|Permission denied|Authentication failed|not found|access rights", re.I)


def _unreachable(said: str) -> Finding | None:
    """Return a finding if uv could not fetch the pinned package, and None for other errors."""
    if (found := PINNED.search(said)) is None:
        return None
    address = found[1] or found[2]
    reasons = [each for each in REASON.findall(said) if "copier-mlops @" not in each]
    reason = reasons[0].removeprefix("fatal: ") if reasons else said.splitlines()[-1].strip()
    text = f"the copier-mlops that pyproject.toml pins cannot be fetched from {address}: {reason}"
    login = "log in to its host (`git ls-remote ADDRESS` must answer)"
    if address.startswith("file:") or "git+file:" in address:
        return Finding(False, text, "restore the template's folder, or move the pin: uvx copier update")
    if LOGIN.search(said):
        return Finding(False, text, f"a private template needs a login: {login}, then: uv sync")
    return Finding(False, text, f"check network and address, {login} if the template is private, then: uv sync")


def _said(error: CommandError) -> str:
    """Return uv's error and its first cause, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    start = next((number for number, line in enumerate(lines) if line.startswith("error: ")), len(lines) - 1)
    causes = [found[1] for line in lines[start + 1 :] if (found := CAUSE.match(line))]
    return ": ".join([lines[start].removeprefix("error: "), *causes[:1]])


# uv's warning if an index says no upload times. With `exclude-newer`, uv then takes none of its files.
NO_TIMES = "is missing an upload date"
TAKE_ALL = (
    "write `exclude-newer = false` into the table of this index, [[tool.uv.index]] of pyproject.toml, then: uv lock"
)


DISTRUST = "dubious ownership"
IDENTITY = "git config --global user.name NAME && git config --global user.email NAME@EXAMPLE.ORG"


def _refused_by_git() -> str:
    """Return why git uses no repository here; empty if it does."""
    try:
        run("git", "rev-parse", "--git-dir")
    except CommandError as error:
        return str(error)
    return ""


def look_git() -> Finding:
    """Check that there is a git repository with a commit."""
    refused = _refused_by_git()
    if DISTRUST in refused:
        text = f"git does not trust this folder, since it belongs to another user: {root()}"
        return Finding(False, text, f"git config --global --add safe.directory {shlex.quote(root().as_posix())}")
    if refused:
        return Finding(False, "no git repository", f"if git does not know you yet: {IDENTITY}")
    try:
        commit = run("git", "rev-parse", "--short", "--verify", "HEAD")
    except CommandError:
        return Finding(False, "the repository has no commit yet", "git add --all && git commit")
    return Finding(True, f"at commit {commit}")


def fix_git() -> None:
    """Create the repository and its first commit; the history of an existing repository stays as it is."""
    refused = _refused_by_git()
    if not refused or DISTRUST in refused:  # only a person can decide to trust a folder
        return
    run("git", "var", "GIT_AUTHOR_IDENT")  # fails without a name, before anything is created
    run("git", "init", "--initial-branch", "main")
    run("git", "add", "--all")
    run("git", "commit", "--message", "Start from the template")


def _shared_hooks() -> str:
    """Return why other projects share the hooks; empty if none does."""
    own = "to check commits of this project there, call: uv run pre-commit run"
    try:
        path = run("git", "config", "--get", "core.hooksPath")
    except CommandError:
        path = ""
    if path:
        return f"git takes hooks from {path}, as core.hooksPath says, so none was installed; {own}"
    top = Path(run("git", "rev-parse", "--show-toplevel"))
    if not top.samefile(root()):
        return f"the project is a folder of {top}, whose hooks run for all of it, so none was installed; {own}"
    return ""


def look_hooks() -> Finding:
    """Check that git runs pre-commit for every hook type of .pre-commit-config.yaml.

    Hooks that run for other projects as well are left to the team. These are the hooks of a folder that
    `core.hooksPath` names, and those of a repository in which the project is a folder.
    """
    from pre_commit.clientlib import load_config  # type: ignore[import-untyped]

    if shared := _shared_hooks():
        return Finding(True, shared)
    folder = root() / run("git", "rev-parse", "--git-path", "hooks")
    config = root() / ".pre-commit-config.yaml"
    wanted = load_config(str(config))["default_install_hook_types"] if config.is_file() else []
    for name in wanted:
        hook = folder / name
        if not hook.is_file() or "pre-commit" not in hook.read_text(encoding="utf-8", errors="replace"):
            return Finding(False, f"git does not run pre-commit as {name}", "uv run pre-commit install")
    return Finding(True, "pre-commit checks each commit" if wanted else f"no {config.name}")


CHECKS = [
    Check("environment", look_virtual_environment, sync_virtual_environment, "environment"),
    Check("git", look_git, fix_git, "git"),
    Check("hooks", look_hooks, lambda: run(sys.executable, "-m", "pre_commit", "install"), "git"),
]
