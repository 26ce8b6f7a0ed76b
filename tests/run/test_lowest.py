"""The lowest versions that a project's bounds allow do its work."""


def test_the_lowest_versions_that_are_allowed_work(copier, tmp_path):
    project = copier.copy(tmp_path / "project")
    project.environment["UV_RESOLUTION"] = "lowest-direct"
    project.run("uv run poe setup")
    assert "pandas==2.3.0" in project.run("uv pip freeze")
    for task in ("lint", "test", "train", "register", "models", "evaluate", "report", "doctor"):
        project.run(f"uv run poe {task}")
    printed = project.run("uv run poe predict --data operation/tests/sample.csv")
    assert printed.count('"model_version":"1"') == 125
