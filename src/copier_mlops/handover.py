"""Artifacts that a job hands to later jobs: JSON files in build/<job>/, on any machine."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from copier_mlops.project import root


def build() -> Path:
    """Return the folder of all artifacts."""
    return root() / "build"


def file_of(job: str, name: str) -> Path:
    """Return the path of a job's document."""
    return build() / job / f"{name}.json"


def folder(job: str) -> Path:
    """Return the folder of a job's artifacts; make it if it is missing."""
    path = build() / job
    path.mkdir(parents=True, exist_ok=True)
    return path


def now() -> str:
    """Return the current time in UTC, in the format of the documents."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(job: str, name: str, document: dict[str, Any]) -> Path:
    """Write build/<job>/<name>.json atomically."""
    folder(job)
    path = file_of(job, name)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def read(job: str, name: str) -> dict[str, Any]:
    """Return a document of an earlier job.

    Raises:
        SystemExit: It is missing, or is not a JSON object. The text names the file.
    """
    path = file_of(job, name)
    place = path.relative_to(root()).as_posix()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SystemExit(f"{place} is not here\n  fix: run the job `{job}` first; `uv run poe cd` runs all") from None
    except (OSError, ValueError) as error:
        raise SystemExit(f"{place} cannot be read: {error}\n  fix: run the job `{job}` again") from None
    if not isinstance(document, dict):
        raise SystemExit(f"{place} is not a JSON object\n  fix: run the job `{job}` again")
    return document
