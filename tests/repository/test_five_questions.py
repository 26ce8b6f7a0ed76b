"""Who has never seen the repository finds five things by the names of files: docs/contributing.md says which."""

import re
import subprocess
import sys

import yaml

from tests.project import TEMPLATE, copy_project, copy_template, registry, replace, team_files

PAGE = (TEMPLATE / "docs" / "contributing.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Where things are: five questions\n")[2].partition("\n## ")[0]
ANSWERS = dict(re.findall(r"^\| (.+\?) \| (.+) \|$", SECTION, re.MULTILINE))
CODE = re.compile("`([^`]+)`")
# In a project, or not there yet; the page says so.
ELSEWHERE = {".gitlab/flows/cd.yml", "src/copier_mlops/pipeline"}


def test_each_path_that_an_answer_names_is_there():
    assert len(ANSWERS) == 5
    for answer in ANSWERS.values():
        paths = [each for each in CODE.findall(answer) if "/" in each or each.endswith(".yml")]
        assert paths
        assert {path for path in paths if not (TEMPLATE / path).exists()} <= ELSEWHERE


def test_the_answers_are_less_than_a_page():
    assert len(SECTION.split()) < 300


def test_what_level_3_adds_is_in_its_entry():
    level = registry("levels")[3]
    assert f"The entry `{level['name']}`" in ANSWERS["What does level 3 add?"]
    assert {"cd", "judge", "release"} <= set(level["tasks"])
    assert "# level 3\n" in (TEMPLATE / "extensions" / "yours.yml").read_text(encoding="utf-8")
    assert "/operation/configuration/host.yaml" in team_files()[3]


def test_the_settings_are_the_teams():
    file = "/operation/configuration/environment_*/settings.yaml"
    assert [number for number, yours in enumerate(team_files()) if file in yours] == [2]
    assert "class Settings(" in (TEMPLATE / "src" / "copier_mlops" / "settings.py").read_text(encoding="utf-8")


def test_each_engine_has_a_module_of_its_name():
    """An addition of one is in tests/render/test_additions.py."""
    folder = TEMPLATE / "src" / "copier_mlops" / "pipeline" / "engines"
    modules, engines = {path.stem for path in folder.glob("[!_]*.py")}, set(registry("engines"))
    assert engines <= modules
    # A part of an engine begins with its name, for example `slurm_script`. The others are shared by several.
    shared = {"settings", "python_code", "kubernetes"}
    assert {name.partition("_")[0] for name in modules - shared} == engines
    assert '"repro", "--pull"' in (folder / "local.py").read_text(encoding="utf-8")


def test_a_change_of_the_description_arrives_in_gitlabs_yaml(tmp_path):
    """From the description to the file of a project, by the files that the first two answers name."""
    template = copy_template(tmp_path / "template")
    described, *_ = CODE.findall(ANSWERS["Where is GitLab's `cd` described?"])
    renderer, written, task, rendered = CODE.findall(ANSWERS["Where does its YAML come from?"])
    replace(template / described, "minutes: 240", "minutes: 241")
    assert "241 minutes" not in (template / written).read_text(encoding="utf-8")
    tasks = (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8")
    assert task == "uv run poe render-flows" and 'cmd = "python -m extensions.render"' in tasks
    subprocess.run([sys.executable, "-m", "extensions.render"], cwd=template, check=True, capture_output=True)
    assert (template / renderer).is_file()
    assert "241 minutes" in (template / written).read_text(encoding="utf-8")
    project = copy_project(template, tmp_path / "project", git_host="gitlab", maturity_level=3)
    jobs = yaml.safe_load((project / rendered).read_text(encoding="utf-8"))
    assert next(job["timeout"] for job in jobs.values() if "timeout" in job) == "241 minutes"
