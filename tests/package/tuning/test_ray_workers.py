"""The connection to Ray, with a stand-in for its library; tests/run/test_tuned.py has a real one."""

import sys
from types import SimpleNamespace

import pytest

from copier_mlops.pipeline.dag import Resources
from copier_mlops.tuning import TuneError
from copier_mlops.tuning.ray_workers import OnRay

ADDRESS = "ray://127.0.0.1:10001"


@pytest.fixture
def connected(monkeypatch):
    """Connect to a Ray that refuses with these texts, one after the other, and then answers; return its calls."""

    def connect(*refusals: str) -> list[str]:
        left, calls = list(refusals), []

        def init(address: str, **options: object) -> None:
            calls.append(address)
            if left:
                raise ConnectionAbortedError(left.pop(0))

        ray = SimpleNamespace(
            init=init,
            shutdown=lambda: calls.append("shutdown"),
            cluster_resources=lambda: {"CPU": 4.0},
            cloudpickle=SimpleNamespace(register_pickle_by_value=lambda module: None),
            remote=lambda **options: lambda function: function,
        )
        monkeypatch.setitem(sys.modules, "ray", ray)
        assert OnRay(ADDRESS, None, Resources()).jobs == 4
        return calls

    return connect


def test_a_busy_head_is_asked_twice_and_no_more(connected):
    assert connected() == [ADDRESS]
    busy = "Initialization failure from server:\nTraceback (most recent call last): …"
    assert connected(busy) == [ADDRESS, "shutdown", ADDRESS]
    with pytest.raises(TuneError, match=r"no Ray answers at ray://127.0.0.1:10001: Initialization failure"):
        connected(busy, busy)


def test_a_ray_that_is_not_there_is_asked_once(connected):
    with pytest.raises(TuneError, match=r"no Ray answers at .*: connection refused\n  fix: start one with"):
        connected("connection refused")
