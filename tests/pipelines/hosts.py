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


def faults(host: str, project: Path, level: int, cloud: str = "none", heavy_runner: str = "", server: str = "") -> list[str]:
    """Where the files of a host do not say what is described, a sentence each."""
    try:
        read = READERS[host](project)
    except (UnreadableError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return [f"it cannot be read: {error!r}"]
    return differences(read, expected(host, level, cloud, heavy_runner, server))
