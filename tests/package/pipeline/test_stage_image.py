"""The image of the stages, without docker: what its Dockerfile does is done here, and stages run in the result."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from copier_mlops.cli import main
from copier_mlops.pipeline import stage_image
from copier_mlops.release import containers
from tests.package.release.test_image import INSTALL, network, settings_of
from tests.platforms import require_posix
from tests.project import TEMPLATE, commit, copy_project, replace, run

SETTINGS = Path("operation", "configuration", "engines", "argo.yaml")
IMAGE = "registry.example.org/credit:{commit}"
COPY = re.compile(r"^COPY (?!--from)(?:--chown=10001:10001 )?(\S+) (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A committed project for Argo with its uv.lock, whose data is on its data remote."""
    path = tmp_path_factory.mktemp("staged") / "project"
    copy_project(TEMPLATE, path, "HEAD", engines=["argo", "slurm"], package_name="staged")
    replace(path / SETTINGS, 'image: ""', f"image: {IMAGE}")
    run(path, "uv", "lock", "--quiet")
    commit(path)
    for words in ("add --quiet data/raw/german_credit.csv", "push --quiet"):
        run(path, sys.executable, "-m", "dvc", *words.split())
    return path


@pytest.fixture
def inside(project, monkeypatch) -> Path:
    """The project as the working directory, on a machine without docker."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(containers, "PROGRAMS", ())
    return project


@pytest.fixture(scope="module")
def app(project, tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A folder with what the image has in /app, and the variables of its processes."""
    require_posix()
    head = run(project, "git", "rev-parse", "HEAD").strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        stage_image.write(project, head, project / stage_image.CONTEXT)
    context, place = project / stage_image.CONTEXT, project.parent / "app"
    dockerfile = (context / "Dockerfile").read_text(encoding="utf-8")
    place.mkdir()
    for source, _ in COPY.findall(dockerfile):
        if source == "tree":
            shutil.copytree(context / source, place, dirs_exist_ok=True)
        elif (context / source).is_dir():
            shutil.copytree(context / source, place / source)
        else:
            shutil.copy(context / source, place / source)
    install = INSTALL.search(dockerfile)[1].replace(" --no-cache", "")
    for command in (f"uv venv --quiet --python {sys.executable}", install):
        variables = network() | {"PATH": os.environ["PATH"]}
        done = subprocess.run(
            shlex.split(command), cwd=place, env=variables, capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stderr
    for name in ("wheels", "requirements.txt"):  # the stage that runs has neither
        shutil.rmtree(place / name) if (place / name).is_dir() else (place / name).unlink()
    variables = settings_of(dockerfile)
    assert (variables.pop("PATH"), variables.pop("HOME")) == ("/app/.venv/bin:$PATH", "/tmp")  # noqa: S108
    home = tmp_path_factory.mktemp("home")
    return place, variables | {"PATH": str(place / ".venv" / "bin"), "HOME": str(home)}


def test_a_stage_runs_in_the_image_without_git_and_leaves_its_result_on_the_data_remote(project, app):
    place, variables = app
    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if ".venv" not in path.parts}
    known = set(run(project, "git", "ls-files").splitlines())
    assert known <= files and not any(".git" in Path(name).parts for name in files)

    def mlops(*words: str) -> str:
        command = [str(place / ".venv" / "bin" / "mlops"), *words]
        done = subprocess.run(command, cwd=place, env=variables, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout

    assert mlops("stage", "--list").splitlines()[0] == "ingest"
    assert "stage: ingest ran, in " in mlops("stage", "ingest", "--run", "nightly-7")
    assert (place / "data" / "interim" / "ingested.parquet").is_file()
    shutil.rmtree(place / "data" / "interim")
    assert "stage: validate ran, in " in mlops("stage", "validate", "--run", "nightly-7")


def test_the_context_is_listed_name_by_name_and_holds_only_hashed_distributions(app, project):
    context = project / stage_image.CONTEXT
    ignored = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {source for source, _ in COPY.findall((context / "Dockerfile").read_text(encoding="utf-8"))}
    assert "*" in ignored and copied == {line[1:] for line in ignored if line.startswith("!")}
    text = (context / "requirements.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"^ +#.*\n", "", text, flags=re.MULTILINE).strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    wheels = [entry.split(" ")[0] for entry in entries if entry.startswith("./wheels/")]
    assert [name.split("-")[0] for name in wheels] == ["./wheels/staged", "./wheels/copier_mlops"]
    assert "git+" not in text and "file://" not in text


def test_where_no_docker_is_the_command_for_another_machine_is_said(inside, capsys):
    head = run(inside, "git", "rev-parse", "HEAD").strip()
    (inside / "notes.txt").write_text("not committed", encoding="utf-8")
    assert main(["compile", "--engine", "argo", "--image"]) == 0
    said = f"docker build --tag=registry.example.org/credit:{head[:12]} build/stages"
    assert capsys.readouterr().out == f"compile: build/stages is complete; where docker or podman is: {said}\n"
    assert not (inside / "build" / "stages" / "tree" / "notes.txt").exists()


def test_docker_builds_the_context_and_pushes_to_the_registry_of_the_name(inside, monkeypatch, tmp_path, capfd):
    require_posix()
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "called"}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(containers, "PROGRAMS", ("docker",))
    monkeypatch.setenv("ENGINE_ARGO_IMAGE", "registry.example.org/credit:1")
    assert main(["compile", "--engine", "argo", "--image"]) == 0
    _, build, push = (tmp_path / "called").read_text(encoding="utf-8").splitlines()
    head = run(inside, "git", "rev-parse", "HEAD").strip()
    assert build.startswith("build --tag=registry.example.org/credit:1 ") and build.endswith("/build/stages")
    assert f"--label=org.opencontainers.image.revision={head}" in build
    assert push == "push registry.example.org/credit:1"
    assert capfd.readouterr().out.endswith("compile: the image registry.example.org/credit:1 was built and pushed\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--engine slurm --image", "compile: the stages of slurm need no image\n  fix: take one of "),
        ("--engine argo --image --commit no-such", "does not have the commit no-such"),
    ],
)
def test_what_cannot_be_built_is_said(inside, words, said):
    with pytest.raises(SystemExit) as end:
        main(["compile", *words.split()])
    assert said in str(end.value) and "\n  fix: " in str(end.value)


@pytest.mark.parametrize(
    ("image", "said"), [("", "is not set"), ("azureml:credit:3", "names an environment of Azure ML")]
)
def test_an_image_without_a_name_of_its_own_is_refused(inside, monkeypatch, image, said):
    with pytest.raises(stage_image.StageImageError, match=said):
        stage_image.name_of(image, "c" * 40, "azureml")


def test_a_commit_from_before_the_engine_is_refused(inside):
    run(inside, "git", "rm", "--quiet", "-r", stage_image.RECIPE.as_posix())
    try:
        before = commit(inside)
        with pytest.raises(SystemExit, match=r"operation/execution/stages/Dockerfile is not in \w{12}\n  fix: git add"):
            main(["compile", "--engine", "argo", "--image", "--commit", before])
    finally:
        run(inside, "git", "revert", "--no-edit", "HEAD")


def test_only_one_thing_is_done_at_once(inside, capsys):
    with pytest.raises(SystemExit):
        main(["compile", "--engine", "argo", "--image", "--deploy"])
    assert "--image builds an image and nothing else" in capsys.readouterr().err
