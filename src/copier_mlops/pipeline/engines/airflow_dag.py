"""The DAG file of a pipeline: each stage is a task of Airflow, which calls the project's own environment in a shell.

The file imports Airflow and nothing else. Texts of the team, such as names and paths, get into it as literals that
Airflow does not render; texts of a run get to the shell as variables. So neither can be taken for code.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.pipeline.dag import Node, Resources, Time
from copier_mlops.pipeline.engines.settings import EngineSettings
from copier_mlops.pipeline.plan import Plan

# The task that finds the commit of a run, the one before it if the run waits for a file, and the last one. No slug of
# a stage has an underscore.
COMMIT, WAIT, COLLECT = "resolve_commit", "wait_for_file", "collect_results"
# By this text a DAG file is known as ours.
MARK = "poe compile --engine airflow"
WIDTH = 120
UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
# Names of the file that no stage may take.
TAKEN = {"stage", "timedelta", "literal", COMMIT, WAIT, COLLECT}

HEAD = '''\
"""The stages of dvc.yaml of {project} as tasks, all of them at the same commit.

Written by `{mark}`: change dvc.yaml or operation/configuration/engines/airflow.yaml instead.
It needs nothing but Airflow. The workers need uv, git and the project, on which `uv run poe setup` was run.
"""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
{sensor}from airflow.sdk import DAG, Param, literal

# A hash that is here needs no fetch, but a branch may have moved.
FIND_COMMIT = """
set -e
[[ $COMMIT =~ ^[0-9a-f]{{40}}$ ]] && git cat-file -e "$COMMIT" 2> /dev/null || git fetch --quiet --tags origin
git rev-parse --verify "$COMMIT^{{commit}}"
"""

# Names get to the shell as variables, so that it takes none of them for code.
RUN_STAGE = 'uv run --no-sync mlops stage "$STAGE" --run "$RUN" --commit "$COMMIT"'

# A run that `poe train` has started is collected on the laptop that waits for it. The exit code 99 skips a task.
PROPOSE_RESULTS = """
[ "$PROPOSE" = True ] || exit 99
uv run --no-sync mlops collect --run "$RUN" --commit "$COMMIT" --propose
"""

# The variables of each task. RUN is the name of the run on the data remote, which takes letters, digits, '.', '_', '-'.
FOUND = "ti.xcom_pull(task_ids='{commit}')"
VARIABLES = {{
    "RUN": "{{{{ params.run or (run_id ~ '-' ~ " + FOUND + "[:7]) | replace(':', '') | replace('+', '.') }}}}",
    "COMMIT": "{{{{ " + FOUND + " }}}}",
    "PROPOSE": "{{{{ params.propose }}}}",
}}


def stage(task_id: str, name: str, **options) -> BashOperator:
    """Return the task that runs a stage in a clean copy of the commit."""
    return BashOperator(
        task_id=task_id,
        task_display_name=name,
        bash_command=RUN_STAGE,
        env={{**VARIABLES, "STAGE": literal(name)}},
        **options,
    )


'''


class Settings(EngineSettings):
    """The settings of Airflow. Its login is in AIRFLOW_USERNAME and AIRFLOW_PASSWORD, or in AIRFLOW_TOKEN."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_AIRFLOW_", extra="forbid", frozen=True)

    url: Annotated[
        str, Field(description="address of the API server: https, or http on this machine, as http://localhost:8080")
    ]
    dag: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._-]*$",
            description="id of the DAG; empty: the name of the project",
            examples=["churn"],
        ),
    ] = ""
    dags_folder: Annotated[
        str,
        Field(
            description="folder from which Airflow reads DAG files, if this machine sees it; otherwise empty",
            examples=["~/airflow/dags"],
        ),
    ] = ""
    project: Annotated[
        str,
        Field(description="folder of the project on the workers; empty: the same one as here", examples=["/srv/churn"]),
    ] = ""
    branch: Annotated[
        str,
        Field(pattern=r"^[^-\s][^\s]*$", description="branch of origin that scheduled runs take, for example main"),
    ] = "main"
    schedule: Annotated[
        str | None,
        Field(min_length=1, description="cron in UTC, or @daily and so on; null: no schedule", examples=["0 3 * * *"]),
    ] = None
    wait_for: Annotated[
        str,
        Field(
            description="file on the workers for which each run waits, without a worker; empty: none",
            examples=["/data/incoming/export.csv"],
        ),
    ] = ""
    pool: Annotated[str, Field(min_length=1, description="pool of the tasks")] = "default_pool"
    gpu_pool: Annotated[
        str,
        Field(
            description="pool of stages that ask for a gpu, a slot for each one; empty: that of the others",
            examples=["gpu"],
        ),
    ] = ""
    queue: Annotated[str, Field(description="queue of the workers; empty: Airflow's own", examples=["training"])] = ""
    retry_delay: Annotated[Time, Field(description="time between two attempts of a stage, for example 1m")] = "1m"

    def dag_of(self, plan: Plan) -> str:
        """Return the id of the DAG of a project."""
        return self.dag or plan.project

    def project_of(self, plan: Plan) -> Path:
        """Return the folder of the project on the workers."""
        return Path(self.project) if self.project else plan.folder

    def pool_of(self, asked: Resources) -> tuple[str, int]:
        """Return the pool of a stage, and how many slots of it the stage takes."""
        return (self.gpu_pool, asked.gpu) if asked.gpu and self.gpu_pool else (self.pool, 1)


