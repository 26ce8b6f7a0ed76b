"""What a task and a public module load: libraries that take seconds are imported late, or never."""

import importlib

import pytest

from tests.package.shared import loaded


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("serving", ["Predictor", "load"]),
        ("monitoring", ["problems"]),
        ("tracking", ["TrackingError", "connect", "current", "predictor"]),
        ("release", []),
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


def test_what_a_public_module_lacks_is_an_attribute_error():
    for name in ("monitoring", "tracking"):
        module = importlib.import_module(f"copier_mlops.{name}")
        with pytest.raises(AttributeError, match="has no attribute 'moon'"):
            print(module.moon)
