"""The flow of Metaflow for a pipeline: a Python file that needs only Metaflow, with a step for each stage.

Splits and joins of Metaflow have to nest, which those of a pipeline do not. So the stages become waves: a split begins
a wave, and a join ends it. A wave of one stage needs neither, and a join may not split.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import EngineError
from copier_mlops.pipeline.engines.python_code import call, literal, table
from copier_mlops.pipeline.live import depths
from copier_mlops.pipeline.plan import Plan

# Python code with marks such as @needs@, each of which stands for a value.
TEMPLATE = Path(__file__).with_suffix(".txt")
# Metaflow makes six attempts at most, and keeps one of them to note a failure.
MOST_RETRIES = 4
BYTES = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
BODY = " " * 8


def write(plan: Plan) -> str:
    """Return the flow of a run.

    Raises:
        EngineError: A stage has more attempts than Metaflow makes.
    """
    for node in plan.nodes:
        if node.resources.retries > MOST_RETRIES:
            raise EngineError(
                f"the stage {node.name} has retries: {node.resources.retries}, but Metaflow allows {MOST_RETRIES}\n"
                f"  fix: correct meta.execution in dvc.yaml, for example: {{retries: {MOST_RETRIES}}}"
            )
    steps = "\n\n".join(_steps(plan.nodes))
    used = {"FlowSpec", "Parameter", "step", *re.findall(r"^    @(\w+)\(", steps, re.MULTILINE)}
    values = {
        "project": plan.project,
        "flow": name_of_flow(plan.project),
        "imports": ", ".join(sorted(used, key=lambda name: (name.islower(), name))),
        "folder": literal(str(plan.folder)),
        "needs": table({node.name: list(node.needs) for node in plan.nodes}),
        "run": literal(plan.run),
        "commit": literal(plan.commit),
        "steps": steps,
    }
    # In one step, so that no name of a stage is taken for a mark.
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], TEMPLATE.read_text(encoding="utf-8"))


def name_of_flow(project: str) -> str:
    """Return the name of the flow, which is that of its class, for example `ChurnRiskFlow` for `churn-risk`."""
    return "".join(part.capitalize() for part in project.split("-")) + "Flow"


def name_of_step(node: Node) -> str:
    """Return the name of a stage's step, for example `stage_train_linear`; Metaflow has names of its own."""
    return f"stage_{node.slug.replace('-', '_')}"


def step_before(nodes: Iterable[Node], left: Collection[str]) -> str:
    """Return the step from which a run goes on: the first one of the first wave with a stage that is left.

    Args:
        nodes: The stages.
        left: The names of stages that have no result.
    """
    nodes = list(nodes)
    waves = zip(_begins(nodes), _waves(nodes), strict=True)
    return next((step for step, wave in waves if any(node.name in left for node in wave)), "end")


def _waves(nodes: Iterable[Node]) -> list[list[Node]]:
    """Return the stages of each wave, each of which needs one of the wave before it."""
    nodes = list(nodes)
    depth_of = depths({node.name: node.needs for node in nodes})
    return [[node for node in nodes if depth_of[node.name] == depth] for depth in sorted(set(depth_of.values()))]


def _begins(nodes: Iterable[Node]) -> list[str]:
    """Return the first step of each wave: a split, or the only stage."""
    waves = enumerate(_waves(nodes), 1)
    return [f"wave_{number}" if len(wave) > 1 else name_of_step(wave[0]) for number, wave in waves]


def _steps(nodes: Sequence[Node]) -> list[str]:
    """Return the code of each step, from `start` to `end`."""
    begins = [*_begins(nodes), "end"]
    found = [_step("start", [f"{BODY}self.done = []", _next([begins[0]])])]
    for number, (wave, begin, after) in enumerate(zip(_waves(nodes), begins, begins[1:], strict=False), 1):
        is_split, ended = len(wave) > 1, f"wave_{number}_ended"
        if is_split:
            found.append(_step(begin, [_next(map(name_of_step, wave))]))
        for node in wave:
            body = [call(BODY, "self.run_stage", [literal(node.name)]), _next([ended if is_split else after])]
            found.append(_step(name_of_step(node), body, decorators=_decorators(node.resources)))
        if is_split:
            done = f"{BODY}self.done = sorted({{name for each in inputs for name in each.done}})"
            found.append(_step(ended, [done, _next([after])], "self, inputs"))
    end = [
        f"{BODY}if left := [name for name in NEEDS if name not in self.done]:",
        f"{BODY}    sys.exit(f\"the run {{self.run_name}} has no result of {{', '.join(left)}}\")",
    ]
    return [*found, _step("end", end)]


def _step(name: str, body: Iterable[str], takes: str = "self", decorators: Iterable[str] = ()) -> str:
    return "\n".join([*(f"    @{each}" for each in decorators), "    @step", f"    def {name}({takes}):", *body])


def _next(steps: Iterable[str]) -> str:
    return call(BODY, "self.next", [f"self.{name}" for name in steps])


def _decorators(asked: Resources) -> list[str]:
    """Return what a stage asks for; `@catch` lets the others go on when its last attempt has failed."""
    sizes = {
        "cpu": asked.cpu and f"{asked.cpu:g}",
        "memory": asked.memory and math.ceil(int(asked.memory[:-2]) * BYTES[asked.memory[-2:]] / 10**6),
        "gpu": asked.gpu,
    }
    found = ['catch(var="failure", print_exception=False)']
    if given := ", ".join(f"{name}={size}" for name, size in sizes.items() if size):
        found.append(f"resources({given})")
    if asked.retries:
        found.append(f"retry(times={asked.retries}, minutes_between_retries=0)")
    if asked.seconds:
        found.append(f"timeout(seconds={asked.seconds})")
    return found
