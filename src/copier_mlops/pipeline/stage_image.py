"""The image of the stages: the files of a commit without git, with the packages that its uv.lock names.

`operation/execution/stages/Dockerfile` builds it from a folder that has all it needs, so a build asks for no login.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from copier_mlops import libraries
from copier_mlops.command import CommandError, run
from copier_mlops.pipeline import PipelineError, snapshot
from copier_mlops.pipeline.plan import SHORT
from copier_mlops.project import answer
from copier_mlops.release import containers, wheels
from copier_mlops.release.context import SYSTEM, distributions, fill, with_wheels

RECIPE = Path("operation", "execution", "stages")
CONTEXT = Path("build", "stages")


class StageImageError(PipelineError):
    """An image that cannot be built; the text says why, and the fix."""


def name_of(image: str, commit: str, engine: str) -> str:
    """Return the full name of an image.

    Args:
        image: The setting, for example `registry.example.org/churn:{commit}`.
        commit: The hash of the commit that the image has.
        engine: The engine whose setting it is.

    Raises:
        StageImageError: It is not the name of an image.
    """
    place = f"operation/configuration/engines/{engine}.yaml"
    if not image or image.startswith("azureml:"):
        said = "names an environment of Azure ML" if image else "is not set"
        raise StageImageError(
            f"image of {place} {said}\n  fix: set it, for example: image: registry.example.org/churn:{{commit}}"
        )
    return image.replace("{commit}", commit[:SHORT])


def build(root: Path, image: str, commit: str) -> str:
    """Write the build context of an image, and build it if a program for containers is here.

    A name that begins with a registry is pushed as well.

    Args:
        root: The project.
        image: Its name, for example `registry.example.org/churn:4d47cb6c7d5e`.
        commit: The hash of a commit that is here.

    Returns:
        A sentence on what was done, and on what is left to do.

    Raises:
        StageImageError, PipelineError: The commit lacks a file, or cannot be read.
        SystemExit: A wheel cannot be built, or the build failed; the text is its own.
    """
    write(root, commit, root / CONTEXT)
    context = CONTEXT.as_posix()
    program = containers.find()
    if program is None:
        return f"{context} is complete; where docker or podman is: docker build --tag={image} {context}"
    containers.build("compile", program, root / CONTEXT, image, {"revision": commit})
    return f"the image {image} was built" + (" and pushed" if containers.is_elsewhere(image) else "")


def write(root: Path, commit: str, folder: Path) -> None:
    """Write the build context of the image of a commit into a folder, in the place of an older one.

    Raises:
        StageImageError, PipelineError: The commit lacks a file, or cannot be read.
        SystemExit: A wheel cannot be built.
    """
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    tree = draft / "tree"
    snapshot.export(root, commit, tree)
    for name in ("Dockerfile", ".dockerignore"):
        file = tree / RECIPE / name
        if not file.is_file():
            raise StageImageError(
                f"{(RECIPE / name).as_posix()} is not in {commit[:SHORT]}\n  fix: git add --all && git commit"
            )
        shutil.copy(file, draft / name)
    packed = wheels.build(str(answer("package_name")), tree)
    listed = _requirements(tree, packed)
    contents = {f"wheels/{name}": content for name, content in packed.items()}
    contents["requirements.txt"] = listed.encode()
    contents[SYSTEM] = "".join(f"{name}\n" for name in libraries.debian(distributions(listed))).encode()
    fill(draft, contents)
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)


def _requirements(tree: Path, packed: dict[str, bytes]) -> str:
    """Return what a machine of the team installs: distributions with version and hashes, and the wheels by their files.

    Raises:
        StageImageError: uv.lock is missing, or does not match pyproject.toml.
    """
    options = ("--frozen", "--no-header", "--no-emit-project", "--no-emit-package=copier-mlops")
    try:
        listed = run("uv", "export", *options, "--format=requirements-txt", cwd=tree)
    except CommandError as error:
        raise StageImageError(f"uv.lock cannot be exported: {error}\n  fix: uv lock, and commit it") from None
    return with_wheels(listed, packed)
