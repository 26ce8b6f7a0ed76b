"""Git as on a machine without settings of its own, DVC without analytics, and pytest-copier without --trust."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from plumbum import local

from tests.copied import Copier
from tests.project import TEMPLATE
from tests.run.project import THREADS

IDENTITY = {"NAME": "Test", "EMAIL": "test@example.org"}
GIT = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in IDENTITY.items()}
GIT |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
if os.name == "nt":  # folders of tests are deep, and paths of the template long
    GIT |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.longpaths", "GIT_CONFIG_VALUE_0": "true"}

# Otherwise each command of DVC starts another process, which tells its makers of it.
os.environ |= GIT | THREADS | {"DVC_NO_ANALYTICS": "true"}

# Every run tries the same generated examples, so that a red one speaks of the change. `SEARCH=500` tries others.
settings.register_profile(
    "same",
    derandomize="SEARCH" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("same")

# Files, and folders of files, that take minutes, the longest first: 10 minutes of CPU to 2.
LONG = (
    "test_engines.py",
    "test_walked_pages.py",
    "test_own_data.py",
    "test_climb.py",
    "ship",
    "test_remote.py",
    "reusable",
    "test_adopting.py",
    "test_offline.py",
    "test_lowest.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start long files first: short ones then fill up the end, when each worker takes whole files."""
    items.sort(key=lambda item: place(item.path.relative_to(TEMPLATE).parts))


def place(parts: tuple[str, ...]) -> int:
    """Return where a file stands in the list; all that are not in it come last."""
    return next((number for number, name in enumerate(LONG) if name in parts), len(LONG))


@pytest.fixture(scope="session", autouse=True)
def default_gitconfig(default_gitconfig, sessionpatch):
    """Take back the settings of pytest-copier, among them `core.autocrlf`, which rewrites line ends of the team's."""
    for name, text in GIT.items():
        sessionpatch.setenv(name, text)
        sessionpatch.setitem(local.env, name, text)
    return default_gitconfig


@pytest.fixture(scope="session")
def copier_template() -> Path:
    """The checkout, not a copy of it: projects then share the wheel that uv builds of its package."""
    return TEMPLATE


@pytest.fixture(scope="session")
def copier(copier_template, default_gitconfig, sessionpatch) -> Copier:
    """Copies and updates projects, those that tests share among them."""
    return Copier(copier_template, {}, sessionpatch)
