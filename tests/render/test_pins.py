"""What is written down twice is the same in both places."""

import keyword
import re
import sys
import tomllib
from itertools import chain

from tests.project import TEMPLATE, interview, registry, team_files
from tests.render.answers import QUESTIONS, VALUES

SETTINGS = interview()


def pyproject(path) -> dict:
    return tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_reserved_names_are_those_of_python():
    reserved = registry("reserved")
    assert set(keyword.kwlist) <= set(reserved["keywords"])
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert public <= set(reserved["standard_library"])
    assert all(isinstance(name, str) for names in reserved.values() for name in names)


def test_a_package_cannot_have_the_name_of_a_folder_or_a_dependency(default):
    taken = set(registry("reserved")["taken"])
    folders = {path.name for path in default.iterdir() if path.is_dir() and path.name.isidentifier()}
    assert folders <= taken
    settings = pyproject(default)
    needed = chain(settings["project"]["dependencies"], *settings["dependency-groups"].values())
    names = {re.split(r"[\[><=]", each)[0].replace("-", "_") for each in needed}
    assert names - taken <= {"scikit_learn", "httpx", "pre_commit_hooks", "detect_secrets", "mypy", "typos"}


def test_there_is_one_day_on_which_all_was_tested(default):
    day = registry("tested")["day"]
    assert pyproject(TEMPLATE)["tool"]["uv"]["exclude-newer"] == day
    assert pyproject(default)["tool"]["uv"]["exclude-newer"] == day


def test_there_is_one_version():
    assert pyproject(TEMPLATE)["project"]["version"] == registry("tested")["version"]


def test_both_allow_the_same_python(default):
    assert pyproject(default)["project"]["requires-python"] == pyproject(TEMPLATE)["project"]["requires-python"]
    assert (default / ".python-version").read_text().strip() == VALUES["python_version"][0]


def test_every_choice_that_needs_an_entry_in_a_registry_has_one():
    assert set(VALUES["git_host"]) <= registry("hosts").keys()
    assert ["none", *registry("clouds")] == VALUES["cloud"]
    assert list(registry("coding_agents")) == VALUES["coding_agents"][-1]
    assert list(registry("serving")) == QUESTIONS["serving"]["default"]
    assert list(range(len(registry("levels")))) == VALUES["maturity_level"]
    for name in VALUES["license"]:
        assert name == "none" or (TEMPLATE / "extensions" / "licenses" / f"{name}.jinja").is_file()


def test_every_default_is_the_first_choice_and_every_question_has_one():
    for name, question in QUESTIONS.items():
        assert "default" in question, name
        assert question["help"].strip(), name
        if name not in ("maturity_level", "serving") and "choices" in question:
            assert question["default"] == VALUES[name][0]


def test_what_is_the_teams_is_never_overwritten():
    """The first pattern is for the first copy into a repository; tests/update/test_adopt.py tries it."""
    assert SETTINGS["_skip_if_exists"][1:] == list(chain.from_iterable(team_files()))


def test_what_comes_later_is_the_teams():
    levels = registry("levels")
    assert [set(each.get("later", {})) - {"layout", "cloud", "host", "engine"} for each in levels] == [set()] * len(
        levels
    )
    for level, yours in zip(levels, team_files(), strict=True):
        assert set(chain.from_iterable(level.get("later", {}).values())) <= set(yours)
