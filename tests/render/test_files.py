"""Which files a project has: exactly those that its answers ask for."""

import re
from pathlib import Path

import pytest

from tests.project import TEMPLATE, files, matches, registry
from tests.render.default_files import LIST


def test_the_default_project_has_exactly_the_listed_files(default):
    listed = LIST.read_text(encoding="utf-8").splitlines()
    unlisted, missing = sorted(files(default).keys() - set(listed)), sorted(set(listed) - files(default).keys())
    mend = "where that is meant: uv run python -m tests.render.default_files"
    assert not unlisted + missing, f"not in the list: {unlisted}; not in the project: {missing}; {mend}"
    assert listed == sorted(listed)


def test_the_default_project_is_small(default):
    assert len(files(default)) <= 45


def test_nothing_is_empty(project):
    for path in project.rglob("*"):
        if path.is_dir():
            assert any(path.iterdir()), f"{path.relative_to(project)} is an empty folder"
        elif path.name != ".gitkeep":
            assert path.read_bytes().strip(), f"{path.relative_to(project)} is empty"


def template_paths() -> list[tuple[set[str], str]]:
    """The files of template/ as a project would have them, each behind the names of the folders that only some get."""
    found = [path.relative_to(TEMPLATE / "template") for path in (TEMPLATE / "template").rglob("*") if path.is_file()]
    paths = [path.as_posix().removesuffix(".jinja") for path in found if "__pycache__" not in path.parts]
    only, loop = re.compile(r"{{ ctx\.only\.(\w+) }}/"), re.compile("{% .+? %}")
    return [(set(only.findall(path)), loop.sub("", only.sub("", path))) for path in paths]


def registered_patterns() -> list[str]:
    levels = [pattern for level in registry("levels") for pattern in level["managed"] + level["yours"]]
    others = [pattern for name in ("hosts", "doors") for each in registry(name).values() for pattern in each["paths"]]
    return levels + others


@pytest.mark.parametrize("pattern", registered_patterns())
def test_every_registered_path_is_a_file_of_the_template(pattern):
    assert any(matches([pattern]).match_file(path) for _, path in template_paths())


def test_what_only_some_projects_get_lies_in_the_folders_of_its_host_and_level():
    hosts = {name: matches(host["paths"]) for name, host in registry("hosts").items()}
    above = zip(("release", "monitoring"), registry("levels")[3:], strict=True)
    levels = {name: matches(level["managed"] + level["yours"]) for name, level in above}
    for folders, path in template_paths():
        of_host, of_level = (
            {name for name, paths in each.items() if paths.match_file(path)} for each in (hosts, levels)
        )
        assert folders & hosts.keys() == of_host, path
        assert folders & levels.keys() == of_level or (of_host and not of_level), path


def test_no_file_of_the_template_is_long():
    code = [Path(TEMPLATE, "template", path) for path in (TEMPLATE / "template").rglob("*") if ".py" in path.suffixes]
    long = {path.name: count for path in code if (count := len(path.read_text("utf-8").splitlines())) >= 200}
    assert not long


def test_a_host_or_a_door_that_was_not_chosen_leaves_nothing_behind(render):
    for door, entry in registry("doors").items():
        others = [name for name in registry("doors") if name != door]
        assert not list(matches(entry["paths"]).match_files(files(render(serving=others))))
        found = list(matches(entry["paths"]).match_files(files(render(serving=[door]))))
        assert bool(found) == bool(entry["paths"])
    assert not any("serve" in path for path in files(render(serving=[])))


def test_without_a_licence_there_is_none(render):
    project = render(license="none")
    assert not (project / "LICENSE").exists()
    assert "license" not in (project / "pyproject.toml").read_text(encoding="utf-8").lower()
