"""A project lives by the docs: the commands of each page are run, in the order in which a team meets them."""

import json
import re
import textwrap
from pathlib import Path

import openpyxl
import pytest

from tests import drawn
from tests.processes import free_port
from tests.project import TEMPLATE, replace
from tests.run.project import Project, blocks, commands, typed
from tests.run.test_release import END
from tests.run.test_skills import named, skills
from tests.update.conftest import BEFORE, DROPPED, NOW, RELEASES, history

__all__ = ["history"]

DOCS = TEMPLATE / "docs"
# Pages whose commands other tests run, or which are about the template itself.
ELSEWHERE = {
    "contributing.md": "what is run to build the template",
    "how-to/any_repository.md": "tests/package/submitting/test_submit.py",
    "how-to/apart.md": "tests/run/test_pipeline.py",
    "how-to/engines/slurm.md": "tests/run/engines/test_engines.py",
    "how-to/adopting.md": "tests/run/test_adopting.py",
    "how-to/engines/airflow.md": "tests/run/engines/test_engines.py",
    "how-to/dependencies.md": "tests/run/test_groups.py",
    "how-to/models.md": "tests/run/test_models.py",
    "how-to/parallel.md": "tests/run/test_pipeline.py",
    "how-to/engines/argo.md": "tests/run/engines/test_engines.py",
    "how-to/engines/kubeflow.md": "tests/run/engines/test_engines.py",
    "how-to/engines/azureml.md": "tests/run/engines/test_engines.py",
    "how-to/engines/metaflow.md": "tests/run/engines/test_engines.py",
    "how-to/engines/prefect.md": "tests/run/engines/test_prefect.py",
    "how-to/stage_image.md": "tests/package/pipeline/test_stage_image.py",
    "how-to/tune.md": "tests/run/test_tuned.py",
    "how-to/failed.md": "tests/package/hosts/test_failed_page.py",
    "how-to/results.md": "tests/package/hosts/test_propose.py",
    "how-to/releases.md": "tests/run/test_release.py",
    "reference/figures.md": "tests/run/test_benchmarks.py",
} | {
    f"how-to/hosts/{name}.md": "tests/package/hosts/test_host_pages.py"
    for name in ("azure_devops", "bitbucket", "github", "gitlab")
}
ELSEWHERE |= {
    f"how-to/remotes/{name}.md": "tests/run/test_remote.py" for name in ("azure", "gs", "s3", "ssh", "webdav")
}
HERE = {
    f"how-to/{name}.md"
    for name in ("coding_agents", "hosts/forgejo", "images", "own_data", "requests", "review", "setup", "updates")
}
HERE |= {f"reference/{name}.md" for name in ("levels", "lint", "maturity")}
HERE |= {f"tutorials/{name}.md" for name in ("climb", "first_project", "own_data")}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_page_with_commands_is_walked():
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {name for name in pages if commands(page(name))} == ELSEWHERE.keys() | HERE


def test_an_update_a_new_name_and_a_level(copier, history, tmp_path):
    """The pages, and the two skills of a coding agent on the same subjects."""
    agents = {"coding_agents": ["agents"]}
    project = copier.at(history).copy(tmp_path / "project", BEFORE, maturity_level=1, **agents)

    def skill(name: str) -> list[str]:
        return [line.replace(" --defaults", "") for line in named(skills(project.path)[name])]

    def follow(lines: list[str], **words: object) -> list[str]:
        return [project.run(typed(line, history, **words)) for line in lines]

    update, _, rename, deleted = blocks(page("how-to/updates.md"))
    follow(commands(page("how-to/setup.md")))
    resolve = skill("resolve-update")
    keep = resolve.index("git add --all")
    assert set(update) <= set(resolve)
    follow(resolve[:keep], FILE="ruff.toml")
    assert project.answers["_commit"] == NOW
    assert DROPPED in follow(deleted, FILE=DROPPED)[0]
    assert (project.path / DROPPED).is_file()
    merged, by_hand, _ = blocks(page("how-to/requests.md"))
    assert by_hand == update
    assert "ok update" in follow(merged)[-1]
    follow(resolve[keep:])
    follow(commands(page("how-to/coding_agents.md")))
    assert "@AGENTS.md" in project.text("CLAUDE.md")
    project.commit()

    follow(rename[:2])
    for path in [*project.path.glob("src/**/*.py"), *project.path.glob("operation/tests/**/*.py")]:
        path.write_text(path.read_text("utf-8").replace("german_credit", "credit_risk"), encoding="utf-8")
    follow(rename[2:])
    assert project.answers["package_name"] == "credit_risk"
    project.commit()
    project.run("uv run poe ci")

    climb = skill("climb-level")
    assert set(commands(page("reference/levels.md"))) <= set(climb)
    follow(climb)
    assert project.answers["maturity_level"] == 2
    assert "add-model" in skills(project.path)
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
    replace(project.path / "params.yaml", after.replace("10.0", "1.0"), after)
    _, moved, judged = walk(project, change)
    assert re.search(r"metrics/candidates/linear.json +roc_auc +0\.\d+ +0\.\d+ +-?0\.", moved)
    assert "gradient_boosting.json" not in moved
    assert "version 1" in judged
    assert "version 2: registered" in walk(project, keep)[-1]

    _, _, metrics, parameters, compared = walk(project, commands(page("how-to/review.md")))
    assert "roc_auc" in metrics
    assert re.search(r"params.yaml +train.regularisation +1.0 +10.0", parameters)
    assert "version 2" in compared
    walk(project, back)
    assert "regularisation: 1.0" in project.text("params.yaml")
    assert "Data and pipelines are up to date" in project.run("uv run dvc repro")
    assert "dev: candidate is version 1" in project.run("uv run poe models")


