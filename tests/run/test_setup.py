"""The hook `poe setup` and `poe doctor` on real machines' troubles."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import TEMPLATE, commit, replace, run
from tests.run.project import Project

DOCTOR = "uv run --quiet poe --quiet doctor --json"
# As it is installed: uv runs nothing in a project that it cannot read, or whose pin it cannot reach.
INSTALLED = str(Path(".venv", "Scripts" if sys.platform == "win32" else "bin", "mlops")) + " doctor --json"


def doctor(project, command: str = DOCTOR, **variables: str) -> dict[str, dict]:
    """The checks of `poe doctor --json`, by name."""
    done = subprocess.run(
        command.split(),
        cwd=project.path,
        env=project.environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(done.stdout)
    assert document["ok"] == (done.returncode == 0)
    return {check["name"]: check for check in document["checks"]}


def test_a_second_setup_changes_nothing(project):
    before = project.run("git status --short"), project.run("git rev-parse HEAD")
    printed = project.run("uv run poe setup")
    assert "done" not in printed
    assert "FAILED" not in printed
    assert (project.run("git status --short"), project.run("git rev-parse HEAD")) == before
    assert all(check["ok"] for check in doctor(project).values())


def test_an_existing_repository_keeps_its_history(copier, tmp_path):
    project = copier.copy(tmp_path / "project", maturity_level=0)
    project.run("git init --quiet --initial-branch trunk")
    (project.path / "mine.txt").write_text("mine")
    project.run("git add mine.txt")
    project.run("git commit --quiet --message Mine")
    before = project.run("git log --all")
    project.run("uv run poe setup")
    assert project.run("git log --all") == before
    assert project.run("git branch --show-current").strip() == "trunk"


def test_a_step_that_cannot_be_done_is_named_and_undoes_no_other(copier, tmp_path):
    project = copier.copy(tmp_path / "project", maturity_level=0)
    remote = tmp_path / "german-credit-data"
    remote.write_text("a file where the data remote should be")
    printed = project.run("uv run poe setup", fails=True)
    assert "FAILED data remote" in printed
    assert "1 of 8 steps could not be done" in printed
    assert "done git" in printed
    assert "done data: every tracked file is here" in printed
    assert remote.read_text() == "a file where the data remote should be"
    remote.unlink()
    assert "done data remote" in project.run("uv run poe setup")


def test_without_a_name_for_git_nothing_is_made_and_the_command_that_gives_one_is_named(copier, tmp_path):
    project = copier.copy(tmp_path / "project", maturity_level=0)
    nobody = {f"GIT_{who}_{what}": "" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    printed = project.run("uv run poe setup", fails=True, **nobody, GIT_CONFIG_GLOBAL="/dev/null")
    assert "FAILED git" in printed
    assert "git config --global user.name" in printed
    assert not (project.path / ".git").exists()
    assert "done git" in project.run("uv run poe setup")


def test_a_killed_setup_is_taken_up_again(copier, tmp_path):
    project = copier.copy(tmp_path / "project", maturity_level=0)
    project.run("git init --quiet")
    printed = project.run("uv run poe setup", fails=True)
    assert "the repository has no commit yet" in printed
    assert "-> git add --all && git commit" in printed


def test_doctor_names_a_broken_remote_and_changes_nothing(unchanged):
    unchanged.run("uv run dvc remote modify --local storage url /no/such/folder")
    before = unchanged.run("git status --short")
    found = doctor(unchanged)
    assert found["data remote"]["ok"] is False
    assert "/no/such/folder is not there" in found["data remote"]["text"]
    assert "copier update --data data_remote=" in found["data remote"]["advice"]
    assert found["data"]["ok"] is True
    assert unchanged.run("git status --short") == before
    (unchanged.path / ".dvc" / "config.local").unlink()


def test_doctor_names_data_that_is_not_here_and_setup_fetches_it(unchanged):
    unchanged.run("uv run dvc push")
    raw = unchanged.path / "data" / "raw" / "german_credit.csv"
    raw.unlink()
    shutil.rmtree(unchanged.path / ".dvc" / "cache")
    assert "uv run dvc pull" in doctor(unchanged)["data"]["advice"]
    unchanged.run("uv run poe setup")
    assert raw.is_file()
    unchanged.run("uv run dvc pull --force")


def test_doctor_names_a_dead_tracking_server(project):
    found = doctor(project, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert found["tracking server"]["ok"] is False
    assert found["experiment"]["ok"] is False
    assert "http://127.0.0.1:9 does not answer" in found["tracking server"]["text"]
    assert found["git"]["ok"] is True


def test_doctor_names_the_files_that_name_another_server_than_the_answer(unchanged):
    file = "operation/configuration/environment_prod/settings.yaml"
    replace(unchanged.path / file, "port: ", 'tracking_uri: "https://old.example.org" # ours\nport: ')
    found = doctor(unchanged)["tracking server"]
    assert found["ok"] is True
    assert found["text"].endswith(f"; the answer is sqlite:///mlflow.db, but another one is in {file}")


def test_doctor_names_a_file_in_conflict_even_if_it_has_to_read_it(unchanged):
    file = "operation/configuration/environment_dev/settings.yaml"
    replace(unchanged.path / file, "port: ", "<<<<<<< before updating\n=======\n>>>>>>> after updating\nport: ")
    (unchanged.path / "data" / "README.md.rej").write_text("ignored, as all but pointers is below data")
    (unchanged.path / "params.yaml.rej").write_text("+lost")
    found = doctor(unchanged)
    assert next(iter(found)) == "update"
    assert found["update"]["text"] == f"left to decide: {file}, params.yaml.rej"
    assert "settings.yaml cannot be read" in found["tracking server"]["text"]
    assert found["data"]["ok"] is True
    for name in ("data/README.md.rej", "params.yaml.rej"):
        (unchanged.path / name).unlink()


def test_doctor_names_the_line_of_a_conflict_in_pyproject(unchanged):
    file = unchanged.path / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    line = text.splitlines().index('version = "0.1.0"') + 1
    marked = '<<<<<<< before updating\nversion = "0.1.0"\n=======\nversion = "0.2.0"\n>>>>>>> after updating\n'
    file.write_text(text.replace('version = "0.1.0"\n', marked), encoding="utf-8")
    found = doctor(unchanged, INSTALLED)
    assert found["package"]["text"] == f"pyproject.toml, line {line}: an update or a merge left a conflict"
    assert found["package"]["advice"] == "decide the place, delete the markers, then: uv sync"
    assert "TOML parse error at line" in found["environment"]["text"]
    assert found["data"]["ok"] is True


def test_doctor_names_two_projects_in_one_environment(copier, project, tmp_path):
    other = copier.copy(tmp_path / "other", maturity_level=0)
    found = doctor(other, str(project.path / INSTALLED))["package"]
    assert found["text"].startswith("german_credit comes from ")
    assert "two projects share the environment" in found["text"]
    assert found["advice"] == "unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT && uv sync"


def copy_repository(folder: Path) -> Path:
    """The template with its package, without its history."""
    ignored = shutil.ignore_patterns(".git", ".*_cache", ".venv", "build", "uv.lock")
    return shutil.copytree(TEMPLATE, folder, ignore=ignored)


def release(folder: Path, version: str) -> None:
    """Give template and package a version, commit and tag it."""
    file = folder / "pyproject.toml"
    text = re.sub(r'^version = ".*"$', f'version = "{version}"', file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")
    commit(folder)
    run(folder, "git", "tag", version)


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    """A repository of the template, its package in it, with two commits of one version."""
    folder = copy_repository(tmp_path_factory.mktemp("history") / "template")
    release(folder, "0.3.0")
    (folder / "README.md").write_text("More of it.\n", encoding="utf-8")
    commit(folder)
    return folder


def move_pin(project: Project, source: str) -> None:
    """Write another source of the package into pyproject.toml, or none."""
    text = project.text("pyproject.toml")
    table = re.compile(r"^\[tool\.uv\.sources\.copier-mlops\]\n(?:.+\n)*", re.MULTILINE)
    assert table.search(text)
    moved = table.sub(f"[tool.uv.sources.copier-mlops]\n{source}\n" if source else "", text)
    (project.path / "pyproject.toml").write_text(moved, encoding="utf-8")


def test_a_pin_that_moved_is_named_and_setup_follows_it(copier, history, tmp_path):
    address = history.as_uri()
    project = copier.at(f"git+{address}").copy(tmp_path / "project", "0.3.0", maturity_level=0)
    project.run("uv run poe setup")
    found = doctor(project)
    assert found["package"]["text"] == "copier-mlops 0.3.0 is the pinned one"
    first, second = (run(history, "git", "rev-parse", name).strip() for name in ("0.3.0", "HEAD"))
    assert first in project.text("pyproject.toml")

    move_pin(project, f'git = "{address}"\nrev = "{second}"')
    named = f"the installed copier-mlops is commit {first[:12]}, but pyproject.toml pins {second[:12]}"
    found = doctor(project, INSTALLED)
    assert (found["package"]["text"], found["package"]["advice"]) == (named, "uv sync")
    assert found["environment"]["ok"] is False
    printed = project.run(INSTALLED.replace("doctor --json", "setup"))
    assert "done environment" in printed
    assert "ok package" in printed

    move_pin(project, "")
    found = doctor(project, INSTALLED)["package"]
    assert found["text"].startswith("pyproject.toml does not pin copier-mlops")
    project.run(found["advice"])
    assert doctor(project)["package"]["ok"] is True


def without_times(text: str) -> str:
    """A text without the milliseconds that git waited."""
    return re.sub(r" after \d+ ms", "", text)


@pytest.mark.parametrize(
    ("address", "reason", "advice"),
    [
        ("https://127.0.0.1:9/team/template.git", "127.0.0.1 port 9", "check network and address, log in to its host"),
        ("file:///no/such/template", "'/no/such/template' does not appear", "restore the template's folder"),
    ],
)
def test_a_pin_that_cannot_be_reached_is_named_in_one_sentence(unchanged, address, reason, advice):
    move_pin(unchanged, f'git = "{address}"\nrev = "{"0" * 40}"')
    found = doctor(unchanged, INSTALLED)["environment"]
    assert found["text"].startswith(f"the copier-mlops that pyproject.toml pins cannot be fetched from git+{address}@")
    assert reason in found["text"]
    assert len(found["text"].splitlines()) == 1
    assert found["advice"].startswith(advice)
    printed = unchanged.run(INSTALLED.replace("doctor --json", "setup"), fails=True)
    said = f"FAILED environment: {found['text']}\n        -> {found['advice']}\n"
    assert without_times(said) in without_times(printed)


def test_doctor_names_a_setting_that_is_wrong(project):
    found = doctor(project, OPERATION_PORT="many")
    assert "port" in found["tracking server"]["text"]
    assert found["data"]["ok"] is True


def test_a_commit_with_a_large_file_or_bad_code_is_stopped(unchanged):
    (unchanged.path / "big.bin").write_bytes(b"0" * 2_000_000)
    (unchanged.path / "src" / "german_credit" / "bad.py").write_text("import os\n")
    unchanged.run("git add --all")
    printed = unchanged.run("git commit --message No", fails=True)
    assert "big.bin" in printed
    assert "F401" in printed
    unchanged.run("git reset --quiet --hard")


HOOK = """\
      - id: table
        name: a table
        entry: uv run --frozen tabulate --help
        language: system
        pass_filenames: false
