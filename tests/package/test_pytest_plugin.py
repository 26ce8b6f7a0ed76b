"""On a CI machine, pytest in a project leaves results and coverage for the git host, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

CODE = "def half(x):\n    return x / 2\n\n\ndef twice(x):\n    return x * 2\n"
TEST = "import code_of_mine\n\n\ndef test_{0}():\n    assert code_of_mine.{0}(4) == {1}\n"


@pytest.fixture
def project(tmp_path) -> Path:
    files = {
        ".copier-answers.yml": "git_host: github\n",
        "pytest.ini": "[pytest]\npythonpath = src\n",
        "src/code_of_mine.py": CODE,
        "operation/tests/unit/test_half.py": TEST.format("half", 2),
        "operation/tests/data_validation/test_twice.py": TEST.format("twice", 8),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run(project: Path, *arguments: str, machine: str = "CI") -> str:
    outside = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_XDIST_WORKER")}
    # Plugins that only this repository has take a second to import.
    others = ("copier", "dir-equal", "gitconfig", "hypothesispytest", "anyio", "hydra_pytest")
    without = [f"-pno:{name}" for name in others]
    command = [sys.executable, "-m", "pytest", *without, *arguments]
    variables = outside | ({machine: "true"} if machine else {})
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def counted(report: Path) -> dict[str, str]:
    suite = ElementTree.parse(report).getroot()[0]  # noqa: S314 (pytest wrote it)
    return {name: suite.attrib[name] for name in ("tests", "failures")}


def test_each_run_leaves_its_results_and_adds_to_the_coverage(project):
    first = run(project, "operation/tests/unit")
    assert "Coverage of src: 75.0%" in first, first
    assert "Coverage of src: 100.0%" in run(project, "operation/tests/data_validation")
    reports = project / "build" / "test-reports"
    assert {path.stem: counted(path)["tests"] for path in reports.iterdir()} == {"unit": "1", "data_validation": "1"}
    covered = ElementTree.parse(project / "build" / "coverage.xml").getroot()  # noqa: S314 (coverage wrote it)
    assert covered.attrib["line-rate"] == "1"
    assert [each.attrib["filename"] for each in covered.iter("class")] == ["src/code_of_mine.py"]


def test_the_results_of_a_red_run_are_there(project):
    (project / "src" / "code_of_mine.py").write_text(CODE.replace("/ 2", "/ 3"), encoding="utf-8")
    assert "1 failed" in run(project, "operation/tests/unit/test_half.py::test_half")
    assert counted(project / "build" / "test-reports" / "test_half.xml") == {"tests": "1", "failures": "1"}


def test_azure_devops_sets_a_variable_of_its_own(project):
    run(project, "operation/tests/unit", machine="TF_BUILD")
    assert (project / "build" / "test-reports" / "unit.xml").is_file()


def test_a_laptop_and_a_folder_that_is_no_project_get_no_files(project):
    assert "Coverage of src" not in run(project, "operation/tests/unit", machine="")
    (project / ".copier-answers.yml").unlink()
    assert "Coverage of src" not in run(project, "operation/tests/unit")
    assert not (project / "build").exists()


def test_the_options_of_a_team_come_first(project):
    done = run(project, "operation/tests/unit", "--junitxml=mine.xml", "--cov=src", "--cov-report=term")
    assert "1 passed" in done, done
    assert "Coverage of src" not in done
    assert counted(project / "mine.xml")["tests"] == "1"
    assert not (project / "build").exists()


def test_a_file_of_coverage_that_was_cut_off_is_no_error(project):
    run(project, "operation/tests/unit")
    with (project / "build" / ".coverage").open("r+b") as file:
        file.truncate(50)
    assert "Coverage of src: 75.0%" in run(project, "operation/tests/unit")


def test_a_project_without_code_says_so(project):
    (project / "src" / "code_of_mine.py").unlink()
    test = project / "operation" / "tests" / "unit" / "test_half.py"
    test.write_text("def test_nothing():\n    pass\n", encoding="utf-8")
    done = run(project, "operation/tests/unit")
    assert "1 passed" in done, done
    assert "Coverage of src was not measured" in done
