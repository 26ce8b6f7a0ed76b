"""Verify a deployment: check that the deployed version answers real records correctly."""

import argparse
import json
import math
from collections.abc import Iterator
from typing import Any

import requests

from copier_mlops import handover
from copier_mlops.contract import of_project
from copier_mlops.project import root
from copier_mlops.release import health
from copier_mlops.settings import Settings, load_settings

SECONDS = 60


class DifferenceError(Exception):
    """A check failed; the text says in one sentence what is different."""


def sample(most: int) -> list[dict[str, Any]]:
    """Return records of the sample as a client sends them, up to a number."""
    from copier_mlops.contract.frame import as_json, typed
    from copier_mlops.serving.files import read

    contract, path = of_project(), root() / "operation" / "tests" / "sample.csv"
    part = next(read(path, contract)).head(most)
    return as_json(typed(part.drop(columns=contract.target.name), contract), contract)


def ask(url: str, version: str, body: object, expected: int = 200) -> list[dict[str, Any]]:
    """Send a request to /predict, check status and version, and return the answers.

    Raises:
        DifferenceError: Status or version are not the expected ones.
    """
    answer = health.session(url).post(f"{url}/predict", json=body, timeout=30)
    if answer.status_code != expected:
        raise DifferenceError(f"/predict answered {answer.status_code}, expected {expected}: {answer.text[:200]}")
    if (named := answer.headers.get("X-Model-Version")) != version:
        raise DifferenceError(f"the header X-Model-Version names version {named}, expected {version}")
    found: list[dict[str, Any]] = answer.json()
    return found