"""


def test_setup_after_an_update_names_what_it_left_and_brings_lock_environment_and_hooks_in_step(copier, tmp_path):
    history = copy_repository(tmp_path / "history")
    release(history, "1.0.0")
    project = copier.at(history).copy(tmp_path / "project", "1.0.0", maturity_level=0)
    project.run("uv run poe setup")
    replace(project.path / "ruff.toml", "# Lint", "# Our lint")
    project.commit()

    template = history / "template"
    replace(template / "pyproject.toml.jinja", '  "ruff>=', '  "tabulate>=0.9,<1",\n  "ruff>=')
    replace(template / "ruff.toml.jinja", "# Lint", "# The lint")
    hooks = template / ".pre-commit-config.yaml.jinja"
    replace(hooks, "repos:\n", "default_install_hook_types: [pre-commit, pre-push]\nrepos:\n")
    with hooks.open("a", encoding="utf-8") as file:
        file.write(HOOK)
    release(history, "2.0.0")
    project.update()

    printed = project.run("uv run poe setup", fails=True)
    assert "FAILED update: left to decide: ruff.toml" in printed
    assert "done hooks" in printed
    project.run("git checkout --theirs ruff.toml")
    project.run("git add --all")
    assert "Ready" in project.run("uv run poe setup")
    assert 'name = "tabulate"' in project.text("uv.lock")
    assert (project.path / ".git" / "hooks" / "pre-push").is_file()
    printed = project.run("git commit --message Updated")
    assert "a table" in printed and "Passed" in printed
    assert all(check["ok"] for check in doctor(project).values())
    assert project.run("git status --short") == ""
