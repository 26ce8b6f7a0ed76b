"""Pins: the actions and images of pipelines cannot change behind your back."""

import re
from collections.abc import Iterator

import yaml

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.checks.pipelines import pairs
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import YAML, Project

COMMIT = re.compile(r"[^@\s]+@[0-9a-f]{40}")
DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")
FULL_TAG = re.compile(r"(?:\S*/)?[^/:\s]+:[^/:\s]*?\d+\.\d+\.\d[^/:\s]*")
LONGEST = 500
FROM = re.compile(rb"^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(\S+)(?:[ \t]+AS[ \t]+(\S+))?", re.MULTILINE | re.IGNORECASE)
LOCAL = ("./", "$/", "../")


class ActionUnpinned(Check):
    """An action by a name that can be moved to another commit."""

    id = "MLO206"
    name = "action-unpinned"
    page = "pipelines"
    finds = "An action that is named by tag or branch. Actions of the repository itself are allowed."
    why = "Somebody can move a tag to other code, which then runs with the permissions of your job."
    fix = "Write the commit of 40 digits after `@`, and the version as a comment."
    example = Example(
        ".github/workflows/ci.yml",
        "- uses: actions/checkout@v4\n",
        "- uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Judge the value of each `uses`."""
        for path in project.pipelines:
            for key, value in pairs(project.nodes(path)):
                if key != "uses" or not isinstance(value, yaml.ScalarNode):
                    continue
                if not value.value.startswith((*LOCAL, "docker://")) and not COMMIT.fullmatch(value.value):
                    said = f"`{value.value}` is not pinned to a commit of 40 hexadecimal digits"
                    yield self.found(path, value.start_mark.line + 1, said)


class ImageUnpinned(Check):
    """An image by a tag that can be moved to another one."""

    id = "MLO207"
    name = "image-unpinned"
    page = "pipelines"
    finds = (
        "An image of CI, of a Dockerfile or of a compose file that has neither a digest nor a tag of the form 1.2.3."
    )
    why = "Tomorrow, the same commit is built from something else."
    fix = "Write the full version, or better the digest: `NAME:1.2.3@sha256:…`."
    example = Example("Dockerfile", "FROM python:3.11\n", "FROM python:3.11.9-slim\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Judge the names of all images."""
        for path, line, name in [*_of_pipelines(project), *_of_dockerfiles(project), *_of_compose(project)]:
            if "$" not in name and not is_pinned(name):
                said = f"image `{name[:80]}` has neither a digest nor the tag of a full version"
                yield self.found(path, line, said)


def is_pinned(name: str) -> bool:
    """Return whether a name always means one image, or at least one version of it."""
    return len(name) < LONGEST and bool(DIGEST.fullmatch(name) or FULL_TAG.fullmatch(name))


def _of_pipelines(project: Project) -> Iterator[tuple[str, int, str]]:
    for path in project.pipelines:
        for key, value in pairs(project.nodes(path)):
            for node in _images(key, value, path):
                if isinstance(node, yaml.ScalarNode) and node.value:
                    yield path, node.start_mark.line + 1, node.value.removeprefix("docker://")


def _images(key: str, value: yaml.Node, path: str) -> Iterator[yaml.Node]:
    """Yield the nodes below a key that name an image; on some hosts, a single word is the name of a resource."""
    has_names = path.startswith(("azure", "bitbucket", ".azure"))
    if key in ("image", "container", "pipe"):
        yield from _named(value, has_names and key == "container")
    elif key == "services" and isinstance(value, yaml.SequenceNode):
        for each in value.value:
            yield from _named(each, has_names)
    elif key == "uses" and isinstance(value, yaml.ScalarNode) and value.value.startswith("docker://"):
        yield value


def _named(value: yaml.Node, has_names: bool) -> Iterator[yaml.Node]:
    if isinstance(value, yaml.MappingNode):
        yield from (part for name, part in value.value if name.value == "name")
    elif isinstance(value, yaml.ScalarNode) and not (has_names and not re.search("[/:]", value.value)):
        yield value


def _of_dockerfiles(project: Project) -> Iterator[tuple[str, int, str]]:
    for path in project.files:
        last = path.rpartition("/")[2].lower()
        if last in ("dockerfile", "containerfile") or last.endswith(".dockerfile") or last.startswith("dockerfile."):
            content, stages = project.read(path) or b"", {"scratch"}
            for found in FROM.finditer(content):
                name = found[1].decode("utf-8", "replace")
                if name.lower() not in stages:
                    yield path, content[: found.start(1)].count(b"\n") + 1, name
                stages.add((found[2] or b"").decode("utf-8", "replace").lower())


def _of_compose(project: Project) -> Iterator[tuple[str, int, str]]:
    for path in project.files:
        last = path.rpartition("/")[2]
        if last.endswith(YAML) and last.startswith(("compose.", "docker-compose")):
            for key, value in pairs(project.nodes(path)):
                if isinstance(value, yaml.MappingNode) and key != "image":
                    entries = {each.value: part for each, part in value.value if isinstance(each, yaml.ScalarNode)}
                    node = entries.get("image")
                    if isinstance(node, yaml.ScalarNode) and "build" not in entries:
                        yield path, node.start_mark.line + 1, node.value
