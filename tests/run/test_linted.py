"""The lint on a project that was really trained: DVC's own lock is in step until something changes."""

import subprocess
import sys


def lint(project, *options: str) -> list[str]:
    """The checks that find something in the project."""
    command = [sys.executable, "-m", "copier_mlops", "lint", "--project", str(project.path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return sorted({word for word in done.stdout.replace(":", " ").split() if word.startswith("MLO")})


def change(project, path: str, before: str, after: str) -> None:
    file = project.path / path
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_a_trained_project_has_no_finding(project):
    assert lint(project) == []


def test_a_parameter_that_nobody_trained_with(unchanged):
    change(unchanged, "params.yaml", "leaf: 20", "leaf: 7")
    assert lint(unchanged) == ["MLO602", "MLO603"]


def test_code_that_nobody_trained_with(unchanged):
    change(unchanged, "src/german_credit/prepare.py", "import argparse", "import argparse  # ours")
    assert lint(unchanged) == ["MLO604"]


def test_a_stage_that_nobody_ran(unchanged):
    change(unchanged, "dvc.yaml", "candidate: [linear,", "candidate: [more, linear,")
    assert lint(unchanged) == ["MLO601"]


def test_a_metric_that_nobody_measured(unchanged):
    change(unchanged, "metrics/test.json", "roc_auc", "roc")
    (unchanged.path / "metrics" / "data.json").unlink()
    assert lint(unchanged) == ["MLO605"]
