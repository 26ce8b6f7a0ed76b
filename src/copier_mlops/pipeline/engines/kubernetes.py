"""The common part of engines on Kubernetes: settings of pods, names and quantities as Kubernetes takes them, and YAML.

The image has the project without git, so a pod runs `mlops stage` in the tree of its image, and needs no commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from copier_mlops.address import redacted
from copier_mlops.pipeline.dag import Node, Time
from copier_mlops.pipeline.engines import EngineError
from copier_mlops.pipeline.engines.settings import EngineSettings
from copier_mlops.pipeline.plan import SHORT, Plan

GPU = "nvidia.com/gpu"
TOLERATION = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
# A stage's `shared_memory` is a volume with this name, which PyTorch and others find at this path.
SHARED, SHARED_PATH = "shared-memory", "/dev/shm"  # noqa: S108
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
MOST_LABEL = 63
Name = Annotated[str, Field(max_length=253, pattern=rf"^({LABEL}(\.{LABEL})*)?$")]
# The most bytes of an object. Kubernetes allows some more, for the states of the stages.
MOST_BYTES = 1_000_000
LARGEST = 2**63 - 1
BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Texts that YAML needs no quotes for, and those that only look so.
PLAIN = re.compile(r"[A-Za-z/][\w./-]*", re.ASCII)
WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


class KubernetesSettings(EngineSettings):
    """The settings of pods."""

    image: Annotated[
        str,
        Field(
            pattern=r"^\S*$",
            description="image with the project; {commit} in it stands for the commit",
            examples=["registry.example.org/churn:{commit}"],
        ),
    ] = ""
    namespace: Annotated[
        str,
        Field(
            pattern=rf"^({LABEL})?$",
            description="namespace of the runs; empty: the default one",
            examples=["team-risk"],
        ),
    ] = ""
    secret: Annotated[
        Name, Field(description="Secret with variables of each stage; empty: none", examples=["churn-remote"])
    ] = ""
    pull_secret: Annotated[
        Name, Field(description="Secret with the login to the image's registry; empty: none", examples=["registry"])
    ] = ""
    variables: Annotated[
        dict[str, str],
        Field(
            default_factory=dict,
            description="further variables of each stage",
            examples=[{"AWS_REGION": "eu-central-1"}],
        ),
    ]
    claim: Annotated[
        Name,
        Field(
            description="PersistentVolumeClaim with the data remote, if that is a folder; empty: none",
            examples=["mlops-data"],
        ),
    ] = ""
    mount: Annotated[str, Field(pattern="^/", description="folder of the claim in the pods")] = "/data"
    node_selector: Annotated[
        dict[str, str],
        Field(default_factory=dict, description="labels of the nodes of the pods", examples=[{"pool": "training"}]),
    ]
    timeout: Annotated[Time, Field(description="longest time of a stage that names none", examples=["12h"])] = "24h"


def command(node: Node, run: str) -> list[str]:
    """Return the command of a pod. It has the slug, since engines would read braces in the name of a stage."""
    return ["mlops", "stage", node.slug, "--run", run]


def image(node: Node, plan: Plan, settings: KubernetesSettings, engine: str) -> str:
    """Return the image of a stage, for example `registry.example.org/churn:4d47cb6c7d5e`.

    Raises:
        EngineError: None is named.
    """
    found = node.resources.image or settings.image
    if not found:
        place = f"operation/configuration/engines/{engine}.yaml"
        raise EngineError(f"no image is named\n  fix: set image in {place}, or ENGINE_{engine.upper()}_IMAGE")
    return found.replace("{commit}", plan.commit[:SHORT])


def quantities(node: Node) -> dict[str, str]:
    """Return what a stage asks for of `cpu`, `memory` and `shared_memory`, as Kubernetes writes it: `500m`, `4Gi`.

    Raises:
        EngineError: Kubernetes cannot express one.
    """
    asked, found = node.resources, dict[str, str]()
    where = f"the stage {node.name}: meta.execution"
    if asked.cpu:
        thousandths = round(asked.cpu * 1000)
        if not 1 <= thousandths <= LARGEST // 1000:
            wanted = "0.001 cores or more" if thousandths < 1 else "as many cores as a machine has"
            raise EngineError(f"{where}.cpu is {asked.cpu:g}\n  fix: ask for {wanted}, for example cpu: 0.5")
        found["cpu"] = f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
    for key, size in (("memory", asked.memory), ("shared_memory", asked.shared_memory)):
        if size and int(size[:-2]) * BYTES[size[-2:]] > LARGEST:
            raise EngineError(f"{where}.{key} is {size}, which no machine has\n  fix: ask for less, for example 4Gi")
        if size:
            found[key] = size
    return found


def check_name(name: str, most: int, what: str) -> str:
    """Return a name as it is, if Kubernetes takes it for a label and an object.

    Args:
        name: For example `nightly-7`.
        most: Its longest length.
        what: What it names, for an error, for example `the run`.

    Raises:
        EngineError: Kubernetes would refuse it.
    """
    if len(name) <= most and re.fullmatch(LABEL, name):
        return name
    raise EngineError(
        f"{name!r:.80} cannot name {what} in Kubernetes\n"
        f"  fix: use at most {most} lower case letters, digits and '-', for example: nightly-7"
    )


def check_remote(plan: Plan, settings: KubernetesSettings, engine: str) -> None:
    """Refuse a data remote that pods cannot reach: a folder that no claim has, or a server of this machine only.

    Raises:
        EngineError: The data remote is such a one.
    """
    from dvc.config import Config  # type: ignore[import-untyped]

    # Only the settings in git: the image has no `config.local`.
    known = Config(dvc_dir=str(Path(plan.folder, ".dvc"))).load_one("repo")
    remote = known["remote"].get(known["core"].get("remote"), {})
    url = str(remote.get("url", ""))
    away = "use an object store as data_remote"
    if url and "://" not in url and not settings.claim:
        place = f"operation/configuration/engines/{engine}.yaml"
        raise EngineError(
            f"the data remote is the folder {url}, which pods do not have\n  fix: set claim in {place}, or {away}"
        )
    for address in (url, str(remote.get("endpointurl", ""))):
        if "://" in address and urlsplit(address).hostname in LOOPBACK:
            raise EngineError(
                f"the data remote is {redacted(address)}, which only this machine reaches\n  fix: {away}, by its name"
            )


def as_yaml(document: Mapping[str, Any], what: str, *, most: int = MOST_BYTES) -> str:
    """Return a document as YAML that readers of YAML 1.1 and 1.2 take for the same.

    Args:
        document: What is written.
        what: Its name for an error, for example `the pipeline`.
        most: The most bytes that it may have.

    Raises:
        EngineError: It is too large for Kubernetes.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Write texts that a reader could take for something else in quotes: `yes` is a boolean, `12e4` a number."""

        def ignore_aliases(self, data: object) -> bool:
            """Write each value where it is."""
            return True

    def quote(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        is_plain = PLAIN.fullmatch(value) and value.lower() not in WORDS
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if is_plain else '"')

    Dumper.add_representer(str, quote)
    text = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000)
    if (size := len(text.encode())) > most:
        raise EngineError(
            f"{what} has {size:,} bytes, and {most:,} are the most\n"
            "  fix: let one stage of dvc.yaml do several items of a matrix"
        )
    return text


def filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say something: 0 and False do."""
    return {name: each for name, each in fields.items() if each not in ("", [], {}, None)}
