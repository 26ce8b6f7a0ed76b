"""A coding agent works by AGENTS.md and the skills: each command that they name is run, in the order of the text."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from copier_mlops.lint.checks.instructions import code
from tasks.reference.commands import parser_of
from tests.project import TEMPLATE, copy_project, copy_template, registry, replace
from tests.run.project import Project, commands

LEVELS = len(registry("levels"))
# Skills that need another version of the template, or another level: tests/run/test_walked_pages.py walks them.
UPDATES = ("climb-level", "resolve-update")
# They need a run on a git host: here only their arguments are checked, and tests/package/hosts runs them on loopback.
OF_HOST = {"uv run poe fetch NUMBER"}


def named(text: str) -> list[str]:
    """Each command of a text in its order: the lines of its blocks, and what begins as one in backticks."""
    pieces = [piece for _, piece in code(text)]
    return [piece for piece in pieces if piece in commands(text) or re.match(r"(uv run|uvx|git) \S+ \S", piece)]


def skills(folder: Path) -> dict[str, str]:
    """The texts of the skills of a project by their names."""
    return {path.parent.name: path.read_text(encoding="utf-8") for path in folder.glob(".agents/skills/*/SKILL.md")}


def follow(project: Project, text: str, done: set[str], **words: str) -> None:
    """Run each command of a text that was not run before; words stand for what a person says."""
    for command in named(text):
        for word, meaning in words.items():
            command = re.sub(rf"\b{word}\b", meaning, command)
        if command not in done:
            project.run(command)
        if command.startswith("uv run"):
            done.add(command)


@pytest.fixture
def at_work(unchanged, tmp_path):
    """The default project on a branch of its own, brought back afterwards: branch, and runs on the tracking server."""
    branch = unchanged.run("git branch --show-current").strip()
    runs = shutil.copy(unchanged.path / "mlflow.db", tmp_path)
    unchanged.run("git switch --create agent")
    yield unchanged
    unchanged.run(f"git switch --force {branch}")
    unchanged.run("git branch -D agent add-model")
    shutil.copy(runs, unchanged.path / "mlflow.db")


def test_a_model_is_added_and_data_brought(at_work, template, tmp_path):
    answers = {"coding_agents": ["agents"]}
    texts = skills(copy_project(template, tmp_path / "with-skills", **answers))
    assert texts.keys() == registry("skills").keys()
    done: set[str] = set()
    follow(at_work, texts["start"], done)

    before, after = texts["add-model"].split("2. Write it.")
    follow(at_work, before, set())
    add_forest(at_work)
    follow(at_work, after, set())
    assert (at_work.path / "metrics" / "candidates" / "random_forest.json").is_file()
    assert "random_forest" in at_work.run("git show --stat HEAD")

    records = (at_work.path / "data" / "raw" / "german_credit.csv").read_text(encoding="utf-8").splitlines()
    newer = tmp_path / "german_credit.csv"
    newer.write_text("\n".join(records[:901]) + "\n", encoding="utf-8")
    contract = yaml.safe_load(at_work.text("src/german_credit/contract.yaml"))
    follow(at_work, texts["bring-data"], set(), FILE=str(newer), COLUMN=contract["learning"]["target"])
    assert '"records": 900' in at_work.text("metrics/data.json")
    assert at_work.run("git status --short") == ""

    done.add("uv run poe adopt-data FILE --target COLUMN")
    # `ci` ran them for the new model.
    assert "uv run poe ci" in after
    tasks = tomllib.loads(at_work.text("poe_tasks.toml"))["tasks"]
    done |= {f"uv run poe {each}" for each in ["ci", *tasks["ci"]["sequence"]]}
    follow(at_work, texts["fix-red-pipeline"], done)
    follow(at_work, at_work.text("AGENTS.md"), done, TASK="train")


def add_forest(project: Project) -> None:
    """Do what the skill says of code: a candidate in `train.py` and in `dvc.yaml`."""
    train = project.path / "src" / "german_credit" / "train.py"
    forest = '    elif name == "random_forest":\n'
    forest += "        kind = RandomForestRegressor if IS_REGRESSION else RandomForestClassifier\n"
    forest += "        estimator = kind(min_samples_leaf=leaf, n_estimators=20, random_state=seed)\n"
    replace(train, "    else:\n        raise", f"{forest}    else:\n        raise")
    imported = ", RandomForestClassifier, RandomForestRegressor\nfrom sklearn.linear_model"
    replace(train, "\nfrom sklearn.linear_model", imported)
    pipeline = project.path / "dvc.yaml"
    replace(pipeline, "[linear, gradient_boosting]", "[linear, gradient_boosting, random_forest]")
    replace(pipeline, "--candidates linear gradient_boosting", "--candidates linear gradient_boosting random_forest")
    for file in ("build/candidates/linear.skops", "metrics/candidates/linear.json"):
        line = f"      - {file}\n"
        replace(pipeline, line, line + line.replace("linear", "random_forest"))


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    return copy_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="module")
def texts(template, tmp_path_factory) -> dict[tuple[str, int], dict[str, str]]:
    """What coding agents read at each level, on a host with all flows and on one with only `ci`."""
    found = {}
    for host, level in [(host, level) for host in ("github", "forgejo") for level in range(LEVELS)]:
        folder = tmp_path_factory.mktemp("texts") / "project"
        copy_project(template, folder, git_host=host, maturity_level=level, coding_agents=["agents"])
        found[host, level] = skills(folder) | {"AGENTS.md": (folder / "AGENTS.md").read_text(encoding="utf-8")}
    return found


def test_every_command_of_every_level_and_host_is_walked(texts):
    """By the test above, by those of an update and of the levels below, by the pages, or by `poe cd` as its steps."""
    walked = {each for name, text in texts["github", 2].items() if name not in UPDATES for each in named(text)}
    walked |= {each for name in UPDATES for each in named(texts["github", 1][name])}
    walked |= {
        each for level in (0, 1) for name in ("AGENTS.md", "start") for each in named(texts["github", level][name])
    }
    for page in ("tutorials/climb.md", "how-to/releases.md"):
        walked |= set(commands((TEMPLATE / "docs" / page).read_text(encoding="utf-8")))
    steps = [step["run"] for job in registry("flows/cd")["cd"]["jobs"].values() for step in job["steps"]]
    walked |= {f"uv run poe {each}" for each in steps}
    left: dict[str, tuple] = {}
    for place, by_name in texts.items():
        for name, text in by_name.items():
            for command in named(text):
                plain = re.sub(r"(maturity_level=|level )\d", r"\g<1>2", command)
                if command not in walked and plain not in walked:
                    left[command] = (*place, name)
    assert left.keys() == OF_HOST, left
    for command in OF_HOST:
        task, *arguments = command.removeprefix("uv run poe ").split()
        assert task in registry("levels")[3]["tasks"]
        parser_of(task).parse_known_args(arguments)
