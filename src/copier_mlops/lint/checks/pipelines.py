"""Pipelines: CI of one host, and each step is one task that you can run on a laptop."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from copier_mlops.lint.check import WARNING, Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project, subtable
from copier_mlops.registry import registry

# The hosts' keys for commands, and those that let a failed command pass.
SHELLS = {"bash", "pwsh", "powershell", "inlineScript"}
COMMANDS = {"run", "script", "before_script", "after_script", "after-script"} | SHELLS
PASSES = {"continue-on-error", "continueOnError", "allow_failure"}
TASK = re.compile(r"uv run (?:--[\w-]+(?:=\S+)? )*poe (?:-q )?([A-Za-z_][\w+-]*)((?: .*)?)")
# Commands that install uv: before them, no task can run.
BRINGS_UV = re.compile(r"(?:python3? -m )?(?:pip|pipx) install (?:--[\w-]+ )*uv(?:==\S+)?")
# The login of git to a private template, as the template writes it: it comes before the package.
HELPER = re.escape(f"'{registry('commands')['helper']}'")
LOGIN = re.compile(rf"git config --global credential\.https?://[\w.:\[\]-]+\.helper {HELPER}")
# The deepest nesting of lists of commands on GitLab.
DEEPEST_LIST = 10
SHELL = re.compile(r"[;&|<>`\n]|\$\((?![\w.]+\))")


@dataclass(frozen=True)
class Step:
    """A command of a pipeline and its place."""

    path: str
    line: int
    text: str

    @property
    def task(self) -> str:
        """Return the task that it runs; empty if it is anything but one task."""
        found = TASK.fullmatch(self.text.strip())
        return found[1] if found and not SHELL.search(found[2]) else ""


def pairs(node: yaml.Node | None, seen: set[int] | None = None) -> Iterator[tuple[str, yaml.Node]]:
    """Yield every key of a YAML text with its value; those behind an alias once."""
    seen = set() if seen is None else seen
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key.value, value
            yield from pairs(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from pairs(each, seen)


def scalars(node: yaml.Node, depth: int = 0) -> Iterator[yaml.ScalarNode]:
    """Yield the commands of a list, which may nest on GitLab; a `!reference` is left out, since its target has them."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode) and node.tag != "!reference" and depth < DEEPEST_LIST:
        for each in node.value:
            yield from scalars(each, depth + 1)


def steps(project: Project) -> Iterator[Step]:
    """Yield every command of every pipeline."""
    for path in project.pipelines:
        for key, value in pairs(project.nodes(path)):
            if key in COMMANDS:
                for node in scalars(value):
                    if node.value.strip():
                        yield Step(path, node.start_mark.line + 1, node.value)


def tasks(project: Project) -> set[str]:
    """Return the tasks that poe knows in this project."""
    return {name for _, name in tasks_by_file(project)}


def tasks_by_file(project: Project) -> set[tuple[str, str]]:
    """Return the tasks that poe knows in this project, each as the file that has it and its name."""
    found: set[tuple[str, str]] = set()
    files = ["pyproject.toml", "poe_tasks.toml"]
    for path in files:
        table = project.toml(path)
        own = subtable(subtable(table, "tool"), "poe")
        table = own or ({} if path == "pyproject.toml" else table)
        found |= {(path, name) for name in subtable(table, "tasks")}
        more = table.get("include", [])
        for each in more if isinstance(more, list) else [more]:
            name = each.get("path") if isinstance(each, dict) else each
            if isinstance(name, str) and name.endswith(".toml") and name not in files:
                files.append(name)
    return found


def serves_tasks(text: str) -> bool:
    """Return whether a command may stand beside tasks: it installs uv or the package, logs in, or prunes uv's cache."""
    is_uv = BRINGS_UV.fullmatch(text.replace("$(UV_VERSION)", "1"))
    known = registry("commands")
    return bool(is_uv or LOGIN.fullmatch(text)) or text in (known["install"], known["prune"])


