"""The first command of the README, as a newcomer runs it."""

import os
import subprocess
import sys

from tests.project import TEMPLATE
from tests.run.project import clean_environment


def test_the_demo_ends_with_a_prediction(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tasks.demo", "--into", str(tmp_path / "demo")],
        cwd=TEMPLATE,
        env=clean_environment() | {"PYTHONPATH": str(TEMPLATE), "VIRTUAL_ENV": os.environ.get("VIRTUAL_ENV", "")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for seen in ("roc_auc", "build/report/index.html", "docs/model_card.md", '"model_version"', '"probability"'):
        assert seen in done.stdout
    assert (tmp_path / "demo" / "german-credit" / "docs" / "data_card.md").is_file()


def test_the_demo_refuses_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "tasks.demo", "--into", str(tmp_path)],
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"