def check_predictions(url: str, version: str, records: list[dict[str, Any]]) -> str:
    """Check that the answers to one and to many records are predictions.

    Raises:
        DifferenceError: An answer is not a prediction, or comes from another version.
    """
    answers = ask(url, version, records)
    if len(answers) != len(records):
        raise DifferenceError(f"{len(records)} records got {len(answers)} answers")
    from copier_mlops import problems

    contract = of_project()
    is_number = contract.learning.problem == "regression"
    labels = set() if is_number else set(problems.class_names(contract))
    for number, each in enumerate(answers):
        is_one = isinstance(each["prediction"], int | float) if is_number else _is_labelled(each, labels)
        if not is_one:
            raise DifferenceError(f"the answer to record {number} is not a prediction: {each}")
        if each["model_version"] != version:
            raise DifferenceError(f"the answer to record {number} is of version {each['model_version']}, not {version}")
    one = ask(url, version, records[0])
    if len(one) != 1 or not _is_same(one[0], answers[0]):
        raise DifferenceError(f"record 0 by itself got {one}, among others {answers[:1]}")
    return f"{len(records)} records are answered, one by one as among others"


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two answers are the same, but for the last digits: many records are added up in parts."""
    return one.keys() == other.keys() and all(
        math.isclose(value, other[name], rel_tol=1e-9, abs_tol=1e-12)
        if isinstance(value, float)
        else value == other[name]
        for name, value in one.items()
    )


def _is_labelled(answer: dict[str, Any], labels: set[str]) -> bool:
    return answer["label"] in labels and bool(0 <= answer["probability"] <= 1)


def check_refusal(url: str, version: str, record: dict[str, Any]) -> str:
    """Check that a record which breaks the contract is refused: it lacks a field, or has one that is unknown.

    Raises:
        DifferenceError: The record was not refused.
    """
    contract = of_project()
    required = [field.name for field in contract.inputs if contract.is_required(field)]
    if not required:
        ask(url, version, record | {"not a field": 1}, expected=422)
        return "a record with an unknown field is refused with 422"
    ask(url, version, {name: value for name, value in record.items() if name != required[0]}, expected=422)
    return f"a record without {required[0]} is refused with 422"


def check_metrics(url: str, version: str) -> str:
    """Check that /metrics names the version and counts its predictions.

    Raises:
        DifferenceError: The version is missing, or predictions are not counted.
    """
    text = health.session(url).get(f"{url}/metrics", timeout=10).text
    named = 'model_version_info{version="VERSION"} 1.0'.replace("VERSION", version)
    for wanted in (named, 'requests_total{path="/predict",status="200"}'):
        if wanted not in text:
            raise DifferenceError(f"/metrics has no {wanted}")
    return "/metrics counts the predictions of this version"


def check_model(answer: dict[str, Any], document: dict[str, Any]) -> str:
    """Compare the SHA-256 of the service's model file with the one of the record, which belongs to dvc.lock.

    Raises:
        DifferenceError: The files differ.
    """
    found, wanted = answer.get("model_sha256"), document["sha256"]
    if not found and "md5" not in document:
        return "the service names no model file: it was deployed by a version before 0.3.0"
    if found != wanted:
        raise DifferenceError(
            f"the model file of version {document['version']} is another one: the service names the SHA-256 "
            f"{found or 'of none'}, the record {wanted}"
        )
    return f"its model file has the SHA-256 {wanted}"


def checks(document: dict[str, Any], settings: Settings, seconds: float) -> Iterator[tuple[str, str]]:
    """Yield each check: its name, and its result.

    Raises:
        DifferenceError: A check failed; later ones are not run.
    """
    version, url = document["version"], document["url"]
    if document["target"] == "alias":
        from copier_mlops.tracking import models, server

        found = models.current(server.connect(settings), settings)
        if found is None or str(found.version) != version:
            raise DifferenceError(f"the alias {settings.model_alias} is not at version {version}")
        yield "alias", f"{settings.model_alias} is version {version}; there is no HTTP service to ask"
        return
    if wrong := health.wait(url, version, seconds):
        raise DifferenceError(f"version {version} does not answer at {url} after {seconds:g} seconds: {wrong}")
    answer, seen = health.answer_at(url)
    if answer is None:
        raise DifferenceError(f"version {version} answered at {url}, and then no more: {seen}")
    yield "health", f"version {version} answers at {url}"
    yield "model", check_model(answer, document)
    records = sample(settings.max_records)
    try:
        yield "predictions", check_predictions(url, version, records)
        yield "refusal", check_refusal(url, version, records[0])
        yield "metrics", check_metrics(url, version)
    except (requests.RequestException, KeyError, TypeError) as error:
        raise DifferenceError(f"{url} does not answer as this service does: {type(error).__name__}: {error}") from None


def verify(document: dict[str, Any], settings: Settings, seconds: float = SECONDS, as_json: bool = False) -> None:
    """Verify a deployment, print the results, and write them to verification.json.

    Raises:
        SystemExit: A check failed; the text names the difference.
    """
    seen, difference = [], ""
    try:
        for name, text in checks(document, settings, seconds):
            seen.append({"name": name, "text": text})
            if not as_json:
                print(f"verify: {text}", flush=True)
    except DifferenceError as error:
        difference = str(error)
    environment = settings.environment
    result = {"released": True, "ok": not difference, "environment": environment, "version": document["version"]}
    result |= {"difference": difference, "checks": seen}
    handover.write(f"deploy-{environment}", "verification", result)
    if as_json:
        print(json.dumps(result, indent=2))
    if difference:
        raise SystemExit(f"verify: {difference}\n  fix: uv run poe rollback --env {environment}")


def main(arguments: list[str] | None = None) -> None:
    """Verify the deployment of an environment."""
    parser = argparse.ArgumentParser(
        prog="poe verify", description=__doc__, epilog="For example: uv run poe verify --env stage --seconds 60"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment to verify (default: dev)")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="seconds to wait for the service (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    settings = load_settings(options.env)
    job = f"deploy-{settings.environment}"
    document = handover.read(job, "deployment")
    if not document["released"]:
        handover.write(job, "verification", document)
        print(json.dumps(document, indent=2) if options.json else f"verify: nothing to release: {document['reason']}")
        return
    verify(document, settings, options.seconds, options.json)


if __name__ == "__main__":
    main()
