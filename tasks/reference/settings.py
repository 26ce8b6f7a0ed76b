"""The page of the settings, from the classes that read them and the files that a project gets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings

from copier_mlops.hosts.settings import HostSettings
from copier_mlops.identity import aws, azure, gcp
from copier_mlops.monitoring.settings import MonitoringSettings
from copier_mlops.pipeline.engines import engine
from copier_mlops.registry import registry
from copier_mlops.release.settings import ReleaseSettings
from copier_mlops.settings import Settings
from tasks.reference.markdown import either, sentence, start, table

INTRODUCTION = """\
These files are [yours](files.md): an update never touches what you wrote there. Each environment has a folder of them,
for example `operation/configuration/environment_prod`. If a key is unknown or missing, or if its value is wrong, the
task that reads it stops and names it. So does [the lint](lint.md): for example, `port: many` is MLO702.

You can give each value by a variable as well, which overrides the file. For example, `OPERATION_PORT=9000` is the
`port`. Write a list or a table as JSON. The examples are from `prod` of a new project, if the key is there."""
ENVIRONMENT = "operation/configuration/environment_prod"
# The class that reads a file, the file, and when a project has it.
READERS: list[tuple[type[BaseSettings], str, str]] = [
    (Settings, f"{ENVIRONMENT}/settings.yaml", "You have it from level 2 on."),
    (ReleaseSettings, f"{ENVIRONMENT}/release.yaml", "You have it from level 3 on."),
    (azure.Identity, f"{ENVIRONMENT}/identity.yaml", "You have it from level 3 on, if `cloud` is `azure`."),
    (aws.Identity, f"{ENVIRONMENT}/identity.yaml", "You have it from level 3 on, if `cloud` is `aws`."),
    (gcp.Identity, f"{ENVIRONMENT}/identity.yaml", "You have it from level 3 on, if `cloud` is `gcp`."),
    (MonitoringSettings, f"{ENVIRONMENT}/monitoring.yaml", "Only `prod` has it, from level 4 on."),
    (HostSettings, "operation/configuration/host.yaml", "All environments share it. You have it from level 3 on."),
    *(
        (
            engine(name).Settings,
            f"operation/configuration/engines/{name}.yaml",
            f"You have it if `engines` has `{name}`.",
        )
        for name in registry("engines")
        if name != "local"
    ),
]
# Values of keys that are empty in a new project, or that it has not.
EXAMPLES: dict[type[BaseSettings], dict[str, object]] = {
    Settings: {"tracking_uri": "https://mlflow.example.org"},
    ReleaseSettings: {
        "outlives_job": True,
        "prepare_package": ["az acr login --name acme"],
        "prepare_deploy": ["aws eks update-kubeconfig --name credit"],
        "image": "ghcr.io/acme/credit",
    },
    azure.Identity: {
        "client_id": "11111111-2222-3333-4444-555555555555",
        "tenant_id": "66666666-7777-8888-9999-000000000000",
        "audience": "api://AzureADTokenExchange",
        "service_connection": "42",
    },
    aws.Identity: {
        "role_arn": "arn:aws:iam::123456789012:role/credit",
        "region": "eu-central-1",
        "audience": "sts.amazonaws.com",
        "service_connection": "42",
    },
    gcp.Identity: {
        "provider": "projects/123/locations/global/workloadIdentityPools/git/providers/github",
        "service_account": "credit@acme.iam.gserviceaccount.com",
        "audience": "credit",
        "service_connection": "42",
    },
    HostSettings: {
        "repository": "acme/credit",
        "api": "https://github.example.org/api/v3",
        "approvers.model": ["ada", "team:reviewers"],
        "approvers.prod": ["ada"],
        "approvers.infrastructure": ["grace"],
        "schedules": {"monitor": "0 6 * * *"},
    },
}
# The program gives these itself.
GIVEN = {"environment"}
KUSTOMIZATION = {
    "apiVersion": "the version of kustomize's format",
    "kind": "the kind of the file",
    "resources": "what is deployed: the shared manifests, and any that you add",
    "nameSuffix": "the end of each object's name",
    "labels": "labels of each object, which select its pods as well",
    "replicas": "how many copies of the service run",
    "configMapGenerator": "variables of the service, for example `OPERATION_MAX_RECORDS=500`; never a secret",
}


def keys(schema: dict[str, Any], part: dict[str, Any], before: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield each key of a JSON schema as a dotted name, with its schema and whether a file needs it."""
    for name, found in part["properties"].items():
        value = _resolved(schema, found)
        if "properties" in value:
            yield from keys(schema, value, f"{before}{name}.")
        elif before or name not in GIVEN:
            yield f"{before}{name}", value, name in part.get("required", [])


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rpartition("/")[2]
    return part | schema["$defs"][name] if name else part


