"""Images over HTTP: in base64, or as the files of a form, with the same answers and the same limits."""

import base64
import sys

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from copier_mlops import problems
from copier_mlops.contract import parse
from copier_mlops.features import encoder
from copier_mlops.serving import online, uploads
from copier_mlops.settings import load_settings
from tests import drawn

CONTRACT = parse(
    """
learning: {target: label, problem: multiclass}
fields:
- {name: photo, type: string, format: binary, constraints: {required: true}}
- {name: size, type: number, constraints: {minimum: 0}}
- {name: indoors, type: boolean}
- {name: label, type: string, categories: [bar, cross, square]}
""",
    "contract.yaml",
)


class Predictor:
    version = "7"

    def __init__(self) -> None:
        labels = drawn.CLASSES * 10
        photos = [drawn.text(label, seed) for seed, label in enumerate(labels)]
        records = pd.DataFrame({"photo": photos, "size": 1.0, "indoors": True})
        model = make_pipeline(encoder(CONTRACT, for_linear=True), LogisticRegression(max_iter=1000))
        self.model = model.fit(records, pd.Series(labels))

    def score(self, records: pd.DataFrame) -> pd.DataFrame:
        return problems.predict(self.model, records, CONTRACT).assign(model_version=self.version)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor()


@pytest.fixture
def client(inside, monkeypatch, predictor) -> TestClient:
    monkeypatch.setattr(online, "of_project", lambda: CONTRACT)
    settings = load_settings("dev").model_copy(update={"max_records": 3, "max_body_bytes": 50_000})
    return TestClient(online.create_app(predictor, settings), raise_server_exceptions=False)


def files(*labels: str) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("photo", (f"{label}.png", drawn.image(label, 50), "image/png")) for label in labels]


def test_a_file_and_its_base64_get_the_same_answer(client):
    record = {"photo": drawn.text("cross", 50), "size": 2.5, "indoors": False}
    wanted = client.post("/predict", json=record)
    sent = client.post("/predict", files=files("cross"), data={"size": "2.5", "indoors": "false"})
    assert (wanted.status_code, sent.status_code) == (200, 200)
    assert sent.json() == wanted.json()
    assert sent.json()[0]["label"] == "cross"
    assert 'requests_total{path="/predict",status="200"} 2.0' in client.get("/metrics").text


def test_several_files_are_several_records(client):
    answers = client.post("/predict", files=files("bar", "cross", "square")).json()
    assert [answer["label"] for answer in answers] == ["bar", "cross", "square"]


@pytest.mark.parametrize(
    ("sent", "data", "field"),
    [
        ([("photo", ("a.png", b"no image", "image/png"))], {}, "photo"),
        ([("photo", ("a.png", drawn.image("bar")[:-60], "image/png"))], {}, "photo"),
        ([("photo", ("a.png", b"", "image/png"))], {}, "photo"),
        ([("size", ("a.png", drawn.image("bar"), "image/png"))], {}, "size"),
        ([("other", ("a.png", drawn.image("bar"), "image/png"))], {}, "other"),
        (files("bar"), {"size": "-1"}, "size"),
        (files("bar"), {"size": "wide"}, "size"),
        (files("bar"), {"size": "[1]"}, "size"),
        (files("bar"), {"indoors": "maybe"}, "indoors"),
        (files("bar"), {"shoe": "42"}, "shoe"),
        (files("bar", "bar"), {"size": "1"}, "size"),
        ([("note", (None, "hello"))], {}, "photo"),
    ],
)
def test_a_form_that_is_wrong_is_refused_with_the_name_of_the_field(client, sent, data, field):
    answer = client.post("/predict", files=sent, data=data)
    assert answer.status_code == 422
    assert field in [problem["loc"][-1] for problem in answer.json()["detail"]]


def test_no_content_is_repeated(client):
    text = drawn.text("bar")[:-80]
    answer = client.post("/predict", json=[{"photo": drawn.text("bar")}, {"photo": text}])
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "many", 1, "photo"]
    assert text[:20] not in answer.text


def test_the_limits_of_a_request_hold_for_forms(client):
    assert client.post("/predict", files=files(*["bar"] * 4)).status_code == 422
    assert client.post("/predict", files=files(*["bar"] * 10)).status_code == 422
    large = [("photo", ("a.png", b"\0" * 60_000, "image/png"))]
    assert client.post("/predict", files=large).status_code == 413


def test_images_that_are_too_large_together_are_refused(client, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_PIXELS", 2 * 16 * 16)
    assert client.post("/predict", files=files("bar", "bar")).status_code == 200
    answer = client.post("/predict", files=files("bar", "bar", "bar"))
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "many", 2, "photo"])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nhello\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"\0\xff" * 50),
        ("multipart/form-data; boundary=x; charset=moon", b"--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\xff\r\n--x--\r\n',
        ),
    ],
)
def test_what_is_no_form_is_refused(client, kind, body):
    answer = client.post("/predict", content=body, headers={"content-type": kind})
    assert answer.status_code == 422
    assert len(answer.content) < 1_000


def test_the_documentation_shows_both_ways(client):
    body = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    form = body["multipart/form-data"]["schema"]
    assert form["properties"]["photo"]["format"] == "binary"
    assert form["required"] == ["photo"]
    assert client.get("/docs").status_code == 200


def test_a_service_without_the_library_for_forms_says_so(inside, monkeypatch, predictor):
    monkeypatch.setattr(online, "of_project", lambda: CONTRACT)
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    with pytest.raises(
        SystemExit, match=r'python-multipart is not installed\n  fix: uv add "pillow.*" "python-multipart'
    ):
        online.create_app(predictor, load_settings("dev"))


def test_a_contract_without_images_takes_no_forms(inside, predictor):
    app = online.create_app(predictor, load_settings("dev"))
    client = TestClient(app)
    assert client.post("/predict", files=files("bar")).status_code == 422
    assert "multipart" not in client.get("/openapi.json").text


def test_base64_of_a_form_is_read_as_well(client):
    sent = client.post("/predict", files=[("photo", (None, base64.b64encode(drawn.image("bar", 50)).decode()))])
    assert sent.json()[0]["label"] == "bar"
