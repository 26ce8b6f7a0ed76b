"""Which files a project has: exactly those that its answers ask for."""

import itertools
import json
import re
from pathlib import Path, PurePosixPath

import pytest

from tests.project import TEMPLATE, files, matches, registry, run, team_files
from tests.render.answers import ODD, VALUES
from tests.render.default_files import LIST

# A folder of template/ that only some projects get is named for its condition.
CONDITION = re.compile(r"{{ ((?:on|from_level|serves|for|runs_on|runs_in)_\w+) }}")
# Names that are an answer of every project.
NAMES = ("{{ package_name }}", "{{ _copier_conf.answers_file }}.jinja")


def test_the_default_project_has_exactly_the_listed_files(default):
    listed = LIST.read_text(encoding="utf-8").splitlines()
    unlisted, missing = sorted(files(default).keys() - set(listed)), sorted(set(listed) - files(default).keys())
    fix = "where that is meant: uv run python -m tests.render.default_files"
    assert not unlisted + missing, f"not in the list: {unlisted}; not in the project: {missing}; {fix}"
    assert listed == sorted(listed)


def test_the_default_project_is_small(default):
    assert len(files(default)) <= 45


def test_nothing_is_empty(project):
    for path in project.rglob("*"):
        if path.is_dir():
            assert any(path.iterdir()), f"{path.relative_to(project)} is an empty folder"
        elif path.name != ".gitkeep":
            assert path.read_bytes().strip(), f"{path.relative_to(project)} is empty"


def template_files() -> list[PurePosixPath]:
    """The files of template/, as they are named there."""
    found = [path.relative_to(TEMPLATE / "template") for path in (TEMPLATE / "template").rglob("*") if path.is_file()]
    return [PurePosixPath(path.as_posix()) for path in found if "__pycache__" not in path.parts]


def template_paths() -> list[tuple[str, str]]:
    """The files of template/ as a project has them, each with the condition of the folder that it is in, if any."""
    found = []
    for path in template_files():
        folder = CONDITION.fullmatch(path.parts[0])
        inside = path.relative_to(path.parts[0]) if folder else path
        found.append((folder[1] if folder else "", inside.as_posix().removesuffix(".jinja")))
    return found


def test_a_path_has_at_most_one_folder_with_a_condition_and_windows_can_check_it_out():
    for path in template_files():
        conditions = [part for part in path.parts if "{" in part and part not in NAMES]
        assert conditions == [part for part in path.parts[:1] if CONDITION.fullmatch(part)], path
    listed = run(TEMPLATE, "git", "ls-files").splitlines()
    assert max(map(len, listed)) <= 110


def registered_patterns() -> list[str]:
    managed = [pattern for level in registry("levels") for pattern in level["managed"]]
    others = [
        pattern
        for name in ("coding_agents", "hosts", "serving")
        for each in registry(name).values()
        for pattern in each["paths"]
    ]
    return [*managed, *itertools.chain.from_iterable(team_files()), *others]


@pytest.mark.parametrize("pattern", registered_patterns())
def test_every_registered_path_is_a_file_of_the_template(pattern):
    assert any(matches([pattern]).match_file(path) for _, path in template_paths()), pattern


def test_what_only_some_projects_get_lies_in_the_folder_of_its_host_level_or_serving_mode():
    hosts = {f"on_{name}": matches(host["paths"]) for name, host in registry("hosts").items()}
    modes = {f"serves_{name}": matches(mode["paths"]) for name, mode in registry("serving").items()}
    modes |= {f"for_{name}": matches(agent["paths"]) for name, agent in registry("coding_agents").items()}
    modes |= {
        f"runs_on_{name}": matches([f"/operation/configuration/engines/{name}{part}.yaml" for part in ("", "_*")])
        for name in registry("engines")
        if name != "local"
    }
    modes["for_devcontainer"] = matches(["/.devcontainer"])
    modes["runs_in_images"] = matches(["/operation/execution/stages"])
    levels = {
        f"from_level_{number}": matches(level["managed"] + team_files()[number])
        for number, level in enumerate(registry("levels"))
        if number >= 3
    }
    for condition, path in template_paths():
        of_host, of_level, of_mode = (
            {name for name, paths in each.items() if paths.match_file(path)} for each in (hosts, levels, modes)
        )
        assert {condition} - {""} == (of_host or of_level or of_mode), path


def test_no_file_of_the_template_is_long():
    code = [Path(TEMPLATE, "template", path) for path in (TEMPLATE / "template").rglob("*") if ".py" in path.suffixes]
    long = {path.name: count for path in code if (count := len(path.read_text("utf-8").splitlines())) >= 200}
    assert not long


def test_a_host_or_a_serving_mode_that_was_not_chosen_leaves_nothing_behind(render):
    for mode, entry in registry("serving").items():
        others = [name for name in registry("serving") if name != mode]
        assert not list(matches(entry["paths"]).match_files(files(render(serving=others))))
        found = list(matches(entry["paths"]).match_files(files(render(serving=[mode]))))
        assert bool(found) == bool(entry["paths"])
    assert not any("serve" in path for path in files(render(serving=[])))


@pytest.mark.parametrize("python", VALUES["python_version"])
def test_a_dev_container_has_the_image_of_ci(render, python):
    assert not list(render(python_version=python).glob(".devcontainer"))
    project = render(python_version=python, devcontainer=True, git_host="gitlab", project_name=ODD)
    path = project / ".devcontainer" / "devcontainer.json"
    text = re.sub(r"(?m)^ *//.*$", "", path.read_text(encoding="utf-8"))
    described = json.loads(text)
    assert described["name"] == ODD
    assert f"image: {described['image']}\n" in (project / ".gitlab-ci.yml").read_text(encoding="utf-8")
    assert described["postCreateCommand"] == "uv run poe setup"
    assert described["forwardPorts"] == [8000]
    without = render(devcontainer=True, maturity_level=0) / ".devcontainer" / "devcontainer.json"
    assert "forwardPorts" not in without.read_text(encoding="utf-8")


def test_without_a_licence_there_is_none(render):
    project = render(license="none")
    assert not (project / "LICENSE").exists()
    assert "license" not in (project / "pyproject.toml").read_text(encoding="utf-8").lower()