def write(plan: Plan, settings: Settings) -> str:
    """Return the DAG file of a pipeline, which is the same for each of its runs."""
    sensor = "from airflow.providers.standard.sensors.filesystem import FileSensor\n" if settings.wait_for else ""
    head = HEAD.format(project=plan.project, mark=MARK, commit=COMMIT, sensor=sensor)
    body = "".join(f"    {line}\n" if line else "\n" for line in _body(plan, settings))
    return f"{head}{_dag(plan, settings)}{body}"


def _dag(plan: Plan, settings: Settings) -> str:
    """Return the head of the block in which the tasks are."""
    defaults = {
        "pool": _text(settings.pool),
        **({"queue": _text(settings.queue)} if settings.queue else {}),
        "retry_delay": _time(settings.retry_delay),
        "cwd": f"literal({_text(str(settings.project_of(plan)))})",
        "append_env": "True",
        "env": "VARIABLES",
        "do_xcom_push": "False",
    }
    params = {
        "commit": f'Param({_text(f"origin/{settings.branch}")}, type="string", pattern="^[^-]", '
        'description="A branch or a hash")',
        "run": 'Param(None, type=["null", "string"], description="The name of the run, for results; else by Airflow")',
        "propose": 'Param(True, type="boolean", description="Open a change request with the results")',
    }
    lines = [
        "with DAG(",
        f"    dag_id={_text(settings.dag_of(plan))},",
        f"    description={_text(f'The pipeline of {plan.project}')},",
        f"    schedule={_text(settings.schedule) if settings.schedule else None},",
        "    catchup=False,",
        "    max_active_runs=1,",
        '    tags=["mlops"],',
        *_mapping("params", params),
        *_mapping("default_args", defaults),
        "):",
    ]
    return "\n".join(lines) + "\n"


def _mapping(name: str, values: dict[str, str]) -> list[str]:
    return [f"    {name}={{", *(f"        {_text(key)}: {value}," for key, value in values.items()), "    },"]


def _body(plan: Plan, settings: Settings) -> list[str]:
    """Return the lines of the tasks and of what each of them needs."""
    variables = {node.name: _variable(node.slug) for node in plan.nodes}
    needed = {need for node in plan.nodes for need in node.needs}
    waits = [f"task_id={_text(WAIT)}", f"filepath={_text(settings.wait_for)}", "deferrable=True"]
    finds = [
        f"task_id={_text(COMMIT)}",
        "bash_command=FIND_COMMIT",
        'env={"COMMIT": "{{ params.commit }}"}',
        "do_xcom_push=True",
        "retries=2",
    ]
    collects = [f"task_id={_text(COLLECT)}", "bash_command=PROPOSE_RESULTS", "retries=2"]
    lines = [*_call(f"{WAIT} = FileSensor", waits), ""] if settings.wait_for else []
    lines += [*_call(f"{COMMIT} = BashOperator", finds), ""]
    for node in plan.nodes:
        lines += _call(f"{variables[node.name]} = stage", _arguments(node, settings))
    lines += ["", *_call(f"{COLLECT} = BashOperator", collects), ""]
    if settings.wait_for:
        lines.append(f"{WAIT} >> {COMMIT}")
    lines += _edge(f"{COMMIT} >> ", [variables[node.name] for node in plan.nodes if not node.needs], "")
    alike: dict[object, list[Node]] = {}
    for node in plan.nodes:
        if node.needs:
            alike.setdefault(node.needs if len(node.needs) == 1 else node.name, []).append(node)
    for first, *others in alike.values():
        if len(first.needs) == 1:
            lines += _edge(f"{variables[first.needs[0]]} >> ", [variables[each.name] for each in (first, *others)], "")
        else:
            lines += _edge("", [variables[need] for need in first.needs], f" >> {variables[first.name]}")
    last = [variables[node.name] for node in plan.nodes if node.name not in needed]
    return lines + _edge("", last, f" >> {COLLECT}")


def _arguments(node: Node, settings: Settings) -> list[str]:
    """Return the arguments of a stage's task."""
    asked = node.resources
    pool, slots = settings.pool_of(asked)
    found = [_text(node.slug), _text(node.name)]
    if asked.retries:
        found.append(f"retries={asked.retries}")
    if asked.timeout:
        found.append(f"execution_timeout={_time(asked.timeout)}")
    if pool != settings.pool:
        found.append(f"pool={_text(pool)}")
    if slots > 1:
        found.append(f"pool_slots={slots}")
    return found


def _variable(slug: str) -> str:
    """Return the variable of a stage; no two slugs give the same."""
    plain = slug.replace("-", "_")
    return f"{plain}_" if keyword.iskeyword(plain) or plain in TAKEN else plain


def _time(text: str) -> str:
    return f"timedelta({UNITS[text[-1]]}={text[:-1]})"


def _text(text: str) -> str:
    """Return a literal of Python, with the quotes that ruff takes."""
    double = json.dumps(text, ensure_ascii=False)
    if text.count('"') <= text.count("'"):
        return double
    return "'" + double[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def _call(start: str, arguments: Iterable[str]) -> list[str]:
    """Return a call, in as many lines as it needs."""
    return _fitting(f"{start}(", list(arguments), ")")


def _edge(start: str, tasks: Sequence[str], end: str) -> list[str]:
    """Return what comes before or after some tasks."""
    return [f"{start}{tasks[0]}{end}"] if len(tasks) == 1 else _fitting(f"{start}[", tasks, f"]{end}")


def _fitting(start: str, items: Sequence[str], end: str) -> list[str]:
    line = f"{start}{', '.join(items)}{end}"
    if len(line) + 4 <= WIDTH:
        return [line]
    return [start, *(f"    {item}," for item in items), end]
