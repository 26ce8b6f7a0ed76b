"""Find the libraries that a model needs, from its file and from the team's modules that the file names."""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import files, packages_distributions, version
from pathlib import Path

from packaging.utils import canonicalize_name

from copier_mlops import model_types
from copier_mlops.registry import registry


def of_model(file: Path) -> dict[str, str]:
    """Return the distributions that a model file needs, with their installed versions, by their names.

    These are the distributions of its types. If a type is of the team's package, they are also those that its module
    imports. This package and the team's own are left out, since no index has them. A file of another format, which
    only the team's predictor can read, names none.
    """
    try:
        modules = {use.module for use in model_types.uses(model_types.schema(file))}
    except (zipfile.BadZipFile, KeyError, ValueError):
        return {}
    own = model_types.package()
    others = {each for each in modules | _imports(modules, own) if each.partition(".")[0] not in (own, "copier_mlops")}
    return {name: version(name) for name in sorted({name for module in others for name in _bringing(module)})}


def debian(distributions: Iterable[str]) -> list[str]:
    """Return the packages of Debian that distributions need, for example `libgomp1` for lightgbm."""
    needed = {canonicalize_name(name) for name in distributions}
    known: dict[str, dict[str, list[str]]] = registry("libraries")
    return sorted({package for name in needed & known.keys() for package in known[name]["debian"]})


def _imports(modules: set[str], own: str) -> set[str]:
    """Return the modules that the team's modules import, through others of the team's."""
    seen: set[str] = set()
    found: set[str] = set()
    waiting = [module for module in modules if own and module.partition(".")[0] == own]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        names = _imported(module)
        found |= {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
        waiting += [name for name in names if name.partition(".")[0] == own]
    return found


def _imported(module: str) -> set[str]:
    """Return the modules that one module imports, by their full names; a name of a module may be a name in it."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # the name in `from module import name` may be a function
        return set()
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return set()
    parent = spec.name if spec.submodule_search_locations else spec.name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_bytes())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(name, parent) if node.level else name
            found |= {base, *(f"{base}.{each.name}" for each in node.names)}
    return found


def _bringing(module: str) -> list[str]:
    """Return the distributions that bring a module; several may share its first name, such as `google`."""
    names = _distributions().get(module.partition(".")[0], [])
    if len(names) < 2:
        return names
    places = {module.replace(".", "/") + end for end in (".py", "/__init__.py")}
    return [name for name in names if places & {each.as_posix() for each in files(name) or []}]


@functools.cache
def _distributions() -> dict[str, list[str]]:
    """Return the installed distributions by the modules that they bring, for example `sklearn: [scikit-learn]`."""
    return {module: sorted(set(names)) for module, names in packages_distributions().items()}
