"""What the tests of `poe fetch` share: the hosts that keep artifacts, and what a person finds in build/."""

import pytest

from tests.package.hosts.conftest import Place
from tests.package.hosts.fakes.kept import KEPT, zipped
from tests.project import files

HOSTS = ("github", "azure_devops", "gitlab")
FOLDERS = {"github": "", "azure_devops": "{job}/", "gitlab": "build/{job}/"}
on_three = pytest.mark.parametrize("host", HOSTS, indirect=True)
on_one = pytest.mark.parametrize("host", HOSTS[:1], indirect=True)


def keep(place: Place, job: str, contents: dict[str, str]) -> None:
    """Let a job keep files, by their names and texts."""
    place.state.archives[job] = zipped(contents, FOLDERS[place.name].format(job=job))


def built(place: Place) -> dict[str, str]:
    """Return each file below build/ and its text."""
    return {name: content.decode() for name, content in files(place.tree / "build").items()}


def built_nothing(place: Place) -> bool:
    """Return whether build/ is missing or empty."""
    return not (place.tree / "build").exists() or built(place) == {}


def expected(*jobs: str) -> dict[str, str]:
    """Return the files that these jobs kept, as they are below build/."""
    return {f"{job}/{name}": text for job in jobs for name, text in KEPT[job].items()}
