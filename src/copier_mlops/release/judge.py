"""Judge whether a new model is better than the champion, by the metric that is configured for prod."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from copier_mlops import handover, hosts
from copier_mlops.release import settings as release
from copier_mlops.settings import load_settings
from copier_mlops.tracking import models, server

if TYPE_CHECKING:
    from mlflow import MlflowClient


def figure(metrics: dict[str, float], name: str, whose: str) -> float:
    """Return a metric by its name.

    Raises:
        SystemExit: It is missing or not a number: no model is released without its metric.
    """
    value = metrics.get(name)
    if value is None or not math.isfinite(value):
        known = ", ".join(sorted(each for each in metrics if "." not in each))
        raise SystemExit(
            f"judge: {whose} has no metric {name}; it has {known or 'none'}\n"
            "  fix: name one of them in gate.metric of operation/configuration/environment_prod/release.yaml"
        )
    return value


def judge(new: float, champion: float | None, gate: release.Gate) -> tuple[bool, str]:
    """Return whether the new value is better, and why. The first model wins, and an equal value does not."""
    if champion is None:
        return True, "there is no champion yet"
    better = new - champion if gate.direction == "higher" else champion - new
    values = f"{gate.metric} {new:.4f} beside {champion:.4f}, {gate.direction} is better"
    if better > 0 and better >= gate.margin:
        return True, f"better than the champion: {values}"
    needed = f", by {gate.margin:g} or more" if gate.margin else ""
    return False, f"not better than the champion: {values}{needed}"


def require_run(client: MlflowClient, run_id: str) -> dict[str, str]:
    """Return the tags of a run, after a check that this machine's tracking server has it.

    Raises:
        SystemExit: It does not have the run.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id).data.tags
    except MlflowException as error:
        raise SystemExit(
            f"judge: {client.tracking_uri} has no run {run_id}: {error}\n"
            "  fix: name a tracking server that all jobs reach in tracking_uri; a SQLite file is only on one machine"
        ) from None


def require_committed(tags: dict[str, str], environment: str, job: str) -> None:
    """Refuse a model whose code is in no commit, unless the environment allows it.

    Args:
        tags: Those of its run, or of its version.
        environment: The one that it is meant for.
        job: What asks, for the text of the refusal.

    Raises:
        SystemExit: It was trained from uncommitted code.
    """
    if tags.get("git.dirty") == "true" and not release.load(environment).uncommitted:
        commit = tags.get("git.commit", "")[:12]
        raise SystemExit(
            f"{job}: the model was trained from uncommitted code: commit {commit} is not what ran\n"
            "  fix: commit your changes, then: uv run poe train\n"
            f"  or allow it: uncommitted: true in operation/configuration/environment_{environment}/release.yaml"
        )


def require_same_champion(client: MlflowClient, document: dict[str, Any], job: str) -> None:
    """Refuse a verdict, or a release that rests on it, if prod's champion is not the one that it was about.

    Args:
        client: Of the tracking server of prod.
        document: A verdict, or the record of a release, which may be the champion by now.
        job: What asks, for the text of the refusal.

    Raises:
        SystemExit: Another version became the champion after the verdict.
    """
    champion = models.current(client, load_settings("prod"))
    now, judged = champion and str(champion.version), document["champion_version"]
    if now not in (judged and str(judged), document.get("version", judged)):
        beside = f"version {judged}" if judged else "no champion"
        raise SystemExit(
            f"{job}: the verdict is out of date: the model was judged beside {beside}, and prod has "
            f"{f'version {now}' if now else 'no champion'} now\n"
            "  fix: judge again: uv run poe judge && uv run poe gate-check model && uv run poe release\n"
            "  on the git host: start the flow cd again"
        )


def verdict(client: MlflowClient, run: dict[str, Any]) -> dict[str, Any]:
    """Return the content of build/judge/verdict.json, for a run of build/train/run.json."""
    settings, gate = load_settings("prod"), release.load("prod").gate
    new = figure(run["metrics"], gate.metric, "the new model")
    champion = models.current(client, settings)
    old = None
    if champion:
        whose = f"version {champion.version}, the champion,"
        old = figure(client.get_run(str(champion.run_id)).data.metrics, gate.metric, whose)
    promoted, reason = judge(new, old, gate)
    return {
        "promoted": promoted,
        "reason": reason,
        **gate.model_dump(),
        "new": new,
        "champion": old,
        "champion_version": champion and champion.version,
        "run": run,
    }


def main(arguments: list[str] | None = None) -> None:
    """Judge the run of the job `train`; a model that is not better is not an error.

    Raises:
        SystemExit: The run of `train` or its metric is missing, its code is in no commit, or the tracking server does
            not have it.
    """
    parser = argparse.ArgumentParser(prog="poe judge", description=__doc__, epilog="For example: uv run poe judge")
    parser.parse_args(arguments)
    run = handover.read("train", "run")
    client = server.connect(load_settings("prod"))
    require_committed(require_run(client, run["run_id"]), "prod", "judge")
    document = verdict(client, run)
    handover.write("judge", "verdict", document)
    hosts.tell("promoted", document["promoted"])
    print(f"judge: {'promoted' if document['promoted'] else 'not promoted'}: {document['reason']}")


if __name__ == "__main__":
    main()
