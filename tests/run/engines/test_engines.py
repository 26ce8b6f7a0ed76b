"""Each engine runs the same pipelines, for real, and brings home the dvc.lock that `dvc repro` writes."""

import re
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace as changed
from pathlib import Path

import pytest

from tests.package.contract.eight import CASES, TARGETS
from tests.project import TEMPLATE, replace
from tests.run.engines import airflow, argo, azureml, kubeflow, metaflow, prefect, slurm
from tests.run.engines.repository import RUN, Repository
from tests.run.project import Project, commands

# For each engine: what runs it on this machine, and which of its programs are missing here.
ENGINES = {
    "slurm": (slurm.serve, slurm.missing),
    "airflow": (airflow.serve, airflow.missing),
    "prefect": (prefect.serve, prefect.missing),
    "metaflow": (metaflow.serve, metaflow.missing),
    "kubeflow": (kubeflow.serve, kubeflow.missing),
    "argo": (argo.serve, argo.missing),
    "azureml": (azureml.serve, azureml.missing),
}
RESULTS = ("dvc.lock", "metrics/test.json", "metrics/data.json", "build/predictions.csv")
OWN = ("04_spend_money.csv", "08_leak_groups.csv")
# Engines that run these two as well: each starts the stages by a program of its own, which is here as it is elsewhere.
WITH_OWN = ("slurm", "airflow", "prefect")
# A stand-in of the tests is in the place of their cluster. Their own tests cancel runs there, and let it be away.
STAND_INS = ("kubeflow", "argo", "azureml")


@pytest.fixture(scope="module")
def fresh(copier, tmp_path_factory) -> Project:
    """The default project with all engines side by side, set up."""
    project = copier.copy(tmp_path_factory.mktemp("engines") / "project", engines=list(ENGINES))
    project.run("uv run poe setup")
    project.run("uv run dvc push --quiet")
    return project


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, tmp_path_factory, fresh) -> Iterator[tuple[str, object]]:
    """An engine that is up, by its name."""
    serve, missing = ENGINES[request.param]
    if program := missing():
        pytest.skip(f"{program} is not installed")
    with serve(tmp_path_factory.mktemp(request.param)) as server:
        yield request.param, server


@pytest.fixture(scope="module")
def own(fresh) -> Callable[[Path], Project]:
    """Clone the project, with an environment and a data remote of its own."""

    def clone(folder: Path) -> Project:
        shutil.copytree(fresh.path.parent / "german-credit-data", folder / "german-credit-data")
        project = changed(fresh.clone(folder / "project"), environment=dict(fresh.environment))
        project.run("uv run poe setup")
        return project

    return clone


@pytest.fixture(scope="module")
def repository(own, engine, tmp_path_factory) -> Repository:
    """The small pipeline, which the tests below change one after the other."""
    name, server = engine
    project = own(tmp_path_factory.mktemp("small"))
    project.environment |= server.variables
    bring(project, server)
    return Repository(project, name)


@pytest.fixture(scope="module")
def trained(own, tmp_path_factory) -> Callable[[str], tuple[Project, dict[str, str]]]:
    """Make a project of a file once for all engines, with what `poe train` has written on this machine."""
    known: dict[str, tuple[Project, dict[str, str]]] = {}

    def train(data: str) -> tuple[Project, dict[str, str]]:
        if data not in known:
            project = own(tmp_path_factory.mktemp(data.partition(".")[0]))
            if data in OWN:
                project.run(f"uv run poe adopt-data {CASES / data} --target {TARGETS[data]}")
                project.commit()
            project.run("uv run poe train --no-track")
            known[data] = (project, {name: project.text(name) for name in RESULTS})
        return known[data]

    return train


def test_the_lock_is_that_of_dvc_repro(repository, tmp_path):
    printed = repository.train("one")
    assert repository.ran().keys() == RUN
    assert "7 stages on" in printed and "stage 7 of 7, " in printed
    assert repository.project.text("dvc.lock") == repository.lock_of_repro(tmp_path / "twin")
    assert repository.project.text("measure.json") == "sfam"
    assert repository.project.text("last/all.txt") == "sfasfbl"
    repository.project.commit()


def test_a_changed_parameter_runs_its_branch(repository):
    repository.ran()
    replace(repository.path / "params.yaml", "depth_b: 1", "depth_b: 2")
    repository.train("two")
    assert repository.ran() == {"b": 1}
    repository.project.commit()


