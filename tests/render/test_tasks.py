"""One vocabulary: every command that a project names is a task that it has, and every task exists."""

import ast
import re
import tomllib
from pathlib import Path

import yaml

from tests.project import answers_of, files, registry


def tasks_of(project: Path) -> dict[str, dict]:
    return tomllib.loads((project / "poe_tasks.toml").read_text(encoding="utf-8"))["tasks"]


def has_module(project: Path, module: str) -> bool:
    file = Path(*module.split(".")).with_suffix(".py")
    return (project / file).is_file() or (project / "src" / file).is_file()


def test_the_tasks_are_those_of_the_levels_and_serving_modes(project):
    answers = answers_of(project)
    reached = registry("levels")[: answers["maturity_level"] + 1]
    left_out = {mode["task"] for name, mode in registry("serving").items() if name not in answers.get("serving", [])}
    if answers.get("cloud", "none") == "none":
        left_out.add("login")
    if not answers.get("engines"):
        left_out.add("compile")
    expected = {task for level in reached for task in level["tasks"]} - left_out
    assert tasks_of(project).keys() == expected


def test_every_command_that_is_named_is_a_task(project):
    tasks = tasks_of(project)
    named = {}
    for path, content in files(project).items():
        if not path.endswith((".csv", ".j2")):
            for task in re.findall(r"uv run (?:--\S+ )*poe ([a-z][\w-]*)", content.decode()):
                named.setdefault(task, path)
    assert {"setup", "lint", "test"} <= named.keys()
    assert not {task: path for task, path in named.items() if task not in tasks}


def test_every_command_of_a_report_is_a_task(default):
    for path, content in files(default).items():
        if path.endswith(".j2"):
            named = re.findall(r"uv run (?:--\S+ )*poe ([a-z][\w-]*)", content.decode())
            assert set(named) <= tasks_of(default).keys(), path


def test_every_task_has_help_and_does_something_that_exists(project):
    tasks = tasks_of(project)
    for name, task in tasks.items():
        assert task["help"][0].isupper() and not task["help"].endswith("."), name
        steps = task.get("sequence", [task])
        for step in steps:
            step = {"ref": step} if isinstance(step, str) else step
            assert step.get("ref", name).split()[0] in tasks
            if "script" in step:
                module, function = step["script"].split(":")
                assert has_module(project, module), step
                tree = ast.parse((project / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8"))
                assert function in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)], step
            if command := step.get("cmd"):
                for module in re.findall(r"python -m ([\w.]+)", command):
                    assert has_module(project, module), command
                if command.startswith("pytest"):
                    assert list((project / command.split()[-1]).glob("test_*.py")), command


def test_every_stage_runs_a_module_on_files_that_are_there(project):
    if not (project / "dvc.yaml").exists():
        return
    stages = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    # The team brings both.
    is_bare = answers_of(project)["example"] == "none"
    raw, contract = registry("examples")["none"]["raw"], f"src/{answers_of(project)['package_name']}/contract.yaml"
    made = set()
    for stage in stages.values():
        made |= {out if isinstance(out, str) else next(iter(out)) for out in stage["outs"] + stage.get("metrics", [])}
    patterns = [re.sub(r"\\\$\\\{.*?\\\}", ".+", re.escape(each)) for each in made]
    for name, stage in stages.items():
        module = re.match(r"python -m ([\w.]+) ", stage["cmd"]).group(1)
        assert has_module(project, module), name
        for dependency in stage["deps"]:
            is_made = any(re.fullmatch(pattern, dependency) for pattern in patterns)
            is_yours = is_bare and dependency in (raw, contract)
            assert is_made or is_yours or (project / dependency).is_file(), f"{name} needs {dependency}"


def test_every_parameter_of_a_stage_has_a_value(default):
    parameters = yaml.safe_load((default / "params.yaml").read_text(encoding="utf-8"))
    named = set(re.findall(r"\$\{([\w.]+)\}", (default / "dvc.yaml").read_text(encoding="utf-8"))) - {"item.candidate"}
    for name in named:
        value = parameters
        for part in name.split("."):
            value = value[part]
    flat = {f"{k}.{i}" for k, v in parameters.items() if isinstance(v, dict) for i in v}
    flat |= {k for k, v in parameters.items() if not isinstance(v, dict)}
    assert named == flat
