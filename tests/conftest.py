"""Git as on a machine without settings of its own; set before copier is imported, which reads the environment once."""

import os

import pytest
from plumbum import local

IDENTITY = {"NAME": "Test", "EMAIL": "test@example.org"}
GIT = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in IDENTITY.items()}
GIT |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
if os.name == "nt":  # folders of tests are deep, and paths of the template long
    GIT |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.longpaths", "GIT_CONFIG_VALUE_0": "true"}

os.environ |= GIT


@pytest.fixture(scope="session", autouse=True)
def default_gitconfig(default_gitconfig, sessionpatch):
    """Take back the settings of pytest-copier, among them `core.autocrlf`, which rewrites line ends of the team's."""
    for name, text in GIT.items():
        sessionpatch.setenv(name, text)
        sessionpatch.setitem(local.env, name, text)
    return default_gitconfig
