"""A project lives by the docs: the commands of each page are run, in the order in which a team meets them."""

import re
from pathlib import Path

from tests.project import TEMPLATE, replace
from tests.run.project import blocks, commands, typed
from tests.update.conftest import BEFORE, DROPPED, NOW, history

__all__ = ["history"]

DOCS = TEMPLATE / "docs"
# Pages whose commands other tests run, or which are about the template itself.
ELSEWHERE = {
    "contributing.md": "what is run to build the template",
    "how-to/adopting.md": "tests/run/test_adopting.py",
    "how-to/dependencies.md": "tests/run/test_groups.py",
    "how-to/failed.md": "tests/package/hosts/test_failed_page.py",
    "how-to/releases.md": "tests/run/test_release.py",
    "reference/figures.md": "tests/run/test_benchmarks.py",
} | {
    f"how-to/hosts/{name}.md": "tests/package/hosts/test_host_pages.py"
    for name in ("azure_devops", "bitbucket", "github", "gitlab")
}
HERE = {f"how-to/{name}.md" for name in ("hosts/forgejo", "interview", "requests", "updates")}
HERE |= {f"reference/{name}.md" for name in ("levels", "lint", "maturity")}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_page_with_commands_is_walked():
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {name for name in pages if commands(page(name))} == ELSEWHERE.keys() | HERE


def test_an_update_a_new_name_and_a_level(copier, history, tmp_path):
    project = copier.at(history).copy(tmp_path / "project", BEFORE, maturity_level=1)

    def follow(lines: list[str], **words: object) -> list[str]:
        return [project.run(typed(line, history, **words)) for line in lines]

    update, rename, deleted = blocks(page("how-to/updates.md"))
    follow(commands(page("how-to/interview.md")))
    follow(update)
    assert project.answers["_commit"] == NOW
    assert DROPPED in follow(deleted, FILE=DROPPED)[0]
    assert (project.path / DROPPED).is_file()
    merged, by_hand, _ = blocks(page("how-to/requests.md"))
    assert by_hand == update
    assert "ok update" in follow(merged)[-1]
    project.run("git add --all")
    project.run("git commit --message Updated")

    follow(rename[:2])
    for path in [*project.path.glob("src/**/*.py"), *project.path.glob("operation/tests/**/*.py")]:
        path.write_text(path.read_text("utf-8").replace("german_credit", "credit_risk"), encoding="utf-8")
    follow(rename[2:])
    assert project.answers["package_name"] == "credit_risk"
    project.commit()
    project.run("uv run poe ci")

    follow(commands(page("reference/levels.md")))
    assert project.answers["maturity_level"] == 2
    project.commit()
    assert "(the answers say 2)" in follow(commands(page("reference/maturity.md")))[0]
    new_version = {"copier-mlops[lint] @ git+https://…@NEW-VERSION": f"{history}[lint]"}
    assert "0 errors" in follow(commands(page("reference/lint.md")), **new_version)[0]


def test_an_update_that_arrives_as_a_branch_with_a_conflict(copier, history, tmp_path):
    """Forgejo, where a person walks from a laptop, with a folder in its place."""
    project = copier.at(history).copy(tmp_path / "project", BEFORE, maturity_level=3, git_host="forgejo")
    project.run("uv run poe setup")
    replace(project.path / "ruff.toml", "# This comment is gone in the next version.", "# This comment is ours.")
    project.run("git commit --all --message Ours")
    project.run("git branch --move --force main")

    place = tmp_path / "place"
    project.run(f"git init --quiet --bare --initial-branch=main {place}")
    add, push = blocks(page("how-to/hosts/forgejo.md"))[0]
    project.run(typed(add, history))
    project.run(f"git config url.{place}.insteadOf {add.split()[-1]}")
    project.run(push)
    assert "template-update" in page("how-to/hosts/forgejo.md")
    printed = project.run("uv run poe template-update")
    assert "ruff.toml" in printed

    *_, fix = blocks(page("how-to/requests.md"))
    for line in fix:
        project.run(typed(line, history, VERSION=NOW))
        if "switch" in line:
            decide(project.path / "ruff.toml")
    pushed = project.run(f"git --git-dir={place} show template-update/{NOW}:ruff.toml")
    assert "# This comment is ours." in pushed
    assert "<<<<<<<" not in pushed


def decide(path: Path) -> None:
    """For our side."""
    conflict = re.compile(r"^<<<<<<<[^\n]*\n(.*?)^=======\n.*?^>>>>>>>[^\n]*\n", re.DOTALL | re.MULTILINE)
    text, count = conflict.subn(r"\1", path.read_text(encoding="utf-8"))
    assert count
    path.write_text(text, encoding="utf-8")
