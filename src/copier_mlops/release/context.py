"""Write the build context of the image: the model, its service and dependencies, in reproducible files."""

import hashlib
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from copier_mlops import libraries, serving
from copier_mlops.command import CommandError, run
from copier_mlops.model_file import sha256
from copier_mlops.project import ANSWERS, PACKAGED_ANSWERS, answer, root
from copier_mlops.release import settings, wheels
from copier_mlops.tracking import models

RECIPE = ("operation/execution/image/Dockerfile", "operation/execution/image/.dockerignore")
# The files of the project that the service reads, besides the two wheels.
FILES = (
    "operation/configuration/environment_*/settings.yaml",
    "operation/execution/serve.py",
)
# The packages of Debian that the image installs, one a line; empty if its libraries need none.
SYSTEM = "system-packages.txt"


def service() -> str:
    """Return the serving mode of the image: `online`, `batch`, or empty if the project has none."""
    modes = answer("serving", [])
    return next((name for name in ("online", "batch") if name in modes), "")


def export(*options: str) -> str:
    """Export the image's dependencies from uv.lock, in one of uv's formats.

    Raises:
        SystemExit: uv.lock is missing, or does not match pyproject.toml.
    """
    left_out = ("--no-default-groups", "--no-emit-project", "--no-emit-package=copier-mlops")
    groups = [f"--group={name}" for name in settings.load("prod").image_groups]
    try:
        return run("uv", "export", "--frozen", *left_out, *groups, *options)
    except CommandError as error:
        fix = "correct image_groups of prod's release.yaml" if "group" in str(error) else "uv lock"
        raise SystemExit(f"package: uv.lock cannot be exported: {error}\n  fix: {fix}") from None


def requirements(packed: dict[str, bytes]) -> str:
    """Return the requirements of the image: distributions with version and hashes, and the wheels by their files."""
    return with_wheels(export("--no-header", "--format=requirements-txt"), packed)


def with_wheels(listed: str, packed: dict[str, bytes]) -> str:
    """Return the text of an export of uv, and after it lines that install wheels from the folder of the context."""
    lines = [f"./wheels/{name} --hash=sha256:{hashlib.sha256(content).hexdigest()}" for name, content in packed.items()]
    return "\n".join([listed, *lines]) + "\n"


def distributions(listed: str) -> set[str]:
    """Return the names of the distributions in the text of `requirements`, without the two wheels."""
    return {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)(?:\[.*?\])? ?==", listed, re.MULTILINE)}


def check_libraries(needed: set[str], installed: set[str]) -> None:
    """Check that the image gets the libraries that its model needs.

    Raises:
        SystemExit: It lacks one; the text says where pyproject.toml has it.
    """
    for name in sorted(needed - installed):
        groups = [group for group in _groups() if name in distributions(_of_group(group))]
        if not groups:
            raise SystemExit(
                f"package: the image would lack {name}, which the model needs: `dependencies` of pyproject.toml do not "
                f"have it\n  fix: uv add {name}, then train and register again"
            )
        raise SystemExit(
            f"package: the image would lack {name}, which the model needs: only the group {groups[0]} of "
            f"pyproject.toml has it\n  fix: uv remove --group {groups[0]} {name} && uv add {name}; or add "
            f"`image_groups: [{groups[0]}]` to operation/configuration/environment_prod/release.yaml"
        )


def _groups() -> list[str]:
    document = tomllib.loads((root() / "pyproject.toml").read_text(encoding="utf-8"))
    return list(document.get("dependency-groups", {}))


def _of_group(name: str) -> str:
    return run("uv", "export", "--frozen", "--no-header", "--no-hashes", f"--only-group={name}")


def sbom() -> str:
    """Return the software bill of materials of the image in CycloneDX, without timestamp and serial number."""
    document = json.loads(export("--format=cyclonedx1.5", "--preview-features=sbom-export"))
    del document["serialNumber"], document["metadata"]["timestamp"]
    return json.dumps(document, indent=2) + "\n"


def fetch(release: dict[str, Any]) -> Path:
    """Download the model file of a registered version, check its SHA-256 and load it once.

    Raises:
        SystemExit: It is missing, damaged or not trusted.
    """
    try:
        file = models.fetch(f"models:/{release['model']}/{release['version']}", release["sha256"])
        serving.load(file, release["version"], release["sha256"])
    except ValueError as error:
        raise SystemExit(
            f"package: version {release['version']} of {release['model']} cannot be used: {error}\n"
            "  fix: restore the file in the artifact store, or register the model again"
        ) from None
    return file


def write(release: dict[str, Any], folder: Path) -> str:
    """Write the build context of a version into `folder`, and return its SHA-256.

    Raises:
        SystemExit: The model cannot be used, uv.lock cannot be exported, or lacks a library that the model needs.
    """
    about = {name: release.get(name, "") for name in ("model", "version", "sha256", "md5", "run_id", "commit")}
    file = fetch(release)
    contents = {
        "model/model.skops": file.read_bytes(),
        "model/model.json": json.dumps(about, indent=2).encode() + b"\n",
    }
    packed = wheels.build(str(answer("package_name")))
    contents |= {f"wheels/{name}": content for name, content in packed.items()}
    listed = requirements(packed)
    installed = distributions(listed)
    check_libraries({canonicalize_name(name) for name in libraries.of_model(file)}, installed)
    contents["requirements.txt"] = listed.encode()
    contents[SYSTEM] = "".join(f"{name}\n" for name in libraries.debian(installed)).encode()
    for name in RECIPE:
        contents[Path(name).name] = (root() / name).read_bytes()
    contents[PACKAGED_ANSWERS] = (root() / ANSWERS).read_bytes()
    for file in (file for pattern in FILES for file in root().glob(pattern)):
        contents[file.relative_to(root()).as_posix()] = file.read_bytes()
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    fill(draft, contents)
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)
    return digest(folder)


def fill(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files by their names into a folder, and make the folders that they need."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)  # readable for the image's user, whatever the umask here


def digest(folder: Path) -> str:
    """Return the SHA-256 of a context's file names and contents, without hidden files, which some hosts drop."""
    found = hashlib.sha256()
    files = (path for path in folder.rglob("[!.]*") if path.is_file() and "__pycache__" not in path.parts)
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        found.update(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\n".encode())
    return found.hexdigest()
