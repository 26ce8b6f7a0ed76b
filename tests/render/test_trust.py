"""Nobody needs --trust: the template runs no code of its own."""

import subprocess
import sys

import yaml

from tests.project import TEMPLATE, copy_project, files

SETTINGS = yaml.safe_load((TEMPLATE / "copier.yml").read_text(encoding="utf-8"))


def test_the_template_has_no_tasks_and_no_extensions():
    assert not {"_tasks", "_jinja_extensions"} & SETTINGS.keys()
    assert all("version" in migration for migration in SETTINGS.get("_migrations", []))


def test_no_part_of_it_is_included_from_elsewhere():
    assert "!include" not in (TEMPLATE / "copier.yml").read_text(encoding="utf-8")


def test_a_copy_on_the_command_line_needs_no_trust_and_says_what_comes_next(template, tmp_path, default):
    command = [sys.executable, "-m", "copier", "copy", "--defaults", str(template), "project"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rstrip().endswith("says what comes after.")
    assert "uv run poe setup" in done.stderr
    assert "Warning" not in done.stderr
    assert files(tmp_path / "project").keys() == files(default).keys()


def test_the_same_answers_give_the_same_files(template, tmp_path, default):
    assert files(copy_project(template, tmp_path / "again")) == files(default)
