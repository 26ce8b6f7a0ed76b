"""What a task and a public module load: libraries that take seconds are imported late, or never."""

import importlib
import os
import subprocess
import sys

import pytest

from copier_mlops.tracking import lineage
from tests.package.shared import new_database, settings_at, tracked, uri


SLOW = ("fastapi", "mlflow", "pandas", "requests", "scipy", "skops", "sklearn", "uvicorn")


def loaded(code: str, cwd=None, **variables: str) -> set[str]:
    """Which slow libraries a program has loaded at its end."""
    text = f"import sys\n{code}\nprint('loaded', *({{name.partition('.')[0] for name in sys.modules}} & set({SLOW})))"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=cwd, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


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


def test_registering_and_tracking_do_without_scikit_learn(team_project, tmp_path, monkeypatch):
    monkeypatch.chdir(team_project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(tmp_path))
    settings = settings_at(uri(tmp_path))
    new_database(tmp_path, settings)
    (team_project / "dvc.lock").write_text("schema: '2.0'\n")
    try:
        tracked(settings, tmp_path / "model.skops", pipeline=lineage.pipeline_hash(team_project))
        found = loaded("from copier_mlops.cli import main\nmain(['register'])", team_project)
    finally:
        (team_project / "dvc.lock").unlink()
    assert not found & {"skops", "sklearn"}
    assert "mlflow" in found
