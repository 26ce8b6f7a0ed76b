"""The image as far as it can be proven without docker: what its Dockerfile does is done here, from the context."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from copier_mlops import handover
from copier_mlops.release import containers, package, verify
from copier_mlops.settings import load_settings
from copier_mlops.tracking import models, register
from tests.package.shared import columns, flip, new_database, tracked, uri
from tests.platforms import require_posix
from tests.run.project import request, wait_for

INSTALL = re.compile(r"^RUN uv venv && (uv pip install .*)$", re.MULTILINE)


def settings_of(dockerfile: str) -> dict[str, str]:
    """What the image's process is told."""
    lines = re.findall(r"^ENV (.*)$", dockerfile, re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in shlex.split(line))


def network() -> dict[str, str]:
    """How the index is reached from here."""
    return {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "HOME"))}


@pytest.fixture(scope="module")
def packaged(inside, team_project, tmp_path_factory) -> dict:
    """The package of a registered version; its context is in build/package/image."""
    folder = tmp_path_factory.mktemp("mlflow")
    inside.setenv("MLFLOW_TRACKING_URI", uri(folder))
    inside.setattr(containers, "PROGRAMS", ())
    settings = load_settings("prod")
    client = new_database(folder, settings)
    version = register.register(client, settings, tracked(settings, folder / "model.skops", pipeline="a"))
    models.point(client, settings, version)
    yield package.of_version(client, settings, str(version.version), package.JOB)
    shutil.rmtree(team_project / "build")


@pytest.fixture(scope="module")
def image(packaged, tmp_path_factory) -> Path:
    """A folder with what the image has in /app: an environment that the Dockerfile's command made, and what it copies.

    The git on the path of the installation would fail and write down that it was asked.
    """
    require_posix()
    context, app = handover.build() / package.JOB / "image", tmp_path_factory.mktemp("image") / "app"
    dockerfile = (context / "Dockerfile").read_text()
    tools = app.parent / "tools"
    tools.mkdir()
    (tools / "git").write_text(f"#!/bin/sh\ntouch {tools / 'asked'}\nexit 1\n")
    (tools / "git").chmod(0o755)
    variables = network() | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    app.mkdir()
    for name in re.findall(r"^COPY (?!--from)(\S+)", dockerfile, re.MULTILINE):
        (shutil.copytree if (context / name).is_dir() else shutil.copy)(context / name, app / name)
    install = INSTALL.search(dockerfile)[1].replace(" --no-cache", "")
    for command in (f"uv venv --python {sys.executable}", install):
        done = subprocess.run(shlex.split(command), cwd=app, env=variables, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr
    assert not (tools / "asked").exists()
    # The stage that runs has neither.
    shutil.rmtree(app / "wheels")
    (app / "requirements.txt").unlink()
    return app


def command(image: Path) -> tuple[list[str], dict[str, str]]:
    """The image's command and variables, for its copy in a folder."""
    dockerfile = (handover.build() / package.JOB / "image" / "Dockerfile").read_text()
    entry = re.search(r'^ENTRYPOINT \["(\w+)", "(\w+)"\]$', dockerfile, re.MULTILINE)
    variables = settings_of(dockerfile)
    assert variables.pop("PATH") == "/app/.venv/bin:$PATH"
    programs = image / ".venv" / "bin"
    return [str(programs / entry[1]), entry[2]], variables | {"PATH": str(programs), "OPERATION_ENVIRONMENT": "prod"}


def test_every_distribution_has_a_hash_and_markers_stay(packaged):
    text = (handover.build() / package.JOB / "image" / "requirements.txt").read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^ +#.*\n", "", text, flags=re.MULTILINE).strip())
    assert all("--hash=sha256:" in entry for entry in entries), text
    assert [entry.split("-")[0] for entry in entries if entry.startswith("./wheels/")] == [
        "./wheels/lending",
        "./wheels/copier_mlops",
    ]
    assert "git+" not in text and "file://" not in text
    assert re.search(r"^\S+==\S+ ; .*(sys_platform|platform_machine|python_full_version)", text, re.MULTILINE)


def test_the_service_answers_from_the_context_and_the_environment_of_the_dockerfile(packaged, image, table, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words, variables = command(image)
    variables |= {"OPERATION_BIND": "127.0.0.1", "OPERATION_PORT": str(port)}
    url, log = f"http://127.0.0.1:{port}", tmp_path / "service.log"
    before = sorted(path for path in image.rglob("*") if ".venv" not in path.parts)
    with log.open("w") as output:
        service = subprocess.Popen(words, cwd=image, env=variables, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(f"{url}/health", service, log)
        assert request(f"{url}/health")[2]["model_sha256"] == packaged["sha256"]
        answers = request(f"{url}/predict", verify.sample(1000))[2]
    finally:
        service.terminate()
        service.wait(timeout=30)
    expected = models.predictor(load_settings("prod")).score(table[columns()])
    assert [each["probability"] for each in answers] == pytest.approx(list(expected["probability"]))
    # Its root can be read-only.
    assert sorted(path for path in image.rglob("*") if ".venv" not in path.parts) == before


@pytest.fixture
def check(image):
    """What `mlops service --check` says in the image, and its exit code."""

    def checked() -> tuple[int, str]:
        words, variables = command(image)
        done = subprocess.run(
            [*words, "--check"], cwd=image, env=variables, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return checked


def test_the_check_loads_all_and_ends(check):
    assert check() == (0, "service: German Credit is ready with version 1\n")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("model/model.skops", "service: the packaged lending cannot be used: "),
        ("operation/execution/serve.py", "mlops: operation/execution/serve.py, line "),
    ],
)
def test_a_file_that_changed_is_refused_in_one_sentence(check, image, path, sentence):
    file = image / path
    content = flip(file) if path.endswith("skops") else file.read_bytes()
    if path.endswith(".py"):
        file.write_text("def create_app(:\n")
    try:
        code, said = check()
    finally:
        file.write_bytes(content)
    assert code == 1
    assert said.startswith(sentence)
    assert len(said.splitlines()) == 2 and said.splitlines()[1].startswith("  fix: ")
