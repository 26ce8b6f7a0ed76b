"""The tools around the code of a project: types, coverage, and the hooks that look for secrets and typos."""

import pytest

# It looks like a token and is none. It has two parts, so that no host refuses this file.
TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"


def test_types_and_coverage_name_the_line(unchanged):
    assert "Success: no issues found" in unchanged.run("uv run poe types")
    module = unchanged.path / "src" / "german_credit" / "ingest.py"
    with module.open("a", encoding="utf-8") as file:
        file.write('\n\ndef never() -> int:\n    return "no number"\n')
    last = len(module.read_text(encoding="utf-8").splitlines())
    assert f"ingest.py:{last}: error: Incompatible return value type" in unchanged.run("uv run poe types", fails=True)
    listed = next(line for line in unchanged.run("uv run poe coverage").splitlines() if "ingest.py" in line)
    assert listed.endswith(f", {last}")


@pytest.mark.parametrize(
    ("name", "content", "hook", "said"),
    [
        ("docs/notes.md", f"Our token is {TOKEN}.\n", "private-key", "docs/notes.md:1"),
        ("docs/key.txt", "-----BEGIN RSA PRIVATE " + "KEY-----\n", "private-key", "Private Key"),
        ("docs/notes.md", "We recieve the file on Mondays.\n", "typos", "receive"),
    ],
)
def test_a_hook_refuses_what_must_not_be_committed(unchanged, name, content, hook, said):
    path = unchanged.path / name
    path.write_text(content, encoding="utf-8")
    try:
        unchanged.run(f"git add {name}")
        assert said in unchanged.run(f"uv run pre-commit run {hook}", fails=True)
    finally:
        unchanged.run(f"git rm --quiet --force {name}")


def test_every_hook_passes_in_a_trained_project(project):
    assert "Failed" not in project.run("uv run pre-commit run --all-files")
