"""Nobody needs --trust: the template runs no code of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from copier.errors import UnsafeTemplateError

from tests.project import TEMPLATE, commit, copy_project, files, interview, run

SETTINGS = interview()


def test_the_template_has_no_tasks_and_no_extensions():
    assert not {"_tasks", "_jinja_extensions"} & SETTINGS.keys()
    assert all("version" in migration for migration in SETTINGS.get("_migrations", []))


def test_no_part_of_it_is_included_from_elsewhere():
    included = re.findall(r"!include (.*)", (TEMPLATE / "copier.yml").read_text(encoding="utf-8"))
    assert included == ["extensions/yours.yml"]


def test_a_copy_on_the_command_line_needs_no_trust_and_says_what_comes_next(template, tmp_path, default):
    command = [sys.executable, "-m", "copier", "copy", "--defaults", str(template), "project"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rstrip().endswith("names your next step.")
    assert "uv run poe setup" in done.stderr
    assert "Warning" not in done.stderr
    assert files(tmp_path / "project").keys() == files(default).keys()


def test_the_same_answers_give_the_same_files(template, tmp_path, default):
    assert files(copy_project(template, tmp_path / "again")) == files(default)


ANSWERS_FILE = "{{ _copier_answers | to_nice_yaml }}"
UNSAFE = {
    "tasks": "_tasks: [touch ran]\n",
    "jinja_extensions": "_jinja_extensions: [jinja2.ext.do]\n",
}


def release(template: Path, version: str, interview: str) -> None:
    """Commit and tag a version of a template with this interview."""
    template.mkdir(exist_ok=True)
    (template / "copier.yml").write_text(f"_templates_suffix: .jinja\n_exclude: [copier.yml, .git]\n{interview}")
    (template / "{{ _copier_conf.answers_file }}.jinja").write_text(ANSWERS_FILE)
    commit(template)
    run(template, "git", "tag", version)


@pytest.mark.parametrize("feature", UNSAFE)
def test_the_tests_themselves_would_refuse_a_template_that_needs_trust(copier, tmp_path, feature):
    template = tmp_path / "template"
    release(template, "1.0.0", "")
    project = copier.at(template).copy(tmp_path / "project")
    project.commit()
    release(template, "2.0.0", UNSAFE[feature])
    with pytest.raises(UnsafeTemplateError, match=feature):
        project.update()
    with pytest.raises(UnsafeTemplateError, match=feature):
        copier.at(template).copy(tmp_path / "other")
    assert project.answers["_commit"] == "1.0.0"
    assert not list(tmp_path.rglob("ran"))
