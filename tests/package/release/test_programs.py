"""What is asked of docker, podman and kubectl, by programs of that name that write it down."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from copier_mlops import handover
from copier_mlops.project import root
from copier_mlops.release import containers, environment
from copier_mlops.release.targets import Deployment, compose, kubernetes
from copier_mlops.settings import environment_folder, load_settings
from tests.package.shared import new_database, settings_at, uri
from tests.platforms import require_posix

DEPLOYMENT = "{kind: Deployment, metadata: {name: service-prod, namespace: models}}"


@pytest.fixture
def programs(inside, tmp_path, monkeypatch):
    """Puts a program on the path that writes down its arguments and fails if they hold `failing`."""
    require_posix()
    log = tmp_path / "asked.txt"
    log.touch()
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def install(name: str, failing: str = "nothing") -> Path:
        program = folder / name
        program.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"asked = ' '.join(sys.argv[1:])\nopen({str(log)!r}, 'a').write({name!r} + ' ' + asked + '\\n')\n"
            f"print({DEPLOYMENT!r} if 'kustomize' == sys.argv[1] else '')\nsys.exit({failing!r} in asked)\n",
            encoding="utf-8",
        )
        program.chmod(0o755)
        return log

    return install


@pytest.fixture
def deployment(inside, team_project) -> Deployment:
    packaged = {"image": "registry.example.org:5000/credit:3-abc", "built": True, "version": "3", "model": "credit"}
    folder = handover.folder("deploy-prod")
    yield Deployment(load_settings("prod"), "http://127.0.0.1:8123", packaged, folder / "image", folder, client=None)
    shutil.rmtree(team_project / "build")


def test_the_first_program_that_answers_builds(programs):
    programs("docker", failing="ps")
    programs("podman", failing="ps")
    assert containers.find() is None
    programs("podman")
    assert containers.find() == "podman"
    programs("docker")
    assert containers.find() == "docker"


@pytest.mark.parametrize(
    ("image", "pushed"),
    [("credit:3", False), ("team/credit:3", False), ("example.org/credit:3", True), ("localhost/credit:3", True)],
)
def test_an_image_is_pushed_if_its_name_begins_with_a_registry(programs, image, pushed):
    asked = programs("docker")
    containers.build("package", "docker", Path("context"), image, {"version": "3"})
    build, *push = asked.read_text().splitlines()
    assert build == f"docker build --tag={image} --label=org.opencontainers.image.version=3 context"
    assert push == ([f"docker push {image}"] if pushed else [])


def test_podman_keeps_the_health_check_of_the_image(programs):
    """Its own format has none, and compose waits for it."""
    asked = programs("podman")
    containers.build("package", "podman", Path("context"), "credit:3", {})
    assert asked.read_text() == "podman build --format=docker --tag=credit:3 context\n"


def test_a_build_that_fails_is_named(programs):
    programs("docker", failing="build")
    with pytest.raises(SystemExit, match=r"package: `docker build .*` ended with 1"):
        containers.build("package", "docker", Path("context"), "credit:3", {})


def test_compose_gets_the_image_and_the_environment(programs, deployment):
    asked = programs("docker")
    compose.start(deployment)
    assert asked.read_text().splitlines()[-1].endswith("compose.yaml up --detach --wait --wait-timeout=120")
    values = dict(line.split("=", 1) for line in (deployment.folder / "compose.env").read_text().splitlines())
    assert values["IMAGE"] == "registry.example.org:5000/credit:3-abc"
    assert (values["ENVIRONMENT"], values["PORT"]) == ("prod", "8123")
    used = (root() / compose.FILE).read_text()
    assert all("${" + name in used for name in values)


@pytest.mark.parametrize("target", [compose, kubernetes])
def test_an_image_that_was_never_built_runs_nowhere(programs, deployment, target):
    asked = programs("docker")
    programs("kubectl")
    deployment.package["built"] = False
    with pytest.raises(SystemExit, match="was never built"):
        target.start(deployment)
    assert asked.read_text() == ""


def test_kubernetes_applies_and_waits(programs, deployment):
    asked = programs("kubectl")
    kubernetes.start(deployment)
    _, apply, wait = asked.read_text().splitlines()
    folder = deployment.folder / "kubernetes"
    assert apply == f"kubectl apply --kustomize {folder}"
    assert wait == "kubectl rollout status deployment/service-prod --namespace=models --timeout=180s"
    document = yaml.safe_load((folder / "kustomization.yaml").read_text())
    (image,) = document["images"]
    assert image == {"name": "service", "newName": "registry.example.org:5000/credit", "newTag": "3-abc"}
    (resource,) = document["resources"]
    environment = folder / resource / "kustomization.yaml"
    (shared,) = yaml.safe_load(environment.read_text())["resources"]
    assert shared == kubernetes.MANIFESTS
    assert (environment.parent / shared / "kustomization.yaml").is_file()


def test_a_rollout_that_fails_is_undone(programs, deployment):
    asked = programs("kubectl", failing="rollout status")
    with pytest.raises(SystemExit, match=r"`kubectl rollout status .*` ended with 1"):
        kubernetes.start(deployment)
    assert asked.read_text().splitlines()[-1] == "kubectl rollout undo deployment/service-prod --namespace=models"


def test_what_runs_in_containers_is_looked_for_and_taken_down(programs):
    asked = programs("docker")
    settings = load_settings("stage")
    assert not compose.is_running(settings, None)  # it lists nothing
    compose.stop(settings, None)
    calls = [line for line in asked.read_text().splitlines() if "compose" in line]
    name = f"docker compose --project-name={settings.model_name}-stage"
    assert calls == [f"{name} ps --quiet", f"{name} down"]


def test_what_runs_in_a_cluster_is_looked_for_and_taken_down(programs):
    asked = programs("kubectl")
    assert not kubernetes.is_running(load_settings("stage"), None)
    kubernetes.stop(load_settings("stage"), None)
    look, delete = asked.read_text().splitlines()
    folder = environment_folder("stage")
    assert look == f"kubectl get --kustomize={folder} --ignore-not-found --output=name"
    assert delete == f"kubectl delete --kustomize={folder} --ignore-not-found --wait"


@pytest.fixture
def moved(inside):
    """The manifests of prod name the place that the shared ones had in 0.2.0."""
    file = environment_folder("prod") / "kustomization.yaml"
    content = file.read_text()
    file.write_text(content.replace(kubernetes.MANIFESTS, kubernetes.OLD_MANIFESTS))
    yield file
    file.write_text(content)


def test_manifests_of_0_2_0_are_named_with_the_command(programs, deployment, moved, tmp_path, monkeypatch):
    asked = programs("kubectl")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(tmp_path))
    monkeypatch.setenv("RELEASE_TARGET", "kubernetes")
    new_database(tmp_path, settings_at(uri(tmp_path), "prod"))
    sentence = (
        "operation/configuration/environment_prod/kustomization.yaml names ../../execution/release/kubernetes, and the "
        "manifests are in ../../execution/kubernetes now\n"
        "  fix: uv run poe lint-template --fix"
    )
    with pytest.raises(SystemExit) as refused:
        kubernetes.start(deployment)
    assert str(refused.value) == sentence
    for words in (["--env", "prod"], ["--env", "prod", "--teardown"]):
        with pytest.raises(SystemExit) as refused:
            environment.plan(words)
        assert str(refused.value) == sentence
    assert asked.read_text() == ""


def test_a_plan_without_kubectl_is_one_sentence(inside, deployment, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(tmp_path))
    monkeypatch.setenv("RELEASE_TARGET", "kubernetes")
    new_database(tmp_path, settings_at(uri(tmp_path), "prod"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as refused:
        environment.plan(["--env", "prod", "--teardown"])
    assert str(refused.value) == "plan: the state of service of prod is unknown: kubectl is not installed"
