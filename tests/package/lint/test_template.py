"""How far a project is from its template, and whether an update waits: with a template in git on this machine."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.package.lint.conftest import copy_of, found, ids
from tests.project import ANSWERS, commit, copy_project, run


@pytest.fixture(scope="module")
def history(template, tmp_path_factory) -> Path:
    """The template in git, with a tag."""
    path = Path(shutil.copytree(template, tmp_path_factory.mktemp("history") / "template"))
    commit(path)
    run(path, "git", "tag", "1.0.0")
    return path


@pytest.fixture(scope="module")
def generated(history, tmp_path_factory) -> Path:
    path = copy_project(history, tmp_path_factory.mktemp("generated") / "project", "1.0.0")
    commit(path)
    return path


@pytest.fixture
def project(generated, tmp_path) -> Path:
    return copy_of(generated, tmp_path / "project")


def test_a_fresh_project_is_what_its_template_renders(project):
    assert ids(project, "--drift", "--updates") == []


def test_what_belongs_to_the_team_is_no_drift(project):
    for name in ("README.md", "params.yaml", "src/german_credit/train.py"):
        with (project / name).open("a", encoding="utf-8") as file:
            file.write("# Ours\n")
    (project / "docs" / "code" / "README.md").unlink()
    (project / "operation" / "execution" / "ours.py").write_text("x = 1\n", encoding="utf-8")
    settings = project / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("dependencies = [\n", 'dependencies = [\n  "xgboost>=3",\n', 1), encoding="utf-8")
    assert ids(project, "--drift") == []


def test_an_edited_managed_file_is_named_with_how_much_of_it_is_different(project, lint):
    path = project / "operation" / "tests" / "conftest.py"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:-2], "# Ours", lines[-1]]) + "\n", encoding="utf-8")
    (project / "ruff.toml").write_text("line-length = 100\n", encoding="utf-8")
    first, second = found(project, "--drift")
    assert (first.check, first.path, first.message) == (
        "MLO801",
        "operation/tests/conftest.py",
        "differs from the template: +1 -1 lines",
    )
    assert (second.check, second.path) == ("MLO801", "ruff.toml")
    assert ids(project) == []
    assert lint(project, "--drift")[0] == 0


def test_an_answer_that_was_edited_by_hand_is_named(project):
    path = project / ANSWERS
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("license: MIT", "licence: MIT\nlicense: MIT"), encoding="utf-8")
    (finding,) = found(project, "--drift")
    assert (finding.check, finding.path) == ("MLO801", ANSWERS)
    assert finding.message.startswith("licence is not what copier writes") and finding.line


def test_windows_line_ends_are_no_drift(project):
    path = project / "operation" / "tests" / "conftest.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert ids(project, "--drift") == []


def test_a_deleted_managed_file_is_named(project):
    (project / "operation" / "tests" / "conftest.py").unlink()
    (finding,) = found(project, "--drift")
    assert finding.check == "MLO802" and finding.message.startswith("operation/tests/conftest.py")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("_commit: 1.0.0", "_commit: 7.0.0"),
        ("_commit: 1.0.0", "_commit: --upload-pack=x"),
        ("_src_path: ", "_src_path: /nowhere"),
        ("_src_path: ", "_src_path: ext::sh -c touch% started # "),
        ("data_remote: ", "data_remote: https://not-known.example.org # "),
    ],
)
def test_a_template_that_cannot_be_rendered_is_a_finding(project, before, after):
    path = project / ANSWERS
    path.write_text(path.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
    assert "MLO803" in ids(project, "--drift", select=("MLO803",))
    assert not (project / "started").exists()


def test_an_update_that_waits_is_a_warning(project, history, tmp_path, lint):
    newer = Path(shutil.copytree(history, tmp_path / "newer"))
    (newer / "template" / "NEW.md").write_text("new\n", encoding="utf-8")
    commit(newer)
    run(newer, "git", "tag", "1.1.0")
    path = project / ANSWERS
    path.write_text(path.read_text(encoding="utf-8").replace(str(history), str(newer)), encoding="utf-8")
    code, said, _ = lint(project, "--updates")
    assert code == 0
    assert "MLO804 warning: a newer template waits: 1.0.0 to 1.1.0" in said


def test_a_template_that_cannot_be_asked_is_a_warning(project, lint):
    path = project / ANSWERS
    path.write_text(path.read_text(encoding="utf-8").replace("_src_path: ", "_src_path: /nowhere"), encoding="utf-8")
    code, said, _ = lint(project, "--updates")
    assert code == 0 and "could not be asked" in said


def test_without_copier_the_option_says_what_to_install(project, lint, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    code, _, said = lint(project, "--drift")
    assert code == 2 and "copier-mlops[lint]" in said


HEAVY = ("copier", "jinja2", "mlflow", "pandas", "pathspec", "requests", "ruamel", "sklearn")


@pytest.mark.parametrize(("options", "needed"), [([], ["pydantic"]), (["--ignore", "MLO7"], [])])
def test_what_a_fresh_project_does_not_need_is_not_imported(project, options, needed):
    code = (
        "import sys; from copier_mlops.cli import main; main(['lint', *sys.argv[1:]]);"
        f"print([name for name in {('pydantic', *HEAVY)} if name in sys.modules])"
    )
    command = (sys.executable, "-c", code, "--project", str(project), *options)
    assert run(project, *command).splitlines()[-1] == str(needed)


def test_no_module_of_the_project_is_run_in_the_place_of_copier(project):
    (project / "copier.py").write_text("open('started', 'w').close()\n", encoding="utf-8")
    (project / "yaml.py").write_text("open('started', 'w').close()\n", encoding="utf-8")
    mlops = Path(sys.executable).with_name("mlops")
    assert "0 errors" in run(project, str(mlops), "lint", "--drift", "--updates")
    assert not (project / "started").exists()