class ForeignCi(Check):
    """CI of a host that is not the answered one."""

    id = "MLO201"
    name = "foreign-ci"
    page = "pipelines"
    finds = "A CI file of a git host that is not the answered one."
    why = "Two descriptions of the same flows drift apart, and nobody ever sees one of them run."
    fix = "Delete it, or change the host with `copier update --data git_host=NAME`."
    example = Example("git ls-files", ".github/workflows/ci.yml\n.gitlab-ci.yml\n", ".github/workflows/ci.yml\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Report each CI file of another host."""
        for host in registry("hosts"):
            if host != project.host and "git_host" in project.answers:
                for path in project.flows(host):
                    name = registry("hosts")[host]["name"]
                    yield self.found(path, 0, f"CI of {name}, but git_host is {project.answers.get('git_host')}")


class CiMissing(Check):
    """No CI of the answered host, although the level has it."""

    id = "MLO202"
    name = "ci-missing"
    page = "pipelines"
    finds = "Your level has CI, but you do not have the CI file of the answered host."
    why = "Nothing checks your pushes."
    fix = "Restore it from git, or run `copier recopy --skip-answered` for the managed files of the template."
    example = Example("git status", "deleted:    .github/workflows/ci.yml\n", "nothing to commit, working tree clean\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Look for any CI file, from the first level with flows on."""
        host = project.host
        first = next(number for number, level in enumerate(registry("levels")) if level["flows"])
        if host and project.level >= first and not project.flows(host):
            name = registry("hosts")[host]["name"]
            yield self.found("", 0, f"no CI of {name}, which git_host names and level {first} brings")


class StepNoTask(Check):
    """A step that is not one task."""

    id = "MLO203"
    name = "step-no-task"
    page = "pipelines"
    finds = (
        "A step of a pipeline that is not one line `uv run poe TASK`. Steps that install uv and the package, and the "
        "login to a private template, are allowed."
    )
    why = (
        "You cannot debug on a laptop what only the host can run. If a step has several commands, you do not see "
        "which of them failed."
    )
    fix = "Make it a task in `poe_tasks.toml`, and call the task."
    example = Example(
        ".github/workflows/ci.yml",
        "- name: Test\n  run: |\n    pip install -e .\n    pytest\n",
        "- name: Test\n  run: uv run poe test\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Report each command that neither is a task nor serves one."""
        for step in steps(project):
            if not step.task and not serves_tasks(step.text.strip()):
                shown = step.text.strip().splitlines()[0][:80]
                yield self.found(step.path, step.line, f"`{shown}` is not one line `uv run poe TASK`")


class TaskUnknown(Check):
    """A step whose task does not exist."""

    id = "MLO204"
    name = "task-unknown"
    page = "pipelines"
    finds = (
        "A step that runs a task which is neither in `poe_tasks.toml` nor in `pyproject.toml` nor in a file that they "
        "include."
    )
    why = "The step fails the first time it runs."
    fix = "Use a task that `uv run poe` lists, or add the task."
    example = Example(".github/workflows/ci.yml", "run: uv run poe Test\n", "run: uv run poe test\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Look up the task of each step."""
        known = tasks(project)
        for step in steps(project):
            if step.task and step.task not in known:
                yield self.found(step.path, step.line, f"no task has the name `{step.task}`")


class FailureIgnored(Check):
    """A step that may fail without anybody seeing it."""

    id = "MLO205"
    name = "failure-ignored"
    page = "pipelines"
    finds = "`continue-on-error`, `continueOnError` or `allow_failure` that is not `false`."
    why = "A failed training or test looks like a success."
    fix = "Delete the key. A step that may fail belongs in a flow of its own."
    example = Example(
        ".github/workflows/ci.yml",
        "- run: uv run poe test\n  continue-on-error: true\n",
        "- run: uv run poe test\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Look for the keys in every pipeline."""
        for path in project.pipelines:
            for key, value in pairs(project.nodes(path)):
                if key in PASSES and not (isinstance(value, yaml.ScalarNode) and value.value.lower() in ("false", "")):
                    yield self.found(path, value.start_mark.line + 1, f"`{key}` lets a failed step pass")


class ForeignHostFile(Check):
    """A file, other than CI, of a host that is not the answered one."""

    id = "MLO208"
    name = "foreign-host-file"
    severity = WARNING
    page = "pipelines"
    finds = "A file, other than CI, of a git host that is not the answered one, for example its `CODEOWNERS`."
    why = (
        "If you change the host, an update leaves your files where they are, and the new host does not read them "
        "there. For example, it no longer asks anybody in `CODEOWNERS`."
    )
    fix = (
        "Move what you still need into the file of the answered host, and delete it. If you keep it for a mirror, "
        "silence it with `per-file-ignores`."
    )
    example = Example("git ls-files", ".gitlab/CODEOWNERS\n", ".github/CODEOWNERS\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Report each file in the places of another host."""
        for host, entry in registry("hosts").items():
            if project.host and host != project.host:
                for path in project.placed(host):
                    if path not in project.flows(host):
                        read_by = registry("hosts")[project.host]["name"]
                        yield self.found(path, 0, f"a file of {entry['name']}, which {read_by} does not read")


class TaskReplaced(Check):
    """A task of the team's that has the name of one of the template's."""

    id = "MLO209"
    name = "task-replaced"
    page = "pipelines"
    finds = "A task of yours with the name of one of the template's, which your level has or a higher one brings."
    why = (
        "poe runs yours. Each flow and each task that calls it by its name then does something else: a `deploy` that "
        "only prints a line passes as a deployment to prod."
    )
    fix = (
        "Give it another name. To change what a task of the template does, edit its line in `poe_tasks.toml`, which "
        "updates merge."
    )
    example = Example(
        "pyproject.toml",
        '[tool.poe.tasks.deploy]\ncmd = "python scripts/upload.py"\n',
        '[tool.poe.tasks.upload]\ncmd = "python scripts/upload.py"\n',
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare the team's tasks with those of all levels."""
        levels = {task: number for number, level in enumerate(registry("levels")) for task in level["tasks"]}
        for path, name in sorted(tasks_by_file(project)):
            if path != "poe_tasks.toml" and name in levels:
                text = (project.read(path) or b"").decode("utf-8", "replace")
                line = re.search(rf"^.*\btasks\.[\"']?{re.escape(name)}\b|^{re.escape(name)} *=", text, re.MULTILINE)
                number = text.count("\n", 0, line.start()) + 1 if line else 0
                yield self.found(
                    path, number, f"the task `{name}` takes the place of the template's (level {levels[name]})"
                )
