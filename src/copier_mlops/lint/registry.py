"""All checks, by their ids and names."""

import functools
import importlib
import inspect
import pkgutil

from copier_mlops.lint import checks as pages
from copier_mlops.lint.check import Check
from copier_mlops.lint.finding import LintError


@functools.cache
def checks() -> dict[str, Check]:
    """Return every check by its id, in the order of the ids: the classes of the modules below `checks/`."""
    found: dict[str, Check] = {}
    for module in pkgutil.iter_modules(pages.__path__, f"{pages.__name__}."):
        for each in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(each) and issubclass(each, Check) and each.__module__ == module.name:
                found[each.id] = each()
    return dict(sorted(found.items()))


def named(prefixes: list[str], where: str) -> tuple[str, ...]:
    """Return prefixes of ids; each is the start of an id, or the name or an old name of a check.

    Raises:
        LintError: There is no such check.
    """
    by_name = {name: check.id for check in checks().values() for name in (check.name, *check.old_names)}
    found = tuple(by_name.get(prefix, prefix) for prefix in prefixes)
    unknown = [each for each in found if not each or not any(id.startswith(each) for id in checks())]
    if unknown:
        raise LintError(f"{where} names no check: {', '.join(map(repr, unknown))}; `mlops lint --list` shows all")
    return found
