"""What every benchmark needs: run a command and time it, find the template, and hold what was measured."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
# Copier reads these and nothing else; of extensions/, not the renderers, which run while the template is developed.
TEMPLATE = ("copier.yml", "extensions", "template")
CACHES = shutil.ignore_patterns("__pycache__", ".*_cache")
UNREAD = {"extensions": shutil.ignore_patterns("__pycache__", "*.py")}
# What uv builds the package of.
PACKAGE = ("src", "pyproject.toml", "README.md")

# What a fresh shell would not have: bytecode is written, and no environment or server but the project's own is used.
DROPPED = ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "UV_EXCLUDE_NEWER")
DROPPED_PREFIXES = ("MLFLOW_", "POE_")
# No command may wait for a person or for a server that counts users, and git must know who commits.
ADDED = {"DO_NOT_TRACK": "1", "GIT_TERMINAL_PROMPT": "0"} | {
    f"GIT_{role}_{name}": value
    for role in ("AUTHOR", "COMMITTER")
    for name, value in (("NAME", "Benchmark"), ("EMAIL", "benchmark@example.org"))
}


class BenchmarkError(RuntimeError):
    """A benchmark could not do its work; the text says what was run and what it said."""


@dataclass(frozen=True)
class Side:
    """One of those that are compared: a value for each row in each run, or the reason why there are none."""

    name: str
    runs: list[dict[str, float]] = field(default_factory=list)
    not_measured: str = ""

    @property
    def values(self) -> dict[str, float]:
        """The median of each row."""
        return {row: median(run[row] for run in self.runs) for row in (self.runs[0] if self.runs else ())}


@dataclass(frozen=True)
class Goal:
    """The bounds of a value: None as its most is no bound, and a value of None was not measured."""

    what: str
    most: float | None
    value: float | None
    least: float = 0

    @property
    def state(self) -> str:
        """`met`, `missed` or `not measured`."""
        if self.value is None:
            return "not measured"
        return "met" if self.least <= self.value and (self.most is None or self.value <= self.most) else "missed"


@dataclass(frozen=True)
class Comparison:
    """What a benchmark found: this template beside its peers."""

    name: str
    about: str
    unit: str
    ours: Side
    peers: list[Side]
    goals: list[Goal]


def ratio(ours: Side, peer: Side, row: str) -> float | None:
    """How many times the peer's value ours is; None where the peer has none.

    Both run in turn, and the machine's speed changes: each run is compared with the one beside it, and the median told.
    """
    pairs = zip(ours.runs, peer.runs, strict=True) if peer.runs else ()
    shares = [mine[row] / theirs[row] for mine, theirs in pairs if row in mine and theirs.get(row)]
    return median(shares) if shares else None


def in_turn(name: str, sides: dict[str, Callable[[], dict[str, float]]], runs: int) -> list[Side]:
    """Measure one side after the other, again and again; a first run of each is not counted.

    With one run nothing is measured well, for example when a test asks whether a benchmark works: it has no such run.
    """
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for turn in range(0 if runs > 1 else 1, runs + 1):
        for side, values in sides.items():
            note(f"{name}: {side}, " + (f"run {turn} of {runs}" if turn else "warm-up"))
            measured = values()
            if turn:
                found[side].append(measured)
    return [Side(side, each) for side, each in found.items()]


def note(text: str) -> None:
    """Tell the person who waits what happens now; stdout is left to the result."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _environment() -> dict[str, str]:
    """The variables of a fresh shell."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
    }
    return kept | ADDED


def run(*command: str | Path, cwd: Path, **variables: str) -> float:
    """Run a command to its end, with further environment variables.

    Returns:
        Seconds from its start to its end.

    Raises:
        BenchmarkError: It is not installed, or ended with an error.
    """
    line = " ".join(map(str, command))
    start = perf_counter()
    try:
        result = subprocess.run(
            command,
            cwd=cwd,
            env=_environment() | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise BenchmarkError(f"{line}\n  cannot be started: {error}") from None
    seconds = perf_counter() - start
    if result.returncode:
        said = result.stdout.decode("utf-8", "replace").strip().splitlines()[-15:]
        raise BenchmarkError("\n  ".join([f"{line}\n  ended with code {result.returncode}:", *said]))
    return seconds


def cost(*command: str | Path, cwd: Path, ends: tuple[int, ...] = (0,)) -> tuple[float, float]:
    """CPU seconds and wall clock of a command and of what it starts; `ends` are the codes with which it may end.

    Raises:
        BenchmarkError: It ended with another one.
    """
    before, start = os.times(), perf_counter()
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "check": False}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=_environment(), **options)
    wall, after = perf_counter() - start, os.times()
    if done.returncode not in ends:
        said = done.stderr.decode("utf-8", "replace")
        raise BenchmarkError(f"{' '.join(map(str, command))}\n  ended with code {done.returncode}:\n{said}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, wall


def clean_template(workspace: Path, with_package: bool = False) -> Path:
    """Copy the template as it lies in the work tree, outside git, so that copier does not look for a tag.

    A project that is installed needs the package beside it, which copier does not read.
    """
    target = workspace / "template"
    if not target.exists():
        target.mkdir(parents=True)
        for name in (*TEMPLATE, *(PACKAGE if with_package else ())):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=UNREAD.get(name, CACHES))
            else:
                shutil.copy2(source, target)
    return target


def copy(source: Path, target: Path, *options: str) -> float:
    """`copier copy --defaults` as a process of its own, by the copier beside this Python.

    Returns:
        Seconds from its start to its end.
    """
    return run(sys.executable, "-m", "copier", "copy", "--defaults", *options, source, target, cwd=target.parent)


def files_of(project: Path) -> list[Path]:
    """Every file below a folder, in a stable order."""
    return sorted(path for path in project.rglob("*") if path.is_file())


def script(environment: Path, name: str) -> Path:
    """A program of a virtual environment."""
    return environment / ("Scripts" if os.name == "nt" else "bin") / name
