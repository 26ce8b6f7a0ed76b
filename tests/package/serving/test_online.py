"""The service over HTTP, over a small model."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from copier_mlops import model_file, serving
from copier_mlops.contract import of_project
from copier_mlops.contract.frame import as_json
from copier_mlops.project import team
from copier_mlops.serving import online
from copier_mlops.settings import Settings, load_settings
from tests.package.shared import columns, fitted


@pytest.fixture(scope="module")
def predictor(inside):
    return team("score").Predictor(fitted(), "7")


@pytest.fixture
def limits(inside) -> Settings:
    return load_settings("dev").model_copy(update={"max_records": 3, "max_body_bytes": 10_000})


@pytest.fixture
def app(predictor, limits) -> FastAPI:
    return online.create_app(predictor, limits)


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app)


@pytest.fixture
def record(table) -> dict:
    return as_json(table.head(1), of_project())[0]


def test_one_record_and_many_get_the_same_answer(client, record):
    one = client.post("/predict", json=record).json()
    many = client.post("/predict", json=[record, record]).json()
    assert many == one * 2
    assert one[0]["model_version"] == "7"
    assert one[0]["label"] in ("good", "bad")


def test_a_code_that_was_never_seen_is_answered_named_and_counted(client, record):
    answer = client.post("/predict", json={**record, "purpose": "A999"})
    assert answer.status_code == 200
    assert answer.json()[0]["unseen"] == ["purpose"]
    assert 'unseen_codes_total{feature="purpose"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"age_in_years": "old"}, "age_in_years"),
        ({"age_in_years": -1}, "age_in_years"),
        ({"age_in_years": 40.5}, "age_in_years"),
        ({"purpose": None}, "purpose"),
        ({"shoe_size": 42}, "shoe_size"),
    ],
)
def test_a_bad_record_is_refused_with_the_name_of_the_field(client, record, change, field):
    for body in ({**record, **change}, [record, {**record, **change}]):
        answer = client.post("/predict", json=body)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][-1] == field


def test_a_missing_field_is_named(client, record):
    del record["purpose"]
    answer = client.post("/predict", json=record)
    assert (answer.status_code, answer.json()["detail"][0]["loc"][-1]) == (422, "purpose")


@pytest.mark.parametrize("body", ["", "{", "[]", "7", "null", '"text"'])
def test_what_is_not_a_record_is_refused(client, body):
    assert client.post("/predict", content=body).status_code == 422


def test_too_many_records_are_refused(client, record):
    assert client.post("/predict", json=[record] * 4).status_code == 422


def test_a_body_over_the_limit_is_refused_even_in_chunks(client):
    assert client.post("/predict", content=iter([b"x" * 6_000] * 2)).status_code == 413
    assert client.post("/predict", content=b"x" * 12_000).status_code == 413


def test_every_answer_names_the_version(client, record):
    answers = [
        client.get("/health"),
        client.post("/predict", json=record),
        client.post("/predict", json={}),
        client.get("/no"),
    ]
    assert [answer.headers["X-Model-Version"] for answer in answers] == ["7"] * 4
    assert client.get("/health").json()["model_version"] == "7"


def test_health_names_the_file_of_the_model(limits, tmp_path):
    file = tmp_path / "model.skops"
    model_file.save(fitted(), file)
    sha256 = model_file.sha256(file)
    app = online.project_app(serving.load(file, "7", sha256), limits)
    assert TestClient(app).get("/health").json() == {
        "status": "ok",
        "model_name": limits.model_name,
        "model_version": "7",
        "model_sha256": sha256,
    }


def test_unknown_paths_share_one_counter(client):
    for path in ("/a", "/b", "/predict/a", "/docs/a"):
        client.get(path)
    metrics = client.get("/metrics").text
    assert 'requests_total{path="other",status="404"} 4.0' in metrics
    assert '"/a"' not in metrics


def test_a_route_of_the_team_is_counted_under_its_own_path(app, client):
    @app.get("/customers/{number}")
    def customer(number: int) -> int:
        return number

    for number in ("1", "2", "none"):
        client.get(f"/customers/{number}")
    client.put("/customers/1")
    metrics = client.get("/metrics").text
    assert 'requests_total{path="/customers/{number}",status="200"} 2.0' in metrics
    assert 'requests_total{path="/customers/{number}",status="422"} 1.0' in metrics
    assert 'requests_total{path="/customers/{number}",status="405"} 1.0' in metrics
    assert '"/customers/1"' not in metrics


def test_a_route_of_a_router_with_a_prefix_is_counted_under_its_whole_path(app, client):
    router = APIRouter(prefix="/v2")

    @router.get("/about")
    def about() -> str:
        return "this"

    app.include_router(router)
    client.get("/v2/about")
    assert 'requests_total{path="/v2/about",status="200"} 1.0' in client.get("/metrics").text


def test_a_route_that_fails_is_answered_counted_and_tells_nothing(app, client):
    @app.get("/broken")
    def broken() -> None:
        raise ValueError("a secret")

    answer = client.get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert 'requests_total{path="/broken",status="500"} 1.0' in client.get("/metrics").text


def test_the_api_describes_every_feature(client):
    record = client.get("/openapi.json").json()["components"]["schemas"]["Record"]
    assert set(record["properties"]) == set(columns())
