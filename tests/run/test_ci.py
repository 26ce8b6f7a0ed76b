"""The CI of the generated project: its steps, walked in a clean clone, as the host's runner would."""

import pytest
import yaml


def steps(project) -> tuple[dict[str, str], list[str]]:
    """The variables of the job and the commands of its steps."""
    job = yaml.safe_load(project.text(".github/workflows/ci.yml"))["jobs"]["ci"]
    return job["env"], [step["run"] for step in job["steps"] if "run" in step]


def test_every_step_passes_in_a_clean_clone_without_data(project, tmp_path):
    clone = project.clone(tmp_path / "clone")
    variables, commands = steps(clone)
    assert len(commands) == 5
    for command in commands:
        clone.run(command, **variables, CI="true")


@pytest.mark.parametrize(
    ("path", "old", "new", "step"),
    [
        ("src/german_credit/score.py", "import argparse\n", "import argparse\nimport os\n", "lint"),
        ("src/german_credit/train.py", "cost_refused / (", "cost_missed / (", "test"),
        ("operation/tests/sample.csv", "A173", "X", "check-data"),
        ("dvc.yaml", "--folds ${train.folds}", "--folds 0", "smoke"),
    ],
)
def test_a_planted_fault_fails_its_step(unchanged, path, old, new, step):
    file = unchanged.path / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    unchanged.run(f"uv run poe {step}", fails=True)


def test_level_1_passes_its_own_ci(copier, tmp_path):
    project = copier.copy(tmp_path / "project", maturity_level=1)
    project.run("uv run poe setup")
    clone = project.clone(tmp_path / "clone")
    variables, commands = steps(clone)
    assert [command.split()[-1] for command in commands] == ["lint-template", "lint", "test", "check-data"]
    for command in commands:
        clone.run(command, **variables, CI="true")
