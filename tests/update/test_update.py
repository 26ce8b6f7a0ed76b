"""From every release on, an update brings what is new and leaves alone what is the team's."""

import subprocess
import sys

import pytest
import yaml

from tasks.tag_releases import find_releases
from tests.project import ANSWERS, TEMPLATE, answers_of, commit, copy_project, files, registry, run
from tests.project import update_project as update
from tests.update.conftest import BEFORE, DROPPED, LET_GO, NEW_MANAGED, NEW_STARTER, NOW, RELEASES
from tests.update.team import work
from tests.update.updated import (
    assert_no_conflict,
    born,
    committed,
    conflicts,
    content,
    expected,
    starters,
    unsolved,
    written,
    yours,
)

KUSTOMIZATIONS = [f"configuration/environment_{name}/kustomization.yaml" for name in ("dev", "stage", "prod")]


def test_the_releases_can_be_found():
    assert [release.version for release in find_releases(TEMPLATE)] == RELEASES


@pytest.mark.parametrize("level", range(len(registry("levels"))))
@pytest.mark.parametrize("version", [*RELEASES, BEFORE])
def test_an_unedited_project_becomes_a_fresh_one(history, tmp_path, version, level):
    project = committed(history, tmp_path / "project", version, maturity_level=level)
    first = content(project)
    fresh = content(copy_project(history, tmp_path / "fresh", NOW, maturity_level=level, **born(version)))
    update(project)
    assert_no_conflict(project)
    come = starters(history, version, level, level, fresh) - first.keys()
    assert content(project) == expected(first, fresh, level, come)
    assert answers_of(project)["_commit"] == NOW
    assert unsolved(project) == set()


def test_an_update_brings_and_takes_what_the_template_did(history, tmp_path):
    project = copy_project(history, tmp_path / "project", BEFORE)
    for name in (DROPPED, LET_GO):
        (project / name).write_text("# Ours\n", encoding="utf-8")
    commit(project)
    first = files(project)
    update(project)
    now = files(project)
    assert {path for path in first if path not in now} == {DROPPED}
    assert {path for path in now if path not in first} == {NEW_MANAGED}
    changed = {path for path in first if path in now and first[path] != now[path]}
    assert {ANSWERS, "pyproject.toml", "ruff.toml", "poe_tasks.toml"} <= changed
    assert changed.isdisjoint(yours(first, 2))
    assert NEW_STARTER not in now
    assert now[LET_GO] == b"# Ours\n"


def test_an_update_without_news_changes_nothing(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW)
    update(project)
    assert run(project, "git", "status", "--porcelain") == ""


