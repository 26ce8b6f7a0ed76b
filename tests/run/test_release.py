"""A model goes to stage and to prod, a second one follows, and prod goes back, by the commands that CI runs."""

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass

import pytest
import yaml

from tests.processes import free_port
from tests.project import TEMPLATE
from tests.run.project import Project, commands, request
from tests.run.test_serving import records

# The jobs before, in short: a version, made if it is not there yet, what they hand on about it, and its approval.
HAND_ON = """
import sys
from copier_mlops import handover
from copier_mlops.hosts.interface import Approval
from copier_mlops.settings import load_settings
from copier_mlops.release import approval
from copier_mlops.tracking import connect, models
settings = load_settings()
client = connect(settings)
if len(models.versions(client, settings)) < int(sys.argv[1]):
    first = client.get_model_version(settings.model_name, "1")
    client.create_model_version(settings.model_name, first.source, first.run_id, first.tags)
version = client.get_model_version(settings.model_name, sys.argv[1])
record = {"released": True, "reason": "better", "model": version.name, "version": version.version}
record |= {"sha256": version.tags["sha256"], "md5": version.tags["md5"], "run_id": version.run_id}
record |= {"commit": version.tags["git.commit"], "data": {"data": version.tags["dvc.md5.data/raw/german_credit.csv"]}}
champion = models.current(client, load_settings("prod"))
handover.write("release", "release", record | {"champion_version": champion and champion.version})
approval.record("prod", Approval("Ada", "in a test", "2026-11-20T00:00:00+00:00"))
"""
# Ends the processes that this project has started, and no other.
END = """
from copier_mlops.settings import load_settings
from copier_mlops.release import history
from copier_mlops.release.targets import process
from copier_mlops.tracking import connect
for environment in ("stage", "prod"):
    settings = load_settings(environment)
    if record := process.found(history.service(connect(settings), settings)):
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
        self.project.run(f"uv run python build/script.py {' '.join(arguments)}")

    def ask(self, environment: str) -> tuple[str, list]:
        """The version that answers, and what it answers to the sample."""
        url = f"http://127.0.0.1:{self.ports[environment]}/predict"
        _, headers, answers = request(url, records(self.project))
        return headers["X-Model-Version"], [answer["probability"] for answer in answers]

    def document(self, path: str) -> dict:
        return json.loads(self.project.text(f"build/{path}.json"))


@pytest.fixture(scope="module")
def released(copier, project, tmp_path_factory) -> Released:
    trained, project = project, copier.copy(tmp_path_factory.mktemp("release") / "project", maturity_level=3)
    project.run("uv run poe setup")
    # The same data, code and parameters: what DVC has kept of them spares the training.
    shutil.copytree(trained / ".dvc" / "cache", project / ".dvc" / "cache", dirs_exist_ok=True)
    assert "Stage 'evaluate' is cached" in project.run("uv run poe train")
    project.run("uv run poe register")
    project.commit()
    found = Released(project, {"stage": free_port(), "prod": free_port()})
    yield found
    found.script(END)


def test_from_a_registered_model_to_prod_and_back(released):
    project = released.project
    released.script(HAND_ON, "1")
    assert "neither docker nor podman answers" in project.run("uv run poe package")
    for environment in ("stage", "prod"):
        assert "version 1 answers at" in released.poe("deploy", environment)
        assert "verify: 125 records are answered" in released.poe("verify", environment)
    version, answers = released.ask("prod")
    assert version == "1"
    health = request(f"http://127.0.0.1:{released.ports['prod']}/health")[2]
    lock = yaml.safe_load(project.text("dvc.lock"))["stages"]["evaluate"]["outs"]
    assert health["model_sha256"] == released.document("deploy-prod/deployment")["sha256"]
    assert released.document("deploy-prod/deployment")["md5"] == lock[0]["md5"]
    assert hashlib.sha256((project.path / lock[0]["path"]).read_bytes()).hexdigest() == health["model_sha256"]
    # The image's model and the registry's give the same answers.
    project.run("uv run poe predict --data operation/tests/sample.csv --out build/answers.json")
    assert answers == pytest.approx([each["probability"] for each in released.document("answers")])
    assert released.document("deploy-prod/deployment")["approval"]["by"] == "Ada"
    for command in commands((TEMPLATE / "docs" / "how-to" / "releases.md").read_text(encoding="utf-8")):
        assert health["model_sha256"] in project.run(command)

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
    # What Ada allowed was done; a second time, somebody is asked again.
    assert "deploy-prod: nobody has approved it" in released.poe("deploy", "prod", fails=True)
    assert released.ask("prod") == ("1", answers)
    result = json.loads(released.poe("--quiet verify --json", "prod"))
    assert (result["ok"], result["version"]) == (True, "1")


def test_nothing_is_released_where_nothing_was_promoted(released):
    project = released.project
    kept = released.ask("stage")
    (project.path / "build/release/release.json").write_text('{"released": false, "reason": "not better"}')
    assert "package: nothing to release: not better" in project.run("uv run poe package")
    for task in ("deploy", "verify"):
        assert f"{task}: nothing to release: not better" in released.poe(task, "stage")
    for path in ("package/package", "deploy-stage/deployment", "deploy-stage/verification"):
        assert released.document(path) == {"released": False, "reason": "not better"}
    assert released.ask("stage") == kept


def test_without_the_http_door_the_batch_is_packaged_and_the_alias_moves(copier, released, tmp_path):
    registry = f"sqlite:///{released.project.path / 'mlflow.db'}"
    project = copier.copy(tmp_path / "project", maturity_level=3, serving=["batch"])
    project.environment["MLFLOW_TRACKING_URI"] = registry
    project.run("uv sync --quiet")
    (project.path / "build").mkdir()
    batch = Released(project, {"stage": 9})
    batch.script(HAND_ON, "2")
    assert "build/package/image is ready to be built" in project.run("uv run poe package")
    assert "only the alias moves" in batch.poe("deploy", "stage")
    assert "challenger is version 2; there is no HTTP service to ask" in batch.poe("verify", "stage")
    assert "challenger is version 1" in batch.poe("rollback", "stage")
    # What the image does: the batch is scored by the context and the environment that its requirements make.
    image = tmp_path / "image"
    shutil.copytree(project.path / "build" / "package" / "image", image)
    run = Project(image, environment=project.environment).run
    run("uv venv --quiet --python " + sys.executable)
    run("uv pip install --quiet --require-hashes --requirement requirements.txt")
    sample = project.path / "operation" / "tests" / "sample.csv"
    service = f"{image / '.venv' / 'bin' / 'mlops'} service"
    assert "batch scoring is ready with version 2" in run(f"{service} --check")
    run(f"{service} --data {sample} --out answers.json")
    answers = json.loads((image / "answers.json").read_text())
    assert {each["model_version"] for each in answers} == {"2"}
    assert len(answers) == 125
    model = image / "model" / "model.skops"
    content = model.read_bytes()
    model.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    printed = run(f"{service} --data {sample} --out answers.json", fails=True)
    assert printed.startswith("service: the packaged german-credit cannot be used: ")
    assert "is damaged: its SHA-256 is" in printed
