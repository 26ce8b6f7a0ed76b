"""Serve the predictor over HTTP: `create_app` returns the service, to which a project adds its own routes."""

import argparse
import contextlib
import errno
import gc
import inspect
import logging
import socket
import sys
from typing import Annotated, Any, Literal

import pandas as pd
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from starlette.middleware.base import RequestResponseEndpoint

from copier_mlops.contract import Contract, of_project
from copier_mlops.contract.frame import typed
from copier_mlops.contract.http_model import prediction_model, record_model
from copier_mlops.contract.verdict import unseen
from copier_mlops.project import entry
from copier_mlops.serving import Predictor, limits, uploads
from copier_mlops.settings import Settings, load_settings

log = logging.getLogger(__name__)
ENTRY = "operation/execution/serve.py"


class Health(BaseModel):
    """The answer of /health: status and model."""

    model_config = ConfigDict(protected_namespaces=())
    status: Literal["ok"]
    model_name: str
    model_version: str
    model_sha256: Annotated[str, Field(description="of the model file, in hexadecimal; dvc.lock names its MD5")]


class Metrics:
    """The metrics for Prometheus, in a separate registry so that several services can run in one process."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("requests", "Requests", ["path", "status"], registry=self.registry)
        self.seconds = Histogram("predict_seconds", "Time to answer /predict", registry=self.registry)
        self.predictions = Counter("predictions", "Predictions", ["label"], registry=self.registry)
        self.unseen = Counter("unseen_codes", "Values outside of the categories", ["feature"], registry=self.registry)
        Gauge("model_version_info", "The model in use", ["version"], registry=self.registry).labels(version).set(1)


def answer(predictor: Predictor, records: pd.DataFrame, contract: Contract, metrics: Metrics) -> list[dict[str, Any]]:
    """Score n records of a contract, count them, and return n predictions."""
    answers: list[dict[str, Any]] = predictor.score(records).to_dict("records")  # type: ignore[assignment]
    new = unseen(records, contract)
    for row, each in enumerate(answers):
        each["unseen"] = [name for name, is_new in new.items() if is_new[row]]
        metrics.predictions.labels(each.get("label", "")).inc()
        for name in each["unseen"]:
            metrics.unseen.labels(name).inc()
    return answers


def create_app(predictor: Predictor, settings: Settings) -> FastAPI:
    """Return the service for a predictor: `/predict`, `/health` and `/metrics`, to which you may add routes.

    Args:
        predictor: The predictor; its version is in every answer.
        settings: The limits of a request, and the names of the project and the model.

    Raises:
        SystemExit: The contract cannot be used.
    """
    contract = of_project()
    Record, Prediction = record_model(contract), prediction_model(contract)  # noqa: N806 (they are classes)
    # mypy cannot follow types that are created at run time.
    length = Field(min_length=1, max_length=settings.max_records)
    one = Annotated[Record, Tag("one")]  # type: ignore[valid-type]
    many = Annotated[list[Record], length, Tag("many")]  # type: ignore[valid-type]
    one_or_many = Annotated[one | many, Discriminator(lambda body: "many" if isinstance(body, list) else "one")]
    pictures, form = [field.name for field in contract.images], {}
    # Its pages, /docs and /redoc, are complete: a browser needs no other server for them.
    app = FastAPIOffline(title=settings.project_name, version=predictor.version)
    app.add_exception_handler(RequestValidationError, limits.refuse)
    if pictures:
        uploads.require()
        form = uploads.form_of(contract, Record.model_json_schema())
        app.add_middleware(uploads.Forms, contract=contract, most_records=settings.max_records)
    app.add_middleware(limits.BodyLimit, most=settings.max_body_bytes, seconds=settings.max_receive_seconds)
    metrics = Metrics(predictor.version)

    @app.post("/predict", responses={422: {"model": limits.Refusal}}, openapi_extra=form or None)
    def predict(body: one_or_many) -> list[Prediction]:  # type: ignore[valid-type]
        """Score a record or a list of records, and return a list of answers in the same order."""
        with metrics.seconds.time():
            sent = [record.model_dump(by_alias=True) for record in (body if isinstance(body, list) else [body])]
            uploads.check(sent, pictures, isinstance(body, list))
            return answer(predictor, typed(pd.DataFrame(sent, dtype=object), contract), contract, metrics)

    @app.get("/health")
    def health() -> Health:
        """Report whether the service is ready, and its model."""
        return Health(
            status="ok",
            model_name=settings.model_name,
            model_version=predictor.version,
            # A predictor of a test may have no file.
            model_sha256=getattr(predictor, "sha256", ""),
        )

    @app.get("/metrics", response_class=PlainTextResponse)
    def prometheus() -> Response:
        """Report counts and durations for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.middleware("http")
    async def name_the_model(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            response = await call_next(request)
        except Exception:
            log.exception("%s failed", request.url.path)
            response = JSONResponse({"detail": "the service failed; its log says why"}, status_code=500)
        # Unknown paths share one label, so that a scan cannot fill the memory with counters.
        path = getattr(request.scope.get("route"), "path", "other")
        metrics.requests.labels(path, response.status_code).inc()
        response.headers["X-Model-Version"] = predictor.version
        return response

    return app


def project_app(predictor: Predictor, settings: Settings) -> FastAPI:
    """Return the project's service, from `create_app` of operation/execution/serve.py.

    Raises:
        SystemExit: The file is missing, fails, or does not return a FastAPI app; the text names its line.
    """
    create = entry(ENTRY, "create_app")
    app = create(predictor, settings)
    if not isinstance(app, FastAPI):
        line = inspect.unwrap(create).__code__.co_firstlineno
        raise SystemExit(
            f"serve: {ENTRY}, line {line}: create_app returns {type(app).__name__}, not the FastAPI app\n"
            "  fix: end it with `return app`"
        )
    return app


def listen(settings: Settings) -> socket.socket:
    """Return a socket at the address of an environment.

    Raises:
        SystemExit: It cannot be had; the text names the setting.
    """
    found = socket.socket(socket.AF_INET6 if ":" in settings.bind else socket.AF_INET)
    if sys.platform != "win32":  # there, this would let two processes have it
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.bind, settings.port))
        found.listen(2048)
    except OSError as error:
        found.close()
        is_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
        name, fix = ("port", "end the program that has it, or ") if is_port else ("bind", "")
        raise SystemExit(
            f"serve: port {settings.port} of {settings.bind} cannot be used: {error.strerror}\n"
            f"  fix: {fix}set another `{name}` in settings.yaml of environment_{settings.environment}, "
            f"or the variable OPERATION_{name.upper()}"
        ) from None
    return found