def test_a_stage_that_fails_ends_its_branch_and_keeps_the_others(repository):
    replace(repository.path / "params.yaml", "depth_a: 1\ndepth_b: 2", "depth_a: 3\ndepth_b: 3")
    repository.tell("a.fails", "2")
    printed = repository.train("three", fails=True)
    assert "each@a | a is told to fail" in printed
    assert "train: the run three failed in each@a: " in printed
    assert repository.ran() == {"a": 2, "b": 1}  # one more attempt, as `retries` says
    assert "depth_b: 3" in repository.project.text("dvc.lock")
    assert "depth_a: 1" in repository.project.text("dvc.lock")


def test_the_next_run_does_the_rest_with_another_attempt(repository):
    repository.tell("a.fails", "1")
    repository.train("four")
    assert repository.ran() == {"a": 2}
    assert "depth_a: 3" in repository.project.text("dvc.lock")
    repository.train("four")
    assert not repository.ran()
    repository.project.commit()


def test_an_interrupted_run_ends_its_stages_and_goes_on_later(repository, engine):
    if engine[0] in STAND_INS:
        pytest.skip(f"tests/package/pipeline/engines/test_{engine[0]}.py cancels a run")
    replace(repository.path / "params.yaml", "depth_b: 3", "depth_b: 4")
    code, printed = repository.interrupt("five", "b")
    assert code == 130, printed
    assert "the run five is cancelled" in printed and "Traceback" not in printed
    repository.ran()
    repository.train("six")
    assert repository.ran() == {"b": 1}
    assert not (repository.told / "b.survived").exists()
    repository.project.commit()


def test_an_engine_that_is_away_for_a_while_is_waited_for(repository, engine):
    if not hasattr(engine[1], "go_away"):
        pytest.skip(f"{engine[0]} has no server")
    if engine[0] in STAND_INS:
        pytest.skip(f"tests/package/pipeline/engines/test_{engine[0]}.py lets it be away")
    replace(repository.path / "params.yaml", "depth_a: 3", "depth_a: 5")
    server, said = engine[1], []
    repository.tell("a.slow")
    waits = threading.Thread(target=lambda: said.append(repository.train("seven")))
    waits.start()
    for _ in range(600):
        if (repository.told / "a.began").exists():
            break
        waits.join(0.1)
    server.go_away()
    try:
        waits.join(12)
    finally:
        server.come_back()
    repository.untell("a")
    waits.join(180)
    assert said and "answers again" in said[0]
    assert "depth_a: 5" in repository.project.text("dvc.lock")


@pytest.mark.parametrize("data", ["german_credit.csv", *OWN])
def test_a_training_gives_what_one_on_this_machine_gives(trained, engine, data):
    if data in OWN and engine[0] not in WITH_OWN:
        pytest.skip(f"{engine[0]} runs the default project: its stages are the same commands")
    project, expected = trained(data)
    forget(project)
    bring(project, engine[1])
    printed = project.run(f"uv run poe train --engine {engine[0]}", **engine[1].variables)
    assert {name: project.text(name) for name in RESULTS} == expected
    assert "track: run " in printed and "Next: uv run poe register" in printed


def test_the_commands_of_its_page(trained, engine):
    project, _ = trained("german_credit.csv")
    page = (TEMPLATE / "docs" / "how-to" / "engines" / f"{engine[0]}.md").read_text(encoding="utf-8")
    ran = re.search(r"--run (\d{8}-\S+)", page)
    if ran is None:
        pytest.skip(f"tests/run/engines/test_{engine[0]}.py walks it")
    bring(project, engine[1])
    written: list[Path] = []
    for line in commands(page):
        if line.startswith("uvx copier"):
            continue  # tests/update/test_update.py adds an engine
        command, _, file = line.replace(ran[1], "page").partition(" > ")
        project.run(f"bash -c {shlex.quote(f'{command} > {file}' if file else command)}", **engine[1].variables)
        if file:
            assert re.search("train[@-]linear", project.text(file))
            written.append(project.path / file)
    for each in written:
        each.unlink()


def bring(project: Project, server: object) -> None:
    """Let an engine whose stages run in an image have one of this project."""
    if take := getattr(server, "take", None):
        take(project)


def forget(project: Project) -> None:
    """Bring a project back to its last commit, without results; DVC's cache of runs would spare the engine its work."""
    project.run("git clean -dxfq build data/interim data/processed metrics dvc.lock mlflow.db .dvc/cache/runs")
    project.run("git checkout --quiet .")
