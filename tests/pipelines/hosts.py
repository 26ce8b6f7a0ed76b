"""The hosts, each with its reader."""

from collections.abc import Callable
from pathlib import Path

from tests.pipelines.described import expected
from tests.pipelines.flows import Flow, UnreadableError, differences
from tests.pipelines.read import azure_devops, bitbucket, forgejo, github, gitlab

READERS: dict[str, Callable[[Path], dict[str, Flow]]] = {
    "github": github.read,
    "azure_devops": azure_devops.read,
    "gitlab": gitlab.read,
    "bitbucket": bitbucket.read,
    "forgejo": forgejo.read,
}


def faults(host: str, project: Path, *answers: object, **more: object) -> list[str]:
    """Where a host's files do not say what is described, a sentence each; the answers are those of `described`."""
    try:
        read = READERS[host](project)
    except (UnreadableError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return [f"it cannot be read: {error!r}"]
    return differences(read, expected(host, *answers, **more))
