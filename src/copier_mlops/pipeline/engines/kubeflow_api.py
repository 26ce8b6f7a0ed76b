"""The REST API of Kubeflow Pipelines (v2beta1), by its own generated client, and what its refusals mean."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from copier_mlops.address import redacted, without_login
from copier_mlops.pipeline.engines import EngineAwayError, EngineError

ADDRESS, TOKEN = "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_TOKEN"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Seconds that an answer may take.
PATIENCE = 30.0
AWAY = (0, 408, 429)
# Where servers give the log of a pod: newer ones, and all others.
LOGS = ("v2beta1", "v1alpha1")


class Api:
    """A client of one server, whose login is in the variable KF_PIPELINES_TOKEN."""

    def __init__(self, url: str, namespace: str) -> None:
        """Check the address, but send nothing yet.

        Args:
            url: The address, for example `http://127.0.0.1:8888`; the variable KF_PIPELINES_ENDPOINT overrides it.
            namespace: The namespace of the runs; empty if the server has one for all.

        Raises:
            EngineError: It is not an address, or would get the login without encryption; or the client is missing.
        """
        try:
            import kfp_server_api  # type: ignore[import-untyped]
        except ImportError:
            raise EngineError("the client of Kubeflow is not installed\n  fix: uv run poe setup") from None
        self.url, self.namespace, token = _checked(os.environ.get(ADDRESS) or url), namespace, os.environ.get(TOKEN)
        if token and urlsplit(self.url).scheme == "http" and urlsplit(self.url).hostname not in LOOPBACK:
            raise EngineError(f"the login is not sent to {self.url}\n  fix: set {ADDRESS} to an https address")
        configuration = kfp_server_api.Configuration(host=self.url)
        configuration.retries = False
        if token:
            configuration.api_key["authorization"] = token
            configuration.api_key_prefix["authorization"] = "Bearer"
        self._models, self._client = kfp_server_api, kfp_server_api.ApiClient(configuration)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, which is made if it is not there.

        Raises:
            EngineError, EngineAwayError: As all calls: the server refuses, or does not answer.
        """
        service = self._models.ExperimentServiceApi(self._client)
        own = {"namespace": self.namespace} if self.namespace else {}
        found = _ask(service.experiment_service_list_experiments, filter=_named(name), **own).experiments
        if not found:
            wanted = self._models.V2beta1Experiment(display_name=name, **own)
            found = [_ask(service.experiment_service_create_experiment, experiment=wanted)]
        return str(found[0].experiment_id)

    def runs(self, experiment: str, name: str) -> list[Any]:
        """Return the runs of a name in an experiment, the newest first."""
        service = self._models.RunServiceApi(self._client)
        wanted = {"experiment_id": experiment, "filter": _named(name), "sort_by": "created_at desc"}
        return list(_ask(service.run_service_list_runs, **wanted).runs or [])

    def run(self, number: str) -> Any:
        """Return a run with the states of its tasks; None if the server does not have it any more."""
        try:
            return _ask(self._models.RunServiceApi(self._client).run_service_get_run, number)
        except MissingError:
            return None

    def create(self, experiment: str, name: str, description: str, spec: object, account: str) -> str:
        """Start a run, and return its id."""
        body = self._models.V2beta1Run(
            experiment_id=experiment,
            display_name=name,
            description=description,
            pipeline_spec=spec,
            service_account=account or None,
        )
        return str(_ask(self._models.RunServiceApi(self._client).run_service_create_run, run=body).run_id)

    def terminate(self, number: str) -> None:
        """Let the server end a run."""
        _ask(self._models.RunServiceApi(self._client).run_service_terminate_run, number)

    def upload(self, name: str, version: str, text: str) -> tuple[str, str]:
        """Give the server a version of a pipeline if it lacks it; return the ids of pipeline and version."""
        service, uploads = (
            self._models.PipelineServiceApi(self._client),
            self._models.PipelineUploadServiceApi(self._client),
        )
        own = {"namespace": self.namespace} if self.namespace else {}
        known = _ask(service.pipeline_service_list_pipelines, filter=_named(name), **own).pipelines
        if known:
            number = str(known[0].pipeline_id)
        else:
            wanted = self._models.V2beta1Pipeline(display_name=name, **own)
            number = str(_ask(service.pipeline_service_create_pipeline, pipeline=wanted).pipeline_id)
        versions = _ask(service.pipeline_service_list_pipeline_versions, number, filter=_named(version))
        if versions.pipeline_versions:
            return number, str(versions.pipeline_versions[0].pipeline_version_id)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "pipeline.yaml")
            file.write_text(text, encoding="utf-8")
            made = _ask(uploads.upload_pipeline_version, str(file), name=version, pipelineid=number)
        return number, str(made.pipeline_version_id)

    def schedule(self, experiment: str, name: str, pipeline: tuple[str, str], cron: str | None, account: str) -> None:
        """Let a version of a pipeline run by a schedule, in the place of earlier ones of this name; None for never."""
        service, models = self._models.RecurringRunServiceApi(self._client), self._models
        wanted = {"experiment_id": experiment, "filter": _named(name)}
        old = _ask(service.recurring_run_service_list_recurring_runs, **wanted).recurring_runs or []
        if cron:
            reference = models.V2beta1PipelineVersionReference(pipeline_id=pipeline[0], pipeline_version_id=pipeline[1])
            body = models.V2beta1RecurringRun(
                display_name=name,
                experiment_id=experiment,
                pipeline_version_reference=reference,
                runtime_config=models.V2beta1RuntimeConfig(parameters={}),
                trigger=models.V2beta1Trigger(cron_schedule=models.V2beta1CronSchedule(cron=cron)),
                mode="ENABLE",
                max_concurrency="1",
                no_catchup=True,
                service_account=account or None,
            )
            _ask(service.recurring_run_service_create_recurring_run, recurring_run=body)
        for each in old:
            _ask(service.recurring_run_service_delete_recurring_run, each.recurring_run_id)

    def log(self, run: str, pod: str) -> str:
        """Return the log of a pod; empty if the server does not have it."""
        for version in LOGS:
            address = f"{self.url}/apis/{version}/runs/{run}/nodes/{pod}/log"
            try:
                answer = _ask(self._client.request, "GET", address, headers=self._headers, _preload_content=False)
            except MissingError:
                continue
            return bytes(answer.data).decode("utf-8", "replace")
        return ""


