"""Package a registered model with its service: a build context, a bill of materials and an image."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from copier_mlops import handover
from copier_mlops.project import root
from copier_mlops.release import containers, context, runner
from copier_mlops.release import settings as release
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import server

if TYPE_CHECKING:
    from mlflow import MlflowClient

JOB = "package"


def make(settings: Settings, record: dict[str, Any], job: str) -> dict[str, Any]:
    """Package the version of a release in build/<job>, and return the content of build/<job>/package.json.

    Raises:
        SystemExit: The model cannot be used, uv.lock cannot be exported, or the image cannot be built.
    """
    # Some servers return a version as a number, others as a text.
    record = {**record, "version": str(record["version"])}
    folder = handover.folder(job)
    # An old package.json must not describe a folder that is being written.
    handover.file_of(job, "package").unlink(missing_ok=True)
    if not context.service():
        print("package: the answer `serving` is empty; there is nothing to package")
        return _write(job, {**record, "image": "", "built": False, "sbom": "", "context": ""})
    digest = context.write(record, folder / "image")
    bill = folder / "sbom.cdx.json"
    bill.write_text(context.sbom(), encoding="utf-8")
    prod = release.load("prod")
    image = f"{prod.image or settings.model_name}:{record['version']}-{digest[:12]}"
    place = (folder / "image").relative_to(root()).as_posix()
    runner.prepare(prod.prepare_package, "package")
    found = containers.find()
    if found:
        labels = {"title": record["model"], "version": record["version"], "revision": record["commit"]}
        containers.build("package", found, folder / "image", image, labels)
        print(f"package: {image}, built from {place}")
    else:
        print(f"package: {place} is ready to be built; no image was: neither docker nor podman answers")
    sbom = bill.relative_to(root()).as_posix()
    return _write(job, {**record, "image": image, "built": bool(found), "sbom": sbom, "context": digest})


def of_version(client: MlflowClient, settings: Settings, version: str, job: str) -> dict[str, Any]:
    """Package any registered version, by the record of its release in the model registry.

    Raises:
        SystemExit: There is no such version, or it cannot be packaged.
    """
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_model_version(settings.model_name, version)
    except MlflowException as error:
        raise SystemExit(f"package: no version {version} of {settings.model_name}: {error}") from None
    # A version that was registered by hand has no record, but the same facts in its tags.
    record = json.loads(found.tags.get("release", "{}")) or {
        "released": True,
        "reason": "registered without a gate",
        "model": settings.model_name,
        "version": version,
        "sha256": found.tags.get("sha256", "unknown"),
        "md5": found.tags.get("md5", ""),
        "run_id": found.run_id,
        "commit": found.tags.get("git.commit", ""),
        "data": {name: md5 for name, md5 in found.tags.items() if name.startswith("dvc.md5.")},
    }
    return make(settings, record, job)


def main(arguments: list[str] | None = None) -> None:
    """Package the registered model."""
    parser = argparse.ArgumentParser(prog="poe package", description=__doc__, epilog="For example: uv run poe package")
    parser.parse_args(arguments)
    record = handover.read("release", "release")
    if not record["released"]:
        handover.write(JOB, "package", {"released": False, "reason": record["reason"]})
        print(f"package: nothing to release: {record['reason']}")
        return
    settings = load_settings()
    server.connect(settings)
    make(settings, record, JOB)


def _write(job: str, document: dict[str, Any]) -> dict[str, Any]:
    handover.write(job, "package", document)
    return document


if __name__ == "__main__":
    main()