def test_a_file_becomes_a_model_and_newer_records_a_better_one(history, tmp_path):
    """The tutorial on own data, then the page on what comes after."""
    text = page("tutorials/own_data.md")
    make, flats, look, bring, check, train, ask, newer = blocks(text)
    project, prepare = made(tmp_path, history, make)
    assert "poe adopt-data" in walk(project, prepare)[-1]
    (script,), (head, offers) = quoted(text, "python"), quoted(text, "csv")
    (tmp_path / "flats.py").write_text(script, encoding="utf-8")
    (tmp_path / "offers.csv").write_text(offers, encoding="utf-8")
    walk(project, flats)
    assert (tmp_path / "flats.csv").read_text(encoding="utf-8").startswith(head)
    (seen,) = walk(project, look)
    assert [line for each in quoted(text, "text") for line in each.splitlines() if line not in seen] == []
    assert project.run("git status --porcelain") == ""
    walk(project, bring)
    for field in quoted(text, "yaml"):
        replace_field(project.path / "src" / "flat_prices" / "contract.yaml", field)

    walk(project, [*check, *train])
    found, guess = (json.loads(project.text(f"metrics/{name}.json"))["rmse"] for name in ("test", "baseline"))
    assert (round(found / 1000), round(guess / 1000)) == (28, 153)
    assert "Living area" in project.text("docs/data_card.md")
    walk(project, ask)
    assert len(project.text("build/prices.csv").splitlines()) == 3
    _, kept, _, moved, judged, *_ = walk(project, newer)
    assert "the contract keeps" in kept
    assert re.search(r"metrics/data.json +records +240 +300 +60", moved)
    assert "version 1" in judged
    assert_the_page_goes_on(project)


def assert_the_page_goes_on(project: Project) -> None:
    """Follow the page on own data in the project of the tutorial: other files, a metric, a candidate and a split."""
    text = page("how-to/own_data.md")
    newer, folder, workbook, decide, candidate, *_ = blocks(text)
    walk(project, ["uv run python ../flats.py 320", *newer])
    lines = (project.path.parent / "flats.csv").read_text(encoding="utf-8").splitlines()
    write_files(project.path.parent, lines)
    assert [said.count("320 records, 8 columns") for said in walk(project, [*folder, *workbook])] == [1, 1]
    grouped, binary, multiclass = walk(project, decide)
    assert "'nein': you named it" in binary
    assert "the problem is multiclass" in multiclass
    assert "keeps nothing, and the data suggests 'district'" in grouped

    package = project.path / "src" / "flat_prices"
    metric, use, forest, split = quoted(text, "python")
    replace(package / "evaluate.py", "def baseline_metrics", f"{metric}\n\ndef baseline_metrics")
    measured = "    metrics = PROBLEM.measure(outcomes, CONTRACT)\n"
    replace(package / "evaluate.py", measured, measured + use)
    replace(package / "train.py", "    else:\n        raise", f"{forest}    else:\n        raise")
    imports = "from sklearn.ensemble import "
    replace(package / "train.py", imports, f"{imports}RandomForestClassifier, RandomForestRegressor, ")
    replace(package / "prepare.py", "    return splits.hold_out(table, CONTRACT, test_share, seed)\n", split)
    pipeline = project.path / "dvc.yaml"
    replace(pipeline, "[linear, gradient_boosting]", "[linear, gradient_boosting, random_forest]")
    replace(pipeline, "--candidates linear gradient_boosting", "--candidates linear gradient_boosting random_forest")
    for file in re.findall(r"`([a-z/]*/random_forest\.[a-z]+)`", text):
        linear = f"      - {file.replace('random_forest', 'linear')}\n"
        replace(pipeline, linear, f"{linear}      - {file}\n")
    walk(project, candidate)
    assert 0 < json.loads(project.text("metrics/test.json"))["within_10_percent"] < 1
    assert (project.path / "metrics" / "candidates" / "random_forest.json").is_file()