def test_an_update_on_the_command_line_needs_no_trust(history, tmp_path):
    project = committed(history, tmp_path / "project", BEFORE)
    command = [sys.executable, "-m", "copier", "update", "--defaults"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Next: uv run poe setup" in done.stderr
    assert answers_of(project)["_commit"] == NOW


@pytest.mark.parametrize("steps", [[1, 2, 3, 4], [2, 4], [4]])
def test_a_climb_ends_where_a_fresh_project_starts(history, tmp_path, steps):
    project = committed(history, tmp_path / "project", NOW, maturity_level=0)
    first = content(project)
    for level in steps:
        update(project, maturity_level=level)
        assert_no_conflict(project)
        commit(project)
        assert answers_of(project)["maturity_level"] == level
    fresh = content(copy_project(history, tmp_path / "fresh", NOW, maturity_level=4))
    assert content(project) == expected(first, fresh, 0)
    assert {"dvc.yaml", "params.yaml"} <= content(project).keys() - first.keys()


def test_a_climb_that_brings_a_new_version_too(history, tmp_path):
    project = committed(history, tmp_path / "project", BEFORE, maturity_level=0)
    first = content(project)
    update(project, maturity_level=2)
    assert_no_conflict(project)
    fresh = content(copy_project(history, tmp_path / "fresh", NOW, maturity_level=2))
    assert content(project) == expected(first, fresh, 0)


def test_a_climb_leaves_files_alone_that_were_there_before(history, tmp_path):
    project = copy_project(history, tmp_path / "project", NOW, maturity_level=0)
    own = ["dvc.yaml", "params.yaml", "operation/configuration/environment_dev/settings.yaml"]
    for path in own:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("ours: true\n", encoding="utf-8")
    commit(project)
    update(project, maturity_level=2)
    assert_no_conflict(project)
    assert [(project / path).read_text(encoding="utf-8") for path in own] == ["ours: true\n"] * 3
    assert (project / "operation/configuration/environment_stage/settings.yaml").is_file()


def test_what_a_team_deleted_does_not_come_back_with_a_level(history, tmp_path):
    project = copy_project(history, tmp_path / "project", NOW, maturity_level=2)
    deleted = ["dvc.yaml", "README.md", "docs/data/README.md", "operation/execution/serve.py"]
    for path in deleted:
        (project / path).unlink()
    commit(project)
    update(project, maturity_level=4)
    assert not [path for path in deleted if (project / path).exists()]


def test_lowering_the_level_deletes_nothing_and_raising_it_again_overwrites_nothing(history, tmp_path):
    answers = {"serving": ["batch"], "tracking_uri": "https://mlflow.example.org"}
    fresh = copy_project(history, tmp_path / "fresh", NOW, maturity_level=2, **answers)
    project = written(work(files(fresh)), tmp_path / "project")
    first = content(project)
    for level in (0, 1, 0, 2):
        update(project, maturity_level=level)
        assert_no_conflict(project)
        commit(project)
        assert content(project) == first | {ANSWERS: first[ANSWERS] | {"maturity_level": level}}


def test_a_door_that_is_opened_later(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW, serving=["batch"])
    update(project, serving=["batch", "online"])
    assert_no_conflict(project)
    fresh = content(copy_project(history, tmp_path / "fresh", NOW))
    first_readme = content(project)["README.md"]
    assert content(project) == fresh | {"README.md": first_readme}


def test_the_files_of_a_door_come_when_it_is_opened_and_stay_when_it_is_closed(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW, maturity_level=3, serving=["batch"])
    served = [f"operation/{name}" for name in ("execution/serve.py", "tests/unit/test_serve.py", *KUSTOMIZATIONS)]
    assert not [path for path in served if (project / path).exists()]
    update(project, serving=["online"])
    assert [path for path in served if (project / path).exists()] == served
    for path in served[1:]:
        (project / path).write_text("# Ours\n", encoding="utf-8")
    (project / served[0]).unlink()
    commit(project)
    for modes in (["online", "batch"], ["batch"]):
        update(project, serving=modes)
        assert_no_conflict(project)
        commit(project)
        assert not (project / served[0]).exists()
        assert {(project / path).read_text(encoding="utf-8") for path in served[1:]} == {"# Ours\n"}


def test_an_engine_that_is_added_brings_its_settings_and_keeps_those_of_others(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW)
    folder = project / "operation" / "configuration" / "engines"
    assert not folder.exists()
    update(project, engines=["slurm"])
    assert_no_conflict(project)
    assert "[tasks.compile]" in (project / "poe_tasks.toml").read_text(encoding="utf-8")
    (folder / "slurm.yaml").write_text("# Ours\n", encoding="utf-8")
    commit(project)
    update(project, description="Another one.")
    assert (folder / "slurm.yaml").read_text(encoding="utf-8") == "# Ours\n"
    commit(project)
    update(project, engines=[])
    assert_no_conflict(project)
    assert (folder / "slurm.yaml").read_text(encoding="utf-8") == "# Ours\n"
    (folder / "slurm.yaml").unlink()
    commit(project)
    update(project, engines=["slurm"])
    assert (folder / "slurm.yaml").is_file()


@pytest.mark.skipif("0.3.0" not in RELEASES, reason="the history of the template is not here")
def test_instructions_that_a_team_wrote_before_the_template_had_any_are_kept(history, tmp_path):
    project = copy_project(history, tmp_path / "project", "0.3.0")
    (project / "AGENTS.md").write_text("# Ours\n\nAsk before you train.\n", encoding="utf-8")
    commit(project)
    update(project, coding_agents=["claude_code"])
    assert conflicts(project) == {"AGENTS.md"}
    text = (project / "AGENTS.md").read_text(encoding="utf-8")
    assert "Ask before you train." in text and "## Of this team" in text
    assert (project / "CLAUDE.md").is_file() and (project / "docs" / "media" / ".gitkeep").is_file()


def test_a_cloud_that_is_chosen_later(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW, maturity_level=3)
    assert not list(project.rglob("identity*"))
    update(project, cloud="aws")
    identity = project / "operation" / "configuration" / "environment_prod" / "identity.yaml"
    assert "role_arn" in identity.read_text(encoding="utf-8")
    identity.write_text("role_arn: ours\n", encoding="utf-8")
    commit(project)
    update(project, cloud="gcp")
    assert_no_conflict(project)
    assert identity.read_text(encoding="utf-8") == "role_arn: ours\n"
    assert answers_of(project)["cloud"] == "gcp"


def test_the_answers_file_can_be_read_by_any_yaml(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW)
    stored = yaml.safe_load((project / ANSWERS).read_text(encoding="utf-8"))
    assert stored["_src_path"] == str(history)
    assert stored["reached_level"] == stored["maturity_level"] == 2
