"""What a task and a public module load: libraries that take seconds are imported late, or never."""

import ast
import importlib
from pathlib import Path

import pytest

import copier_mlops
from tests.package.shared import loaded


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("serving", ["Predictor", "load"]),
        ("monitoring", ["problems"]),
        ("tracking", ["TrackingError", "connect", "current", "predictor"]),
        ("release", []),
        ("problems", ["PROBLEMS", "of", "predict"]),
        ("splits", ["folds", "hold_out"]),
        ("model_file", ["load", "save", "sha256"]),
        ("tracking.server", []),
        ("tracking.track", []),
        ("tracking.register", []),
        ("monitoring.settings", []),
    ],
)
def test_a_public_module_loads_nothing_slow(module, names):
    assert loaded(f"import copier_mlops.{module}") == set()
    for name in names:
        loaded(f"from copier_mlops.{module} import {name}")


def folders_it_imports(folder: str) -> set[str]:
    """Return the parts of the package that the modules of a folder import, at their top or inside a function."""
    found = set()
    for path in (Path(copier_mlops.__file__).parent / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("copier_mlops"):
                _, _, rest = node.module.partition(".")
                found |= {rest.partition(".")[0]} if rest else {each.name for each in node.names}
    return found - {folder}


@pytest.mark.parametrize("folder", ["hosts", "reporting", "setup", "tracking"])
def test_what_a_release_is_made_of_does_not_import_it(folder):
    assert folder == "reporting" or folder in folders_it_imports("release")
    assert "release" not in folders_it_imports(folder)


def test_what_a_public_module_lacks_is_an_attribute_error():
    for name in ("monitoring", "tracking"):
        module = importlib.import_module(f"copier_mlops.{name}")
        with pytest.raises(AttributeError, match="has no attribute 'moon'"):
            print(module.moon)
