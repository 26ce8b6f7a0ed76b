"""GitHub's flow `cd`, executed by act with real training runs."""

import pytest

from tests.pipelines.ship import act, scenario
from tests.pipelines.ship.shop import opened


@pytest.fixture(scope="module")
def shop(copier, tmp_path_factory):
    with opened(copier, tmp_path_factory.mktemp("github"), "github") as found:
        yield found


def test_from_closed_gates_to_production(shop, tmp_path):
    scenario.gates_are_closed(shop, act.run, tmp_path / "closed")
    shop.host.protect(shop.state, "model")
    shop.host.protect(shop.state, "prod")
    shop.host.approve(shop.state, "model")
    scenario.an_unapproved_release_stops_before_production(shop, act.run, tmp_path / "unapproved", waits=False)
    shop.host.approve(shop.state, "prod")
    scenario.the_first_model_is_released(shop, act.run, tmp_path / "released")
    scenario.the_results_come_home(shop)
    scenario.the_same_model_is_not_released_again(shop, act.run, tmp_path / "again")
    scenario.a_missing_metric_stops_the_chain(shop, act.run, tmp_path / "metric")
