"""What one environment has compiled, the next one has when it is made."""

import os
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from tests.project import run
from tests.run.compiled import keep_compiled


def environment(folder: Path) -> Path:
    """Make an environment with one package, and return the folder of its packages."""
    run(folder.parent, "uv", "venv", "--quiet", "--python", sys.executable, folder.name)
    run(folder.parent, "uv", "pip", "install", "--quiet", "--python", folder.name, "packaging")
    return next(folder.glob("lib/python*/site-packages"))


@pytest.mark.skipif(os.name == "nt", reason="the folders of a virtual environment have other names")
def test_a_second_environment_has_what_the_first_compiled(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    first = environment(tmp_path / "first")
    compiled = cache_from_source("packaging/version.py")
    assert not (first / compiled).exists()
    run(tmp_path, "first/bin/python", "-c", "import packaging.version")
    assert keep_compiled(first) > 0
    assert (environment(tmp_path / "second") / compiled).samefile(first / compiled)
