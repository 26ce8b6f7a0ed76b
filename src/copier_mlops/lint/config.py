"""The settings of the lint: `[tool.copier-mlops-lint]` of the project's pyproject.toml."""

from dataclasses import dataclass, field
from pathlib import Path

from copier_mlops.lint.check import Check
from copier_mlops.lint.finding import LintError
from copier_mlops.lint.registry import named

TABLE = "tool.copier-mlops-lint"
KEYS = {"select": list, "ignore": list, "warn": list, "per-file-ignores": dict, "max-file-kb": int}
ALWAYS = ("MLO003",)


@dataclass(frozen=True)
class Config:
    """The checks that count, and how much."""

    select: tuple[str, ...] = ("MLO",)
    ignore: tuple[str, ...] = ()
    warn: tuple[str, ...] = ()
    per_file_ignores: dict[str, tuple[str, ...]] = field(default_factory=dict)
    max_file_kb: int = 1000

    def wants(self, check: Check) -> bool:
        """Return whether a check runs; MLO003, a check that failed, is always reported."""
        if check.id in ALWAYS:
            return True
        return check.id.startswith(self.select) and not (self.ignore and check.id.startswith(self.ignore))


def read_config(table: object) -> Config:
    """Return the settings in a table of pyproject.toml.

    Raises:
        LintError: A key or a value is not allowed; the text names it.
    """
    if not isinstance(table, dict):
        raise LintError(f"[{TABLE}] is not a table")
    if unknown := sorted(table.keys() - KEYS.keys()):
        raise LintError(f"[{TABLE}] has unknown keys: {', '.join(unknown)}; allowed are {', '.join(KEYS)}")
    for name, value in table.items():
        if type(value) is not KEYS[name]:
            kind = {list: "a list of ids", dict: "a table of lists of ids", int: "a whole number"}[KEYS[name]]
            raise LintError(f"[{TABLE}] {name} is {kind}")
    ids = {name: _ids(table[name], name) for name in ("select", "ignore", "warn") if name in table}
    files = {pattern: _ids(some, "per-file-ignores") for pattern, some in table.get("per-file-ignores", {}).items()}
    most = table.get("max-file-kb", Config.max_file_kb)
    if most < 1:
        raise LintError(f"[{TABLE}] max-file-kb is a whole number from 1 on")
    return Config(**ids, per_file_ignores=files, max_file_kb=most)


def _ids(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise LintError(f"[{TABLE}] {name} is a list of ids")
    return named(value, f"[{TABLE}] {name}")


def table_of(root: Path) -> object:
    """Return the table in a project's pyproject.toml; an empty one if it is missing or the file cannot be read."""
    import tomllib

    try:
        settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return {}
    tool = settings.get("tool")
    return tool.get("copier-mlops-lint", {}) if isinstance(tool, dict) else {}
