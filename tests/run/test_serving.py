"""The registered model, in a batch and over HTTP: the same record, the same answer."""

import csv
import json
from functools import partial

import pandas as pd
import pytest

from tests.run.project import request

SAMPLE = "operation/tests/sample.csv"


def records(project) -> list[dict]:
    """The sample as a client sends it: numbers as numbers, no outcome."""
    with (project.path / SAMPLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {name: int(value) if value.isdigit() else value for name, value in row.items()}
        for row in rows
        if row.pop("credit_risk")
    ]


@pytest.fixture
def service(project, port) -> str:
    """The address of the running service."""
    address = f"http://127.0.0.1:{port}"
    with project.serve("uv run poe serve", f"{address}/health", OPERATION_PORT=str(port)):
        yield address


def test_batch_and_online_give_the_same_answers(project, service):
    out = project.path / "build" / "answers.json"
    project.run(f"uv run poe predict --data {SAMPLE} --out build/answers.json")
    batch = json.loads(out.read_text())
    status, headers, online = request(f"{service}/predict", records(project))
    assert status == 200
    assert [answer["label"] for answer in online] == [answer["label"] for answer in batch]
    assert [answer["probability"] for answer in online] == pytest.approx([each["probability"] for each in batch])
    assert {answer["model_version"] for answer in online} == {headers["X-Model-Version"]}
    assert {answer["label"] for answer in online} == {"good", "bad"}


def test_bad_records_unseen_codes_and_metrics_over_a_real_connection(project, service):
    record = records(project)[0]
    status, headers, answer = request(f"{service}/predict", {**record, "age_in_years": "old"})
    assert (status, answer["detail"][0]["loc"][-1]) == (422, "age_in_years")
    assert headers["X-Model-Version"]
    status, _, answer = request(f"{service}/predict", {**record, "purpose": "A999"})
    assert (status, answer[0]["unseen"]) == (200, ["purpose"])
    status, _, answer = request(f"{service}/predict", [record] * 1001)
    assert status == 422
    status, _, answer = request(f"{service}/predict", "x" * 1_000_001)
    assert status == 413
    _, _, text = request(f"{service}/metrics")
    assert 'requests_total{path="/predict",status="422"} 2.0' in text
    assert request(f"{service}/openapi.json")[0] == 200
    assert request(f"{service}/docs")[0] == 200


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_every_format_of_a_batch_can_be_read_again(project, suffix):
    project.run(f"uv run poe predict --data {SAMPLE} --out build/answers.{suffix}")
    read = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}
    read["jsonl"] = partial(pd.read_json, lines=True)
    assert len(read[suffix](project.path / "build" / f"answers.{suffix}")) == 125


def test_a_batch_that_cannot_be_read_is_named_and_overwrites_nothing(project):
    kept = project.path / "build" / "kept.csv"
    kept.write_text("the answers of yesterday")
    (project.path / "build" / "bad.csv").write_text("a,b\n1,2\n")
    assert "a is not a field of the contract" in project.run(
        "uv run poe predict --data build/bad.csv --out build/kept.csv", fails=True
    )
    assert "build/none.csv is missing" in project.run(
        "uv run poe predict --data build/none.csv --out build/kept.csv", fails=True
    )
    assert "ends in .csv" in project.run(f"uv run poe predict --data {SAMPLE} --out build/kept.xlsx", fails=True)
    assert kept.read_text() == "the answers of yesterday"


def test_a_damaged_model_is_named_and_going_back_mends_it(unchanged):
    params = unchanged.path / "params.yaml"
    params.write_text(params.read_text().replace("regularisation: 1.0", "regularisation: 2.0"))
    unchanged.run("uv run poe train")
    registered = unchanged.run("uv run poe register")
    assert "(was version 1)" in registered
    model = max((unchanged.path / "mlruns").rglob("model.skops"), key=lambda file: file.stat().st_mtime)
    content = model.read_bytes()
    model.write_bytes(content[:-1000])
    for task in ("serve", f"predict --data {SAMPLE}"):
        printed = unchanged.run(f"uv run poe {task}", fails=True)
        assert "version 2 of german-credit cannot be used" in printed
        assert "is damaged: its SHA-256 is" in printed
        assert "fix: uv run poe rollback" in printed
    model.write_bytes(content)
    assert "is version 1 (was version 2)" in unchanged.run("uv run poe rollback")
    assert '"model_version":"1"' in unchanged.run(f"uv run poe predict --data {SAMPLE}")
