"""Prepare a run of Airflow: check that the workers get the commit and the pools exist, and bring the DAG file there."""

from __future__ import annotations

import time
from pathlib import Path

from copier_mlops.command import CommandError, run
from copier_mlops.pipeline.engines import EngineError, airflow_dag
from copier_mlops.pipeline.engines.airflow_api import SETTINGS, Api, MissingError
from copier_mlops.pipeline.engines.airflow_dag import COLLECT, COMMIT, MARK, WAIT, Settings
from copier_mlops.pipeline.plan import SHORT, Plan
from copier_mlops.pipeline.times import spoken

# Airflow looks for new DAG files every five minutes, unless [dag_processor] refresh_interval says otherwise.
SECONDS_TO_PARSE, PAUSE = 600.0, 1.0


def check_commit(plan: Plan, settings: Settings) -> None:
    """Refuse a commit that the workers cannot fetch.

    Raises:
        EngineError: They have another folder than this one, and the commit is not pushed.
    """
    if settings.project_of(plan) == plan.folder:
        return
    try:
        if run("git", "branch", "--remotes", "--contains", plan.commit, cwd=plan.folder):
            return
    except CommandError:
        pass  # git says so of a commit that it does not have
    raise EngineError(
        f"the workers use {settings.project}, and your files of {plan.commit[:SHORT]} are not pushed\n"
        "  fix: git add --all && git commit && git push"
    )


def check_pools(plan: Plan, settings: Settings, api: Api) -> None:
    """Refuse a pool for which Airflow would let a stage wait without end.

    Raises:
        EngineError: A pool is missing, or too small.
    """
    needed = {settings.pool: 1}
    for node in plan.nodes:
        pool, slots = settings.pool_of(node.resources)
        needed[pool] = max(slots, needed.get(pool, 0))
    for pool, slots in needed.items():
        fix = f"airflow pools set {pool} {slots} 'stages of {plan.project}'"
        try:
            has = int(api.get("pools", pool)["slots"])
        except MissingError:
            raise EngineError(f"Airflow has no pool {pool}\n  fix: {fix}") from None
        if 0 <= has < slots:
            raise EngineError(f"the pool {pool} has {has} slots, and a stage needs {slots}\n  fix: {fix}")


def deliver(plan: Plan, settings: Settings, api: Api) -> None:
    """Write the DAG file if it differs, and wait until Airflow has read it.

    Raises:
        EngineError: The folder cannot be written, Airflow does not read the file, or has a DAG with other stages.
    """
    dag = settings.dag_of(plan)
    if not settings.dags_folder:
        return _check_stages(plan, dag, api)
    text = airflow_dag.write(plan, settings)
    file = Path(settings.dags_folder).expanduser() / f"{dag}.py"
    _write(file, text)
    until, has_said = time.monotonic() + SECONDS_TO_PARSE, False
    while not _has_read(api, dag, file, text):
        if time.monotonic() > until:
            raise EngineError(
                f"Airflow has not read {file} within {spoken(SECONDS_TO_PARSE)}\n"
                f"  fix: correct dags_folder in {SETTINGS}, or: airflow dags reserialize"
            )
        if not has_said:
            print(f"train: waiting until Airflow has read {file}", flush=True)
        has_said = True
        time.sleep(PAUSE)
    return None


def _write(file: Path, text: str) -> None:
    """Write the DAG file in one piece, since Airflow may read it at any moment.

    Raises:
        EngineError: It cannot be written, or is not ours.
    """
    try:
        before = file.read_text(encoding="utf-8", errors="replace") if file.exists() else MARK
        if before == text:
            return
        if MARK not in before:
            raise EngineError(
                f"{file} was not written by `{MARK}`\n  fix: name another DAG in {SETTINGS}, for example: dag: churn"
            )
        new = file.with_name(f".{file.stem}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        raise EngineError(
            f"the DAG file cannot be written: {error}\n  fix: correct dags_folder in {SETTINGS}"
        ) from None


def _has_read(api: Api, dag: str, file: Path, text: str) -> bool:
    """Whether the DAG of the server comes from this text.

    Raises:
        EngineError: Airflow cannot import it.
    """
    for each in api.all("import_errors", "importErrors"):
        if Path(str(each["filename"])).name == file.name:
            said = str(each["stack_trace"]).strip().splitlines() or ["without a reason"]
            raise EngineError(
                f"Airflow cannot import {file}: {said[-1]}\n  fix: correct {SETTINGS}, for example the schedule"
            )
    try:
        return bool(api.get("dagSources", dag)["content"] == text and not api.get("dags", dag)["is_stale"])
    except MissingError:
        return False


def _check_stages(plan: Plan, dag: str, api: Api) -> None:
    """Compare the tasks of the server's DAG, which others bring there, with the stages of dvc.yaml.

    Raises:
        EngineError: It does not have this DAG, or one of other stages.
    """
    fix = f"uv run {MARK} > {dag}.py, and bring it to the folder of DAG files"
    try:
        tasks = api.all("tasks", "dags", dag, "tasks")
    except MissingError:
        raise EngineError(f"Airflow does not have the DAG {dag}\n  fix: {fix}") from None
    edges = {(str(each["task_id"]), after) for each in tasks for after in each["downstream_task_ids"]}
    slugs = {node.name: node.slug for node in plan.nodes}
    ours = {(slugs[need], node.slug) for node in plan.nodes for need in node.needs}
    others = {str(each["task_id"]) for each in tasks} - {COMMIT, WAIT, COLLECT}
    if not ours <= edges or not set(slugs.values()) <= others:
        raise EngineError(f"the DAG {dag} of Airflow has other stages than dvc.yaml\n  fix: {fix}")
