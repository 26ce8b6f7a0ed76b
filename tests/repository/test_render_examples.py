"""`poe render-examples` refuses what it cannot do; tests/repository/test_steps.py renders the examples themselves."""

import pytest

from tasks.render_examples import answers, main
from tests.project import TEMPLATE, commit, copy_template, registry, replace


def refusal(*arguments: str) -> str:
    with pytest.raises(SystemExit) as refused:
        main(list(arguments))
    said = str(refused.value)
    assert said.startswith("render-examples: ") and "Traceback" not in said
    return said


def test_there_is_an_example_for_each_host_at_a_level_that_its_flows_reach():
    levels = {each["git_host"]: each["maturity_level"] for each in answers().values()}
    assert levels.keys() == registry("hosts").keys()
    assert {host: level for host, level in levels.items() if level != 4} == {"forgejo": 2}


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    assert f"{tmp_path} is not an empty folder.\n  fix: " in refusal("--into", str(tmp_path))


def test_a_folder_of_this_checkout_is_refused():
    assert "is in this checkout" in refusal("--into", str(TEMPLATE / "build" / "examples"))


def test_a_template_that_cannot_be_reached_is_refused(tmp_path):
    said = refusal("--into", str(tmp_path / "examples"), "--template", str(tmp_path / "nowhere"))
    assert "Local template must be a directory.\n  fix: name a template" in said


def test_an_example_with_findings_is_refused(tmp_path):
    template = copy_template(tmp_path / "template")
    replace(template / "template" / "pyproject.toml.jinja", "[tool.poe]", "<<<<<<< before\n[tool.poe]")
    commit(template)
    said = refusal("--into", str(tmp_path / "examples"), "--template", str(template))
    assert "MLO101" in said and "\n  fix: uv run mlops lint --project " in said
