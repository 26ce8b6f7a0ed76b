"""What coding agents read is true at each level, on each host: each task, file and skill that it names is there."""

import re
from pathlib import Path

import pytest
import yaml

from copier_mlops.lint.checks.instructions import InstructionUnknown
from copier_mlops.lint.config import Config
from copier_mlops.lint.project import Project
from tests.project import files, matches, registry, team_files
from tests.render.answers import CASES, VALUES
from tests.render.test_tasks import tasks_of

LEVELS = range(len(registry("levels")))
# A project of level 0 has nothing of its host.
HOSTED = [(0, "github")] + [(level, host) for level in LEVELS if level for host in registry("hosts")]
AGENTS, SKILLS = registry("coding_agents"), registry("skills")
# What a project makes, or has only after its team brought data.
MADE = {"build", "metrics", "dvc.lock", "docs/media", "docs/references", ".dvc/config.local", "uv.lock"}
MADE |= {"metrics/candidates", "metrics/test.json", "HEAD~1"}
OF_DATA = {"operation/tests/sample.csv", "src/ml_project/contract.yaml", "contract.yaml", "data/raw"}
# Of an older layout, and rows of a list that only some hosts have.
OTHERS = {"schema.py", ".*/CODEOWNERS"}
PATH = re.compile(r"[\w.*/{}~-]+")


@pytest.fixture(scope="module", params=HOSTED, ids=str)
def chosen(request, render) -> tuple[Path, int, str]:
    """A project of a level and a host, with the files for every coding agent."""
    level, host = request.param
    return render(maturity_level=level, git_host=host, coding_agents=list(AGENTS)), level, host


def instructions(project: Path) -> dict[str, str]:
    """The texts for coding agents by their paths."""
    names = ("AGENTS.md", "CLAUDE.md", "SKILL.md")
    return {path: text.decode() for path, text in files(project).items() if path.rpartition("/")[2] in names}


def unknown_files(project: Path, text: str) -> set[str]:
    """The files and folders that a text names in backticks and that are not there."""
    contents = files(project)
    folders = {"/".join(file.split("/")[:depth]) for file in contents for depth in range(1, file.count("/") + 1)}
    there = contents.keys() | folders | {each.rpartition("/")[2] for each in contents}
    named = {each for each in re.findall(r"`([^`\n]+)`", text) if PATH.fullmatch(each) and re.search(r"[./*]", each)}
    return {
        each for each in named - MADE - OTHERS if each not in there and not list(matches([each]).match_files(there))
    }


def test_every_task_that_is_named_is_there_and_every_task_is_named(chosen):
    project, *_ = chosen
    assert list(InstructionUnknown().look(Project(project, Config()))) == []
    text = (project / "AGENTS.md").read_text(encoding="utf-8")
    listed = re.search(r"^These are all tasks.*?\n\n(.*?)\n\n", text, re.DOTALL | re.MULTILINE)[1]
    assert set(re.findall(r"`([\w-]+)`", listed)) == tasks_of(project).keys()


def test_every_file_that_is_named_is_there(chosen, render):
    project, level, host = chosen
    for path, text in instructions(project).items():
        # A skill names files of the level to which it leads.
        climbs = "climb-level" in path
        there = render(maturity_level=level + 1, git_host=host, coding_agents=list(AGENTS)) if climbs else project
        assert unknown_files(there, text) <= {".rej"}, path


def test_they_are_short(chosen):
    for path, text in instructions(chosen[0]).items():
        most, least = (60, 40) if path == "AGENTS.md" else (6, 3) if path == "CLAUDE.md" else (40, 15)
        assert least <= len(text.splitlines()) <= most, path
        assert max(map(len, text.splitlines())) <= 155, path


def test_a_level_has_the_skills_that_it_can_use(chosen):
    project, level, _ = chosen
    wanted = {name for name, skill in SKILLS.items() if skill["first"] <= level <= skill["last"]}
    for agent in AGENTS.values():
        folder = project / agent["paths"][-1].strip("/")
        assert {path.name for path in folder.iterdir()} == wanted
    for path, text in instructions(project).items():
        if path.endswith("SKILL.md"):
            _, matter, body = text.split("---\n", 2)
            head = yaml.safe_load(matter)
            assert head["name"] == path.split("/")[-2] and 40 < len(head["description"]) < 200, path
            assert all(
                word in body for word in ("\n# ", "\nLook at: " if "resolve" not in path else "\n", "\nDone when: ")
            )
            assert "\nDo not: " in body, path


def test_the_folders_of_all_agents_have_the_same_skills(chosen):
    project, *_ = chosen
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.md")}
        for folder in (project / agent["paths"][-1].strip("/") for agent in AGENTS.values())
    )
    assert first == second


def test_a_host_has_its_own_way_to_a_red_step(chosen):
    project, level, host = chosen
    path = project / ".agents" / "skills" / "fix-red-pipeline" / "SKILL.md"
    if level == 0:
        assert not path.exists()
        return
    text = path.read_text(encoding="utf-8")
    assert registry("hosts")[host]["red"] in text
    steps = [step["run"] for step in registry("flows/ci")["ci"]["jobs"]["ci"]["steps"] if step["level"] <= level]
    assert re.findall(r"^ +uv run poe ([\w-]+)$", text, re.MULTILINE) == steps
    jobs = registry("flows/cd")["cd"]["jobs"]
    assert [f"- `{name}`: " in text for name in jobs] == [level >= 3 and registry("hosts")[host]["api"]] * len(jobs)


def test_the_teams_files_are_those_of_the_list(chosen):
    project, level, _ = chosen
    text = (project / "AGENTS.md").read_text(encoding="utf-8")
    listed = re.search(r"as the work needs:\n(.*?)\.\nAll others", text, re.DOTALL)[1]
    listed = {f"/{each}" for each in re.findall(r"`([^`]+)`", listed)}
    wanted = {pattern for patterns in team_files()[: level + 1] for pattern in patterns}
    assert listed <= wanted
    assert set(matches(listed).match_files(files(project))) == set(matches(wanted).match_files(files(project)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("answers", [{"example": "none"}, {"serving": []}, {"license": "none"}], ids=str)
def test_other_answers(render, level, answers):
    project = render(maturity_level=level, **answers)
    text = (project / "AGENTS.md").read_text(encoding="utf-8")
    assert unknown_files(project, text) <= (OF_DATA if "example" in answers else set())
    assert list(InstructionUnknown().look(Project(project, Config()))) == []
    assert ("serve.py" in text) == ("serving" not in answers and level >= 2)


def test_only_a_chosen_agent_has_files(render):
    assert VALUES["coding_agents"][0] == [] and list(AGENTS) == VALUES["coding_agents"][-1]
    for some in VALUES["coding_agents"]:
        contents = files(render(coding_agents=some))
        for name, agent in AGENTS.items():
            for pattern in agent["paths"]:
                assert bool(list(matches([pattern]).match_files(contents))) == (name in some)
        assert "AGENTS.md" in contents
    text = (render(coding_agents=["claude_code"]) / "CLAUDE.md").read_text(encoding="utf-8")
    assert "@AGENTS.md" in text.splitlines()


def test_a_package_of_another_name_is_named(render):
    for path, text in instructions(render(package_name="c", coding_agents=["agents"])).items():
        assert "german_credit" not in text, path


def test_a_case_for_each_answer_is_rendered():
    assert [case["coding_agents"] for case in CASES.values() if list(case) == ["coding_agents"]] == VALUES[
        "coding_agents"
    ]
