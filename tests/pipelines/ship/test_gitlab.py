"""GitLab's flow `cd`, executed by gitlab-ci-local with real training runs."""

import pytest

from tests.pipelines.ship import gitlab, scenario
from tests.pipelines.ship.shop import document, opened


@pytest.fixture(scope="module")
def shop(copier, tmp_path_factory):
    with opened(copier, tmp_path_factory.mktemp("gitlab"), "gitlab") as found:
        yield found


def test_from_closed_gates_to_production(shop, node, tmp_path):
    model = gitlab.runner(node, {"release"})
    both = gitlab.runner(node, {"release", "deploy-prod"})
    scenario.gates_are_closed(shop, both, tmp_path / "closed")
    for gate in ("model", "prod"):
        shop.host.protect(shop.state, gate)
        shop.host.approve(shop.state, gate)
    scenario.an_unapproved_release_stops_before_production(shop, model, tmp_path / "unapproved", waits=True)
    scenario.the_first_model_is_released(shop, both, tmp_path / "released")
    told = (tmp_path / "released" / "deploy-prod" / "service.env").read_text(encoding="utf-8")
    assert told == f"SERVICE_URL={document(tmp_path / 'released', 'deploy-prod', 'deployment')['url']}\n"
    assert shop.state.canceled == []
    scenario.the_results_come_home(shop)
    scenario.the_same_model_is_not_released_again(shop, both, tmp_path / "again", skips=False)
    assert shop.state.canceled == ["release"]
