"""The way to production on any host: closed gates, the first release, the same model again, a missing metric.

The first run trains. No host keeps a cache of DVC: later runs get what was trained from the data remote.
"""

from collections.abc import Callable
from pathlib import Path

from tests.pipelines.hosts import READERS
from tests.pipelines.ship.result import Result
from tests.pipelines.ship.shop import Shop, document
from tests.project import matches

Run = Callable[[Shop, str, Path], Result]
PROPOSED = "training-results/main"
TRAINED = ["Train", "Propose", "Judge"]
STAGED = [*TRAINED, "Release", "Package", "Deploy to stage"]
RELEASED = [*STAGED, "Deploy to prod"]


def gates_are_closed(shop: Shop, run: Run, store: Path) -> None:
    """A gate that asks nobody lets nothing through, and production is not touched."""
    shop.host.weaken(shop.state, "model")
    result = run(shop, "cd", store)
    assert result.failed, result.printed
    assert result.jobs == [*TRAINED, "Release"], result.printed
    assert "the gate is closed" in result.printed
    assert document(store, "judge", "verdict")["promoted"]
    assert not (store / "release").exists()
    assert (shop.served("stage"), shop.served("prod")) == (None, None)


def an_unapproved_release_stops_before_production(shop: Shop, run: Run, store: Path, waits: bool) -> None:
    """The model was approved and the release was not: stage has it, production has nothing."""
    result = run(shop, "cd", store)
    assert result.failed != waits, result.printed
    assert result.jobs == (STAGED if waits else RELEASED), result.printed
    assert document(store, "release", "release")["version"] == "1"
    assert (shop.served("stage"), shop.served("prod")) == ("1", None)


def the_first_model_is_released(shop: Shop, run: Run, store: Path) -> None:
    """Everything is approved: production serves the model, and its record leads back to data, code and person."""
    result = run(shop, "cd", store)
    assert not result.failed, result.printed
    assert "Running stage" not in result.printed  # the first run left its results on the data remote
    assert result.jobs == RELEASED
    assert (shop.served("stage"), shop.served("prod")) == ("1", "1")
    record = document(store, "release", "release")
    commit = shop.project.run("git rev-parse HEAD").strip()
    assert (record["released"], record["commit"]) == (True, commit)
    assert record["data"]["data/raw/german_credit.csv"] == "4609dadefb94c1a04cc1de2dfe39a8a5"
    assert record["approval"]["by"] and record["approval"]["gate"] == "model"
    assert record["metrics"]["roc_auc"] > 0.5
    deployed = document(store, "deploy-prod", "deployment")
    assert (deployed["version"], deployed["approval"]["gate"]) == ("1", "prod")
    assert document(store, "deploy-prod", "verification")["ok"]
    # One hash from dvc.lock to the service.
    assert record["md5"] == deployed["md5"] == record["data"]["build/model/model.skops"]
    assert record["sha256"] == deployed["sha256"] == shop.model_file("prod")


def the_results_come_home(shop: Shop) -> None:
    """Three runs of one commit have one change request; a person merges it, which starts no flow of releases."""
    ((head, base, text),) = [shop.host.told(each) for each in shop.state.pulls]
    assert (head, base) == (PROPOSED, "main")
    assert "| `metrics/test.json` | `roc_auc` | – |" in text
    changed = shop.project.run(f"git diff --name-only main {PROPOSED}").split()
    assert {"dvc.lock", "metrics/test.json", "metrics/candidates/linear.json"} < set(changed)
    starts = READERS[shop.host.__name__.rpartition(".")[2]](shop.project.path)["cd"].push
    assert list(matches(starts).match_files(["params.yaml", "src/a/b.py", *changed])) == ["params.yaml", "src/a/b.py"]
    shop.project.run(f"git merge --quiet --ff-only {PROPOSED}")


def the_same_model_is_not_released_again(shop: Shop, run: Run, store: Path, skips: bool = True) -> None:
    """A training of the merged results runs no stage; a challenger that is not better asks nobody and changes nothing.

    On a host that cannot skip jobs, somebody who starts them all the same changes nothing either.
    """
    result = run(shop, "cd", store)
    assert not result.failed, result.printed
    assert "Running stage" not in result.printed
    assert "propose: nothing to propose" in result.printed
    assert document(store, "judge", "verdict")["promoted"] is False
    assert result.jobs == (TRAINED if skips else RELEASED), result.printed
    for job, name in (("release", "release"), ("package", "package"), ("deploy-prod", "deployment")):
        assert (store / job).exists() != skips
        assert skips or document(store, job, name)["released"] is False
    assert (shop.served("stage"), shop.served("prod")) == ("1", "1")


def a_missing_metric_stops_the_chain(shop: Shop, run: Run, store: Path) -> None:
    """Nothing is released on a metric that nobody measured."""
    shop.edit("operation/configuration/environment_prod/release.yaml", "metric: roc_auc", "metric: profit")
    result = run(shop, "cd", store)
    assert result.failed
    assert result.jobs == TRAINED, result.printed
    assert "the new model has no metric profit" in result.printed
    assert shop.served("prod") == "1"
