"""What only some platforms have; a test that cannot do without it says so."""

import os
from pathlib import Path

import pytest

REASON = "Windows has other programs, terminals, modes of files and names of files"
on_posix = pytest.mark.skipif(os.name != "posix", reason=REASON)


def require_posix() -> None:
    """Skip the tests of a fixture that Windows cannot give."""
    if os.name != "posix":
        pytest.skip(REASON)


def require_links(folder: Path) -> None:
    """Skip a test if links cannot be made in a folder: on Windows, that takes a right."""
    probe = folder / ".probe"
    try:
        probe.symlink_to("nothing")
    except OSError:
        pytest.skip("this account may not make links")
    probe.unlink()
