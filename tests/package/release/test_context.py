"""The libraries of an image: those that its model needs arrive, with the packages of Debian that they need."""

import re
from pathlib import Path

import pytest
import yaml

from copier_mlops import libraries
from copier_mlops.project import root
from copier_mlops.release import context
from tests.platforms import require_posix
from tests.project import TEMPLATE, replace, run

LISTED = (
    "numpy==2.4.6 ; sys_platform == 'linux' \\\n    --hash=sha256:0\nuvicorn[standard]==0.40.0\n./wheels/a --hash=1\n"
)


@pytest.fixture
def project(inside):
    """The project of the tests, with its pyproject.toml, uv.lock and release.yaml as they were afterwards."""
    release = Path("operation/configuration/environment_prod/release.yaml")
    before = {path: path.read_bytes() for path in (Path("pyproject.toml"), Path("uv.lock"), release)}
    yield release
    for path, content in before.items():
        path.write_bytes(content)


def add(*options: str) -> None:
    """What `uv add` writes, without an installation."""
    run(root(), "uv", "add", "--quiet", "--no-sync", *options, "lightgbm")


def test_names_are_those_of_the_requirements():
    assert context.distributions(LISTED) == {"numpy", "uvicorn"}
    assert context.distributions("") == set()


def test_a_library_of_the_dependencies_arrives_with_what_debian_has_for_it(project):
    assert "lightgbm" not in context.distributions(context.export("--no-header"))
    with pytest.raises(SystemExit, match=r"lack lightgbm, .*: `dependencies` .*\n  fix: uv add lightgbm, then train"):
        context.check_libraries({"lightgbm"}, context.distributions(context.export("--no-header")))
    add()
    installed = context.distributions(context.export("--no-header"))
    context.check_libraries({"lightgbm", "numpy"}, installed)
    assert libraries.debian(installed) == ["libgomp1"]


def test_a_library_of_a_group_is_refused_until_the_image_gets_the_group(project):
    add("--group", "boost")
    installed = context.distributions(context.export("--no-header"))
    with pytest.raises(SystemExit) as refused:
        context.check_libraries({"lightgbm"}, installed)
    reason, fix = str(refused.value).splitlines()
    assert reason.endswith("would lack lightgbm, which the model needs: only the group boost of pyproject.toml has it")
    assert fix.startswith(
        "  fix: uv remove --group boost lightgbm && uv add lightgbm; or add `image_groups: [boost]` to "
    )
    place = re.search(r"to (\S+)$", fix)[1]
    assert Path(place) == project
    project.write_text(f"{project.read_text()}image_groups: [boost]\n")
    assert yaml.safe_load(project.read_text())["image_groups"] == ["boost"]
    assert "lightgbm" in context.distributions(context.export("--no-header"))
    replace(project, "[boost]", "[bost]")
    with pytest.raises(SystemExit, match=r"(?s)cannot be exported: .*bost.*\n  fix: "):
        context.export()


def test_the_context_of_a_booster_names_what_debian_has_for_it(project, tmp_path, monkeypatch):
    add()
    file = tmp_path / "model.skops"
    file.write_bytes(b"the file is not read here")
    monkeypatch.setattr(context, "fetch", lambda _: file)
    monkeypatch.setattr(libraries, "of_model", lambda _: {"lightgbm": "4.7.0"})
    monkeypatch.setattr(context.wheels, "build", lambda _: {})
    context.write({"model": "a", "version": "1"}, tmp_path / "image")
    assert (tmp_path / "image" / context.SYSTEM).read_text() == "libgomp1\n"
    dockerfile = (tmp_path / "image" / "Dockerfile").read_text()
    assert f"COPY {context.SYSTEM} ./" in dockerfile
    assert dockerfile.index("apt-get install") < dockerfile.index("USER 10001")
    assert f"!{context.SYSTEM}" in (tmp_path / "image" / ".dockerignore").read_text().splitlines()


def shell(dockerfile: str) -> str:
    """The command of the Dockerfile that installs packages of Debian."""
    return re.search(r"^RUN (if \[ -s .*?fi)$", dockerfile, re.DOTALL | re.MULTILINE)[1]


@pytest.mark.parametrize(("packages", "asked"), [("libgomp1\n", ["update", "install"]), ("", [])], ids=["some", "none"])
def test_the_command_asks_apt_only_if_there_is_something_to_install(inside, tmp_path, packages, asked):
    """apt-get is a program that writes down its arguments: no package is installed here."""
    require_posix()
    source = (TEMPLATE / "template/{{ from_level_3 }}/operation/execution/image/Dockerfile.jinja").read_text()
    command = shell(source).replace("/var/lib/apt", str(tmp_path / "apt"))
    (tmp_path / context.SYSTEM).write_text(packages)
    tool = tmp_path / "bin" / "apt-get"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "asked"}\n')
    tool.chmod(0o755)
    run(tmp_path, "sh", "-c", f'PATH="{tool.parent}:$PATH"; {command}')
    lines = (tmp_path / "asked").read_text().splitlines() if asked else []
    assert [line.split()[0] for line in lines] == asked
    assert not asked or lines[1].split()[-1] == "libgomp1"