def write_files(folder: Path, lines: list[str]) -> None:
    """Write records as two files in a folder, and as a workbook with two sheets."""
    for number, part in enumerate((lines[1:100], lines[100:])):
        (folder / "deliveries").mkdir(exist_ok=True)
        (folder / "deliveries" / f"{number}.csv").write_text("\n".join([lines[0], *part, ""]), encoding="utf-8")
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["Only the other sheet has records."])
    sheet = book.create_sheet("Sales")
    for line in lines:
        sheet.append(line.split(";"))
    book.save(folder / "flats.xlsx")


def replace_field(file: Path, field: str) -> None:
    """Put a field as a page shows it in the place of the one with its name."""
    before, start, rest = file.read_text(encoding="utf-8").partition(field.splitlines()[0] + "\n")
    assert start
    _, following, after = rest.partition("  - name: ")
    file.write_text(before + field + following + after, encoding="utf-8")


def quoted(text: str, language: str) -> list[str]:
    """Return the content of each block of a language."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(each) if language == "text" else each for each in found]


@pytest.mark.skipif("0.3.0" not in RELEASES, reason="the history of the template is not here")
def test_an_older_project_moves_to_a_contract(copier, history, tmp_path):
    project = copier.at(history).copy(tmp_path / "project", "0.3.0")
    project.commit()
    *_, take, adopt, end = blocks(page("how-to/own_data.md"))
    for line in commands(page("how-to/updates.md"))[:2]:
        project.run(typed(line, history))
    assert (project.path / "src" / "german_credit" / "schema.py").is_file()
    project.commit()
    for line in [*take, *adopt, *end]:
        project.run(typed(line, history))
    assert "positive: 2" in project.text("src/german_credit/contract.yaml")
    assert json.loads(project.text("metrics/data.json"))["records"] == 1000
    assert "0 errors" in project.run("uv run poe lint-template")


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


def test_a_folder_of_images_becomes_a_service_that_takes_files(history, tmp_path):
    text = page("how-to/images.md")
    drawn.labelled(tmp_path / "photos")
    drawn.by_class(tmp_path / "marks")
    make, look, bring, train, serve, upload, ask, batch = blocks(text)
    project, prepare = made(tmp_path, history, make)
    walk(project, prepare)
    assert project.run("git status --porcelain").split() == ["M", "pyproject.toml", "M", "uv.lock"]
    marks, photos = walk(project, look)
    assert "'image' is an image" in marks
    assert "'file' is an image" in photos
    assert "before you add a library" not in photos
    walk(project, bring)
    for field in quoted(text, "yaml"):
        assert field in project.text("src/parcel_marks/contract.yaml")
    assert (project.path / "data" / "raw" / "photos.dvc").is_file()
    walk(project, train)
    figures = json.loads(project.text("metrics/test.json"))
    assert figures["accuracy"] > json.loads(project.text("metrics/baseline.json"))["accuracy"] + 0.3
    assert "different" in project.text("docs/data_card.md")
    assert drawn.text("bar", 0)[:40] not in project.text("docs/data_card.md") + project.text("build/report/index.html")

    (script,), (table,) = quoted(text, "python")[:1], quoted(text, "csv")
    port = free_port()
    (tmp_path / "ask.py").write_text(script.replace(":8000/", f":{port}/"), encoding="utf-8")
    (tmp_path / "ask.csv").write_text(table, encoding="utf-8")
    with project.serve(serve[0], f"http://127.0.0.1:{port}/health", OPERATION_PORT=str(port)):
        uploaded, asked = walk(project, [line.replace(":8000/", f":{port}/") for line in (*upload, *ask)])
    assert json.loads(re.search(r"\[\{.*\}\]", uploaded)[0]) == json.loads(asked)
    assert json.loads(asked)[0]["label"] == "bar"
    walk(project, batch)
    assert [line.split(",")[0] for line in project.text("build/answers.csv").splitlines()] == ["label", "bar", "cross"]

    *_, finer = quoted(text, "python")
    usual = '    encoder = features.encoder(CONTRACT, for_linear=name == "linear")\n'
    replace(project.path / "src" / "parcel_marks" / "train.py", usual, finer)
    assert "candidates" in "".join(walk(project, re.findall(r"`(uv run poe train|uv run dvc metrics diff)`", text)))


def decide(path: Path) -> None:
    """For our side."""
    conflict = re.compile(r"^<<<<<<<[^\n]*\n(.*?)^=======\n.*?^>>>>>>>[^\n]*\n", re.DOTALL | re.MULTILINE)
    text, count = conflict.subn(r"\1", path.read_text(encoding="utf-8"))
    assert count
    path.write_text(text, encoding="utf-8")
