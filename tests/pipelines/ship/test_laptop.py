"""The same flows on a laptop: an environment is made, a model is released, watched, and its environment taken down."""

import json
import re
import sys

import pytest

from tests.pipelines.ship.shop import opened
from tests.run.project import request

PLOTS = re.compile(
    r"\[The plots of this result\]\((?P<server>http://[\d.:]+)/#/experiments/\d+/runs/(?P<run>\w+)/artifacts\)"
)
# Ends the service of prod behind the back of everybody, as a crash would.
STOP = """
from copier_mlops.settings import load_settings
from copier_mlops.release import history
from copier_mlops.release.targets import process
from copier_mlops.tracking import connect

settings = load_settings("prod")
process.end(history.service(connect(settings), settings))
"""


@pytest.fixture(scope="module")
def shop(copier, tmp_path_factory):
    with opened(copier, tmp_path_factory.mktemp("laptop"), "github", level=4) as found:
        yield found


def test_an_environment_is_made_after_a_person_has_seen_the_plan(shop):
    project = shop.project
    assert "+ registered model german-credit" in project.run("uv run poe plan --env stage")
    assert "apply: nobody has approved it" in project.run("uv run poe apply", fails=True)
    assert "was not approved" in project.run("uv run poe gate-check infrastructure", fails=True, typed="n\n")
    project.run("uv run poe gate-check infrastructure", typed="y\n")
    assert "1 done, 0 failed" in project.run("uv run poe apply")
    assert "nothing to do" in project.run("uv run poe plan --env stage")
    # The approval was for the plan before, and is used up.
    assert "apply: nobody has approved it" in project.run("uv run poe apply", fails=True)


def test_nothing_is_watched_before_the_first_release(shop):
    assert "nothing is released yet" in shop.project.run("uv run poe monitor", fails=True)


def test_a_model_is_released_by_one_command_that_asks_at_the_gates(shop):
    assert "model was not approved" in shop.project.run("uv run poe cd", fails=True)
    assert shop.served("stage") is None
    assert "prod was not approved" in shop.project.run("uv run poe cd", fails=True, typed="y\nn\n")
    assert (shop.served("stage"), shop.served("prod")) == ("1", None)
    shop.project.run("uv run poe cd", typed="y\ny\n")
    assert (shop.served("stage"), shop.served("prod")) == ("1", "1")
    printed = shop.project.run("uv run poe cd")
    assert "gate-check: nothing to approve: not better than the champion" in printed


def test_the_report_on_a_change_leads_to_the_plots_of_its_run(shop):
    for _ in range(2):
        shop.project.run("uv run poe comment", **shop.variables())
    (comment,) = shop.state.comments
    link = PLOTS.search(comment["body"])
    assert link, comment["body"]
    url = f"{link['server']}/api/2.0/mlflow/artifacts/list?run_id={link['run']}&path=plots"
    assert "plots/roc.csv" in [each["path"] for each in request(url)[2]["files"]]


def test_production_is_watched_and_an_old_model_is_trained_again(shop):
    assert "problems: []" in shop.project.run("uv run poe monitor")
    shop.project.run("uv run poe monitor --dry-run", MONITORING_MAX_AGE_DAYS="0.000001", **shop.variables())
    assert shop.state.started == []
    printed = shop.project.run("uv run poe monitor", MONITORING_MAX_AGE_DAYS="0.000001", **shop.variables())
    assert "nothing has changed since commit" in printed and shop.state.started == []
    shop.edit("params.yaml", "seed: 42", "seed: 43")
    shop.project.run("uv run poe monitor", MONITORING_MAX_AGE_DAYS="0.000001", **shop.variables())
    assert [each["ref"] for each in shop.state.started] == ["main"]


def test_what_production_serves_counts_for_maturity(shop):
    printed = shop.project.run(f"{sys.executable} -m copier_mlops maturity --json")
    found, _ = json.JSONDecoder().raw_decode(printed)
    met = {each["id"]: each["evidence"] for each in found["criteria"] if each["met"]}
    assert met["stage"] == "stage serves version 1"
    assert met["prod"] == "prod serves version 1"
    assert met["traced"].startswith("version 1: run ")
    assert {"cd", "gate", "updates", "watched", "answers", "retraining"} <= met.keys()
    assert "without-gap" not in met


def test_an_environment_is_taken_down_and_nothing_else(shop):
    project = shop.project
    printed = project.run("uv run poe plan --teardown", OPERATION_ENVIRONMENT="stage")
    assert "- service of stage" in printed and "- alias challenger of german-credit" in printed
    project.run("uv run poe gate-check infrastructure", typed="y\n")
    assert "2 done, 0 failed" in project.run("uv run poe apply")
    assert (shop.served("stage"), shop.served("prod")) == (None, "1")
    assert "nothing to do" in project.run("uv run poe plan --env stage --teardown")
    assert "nothing to do" in project.run("uv run poe plan --env stage")


def test_a_service_that_is_gone_is_named(shop):
    (shop.project.path / "build" / "stop.py").write_text(STOP)
    shop.project.run("uv run python build/stop.py")
    assert "does not answer" in shop.project.run("uv run poe monitor", fails=True)
