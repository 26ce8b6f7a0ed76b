"""The wheel of this package in an image: made of what is installed, however it was installed."""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from copier_mlops.release import wheels
from tests.project import TEMPLATE, commit, run

# What a wheel of the package is built of.
SOURCE = ("LICENSE", "README.md", "copier.yml", "extensions", "pyproject.toml", "src")
PACK = """
import sys
from importlib.metadata import distribution
from pathlib import Path
from copier_mlops.release import wheels

for name, content in wheels.packed(distribution(wheels.NAME)).items():
    Path(sys.argv[1], name).write_bytes(content)
"""


@pytest.fixture(scope="module")
def editable() -> tuple[str, bytes]:
    """Name and content of the wheel of the package as it is installed here, which is for editing."""
    assert not any(str(file).endswith("copier_mlops/cli.py") for file in distribution(wheels.NAME).files)
    ((name, content),) = wheels.packed(distribution(wheels.NAME)).items()
    return name, content


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """The package's source in a repository of its own, committed."""
    folder = tmp_path_factory.mktemp("source") / "repository"
    folder.mkdir()
    for name in SOURCE:
        place = TEMPLATE / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(place, folder / name, ignore=ignored) if place.is_dir() else shutil.copy(place, folder / name)
    commit(folder)
    return folder


def environment(folder: Path, *requirements: str) -> Path:
    """The interpreter of a new virtual environment with some distributions."""
    run(folder, "uv", "venv", "--quiet", "--python", sys.executable, "environment")
    python = folder / "environment" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run(folder, "uv", "pip", "install", "--quiet", "--python", str(python), *requirements)
    return python


@pytest.mark.parametrize("pin", ["git", "folder"])
def test_every_kind_of_pin_gives_the_same_wheel(editable, repository, tmp_path, pin):
    name, content = editable
    python = environment(tmp_path, f"copier-mlops @ git+{repository.as_uri()}" if pin == "git" else str(repository))
    (tmp_path / "out").mkdir()
    run(tmp_path, str(python), "-c", PACK, "out")
    (found,) = (tmp_path / "out").iterdir()
    assert found.name == name
    assert contents(found.read_bytes()) == contents(content)
    assert found.read_bytes() == content


def contents(wheel: bytes) -> dict[str, str]:
    """The hash of each file of a wheel by its path: what differs is then seen."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def test_it_holds_what_a_build_from_the_source_holds(editable, repository, tmp_path):
    run(repository, "uv", "build", "--wheel", "--quiet", "--out-dir", str(tmp_path))
    (built,) = tmp_path.glob("*.whl")
    assert built.name == editable[0]
    ours, theirs = contents(editable[1]), contents(built.read_bytes())
    assert {name for name in ours | theirs if ours.get(name) != theirs.get(name)} == {
        name
        for name in ours
        if name.endswith("/RECORD")  # in another order
    }


def test_its_record_names_the_hash_of_every_file(editable):
    with zipfile.ZipFile(io.BytesIO(editable[1])) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith("/RECORD"))
        lines = dict(line.split(",", 1) for line in archive.read(record).decode().splitlines())
        assert lines.keys() == set(archive.namelist())
        for name, rest in lines.items():
            content = archive.read(name)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert rest == ("," if name == record else f"sha256={digest},{len(content)}")


def test_it_can_be_installed_and_knows_the_registries(editable, tmp_path):
    (tmp_path / editable[0]).write_bytes(editable[1])
    python = environment(tmp_path, str(tmp_path / editable[0]))
    code = "from copier_mlops.registry import flows, registry; print(*registry('hosts'), len(flows(4)))"
    shown = run(tmp_path, str(python), "-c", code)
    assert shown.startswith("github azure_devops gitlab bitbucket forgejo ")
    mlops = python.with_name("mlops")
    variables = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run([mlops, "--version"], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout == f"mlops {distribution(wheels.NAME).version}\n"


def test_code_is_laid_out_and_only_what_differs_is_written(editable, tmp_path):
    folder, target = tmp_path / "wheels", tmp_path / "code"
    folder.mkdir()
    (folder / editable[0]).write_bytes(editable[1])
    wheels.unpack(folder, target)
    kept, changed, lost = (target / "copier_mlops" / name for name in ("cli.py", "command.py", "project.py"))
    before = kept.stat().st_mtime_ns
    changed.write_text("half of a fi")
    lost.unlink()
    wheels.unpack(folder, target)
    found = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == contents(editable[1])
    assert kept.stat().st_mtime_ns == before
