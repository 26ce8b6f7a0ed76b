"""The checks, and the hosts, levels and questions of the template, from the template's own registries."""

import functools
from dataclasses import dataclass
from pathlib import Path

from copier_mlops.lint.finding import LintError
from copier_mlops.lint.reading import parse

HERE = Path(__file__).resolve().parent
ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Check:
    """An entry of checks.yml."""

    id: str
    name: str
    severity: str
    page: str
    finds: str
    why: str
    mend: str
    needs: str = ""
    mends_itself: bool = False


@functools.cache
def checks() -> dict[str, Check]:
    """Every check by its id."""
    entries = parse((HERE / "checks.yml").read_bytes())
    return {id: Check(id=id, **{"severity": ERROR} | entry) for id, entry in entries.items()}


@functools.cache
def registry(name: str) -> dict | list:
    """A registry of the template, or `copier` for its questions."""
    packaged = HERE / "registries"
    if packaged.is_dir():
        path = packaged / f"{name}.yml"
    else:
        extensions = HERE.parents[1]
        path = (extensions.parent if name == "copier" else extensions) / f"{name}.yml"
    return parse(path.read_bytes())


def questions() -> dict[str, dict]:
    """The questions whose answers a project stores."""
    found = {name: each for name, each in registry("copier").items() if not name.startswith("_")}
    return {name: each for name, each in found.items() if each.get("when") is not False and not each.get("secret")}


def named(prefixes: list[str], where: str) -> tuple[str, ...]:
    """Prefixes of ids, of which each must be the start of one; names of checks stand for their ids.

    Raises:
        LintError: There is no such check.
    """
    by_name = {check.name: id for id, check in checks().items()}
    found = tuple(by_name.get(prefix, prefix) for prefix in prefixes)
    unknown = [each for each in found if not each or not any(id.startswith(each) for id in checks())]
    if unknown:
        raise LintError(f"{where} names no check: {', '.join(map(repr, unknown))}; `copier-mlops-lint --list` has all")
    return found
