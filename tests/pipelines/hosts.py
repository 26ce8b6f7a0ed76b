"""The hosts, each with its reader, its files and the faults that it reports."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.pipelines.described import expected
from tests.pipelines.flows import Flow, UnreadableError, differences
from tests.pipelines.read import azure_devops, bitbucket, forgejo, github, gitlab
from tests.project import files, matches, registry

READERS: dict[str, Callable[[Path], dict[str, Flow]]] = {
    "github": github.read,
    "azure_devops": azure_devops.read,
    "gitlab": gitlab.read,
    "bitbucket": bitbucket.read,
    "forgejo": forgejo.read,
}

# Answers with which a host's files have all that they can have: every job, right and runner.
EVERYTHING = {"maturity_level": 4, "cloud": "aws", "heavy_runner": "gpu"}


def copy_host_files(project: Path, host: str, target: Path) -> Path:
    """Copy the files of the host, and no others."""
    for name in matches(registry("hosts")[host]["paths"]).match_files(files(project)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / name, target / name)
    return target


def faults(host: str, project: Path, *answers: object, **more: object) -> list[str]:
    """Report where a host's files differ from what is described for these answers, a sentence each."""
    try:
        read = READERS[host](project)
    except UnreadableError as error:
        return [f"it cannot be read: {error}"]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return [f"it cannot be read: {error!r}"]
    return differences(read, expected(host, *answers, **more))
