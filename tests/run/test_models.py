"""A candidate of LightGBM, as its page adds it: trained, registered, asked, and ready for the image."""

import json
import re
import sqlite3
from contextlib import closing

import pandas as pd

from tests.project import TEMPLATE, replace
from tests.run.project import Project, blocks
from tests.run.test_walked_pages import quoted

PAGE = (TEMPLATE / "docs" / "how-to" / "models.md").read_text(encoding="utf-8")
CHEAP = {"folds: 5": "folds: 2"}


def use(project: Project) -> None:
    """Write what the page says into train.py and dvc.yaml; the two candidates of the template make place for it."""
    imports, candidate, *_ = quoted(PAGE, "python")
    train, pipeline = project.path / "src/german_credit/train.py", project.path / "dvc.yaml"
    replace(train, "from sklearn.ensemble", f"{imports}from sklearn.ensemble")
    replace(train, "    else:\n        raise", f"{candidate}    else:\n        raise")
    replace(pipeline, "[linear, gradient_boosting]", "[lightgbm]")
    replace(pipeline, "--candidates linear gradient_boosting", "--candidates lightgbm")
    for file in re.findall(r"`([a-z/]*/lightgbm\.[a-z]+)`", PAGE):
        replace(pipeline, f"      - {file.replace('lightgbm', 'gradient_boosting')}\n", "")
        replace(pipeline, f"      - {file.replace('lightgbm', 'linear')}\n", f"      - {file}\n")
    for before, after in CHEAP.items():
        replace(project.path / "params.yaml", before, after)


def test_a_candidate_of_lightgbm_is_trained_registered_and_asked(copier, tmp_path):
    project = copier.copy(tmp_path / "project", maturity_level=3)
    project.run("uv run poe setup")
    add, go = blocks(PAGE)
    for line in add:
        project.run(line)
    use(project)
    train, register, predict = go
    project.run("uv run ruff check src")
    project.run(train)
    assert json.loads(project.text("metrics/test.json"))["candidate"] == "lightgbm"
    project.run(register)
    project.run(predict)
    answers = pd.read_csv(project.path / "build/answers.csv")
    assert answers["probability"].nunique() > 10 and len(answers) == 125
    with closing(sqlite3.connect(project.path / "mlflow.db")) as database:
        tags = dict(database.execute("select key, value from tags where key like 'library.%'").fetchall())
    assert tags["library.lightgbm"].startswith("4.") and "library.scikit-learn" in tags
    (requirements,) = {path.read_text() for path in project.path.rglob("requirements.txt") if "artifacts" in path.parts}
    assert re.search(r"^lightgbm==4\.", requirements, re.MULTILINE)

    # A class of train.py cannot be read by others: `train` stops with a sentence, and keeps the file of before.
    model = project.path / "build/candidates/lightgbm.skops"
    before = model.read_bytes()
    source = project.path / "src/german_credit/train.py"
    replace(source, "CONTRACT = beside", "class Rare(LGBMClassifier):\n    pass\n\n\nCONTRACT = beside")
    replace(source, "booster = LGBMRegressor if IS_REGRESSION else LGBMClassifier", "booster = Rare")
    said = project.run(train, fails=True)
    assert "__main__.Rare is defined in the file that runs as a program" in said
    assert not model.exists() or model.read_bytes() == before
