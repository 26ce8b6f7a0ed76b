"""Argo's own schemas, closed to fields that they do not know: as they are published, they accept any."""

import json
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import Draft7Validator

from tests.project import TEMPLATE

FOLDER = TEMPLATE.parent / "shared" / "schemas"
FILES = {"v3": "argo-workflows-v3.7.18.schema.json", "v4": "argo-workflows-v4.1.2.schema.json"}
missing = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} with the schemas of Argo is not here")


@cache
def validator(kind: str, version: str) -> Draft7Validator:
    """The schema of a kind, for example `Workflow`."""
    schema = json.loads((FOLDER / FILES[version]).read_text(encoding="utf-8"))
    for name, definition in schema["definitions"].items():
        if "properties" in definition:
            definition["additionalProperties"] = False
        if name.endswith(".IntOrString"):
            definition["type"] = ["string", "integer"]
    del schema["oneOf"]
    return Draft7Validator(
        schema | {"$ref": f"#/definitions/io.argoproj.workflow.v1alpha1.{kind}"} | {"type": "object"}
    )


def faults(document: dict[str, Any], version: str = "v4") -> list[str]:
    """What Kubernetes, or Argo in this version, would refuse in a manifest."""
    if document["apiVersion"].startswith("argoproj.io/"):
        found = validator(document["kind"], version).iter_errors(document)
        return [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in found]
    try:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return [str(error)]
    return []
