"""A workspace of Azure Machine Learning, by Azure's own client, and what its refusals mean.

The client logs in as `azure.identity` does: with the variables of a job, a managed identity, or `az login`.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from copier_mlops.address import redacted
from copier_mlops.pipeline.engines import EngineAwayError, EngineError
from copier_mlops.pipeline.engines.azureml_job import SETTINGS, Settings

# States of a job that do not change any more.
ENDED = ("Completed", "Failed", "Canceled", "NotResponding", "Paused")
AWAY = (408, 429)
# Files that Azure writes of what a command prints.
LOGS = re.compile(r"user_logs/std_log(_process_0+)?\.txt")
# The client repeats a request this often; `poe train` asks again for longer.
REPEATS = {"retry_total": 2, "retry_backoff_factor": 0.2, "connection_timeout": 20, "read_timeout": 60}


class MissingError(EngineError):
    """Something that the workspace does not have."""


class Api:
    """A client of one workspace."""

    def __init__(self, settings: Settings) -> None:
        """Check that the workspace is there.

        Raises:
            EngineError: A setting or the client is missing, nobody is logged in, or the workspace is unknown.
            EngineAwayError: Azure does not answer.
        """
        for name in ("subscription", "resource_group", "workspace"):
            if not getattr(settings, name):
                raise EngineError(f"{name} is not set\n  fix: set it in {SETTINGS}, or ENGINE_AZUREML_{name.upper()}")
        self.workspace = settings.workspace
        with _quiet():
            try:
                from azure.ai.ml import MLClient
                from azure.identity import DefaultAzureCredential
            except ImportError:
                raise EngineError("the client of Azure ML is not installed\n  fix: uv run poe setup") from None
            self._client = _ask(
                MLClient,
                DefaultAzureCredential(),
                settings.subscription,
                settings.resource_group,
                settings.workspace,
                enable_telemetry=False,
                show_progress=False,
                **REPEATS,
            )
        try:
            _ask(self._client.workspaces.get, settings.workspace)
        except MissingError as error:
            raise EngineError(
                f"the workspace {settings.workspace} is not in the resource group {settings.resource_group}: "
                f"{str(error).splitlines()[0]}\n  fix: correct {SETTINGS}; see: az ml workspace list"
            ) from None

    def job(self, name: str) -> Any:
        """Return a job; None if the workspace has none of this name.

        Raises:
            EngineError, EngineAwayError: As all calls: Azure refuses, or does not answer.
        """
        try:
            return _ask(self._client.jobs.get, name)
        except MissingError:
            return None

    def create(self, document: dict[str, Any], name: str, code: Path) -> Any:
        """Upload the code, start a pipeline job, and return it."""
        return _ask(self._client.jobs.create_or_update, self._loaded(document | {"name": name}, code))

    def children(self, name: str) -> dict[str, Any]:
        """Return the jobs of the stages that have one, by the slugs of the stages."""
        found = _ask(lambda: list(self._client.jobs.list(parent_job_name=name)))
        return {str(each.display_name): each for each in found if each is not None}

    def status(self, job: Any) -> str:
        """Return the state of a job as Azure writes it, for example `Running`."""
        return str(getattr(job.status, "value", job.status))

    def log(self, name: str) -> str:
        """Return what a job has printed, and why Azure takes it for failed; empty if it does not say."""
        from azure.storage.blob import BlobClient

        # The library has no public way to read the log of one stage of a pipeline.
        details = _ask(self._client.jobs._runs_operations.get_run_details, name)
        addresses = [url for file, url in sorted((details.log_files or {}).items()) if LOGS.fullmatch(file)]
        printed = [
            _ask(BlobClient.from_blob_url(url).download_blob).readall().decode("utf-8", "replace") for url in addresses
        ]
        error = details.error.error if details.error else None
        return "\n".join(filter(None, [*printed, error.message if error else ""]))

    def cancel(self, name: str) -> None:
        """Let Azure end a job."""
        _ask(self._client.jobs.begin_cancel, name, polling=False)

    def schedule(self, name: str, document: dict[str, Any], code: Path, cron: str, time_zone: str) -> None:
        """Let a pipeline job run by a schedule, in the place of the one of this name."""
        from azure.ai.ml.entities import CronTrigger, JobSchedule

        trigger = CronTrigger(expression=cron, time_zone=time_zone)
        job = self._loaded(document, code)
        with _quiet():
            wanted = JobSchedule(name=name, trigger=trigger, create_job=job)
        _ask(lambda: self._client.schedules.begin_create_or_update(wanted).result())

    def stop_schedule(self, name: str) -> None:
        """Let a schedule start no more runs; nothing happens if the workspace has none of this name."""
        with contextlib.suppress(MissingError):
            _ask(lambda: self._client.schedules.begin_disable(name).result())

    def _loaded(self, document: dict[str, Any], code: Path) -> Any:
        from azure.ai.ml import load_job

        text = io.StringIO(json.dumps(document))  # JSON is YAML, too
        return _ask(load_job, text, relative_origin=str(code / "pipeline.yml"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the client writes to the terminal: empty lines, and notes on its own classes."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


def _ask(call: Callable[..., Any], *words: object, **options: object) -> Any:
    """Return what the client does.

    Raises:
        EngineAwayError: Azure does not answer, or is overloaded.
        MissingError: The workspace does not have that.
        EngineError: Nobody is logged in, or Azure refuses.
    """
    from azure.ai.ml.exceptions import MlException, ValidationException
    from azure.core import exceptions
    from marshmallow import ValidationError

    try:
        with _quiet():
            return call(*words, **options)
    except (MlException, ValidationException, ValidationError) as error:
        raise EngineError(f"Azure ML refuses the job: {_faults(str(error))}\n  fix: correct {SETTINGS}") from None
    except exceptions.HttpResponseError as error:
        raise _meaning(error) from None
    except exceptions.AzureError as error:  # the others are of the connection
        raise EngineAwayError(f"Azure ML does not answer: {_said(error)}\n  fix: look at your network") from None


def _meaning(error: Any) -> EngineError:
    """Return what a refusal of Azure means; without a status, it is one of the login on this machine."""
    status, said = int(error.status_code or 401), _said(error)
    if status in AWAY or status >= 500:
        return EngineAwayError(f"Azure ML does not answer: {said}\n  fix: https://status.azure.com")
    if status == 401:
        return EngineError(f"Azure does not know you: {said}\n  fix: az login, or uv run poe login in a flow")
    if status == 403:
        return EngineError(f"Azure does not allow it: {said}\n  fix: give yourself the role AzureML Data Scientist")
    if status == 404:
        return MissingError(f"{said}\n  fix: correct {SETTINGS}")
    return EngineError(f"Azure ML refused: {said}\n  fix: correct {SETTINGS}")


def _said(error: Any) -> str:
    """Return the first line of a refusal."""
    lines = str(getattr(error, "message", "") or error).splitlines() or [type(error).__name__]
    return redacted(lines[0])[:300]


def _faults(text: str) -> str:
    """Return the faults that the client has found in a job, of its report in JSON."""
    start, end = text.find("{"), text.rfind("}")
    try:
        faults = json.loads(text[start : end + 1])["errors"]
        return redacted("; ".join(f"{each['path']}: {each['message'].splitlines()[0]}" for each in faults))[:300]
    except (ValueError, KeyError, TypeError):
        return redacted(" ".join(text.split()))[:300]
