"""Azure DevOps' flow `cd`, read back from its pipeline and walked with real training runs."""

import pytest

from tests.pipelines.ship import scenario, walk
from tests.pipelines.ship.shop import opened


@pytest.fixture(scope="module")
def shop(copier, tmp_path_factory):
    with opened(copier, tmp_path_factory.mktemp("azure"), "azure_devops") as found:
        yield found


def told(job: str, environment: str) -> dict[str, str]:
    return {"ENVIRONMENT_NAME": environment, "SYSTEM_STAGENAME": job.replace("-", "_")}


def test_from_closed_gates_to_production(shop, tmp_path):
    model = walk.runner("azure_devops", told, {"model"})
    both = walk.runner("azure_devops", told, {"model", "prod"})
    scenario.gates_are_closed(shop, both, tmp_path / "closed")
    shop.state.environments.clear()
    shop.state.checks.clear()
    for gate in ("model", "prod"):
        shop.host.protect(shop.state, gate)
        shop.host.approve(shop.state, gate)
    scenario.an_unapproved_release_stops_before_production(shop, model, tmp_path / "unapproved", waits=True)
    scenario.the_first_model_is_released(shop, both, tmp_path / "released")
    scenario.the_results_come_home(shop)
    scenario.the_same_model_is_not_released_again(shop, both, tmp_path / "again")
