"""A project lives by the docs: the commands of each page are run, in the order in which a team meets them."""

import csv
import re
from pathlib import Path

from tests.project import TEMPLATE, replace
from tests.run.project import Project, blocks, commands, typed
from tests.run.test_release import END, free_port
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
HERE = {f"how-to/{name}.md" for name in ("hosts/forgejo", "own_data", "requests", "review", "setup", "updates")}
HERE |= {f"reference/{name}.md" for name in ("levels", "lint", "maturity")}
HERE |= {"tutorials/climb.md", "tutorials/first_project.md"}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_page_with_commands_is_walked():
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {name for name in pages if commands(page(name))} == ELSEWHERE.keys() | HERE


def test_an_update_a_new_name_and_a_level(copier, history, tmp_path):
    project = copier.at(history).copy(tmp_path / "project", BEFORE, maturity_level=1)

    def follow(lines: list[str], **words: object) -> list[str]:
        return [project.run(typed(line, history, **words)) for line in lines]

    update, _, rename, deleted = blocks(page("how-to/updates.md"))
    follow(commands(page("how-to/setup.md")))
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


def walk(project: Project, lines: list[str], answer: str = "") -> list[str]:
    """Type the lines of a page in a project, and an answer to what they ask."""
    return [project.run(typed(line, project.path), typed=answer) for line in lines]


def made(folder: Path, template: Path, lines: list[str]) -> tuple[Project, list[str]]:
    """A project that is made by the first line of a page, and the lines that come after changing into it."""
    copy, change, *others = lines
    Project(folder).run(typed(copy, template))
    return Project(folder / change.removeprefix("cd ")), others


def test_a_first_project_a_better_model_and_its_review(history, tmp_path):
    """The commands of the README, the tutorial, and what a colleague looks at."""
    text = page("tutorials/first_project.md")
    make, train, ask, branch, change, keep, back = blocks(text)
    assert commands((TEMPLATE / "README.md").read_text(encoding="utf-8"))[: len(make)] == make
    project, prepare = made(tmp_path, history, make)
    walk(project, [*prepare, *train, *ask, *branch])
    assert "label" in project.text("build/answers.csv").splitlines()[0]

    (after,) = re.findall(r"^```yaml\n(.*)\n```", text, re.MULTILINE)
    replace(project.path / "params.yaml", after.replace("0.1", "1.0"), after)
    _, moved, judged = walk(project, change)
    assert re.search(r"metrics/candidates/logistic_regression.json +roc_auc +0\.\d+ +0\.\d+ +-?0\.", moved)
    assert "random_forest.json" not in moved
    assert "version 1" in judged
    assert "version 2: registered" in walk(project, keep)[-1]

    _, _, metrics, parameters, compared = walk(project, commands(page("how-to/review.md")))
    assert "roc_auc" in metrics
    assert re.search(r"params.yaml +train.inverse_regularisation +1.0 +0.1", parameters)
    assert "version 2" in compared
    walk(project, back)
    assert "inverse_regularisation: 1.0" in project.text("params.yaml")
    assert "Data and pipelines are up to date" in project.run("uv run dvc repro")
    assert "dev: candidate is version 1" in project.run("uv run poe models")

    assert_new_data_is_taken(project)


def assert_new_data_is_taken(project: Project) -> None:
    """Follow the page on own data: fewer records with the same columns, then records without a column."""
    newer, other = blocks(page("how-to/own_data.md"))
    raw, sample = project.path / "data/raw/german_credit.csv", project.path / "operation/tests/sample.csv"
    records = list(csv.reader(raw.open(encoding="utf-8")))
    write(raw, records[:900])
    walk(project, newer)
    assert '"records": 899' in project.text("metrics/data.json")

    column = records[0].index("telephone")
    for file in (raw, sample):
        rows = csv.reader(file.read_text(encoding="utf-8").splitlines())
        write(file, [row[:column] + row[column + 1 :] for row in rows])
    schema = project.path / "src/german_credit/schema.py"
    lines = schema.read_text(encoding="utf-8").splitlines(keepends=True)
    schema.write_text("".join(line for line in lines if '"telephone"' not in line), encoding="utf-8")
    walk(project, other)
    assert "telephone" not in project.text("build/plots/importance.csv")


def write(file: Path, rows: list[list[str]]) -> None:
    """Replace a CSV file; one of DVC's cache may be a link, which is not written through."""
    file.unlink()
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, lineterminator="\n").writerows(rows)


def test_the_climb_from_an_empty_folder_to_production(history, tmp_path):
    level_0, level_1, level_2, level_3, release, look, level_4, clean_up = blocks(page("tutorials/climb.md"))
    project, lines = made(tmp_path, history, level_0)
    walk(project, [*lines, *level_1, *level_2])
    assert project.answers["maturity_level"] == 2
    *update, add, commit = level_3
    walk(project, update)
    for environment, port in {"stage": 8081, "prod": 8080}.items():
        file = project.path / f"operation/configuration/environment_{environment}/release.yaml"
        replace(file, f":{port}", f":{free_port()}")
    walk(project, [add, commit])
    try:
        walk(project, release, "y\ny\n")
        models, verified = walk(project, look)
        assert "prod: champion is version" in models
        assert "records are answered" in verified
        assert "problems: []" in walk(project, level_4)[2]
        walk(project, clean_up, "y\n")
        assert "prod: champion is no version" in project.run("uv run poe models")
    finally:
        script = project.path / "build" / "end.py"
        script.write_text(END, encoding="utf-8")
        project.run("uv run python build/end.py")


def decide(path: Path) -> None:
    """For our side."""
    conflict = re.compile(r"^<<<<<<<[^\n]*\n(.*?)^=======\n.*?^>>>>>>>[^\n]*\n", re.DOTALL | re.MULTILINE)
    text, count = conflict.subn(r"\1", path.read_text(encoding="utf-8"))
    assert count
    path.write_text(text, encoding="utf-8")
