"""`poe develop` in a fresh clone: everything is there afterwards, and a second run changes nothing."""

import subprocess

import pytest

from tasks.develop import main
from tests.project import commit, replace, run

HOOKS = """\
repos:
  - repo: local
    hooks:
      - {id: fails, name: fails, entry: git not-a-command, language: system, always_run: true, pass_filenames: false}
"""


@pytest.fixture
def clone(repository, tmp_path):
    (repository / ".pre-commit-config.yaml").write_text(HOOKS, encoding="utf-8")
    commit(repository)
    run(repository, "git", "tag", "0.2.0", "main")
    run(tmp_path, "git", "clone", "--quiet", "--no-tags", repository.as_uri(), "clone")
    return tmp_path / "clone"


def develop(clone) -> None:
    main(["--repository", str(clone)])


def state(clone) -> dict[str, str]:
    """The hooks, the tags and the environment."""
    found = {path.name: path.read_text("utf-8") for path in (clone / ".git" / "hooks").iterdir()}
    return found | {
        "tags": run(clone, "git", "tag"),
        "environment": (clone / ".venv" / "pyvenv.cfg").read_text("utf-8"),
    }


def test_a_fresh_clone_is_set_up_and_stays_so(clone, capsys):
    develop(clone)
    said = capsys.readouterr().out.splitlines()
    steps = ["ok identity: Test <test@example.org>", "ok environment: ", "ok hooks: ", "ok tags: ", "next: "]
    assert [line for line, start in zip(said, steps, strict=True) if not line.startswith(start)] == []
    before = state(clone)
    assert before["tags"] == "0.2.0\n" and {"pre-commit", "pre-push"} <= before.keys()
    develop(clone)
    assert capsys.readouterr().out.splitlines() == said
    assert state(clone) == before


def test_the_hooks_hold_a_commit_back(clone):
    develop(clone)
    done = subprocess.run(["git", "commit", "--allow-empty", "-m", "x"], cwd=clone, capture_output=True, check=False)
    assert done.returncode == 1 and b"not-a-command" in done.stdout + done.stderr


def test_tags_that_the_remote_does_not_have_are_set_here(repository, clone, capsys):
    run(repository, "git", "tag", "--delete", "0.2.0")
    develop(clone)
    assert "ok tags: set here: 0.2.0\n" in capsys.readouterr().out
    assert run(clone, "git", "rev-parse", "0.2.0^{commit}") == run(repository, "git", "rev-parse", "main")


def test_what_is_missing_is_named_with_its_fix_and_stops_nothing_else(clone, capsys, monkeypatch):
    for name in ("NAME", "EMAIL"):
        monkeypatch.delenv(f"GIT_AUTHOR_{name}")
    run(clone, "git", "config", "user.useConfigOnly", "true")
    run(clone, "git", "config", "core.hooksPath", "elsewhere")
    run(clone, "git", "remote", "set-url", "origin", (clone / "nowhere").as_uri())
    replace(clone / "pyproject.toml", "dependencies = []", 'dependencies = ["gone @ file:///nowhere/gone"]')
    with pytest.raises(SystemExit) as failed:
        develop(clone)
    said = capsys.readouterr().out
    assert failed.value.code == 1
    fixes = [line.removeprefix("  fix: ").split(" && ")[0] for line in said.splitlines() if line.startswith("  fix: ")]
    assert fixes == [
        'git config --global user.name "Your Name"',
        "uv sync",
        "uv run pre-commit install; if core.hooksPath is set: git config --unset-all core.hooksPath",
        "git fetch --tags origin",
    ]
    assert said.count("missing ") == 4 and "next: " not in said
