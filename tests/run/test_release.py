"""A model goes to stage and to prod, a second one follows, and prod goes back, by the commands that CI runs."""

import json
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.run.project import Project, copy_project, request
from tests.run.test_serving import records

INSIDE = Path(__file__).parent / "inside" / "release"
# The jobs before, in short: a version, made where it is not there yet, what they hand on about it, and its approval.
HAND_ON = """
import sys
from operation.configuration.settings import load
from operation.execution import registry, tracking
from operation.execution.host.interface import Approval
from operation.execution.release import approval, handover
settings = load()
client = tracking.connect(settings)
if len(registry.versions(client, settings)) < int(sys.argv[1]):
    first = client.get_model_version(settings.model_name, "1")
    client.create_model_version(settings.model_name, first.source, first.run_id, first.tags)
version = client.get_model_version(settings.model_name, sys.argv[1])
record = {"released": True, "reason": "better", "model": version.name, "version": version.version}
record |= {"sha256": version.tags["sha256"], "run_id": version.run_id, "commit": version.tags["git.commit"]}
handover.write("register", "release", record | {"data": {"data": version.tags["dvc.md5.data/raw/german_credit.csv"]}})
approval.grant("prod", Approval("Ada", "in a test", "2026-11-20T00:00:00+00:00"))
"""
# Ends the processes that this project has started, and no other.
END = """
from operation.configuration.settings import load
from operation.execution import tracking
from operation.execution.release import history
from operation.execution.release.targets import process
for environment in ("stage", "prod"):
    settings = load(environment)
    if record := process.found(history.service(tracking.connect(settings), settings)):
        process.end(record)
"""


@dataclass
class Released:
    """A project of level 3, and where its two environments answer."""

    project: Project
    ports: dict[str, int]

    def poe(self, task: str, environment: str, **options: object) -> str:
        """What a task prints for an environment."""
        url = f"http://127.0.0.1:{self.ports[environment]}"
        return self.project.run(f"uv run poe {task} --env {environment}", RELEASE_URL=url, **options)

    def script(self, text: str, *arguments: str) -> None:
        file = self.project.path / "build" / "script.py"
        file.write_text(text)
        self.project.run(f"uv run python build/script.py {' '.join(arguments)}", PYTHONPATH=".")

    def ask(self, environment: str) -> tuple[str, list]:
        """The version that answers, and what it answers to the sample."""
        url = f"http://127.0.0.1:{self.ports[environment]}/predict"
        _, headers, answers = request(url, records(self.project))
        return headers["X-Model-Version"], [answer["probability"] for answer in answers]

    def document(self, path: str) -> dict:
        return json.loads(self.project.text(f"build/{path}.json"))


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Released:
    project = copy_project(tmp_path_factory.mktemp("release") / "project", maturity_level=3)
    for task in ("setup", "train", "register"):
        project.run(f"uv run poe {task}")
    project.commit()
    found = Released(project, {"stage": free_port(), "prod": free_port()})
    yield found
    found.script(END)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_from_a_registered_model_to_prod_and_back(released):
    project = released.project
    released.script(HAND_ON, "1")
    assert "neither docker nor podman answers" in project.run("uv run poe package")
    for environment in ("stage", "prod"):
        assert "version 1 answers at" in released.poe("deploy", environment)
        assert "verify: 125 records are answered" in released.poe("verify", environment)
    version, answers = released.ask("prod")
    assert version == "1"
    # The image's model and the registry's give the same answers.
    project.run("uv run poe predict --data operation/tests/sample.csv --out build/answers.json")
    assert answers == pytest.approx([each["probability"] for each in released.document("answers")])
    assert released.document("deploy-prod/deployment")["approval"]["by"] == "Ada"

    released.script(HAND_ON, "2")
    project.run("uv run poe package")
    assert "nothing was changed" in released.poe("rollback", "prod", fails=True)
    released.poe("deploy", "prod")
    released.poe("verify", "prod")
    assert released.ask("prod")[0] == "2" and released.ask("stage")[0] == "1"
    assert released.document("deploy-prod/deployment")["before"] == "1"

    printed = released.poe("rollback", "prod")
    assert "prod goes from version 2 back to 1" in printed
    assert "verify: 125 records are answered" in printed
    assert released.ask("prod") == ("1", answers)
    result = json.loads(released.poe("--quiet verify --json", "prod"))
    assert (result["ok"], result["version"]) == (True, "1")


def test_nothing_is_released_where_nothing_was_promoted(released):
    project = released.project
    kept = released.ask("stage")
    (project.path / "build/register/release.json").write_text('{"released": false, "reason": "not better"}')
    assert "package: nothing to release: not better" in project.run("uv run poe package")
    for task in ("deploy", "verify"):
        assert f"{task}: nothing to release: not better" in released.poe(task, "stage")
    for path in ("package/package", "deploy-stage/deployment", "deploy-stage/verification"):
        assert released.document(path) == {"released": False, "reason": "not better"}
    assert released.ask("stage") == kept


def test_the_managed_code_keeps_its_promises(released):
    folder = released.project.path / "operation" / "tests" / "inside"
    folder.mkdir()
    for file in INSIDE.glob("*.jinja"):
        text = file.read_text().replace("{{ package_name }}", "german_credit")
        (folder / file.name.removesuffix(".jinja")).write_text(text)
    released.project.run("uv run pytest operation/tests/inside")
    shutil.rmtree(folder)


def test_without_the_http_door_the_batch_is_packaged_and_the_alias_moves(released, tmp_path):
    registry = f"sqlite:///{released.project.path / 'mlflow.db'}"
    project = copy_project(tmp_path / "project", maturity_level=3, serving=["batch"])
    project.environment["MLFLOW_TRACKING_URI"] = registry
    project.run("uv sync --quiet")
    (project.path / "build").mkdir()
    batch = Released(project, {"stage": 9})
    batch.script(HAND_ON, "2")
    assert "build/package/image is ready to be built" in project.run("uv run poe package")
    assert "the alias alone moves" in batch.poe("deploy", "stage")
    assert "challenger is version 2; there is no HTTP service to ask" in batch.poe("verify", "stage")
    assert "challenger is version 1" in batch.poe("rollback", "stage")
    image = project.path / "build" / "package" / "image"
    command = "uv run python -m operation.execution.serving.packaged --data"
    sample = project.path / "operation" / "tests" / "sample.csv"
    paths = {"PYTHONPATH": f"{image}{os.pathsep}{image / 'src'}", "UV_PROJECT": str(project.path)}
    Project(image, project.environment).run(f"{command} {sample} --out answers.json", **paths)
    assert len(json.loads((image / "answers.json").read_text())) == 125