def kind(schema: dict[str, Any], part: dict[str, Any]) -> str:
    """Return the type of a value in words."""
    if "anyOf" in part:
        return " or ".join("`null`" if each["type"] == "null" else kind(schema, each) for each in part["anyOf"])
    if "enum" in part:
        return either(part["enum"])
    if part["type"] == "array":
        return f"list of {kind(schema, part['items'])}"
    if part["type"] == "object":
        if part["additionalProperties"] is True:
            return "table"
        value = _resolved(schema, part["additionalProperties"])
        inner = ", ".join(f"`{name}`" for name in value["properties"]) if "properties" in value else kind(schema, value)
        return f"table of {inner}"
    if part["type"] == "boolean":
        return "`true` or `false`"
    words = {"string": "text", "integer": "whole number", "number": "number"}[part["type"]]
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "maxLength": "at most"}
    return ", ".join([words, *(f"{word} {part[key]:g}" for key, word in bounds.items() if key in part)])


def value_of(document: Any, name: str) -> Any:
    """Return the value of a dotted name in a YAML document; None if it is not there."""
    for each in name.split("."):
        document = document.get(each) if isinstance(document, dict) else None
    return document


def said(value: object) -> str:
    """Return a value as it is written in YAML."""
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=200).removesuffix('...' + chr(10)).strip()}`"


def ours(reader: type[BaseSettings]) -> dict[str, object]:
    """Return the examples of keys that are empty in a new project, by their dotted names."""
    schema = reader.model_json_schema()
    found = {name: part["examples"][0] for name, part, _ in keys(schema, schema) if "examples" in part}
    return found | EXAMPLES.get(reader, {})


def examples(reader: type[BaseSettings], document: dict[str, Any]) -> dict[str, object]:
    """Return an example of each key: one of our own, or else that of the project's file."""
    schema = reader.model_json_schema()
    given = ours(reader)
    names = [name for name, _, _ in keys(schema, schema)]
    found: dict[str, object] = {name: given.get(name, value_of(document, name)) for name in names}
    # One entry of a table says what the others look like.
    return {
        name: dict([next(iter(value.items()))]) if value and isinstance(value, dict) else value
        for name, value in found.items()
    }


def section(project: Path, reader: type[BaseSettings], file: str, when: str) -> str:
    """Return what the page says of a file."""
    document = yaml.safe_load((project / file).read_text(encoding="utf-8")) if (project / file).is_file() else {}
    schema = reader.model_json_schema()
    shown = examples(reader, document)
    prefix, delimiter = reader.model_config.get("env_prefix", ""), reader.model_config.get("env_nested_delimiter")
    rows = []
    for name, part, needed in keys(schema, schema):
        unset = part.get("default", {})
        default = "required" if needed else "empty" if unset in ("", [], {}) else said(unset)
        variable = prefix + name.replace(".", delimiter or ".").upper()
        meaning = sentence(part["description"]) if "description" in part else ""
        rows.append((f"`{name}`", kind(schema, part), default, said(shown[name]), f"`{variable}`", meaning))
    head = ("key", "type", "default", "example", "variable", "meaning")
    return "\n\n".join([f"{when}", table(head, rows)])


def kustomization(project: Path) -> str:
    """Return what the page says of kustomization.yaml, which kustomize reads."""
    document = yaml.safe_load((project / ENVIRONMENT / "kustomization.yaml").read_text(encoding="utf-8"))
    rows = [(f"`{key}`", said(value), sentence(KUSTOMIZATION[key])) for key, value in document.items()]
    return (
        "You have it from level 3 on, if you serve online. kustomize reads it if the environment's `target` is "
        "`kubernetes`.\nYou may add any key that kustomize knows, for example `namespace: credit`. No variable "
        f"overrides these.\n\n{table(('key', 'in a new project', 'meaning'), rows)}"
    )


def page(project: Path) -> str:
    """Return the page: each file with its keys."""
    found = [start("Settings", "the classes that read them", INTRODUCTION)]
    for reader, file, when in READERS:
        name = Path(file).name
        cloud = f" for {reader.__module__.rpartition('.')[2]}" if name == "identity.yaml" else ""
        found.append(f"## `{name}`{cloud}\n\n{section(project, reader, file, when)}")
    found.append(f"## `kustomization.yaml`\n\n{kustomization(project)}")
    return "\n\n".join(found) + "\n"
