"""The predictor over HTTP: `create_app` makes the service, to which a project adds its own routes."""

import argparse
import gc
import inspect
import logging
from types import ModuleType
from typing import Annotated, Any, Literal

import pandas as pd
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model
from starlette.middleware.base import RequestResponseEndpoint
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copier_mlops.project import Settings, entry, load_settings, team
from copier_mlops.serving import Predictor

log = logging.getLogger(__name__)
ENTRY = "operation/execution/serve.py"


def record_model(schema: ModuleType) -> type[BaseModel]:
    """Return the schema as a model of one record. A code outside the list passes: the predictor can handle it."""
    fields: dict[str, Any] = {}
    for feature in schema.FEATURES:
        if hasattr(feature, "codes"):
            codes = ", ".join(f"{code}: {meaning}" for code, meaning in feature.codes.items())
            description = f"{feature.meaning} ({codes})"
            rule = Field(max_length=64, description=description, examples=[next(iter(feature.codes))])
            fields[feature.name] = (Annotated[str, rule], ...)
        else:
            rule = Field(strict=True, ge=feature.low, le=feature.high, description=feature.meaning)
            fields[feature.name] = (Annotated[int, rule], ...)
    return create_model("Record", __config__=ConfigDict(extra="forbid"), **fields)


def prediction_model(schema: ModuleType) -> type[BaseModel]:
    """Return the answer to one record as a model."""
    probability = Annotated[float, Field(ge=0, le=1, description=f"probability of {schema.POSITIVE}")]
    unseen = Annotated[list[str], Field(description="features whose code the model has never seen")]
    fields: dict[str, Any] = {
        "label": (str, ...),
        "probability": (probability, ...),
        "model_version": (str, ...),
        "unseen": (unseen, ...),
    }
    config = ConfigDict(protected_namespaces=())
    return create_model("Prediction", __config__=config, __doc__="The answer to one record.", **fields)


class Health(BaseModel):
    """That the service answers, and with which model."""

    model_config = ConfigDict(protected_namespaces=())
    status: Literal["ok"]
    model_name: str
    model_version: str
    model_sha256: Annotated[str, Field(description="of the model file, in hexadecimal; dvc.lock names its MD5")]


class Metrics:
    """What Prometheus reads, in a registry of its own so that several services can live in one process."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("requests", "Requests", ["path", "status"], registry=self.registry)
        self.seconds = Histogram("predict_seconds", "Time to answer /predict", registry=self.registry)
        self.predictions = Counter("predictions", "Predictions", ["label"], registry=self.registry)
        self.unseen = Counter("unseen_codes", "Codes outside the schema", ["feature"], registry=self.registry)
        Gauge("model_version_info", "The model in use", ["version"], registry=self.registry).labels(version).set(1)


class BodyLimit:
    """Reads a body, chunked ones too, before the service sees it, and answers 413 once it is over `most` bytes."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.most:
                refusal = JSONResponse({"detail": f"the body is larger than {self.most} bytes"}, status_code=413)
                await refusal(scope, receive, send)
                return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self.app(scope, replay, send)


def answer(predictor: Predictor, records: pd.DataFrame, metrics: Metrics) -> list[dict[str, Any]]:
    """Return one prediction per record, n of them for n rows, and count them."""
    answers: list[dict[str, Any]] = predictor.score(records).to_dict("records")  # type: ignore[assignment]
    for each, row in zip(answers, team("score").unseen(records).to_dict("records"), strict=True):
        each["unseen"] = [name for name, new in row.items() if new]
        metrics.predictions.labels(each["label"]).inc()
        for name in each["unseen"]:
            metrics.unseen.labels(name).inc()
    return answers


def create_app(predictor: Predictor, settings: Settings) -> FastAPI:
    """Return the service over one predictor: `/predict`, `/health` and `/metrics`, to which you may add routes.

    Args:
        predictor: What answers; its version is in every answer.
        settings: The limits of a request, and the names that the service shows.

    Raises:
        SystemExit: The team's package cannot be imported.
    """
    schema = team("schema")
    Record, Prediction = record_model(schema), prediction_model(schema)  # noqa: N806 (they are classes)
    # Types that are made at run time, which mypy cannot follow.
    limits = Field(min_length=1, max_length=settings.max_records)
    one = Annotated[Record, Tag("one")]  # type: ignore[valid-type]
    many = Annotated[list[Record], limits, Tag("many")]  # type: ignore[valid-type]
    one_or_many = Annotated[one | many, Discriminator(lambda body: "many" if isinstance(body, list) else "one")]
    app = FastAPI(title=settings.project_name, version=predictor.version)
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)
    metrics = Metrics(predictor.version)

    @app.post("/predict")
    def predict(body: one_or_many) -> list[Prediction]:  # type: ignore[valid-type]
        """Score one record or a list of them; the answer is a list in the same order."""
        with metrics.seconds.time():
            records = pd.DataFrame([record.model_dump() for record in (body if isinstance(body, list) else [body])])
            return answer(predictor, records, metrics)

    @app.get("/health")
    def health() -> Health:
        """Whether the service can answer, and with which model."""
        return Health(
            status="ok",
            model_name=settings.model_name,
            model_version=predictor.version,
            # A predictor that a test made by hand has no file.
            model_sha256=getattr(predictor, "sha256", ""),
        )

    @app.get("/metrics", response_class=PlainTextResponse)
    def prometheus() -> Response:
        """Counts and times for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.middleware("http")
    async def name_the_model(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            response = await call_next(request)
        except Exception:
            log.exception("%s failed", request.url.path)
            response = JSONResponse({"detail": "the service failed; its log says why"}, status_code=500)
        # Paths that are not ours share one label, so that a scan cannot fill the memory with counters.
        path = getattr(request.scope.get("route"), "path", "other")
        metrics.requests.labels(path, response.status_code).inc()
        response.headers["X-Model-Version"] = predictor.version
        return response

    return app


def project_app(predictor: Predictor, settings: Settings) -> FastAPI:
    """Return the project's service: what `create_app` of operation/execution/serve.py makes.

    Raises:
        SystemExit: The file is not there, fails, or makes no FastAPI app; the text names its line.
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


def serve(predictor: Predictor, settings: Settings) -> None:
    """Answer with one predictor until the process is told to end."""
    app = project_app(predictor, settings)
    # What was loaded stays: keeping it out of the garbage collector's rounds takes the pauses out of the slow requests.
    gc.collect()
    gc.freeze()
    place = f"http://{settings.host}:{settings.port}/docs"
    print(f"serve: version {app.version} of {settings.model_name}, try {place}", flush=True)
    uvicorn.run(app, host=settings.host, port=settings.port, access_log=False, log_level="warning")


def main(arguments: list[str] | None = None) -> None:
    """Serve the model behind an environment's alias over HTTP."""
    parser = argparse.ArgumentParser(prog="poe serve", description=main.__doc__)
    parser.add_argument("--env", metavar="ENVIRONMENT", help="whose model answers (default: dev)")
    options = parser.parse_args(arguments)
    # A service that carries its model needs neither the registry nor MLflow.
    from copier_mlops.tracking import models

    settings = load_settings(options.env)
    serve(models.predictor(settings), settings)
