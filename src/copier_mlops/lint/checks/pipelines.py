"""The CI of one host, whose every step is one task that a laptop runs as well."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project, subtable
from copier_mlops.registry import registry

# Keys under which the hosts keep commands, and those that let a failed one pass.
SHELLS = {"bash", "pwsh", "powershell", "inlineScript"}
COMMANDS = {"run", "script", "before_script", "after_script", "after-script"} | SHELLS
PASSES = {"continue-on-error", "continueOnError", "allow_failure"}
TASK = re.compile(r"uv run (?:--[\w-]+(?:=\S+)? )*poe (?:-q )?([A-Za-z_][\w+-]*)((?: .*)?)")
# What brings uv itself, before which there is no task.
BRINGS_UV = re.compile(r"(?:python3? -m )?(?:pip|pipx) install (?:--[\w-]+ )*uv(?:==\S+)?")
# What lets git read a private template before the package is there, as the template writes it.
HELPER = re.escape(f"'{registry('login')['helper']}'")
LOGIN = re.compile(rf"git config --global credential\.https?://[\w.:\[\]-]+\.helper {HELPER}")
# GitLab lets lists of commands nest so deep.
DEEPEST_LIST = 10
SHELL = re.compile(r"[;&|<>`\n]|\$\((?![\w.]+\))")


@dataclass(frozen=True)
class Step:
    """A command of a pipeline and where it stands."""

    path: str
    line: int
    text: str

    @property
    def task(self) -> str:
        """The task that it runs; empty where it is anything else than one task."""
        found = TASK.fullmatch(self.text.strip())
        return found[1] if found and not SHELL.search(found[2]) else ""


def pairs(node: yaml.Node | None, seen: set[int] | None = None) -> Iterator[tuple[str, yaml.Node]]:
    """Every key of a YAML text with its value, those behind an alias once."""
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
    """The commands of a list, which GitLab lets nest; those that a `!reference` names stand where it points to."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode) and node.tag != "!reference" and depth < DEEPEST_LIST:
        for each in node.value:
            yield from scalars(each, depth + 1)


def steps(project: Project) -> Iterator[Step]:
    """Every command of every pipeline."""
    for path in project.pipelines:
        for key, value in pairs(project.nodes(path)):
            if key in COMMANDS:
                for node in scalars(value):
                    if node.value.strip():
                        yield Step(path, node.start_mark.line + 1, node.value)


def tasks(project: Project) -> set[str]:
    """The tasks that poe knows in this project."""
    found: set[str] = set()
    files = ["pyproject.toml", "poe_tasks.toml"]
    for path in files:
        table = project.toml(path)
        own = subtable(subtable(table, "tool"), "poe")
        table = own or ({} if path == "pyproject.toml" else table)
        found |= subtable(table, "tasks").keys()
        more = table.get("include", [])
        for each in more if isinstance(more, list) else [more]:
            name = each.get("path") if isinstance(each, dict) else each
            if isinstance(name, str) and name.endswith(".toml") and name not in files:
                files.append(name)
    return found


@check("MLO201")
def foreign(project: Project) -> Iterator[Finding]:
    """CI of a host that was not answered."""
    for host in registry("hosts"):
        if host != project.host and "git_host" in project.answers:
            for path in project.flows(host):
                name = registry("hosts")[host]["name"]
                yield Finding(path, 0, "MLO201", f"CI of {name}, but git_host is {project.answers.get('git_host')}")


@check("MLO202")
def missing(project: Project) -> Iterator[Finding]:
    """No CI of the host that was answered, from the level on that has it."""
    host = project.host
    first = next(number for number, level in enumerate(registry("levels")) if level["flows"])
    if host and project.level >= first and not project.flows(host):
        name = registry("hosts")[host]["name"]
        yield Finding("", 0, "MLO202", f"no CI of {name}, which git_host names and level {first} brings")


def prepares(text: str) -> bool:
    """Return whether a command comes before the first task: it brings uv, the package, or a login to the template."""
    is_uv = BRINGS_UV.fullmatch(text.replace("$(UV_VERSION)", "1"))
    return bool(is_uv or LOGIN.fullmatch(text)) or text == registry("login")["install"]


@check("MLO203")
def no_task(project: Project) -> Iterator[Finding]:
    """A step that is something else than one task."""
    for step in steps(project):
        if not step.task and not prepares(step.text.strip()):
            shown = step.text.strip().splitlines()[0][:80]
            yield Finding(step.path, step.line, "MLO203", f"`{shown}` is not one line `uv run poe TASK`")


@check("MLO204")
def unknown(project: Project) -> Iterator[Finding]:
    """A step whose task does not exist."""
    known = tasks(project)
    for step in steps(project):
        if step.task and step.task not in known:
            yield Finding(step.path, step.line, "MLO204", f"there is no task `{step.task}`")


@check("MLO205")
def ignored_failure(project: Project) -> Iterator[Finding]:
    """A step that may fail without anybody seeing it."""
    for path in project.pipelines:
        for key, value in pairs(project.nodes(path)):
            if key in PASSES and not (isinstance(value, yaml.ScalarNode) and value.value.lower() in ("false", "")):
                yield Finding(path, value.start_mark.line + 1, "MLO205", f"`{key}` lets a failed step pass")


@check("MLO208")
def left_behind(project: Project) -> Iterator[Finding]:
    """A file, other than CI, of a host that was not answered."""
    for host, entry in registry("hosts").items():
        if project.host and host != project.host:
            for path in project.placed(host):
                if path not in project.flows(host):
                    said = f"a file of {entry['name']}, which {registry('hosts')[project.host]['name']} does not read"
                    yield Finding(path, 0, "MLO208", said)