class MissingError(EngineError):
    """Something that the server does not have."""


def _ask(call: Callable[..., Any], *words: object, **options: object) -> Any:
    """Return what the server answers.

    Raises:
        EngineAwayError: It does not answer, or is overloaded.
        MissingError: It does not have that.
        EngineError: It refuses the login, or what it got.
    """
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        return call(*words, _request_timeout=PATIENCE, **options)
    except ApiException as error:
        status, said = int(error.status or 0), _said(error)
    except HTTPError as error:
        raise EngineAwayError(f"Kubeflow does not answer: {redacted(str(error))}\n  fix: check its address") from None
    if status in AWAY or status >= 500:
        raise EngineAwayError(f"Kubeflow does not answer: {said}\n  fix: look at its API server")
    if status in (401, 403):
        raise EngineError(f"Kubeflow refuses the login: {said}\n  fix: set {TOKEN}, and namespace in kubeflow.yaml")
    if status == 404:
        raise MissingError(f"Kubeflow does not have that: {said}\n  fix: check the address")
    raise EngineError(f"Kubeflow refused: {said}\n  fix: correct operation/configuration/engines/kubeflow.yaml")


def _said(error: Any) -> str:
    """Return the first line of a refusal."""
    try:
        document = json.loads(error.body)
    except (TypeError, ValueError):
        document = {}
    found = document.get("message") or document.get("error") if isinstance(document, dict) else None
    lines = str(found or error.reason or error.status).splitlines()
    return redacted(lines[0] if lines else str(error.status))


def _checked(address: str) -> str:
    fix = f"set url in operation/configuration/engines/kubeflow.yaml or {ADDRESS}, for example: http://127.0.0.1:8888"
    if not address:
        raise EngineError(f"the address of Kubeflow is not set\n  fix: {fix}")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EngineError(f"the address of Kubeflow is {redacted(address)!r}, not one of the web\n  fix: {fix}")
    if without_login(address) != (address, "", ""):
        raise EngineError(f"the address {redacted(address)} has a login\n  fix: put a token into {TOKEN}")
    return address.rstrip("/")


def _named(name: str) -> str:
    """Return the filter that finds what has a name."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})
