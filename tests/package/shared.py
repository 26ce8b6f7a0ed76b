"""A project of level 4 in whose folder the package's functions run, and models that its team trained.

Its package has a name of its own, so that it can be imported beside those of other tests.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from copier_mlops import model_file, problems
from copier_mlops.contract import of_project
from copier_mlops.project import CONFIGURATION, team
from copier_mlops.release.runner import MACHINES
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import mlflow_model, server
from tests.project import ANSWERS, TEMPLATE, commit, copy_project, run

PACKAGE = "lending"
SAMPLE = Path("operation", "tests", "sample.csv")
VARIABLES = ("MLFLOW_", "MONITORING_", "OPERATION_", "RELEASE_")
# What a tracked run says of its model, as DVC's hash of the raw data.
TAGS = {"git.commit": "0" * 40, "dvc.md5.data/raw/german_credit.csv": "0" * 32, "model.md5": "1" * 32}

# Libraries that take a second or more to import.
SLOW = ("fastapi", "mlflow", "pandas", "requests", "scipy", "skops", "sklearn", "uvicorn")


@pytest.fixture(scope="session")
def team_project(tmp_path_factory) -> Iterator[Path]:
    """The folder of a project of level 4 with its uv.lock, committed; its package can be imported."""
    path = tmp_path_factory.mktemp("team") / "project"
    copy_project(TEMPLATE, path, "HEAD", package_name=PACKAGE, maturity_level=4)
    run(path, "uv", "lock", "--quiet")
    commit(path)
    sys.path.insert(0, str(path / "src"))
    yield path
    sys.path.remove(str(path / "src"))


@pytest.fixture(scope="module")
def inside(team_project) -> Iterator[pytest.MonkeyPatch]:
    """The project as the working directory, without variables of this machine; what it patches lasts for a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(team_project)
        for name in list(os.environ):
            if name.startswith(VARIABLES) or name in MACHINES:
                patch.delenv(name)
        yield patch


@pytest.fixture
def copied(inside, team_project, tmp_path, monkeypatch):
    """Another project with the same answers and settings, without src; the working directory."""
    shutil.copytree(team_project / CONFIGURATION, tmp_path / CONFIGURATION)
    shutil.copy(team_project / ANSWERS, tmp_path / ANSWERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table(inside) -> pd.DataFrame:
    """The sample as `ingest` makes it."""
    return team("ingest").ingest(SAMPLE)


def fitted(strength: float = 1.0) -> object:
    """A small model of the team's."""
    train = team("train")
    model = train.build(train.candidate("linear", 1 / strength, 0.1, leaf=1, seed=1), threshold=1 / 6)
    return train.fit(model, team("ingest").ingest(SAMPLE))


def columns() -> list[str]:
    """The names of the features."""
    return [field.name for field in of_project().features]


def new_database(folder: Path, settings: Settings) -> MlflowClient:
    """Make the experiment of a project on the tracking server of its settings, with artifacts in `folder`."""
    client = server.connect(settings)
    client.create_experiment(settings.experiment, artifact_location=(folder / "artifacts").as_uri())
    return client


def tracked(settings: Settings, file: Path, strength: float = 1.0, **tags: str) -> mlflow.entities.Run:
    """A finished run with a model file of its own, as `mlops track` leaves it."""
    records = team("ingest").ingest(SAMPLE).head(3)
    numbers = list(records.select_dtypes("number"))
    inputs = records.astype(dict.fromkeys(numbers, "float64"))[columns()]
    client = server.connect(settings)
    model_file.save(fitted(strength), file)
    experiment = server.experiment(client, settings).experiment_id
    with mlflow.start_run(experiment_id=experiment, tags=TAGS | tags) as started:
        logged = mlflow_model.log(file, inputs, problems.targets(records, of_project()), ["skops"])
        mlflow.set_tags({"model.uri": logged.model_uri, "model.sha256": model_file.sha256(file)})
    return client.get_run(started.info.run_id)


@contextlib.contextmanager
def at_level(project: Path, number: int) -> Iterator[None]:
    """Let a project have reached another maturity level, as its answers file says."""
    file = project / ANSWERS
    before = file.read_text(encoding="utf-8")
    levels = dict.fromkeys(("maturity_level", "reached_level"), number)
    file.write_text(yaml.safe_dump(yaml.safe_load(before) | levels), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(before, encoding="utf-8")


def uri(folder: Path) -> str:
    """The address of a tracking database in a folder."""
    return f"sqlite:///{(folder / 'mlflow.db').as_posix()}"


def settings_at(address: str, environment: str = "dev") -> Settings:
    """The settings of an environment whose tracking server is at an address."""
    return load_settings(environment).model_copy(update={"tracking_uri": address})


def stored(client: MlflowClient, settings: Settings, version: str) -> Path:
    """The file of a registered model in the artifact store, which is a folder."""
    place = mlflow.artifacts.download_artifacts(f"models:/{settings.model_name}/{version}")
    return Path(place) / mlflow_model.FILE


def flip(file: Path) -> bytes:
    """Change one byte in the middle of a file, and return what was in it."""
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    return content


def loaded(code: str, cwd=None, **variables: str) -> set[str]:
    """Which slow libraries a program has loaded at its end."""
    text = f"import sys\n{code}\nprint('loaded', *({{name.partition('.')[0] for name in sys.modules}} & set({SLOW})))"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=cwd, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])