def server_of(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """Return the server of a service, with the environment's time limit."""
    protocol = limits.timed_protocol(settings.max_receive_seconds)
    return uvicorn.Server(uvicorn.Config(app, http=protocol, access_log=False, log_level="warning"))


def serve(predictor: Predictor, settings: Settings) -> None:
    """Serve one predictor until the process is stopped."""
    app = project_app(predictor, settings)
    # Loaded objects are never freed, so the garbage collector can skip them, which shortens the slowest requests.
    gc.collect()
    gc.freeze()
    listening = listen(settings)
    place = f"http://{settings.bind}:{listening.getsockname()[1]}/docs"
    print(f"serve: version {app.version} of {settings.model_name}, try {place}", flush=True)
    server = server_of(app, settings)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    if not server.started:
        raise SystemExit(3)


def main(arguments: list[str] | None = None) -> None:
    """Serve the model of an environment's alias over HTTP."""
    parser = argparse.ArgumentParser(
        prog="poe serve", description=main.__doc__, epilog="For example: uv run poe serve --env prod"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment whose model answers (default: dev)")
    options = parser.parse_args(arguments)
    # Imported here, since a packaged service needs neither the registry nor MLflow.
    from copier_mlops.tracking import models

    settings = load_settings(options.env)
    serve(models.predictor(settings), settings)
