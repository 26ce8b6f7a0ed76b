"""Register the model that was judged better and approved, and record its lineage."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from copier_mlops import handover
from copier_mlops.release import approval, judge
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import register, server

if TYPE_CHECKING:
    from mlflow import MlflowClient


def record(verdict: dict[str, Any], version: str, settings: Settings, approved: dict[str, Any]) -> dict[str, Any]:
    """Return the content of build/release/release.json: the version with its data, code and approver."""
    run = verdict["run"]
    return {
        "released": True,
        "reason": verdict["reason"],
        "model": settings.model_name,
        "version": version,
        "sha256": run["sha256"],
        "md5": run.get("md5", ""),
        "run_id": run["run_id"],
        "commit": run["commit"],
        "data": run["data"],
        "metrics": run["metrics"],
        "champion": verdict["champion"],
        "champion_version": verdict["champion_version"],
        "approval": approved,
    }


def promote(client: MlflowClient, settings: Settings) -> dict[str, Any]:
    """Register the model of the verdict, and return the record of its release.

    Raises:
        SystemExit: There is no verdict, it is out of date, nobody has approved it, or the server refuses.
    """
    verdict = handover.read("judge", "verdict")
    if not verdict["promoted"]:
        return {"released": False, "reason": verdict["reason"]}
    approved = approval.require("release")
    judge.require_same_champion(client, verdict, "release")
    version = register.register(client, settings, client.get_run(verdict["run"]["run_id"]))
    document = record(verdict, version.version, settings, approved)
    client.set_model_version_tag(settings.model_name, version.version, "release", json.dumps(document))
    return document


def main(arguments: list[str] | None = None) -> None:
    """Register the model if it was judged better and approved, or print why nothing is released; no alias moves.

    Raises:
        SystemExit: There is no verdict, nobody has approved it, or the server refuses.
    """
    parser = argparse.ArgumentParser(
        prog="poe release", description=__doc__, epilog="For example: uv run poe release --env dev"
    )
    parser.add_argument(
        "--env", metavar="ENVIRONMENT", help="environment whose tracking server has the run (default: dev)"
    )
    settings = load_settings(parser.parse_args(arguments).env)
    document = promote(server.connect(settings), settings)
    handover.write("release", "release", document)
    if document["released"]:
        by = document["approval"]["by"]
        print(f"release: version {document['version']} of {document['model']}, approved by {by}")
    else:
        print(f"release: nothing to release: {document['reason']}")


if __name__ == "__main__":
    main()
