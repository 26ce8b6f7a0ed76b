"""`dvc exp run --queue` with a package that is installed as a link: the code that ran is the code that was queued."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.project import TEMPLATE, commit, run

STAGE = "stages:\n  train:\n    cmd: python -m ours.train\n    deps: [src/ours/train.py]\n    outs: [model.skops]\n"
TRAIN = """\
from pathlib import Path
from sklearn.dummy import DummyClassifier
from copier_mlops import model_file

print("the code is", "QUEUED")
model_file.save(DummyClassifier().fit([[0]], [0]), Path("model.skops"))
"""


@pytest.fixture
def project(tmp_path) -> Path:
    """A repository with a stage whose package is linked into a virtual environment, as uv installs a project."""
    project = tmp_path / "project"
    (project / "src" / "ours").mkdir(parents=True)
    (project / "src" / "ours" / "__init__.py").touch()
    (project / "src" / "ours" / "train.py").write_text(TRAIN, encoding="utf-8")
    (project / "dvc.yaml").write_text(STAGE, encoding="utf-8")
    (project / ".gitignore").write_text("/model.skops\n__pycache__/\n", encoding="utf-8")
    run(tmp_path, "uv", "venv", "--quiet", "--python", sys.executable, "venv")
    packages = run(tmp_path, "venv/bin/python", "-c", "import site; print(site.getsitepackages()[0])").strip()
    linked = [project / "src", TEMPLATE / "src", sysconfig.get_path("purelib")]
    (Path(packages) / "linked.pth").write_text("".join(f"{folder}\n" for folder in linked), encoding="utf-8")
    commit(project)
    run(project, "dvc", "init", "--quiet")
    commit(project)
    return project


def experiment(project: Path, **variables: str) -> str:
    """What DVC prints when it runs an experiment that was queued before the code changed."""
    environment = os.environ | {"PATH": f"{project.parent}/venv/bin{os.pathsep}{os.environ['PATH']}"} | variables
    options = {"cwd": project, "env": environment, "capture_output": True, "text": True, "timeout": 200}
    dvc = ["python", "-m", "dvc", "exp", "run"]
    subprocess.run([*dvc, "--queue"], check=True, **options)
    code = project / "src" / "ours" / "train.py"
    code.write_text(TRAIN.replace("QUEUED", "of the work tree"), encoding="utf-8")
    done = subprocess.run([*dvc, "--run-all"], check=False, **options)
    return done.stdout + done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the folders of a virtual environment have other names")
def test_code_of_the_work_tree_is_refused(project):
    said = experiment(project)
    assert "the code is of the work tree" in said
    assert f"but its code came from {project}/src/ours\n  fix: set PYTHONPATH=src" in said
    assert "Ran experiment(s): \n" not in said or "Success" not in run(project, "dvc", "exp", "show", "--csv")


@pytest.mark.skipif(os.name == "nt", reason="the folders of a virtual environment have other names")
def test_the_way_that_it_names_runs_the_queued_code(project):
    said = experiment(project, PYTHONPATH="src")
    assert "the code is QUEUED" in said
    assert "Success" in run(project, "dvc", "exp", "show", "--csv")
