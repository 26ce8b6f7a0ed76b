"""A machine of a git host is thrown away after its job: what would end with it is refused, and early."""

import pytest
import yaml

from copier_mlops.release import deploy, lasting
from copier_mlops.release.runner import MACHINES
from copier_mlops.settings import environment_folder

SERVER = "https://mlflow.example.org"


@pytest.fixture
def configured(inside, monkeypatch):
    """Set values in release.yaml of environments, which are as before after the test."""
    before = {}

    def write(*environments: str, **values: object) -> None:
        for file in (environment_folder(name) / "release.yaml" for name in environments):
            before.setdefault(file, file.read_text(encoding="utf-8"))
            document = yaml.safe_load(file.read_text(encoding="utf-8")) | values
            file.write_text(yaml.safe_dump(document), encoding="utf-8")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    yield write
    for file, text in before.items():
        file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("target", lasting.HERE)
def test_no_service_is_started_on_a_machine_that_is_thrown_away(configured, monkeypatch, machine, target):
    configured("stage", "prod", target=target)
    lasting.require_lasting("stage", "prod")
    monkeypatch.setenv(machine, "true")
    with pytest.raises(SystemExit) as refused:
        lasting.require_lasting("stage", "prod")
    said = str(refused.value)
    assert f"stage has the target {target} and prod has the target {target}" in said
    assert f"({machine} is set)" in said and "outlives_job: true" in said
    for name in ("stage", "prod"):
        assert f"operation/configuration/environment_{name}/release.yaml" in said
    configured("stage", target="kubernetes")
    with pytest.raises(SystemExit, match=r"^deploy: prod has"):
        lasting.require_lasting("stage", "prod")
    configured("prod", outlives_job=True)
    lasting.require_lasting("stage", "prod")


def test_a_deployment_is_refused_before_anything_moves(configured, monkeypatch):
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(deploy, "check_context", lambda *_: None)
    settings = deploy.load_settings("stage")
    with pytest.raises(SystemExit, match="what a job starts there ends with it"):
        deploy.run_service(None, settings, {"context": "3"}, "package")


def test_the_flow_is_checked_before_it_trains(configured, monkeypatch, capsys):
    deploy.main(["--check"])
    assert capsys.readouterr().out == "deploy: stage has the target local\ndeploy: prod has the target local\n"
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit, match="write target: kubernetes"):
        deploy.main(["--check"])
    configured("stage", "prod", target="kubernetes")
    with pytest.raises(SystemExit, match=r"names no registry.*\n  fix: write image: REGISTRY/NAME into operation"):
        deploy.main(["--check"])
    configured("prod", image="ghcr.io/acme/credit")
    deploy.main(["--check"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    with pytest.raises(SystemExit, match=r"the tracking server of dev is the file mlflow.db"):
        deploy.main(["--check"])
    configured("stage", "prod", outlives_job=True)
    deploy.main(["--check"])


def test_a_project_without_a_service_moves_only_the_alias(configured, monkeypatch):
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(lasting.context, "service", lambda: "batch")
    deploy.main(["--check"])
