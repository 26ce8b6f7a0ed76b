"""The manifests of Argo for pipelines of any shape, read as Kubernetes does, and checked by Argo's own schemas."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import EngineError, argo_client, argo_manifest, kubernetes
from copier_mlops.pipeline.engines.argo_manifest import Settings
from copier_mlops.pipeline.plan import Plan
from tests.package.pipeline.engines import argo_schemas
from tests.package.pipeline.engines.argo_schemas import faults, validator
from tests.package.pipeline.engines.drawn import plans
from tests.project import TEMPLATE

IMAGE = "registry.example.org/credit:{commit}"
FOLDER = TEMPLATE / "template" / "{{ runs_on_argo }}" / "operation" / "configuration" / "engines"
FULL: dict[str, Any] = {
    "secret": "credit-remote",
    "pull_secret": "registry",
    "variables": {
        "ANSWER": "yes",
        "COUNT": "012",
        "TIME": "1:30",
        "BIG": "12e4",
        "TEXT": 'a "b" \\ \n: #',
        "EMPTY": "",
    },
    "claim": "mlops-data",
    "node_selector": {"pool": "training"},
    "namespace": "training",
    "schedule": "0 3 * * 1-5",
    "timezone": "Europe/Berlin",
}
ASKED: dict[str, Any] = {
    "cpu": 0.5,
    "memory": "4Gi",
    "shared_memory": "2Gi",
    "gpu": 2,
    "timeout": "90m",
    "retries": 3,
    "image": "registry.example.org/gpu@sha256:" + "0" * 64,
}


def one(name: str = "train", run: str = "nightly-7", **asked: object) -> Plan:
    node = Node(name, "train", (), Resources.model_validate(asked))
    return Plan("credit", Path("/srv/credit"), run, "12e4" + "5" * 36, (node,))


def set_to(**values: object) -> Settings:
    return Settings.model_validate({"image": IMAGE, **values})


def workflow(plan: Plan, **values: object) -> dict[str, Any]:
    """The workflow as Kubernetes reads it."""
    return yaml.safe_load(argo_manifest.text(argo_manifest.workflow(plan, set_to(**values))))


def template_of(document: dict[str, Any], name: str = "train") -> dict[str, Any]:
    return next(each for each in document["spec"]["templates"] if each["name"] == name)


def all_kinds(plan: Plan, **values: object) -> list[dict[str, Any]]:
    chosen = set_to(**(FULL | values))
    return [each(plan, chosen) for each in (argo_manifest.workflow, argo_manifest.template, argo_manifest.cron)]


@settings(max_examples=20)
@given(plan=plans())
def test_a_workflow_has_a_pod_for_each_stage_which_waits_for_those_that_it_needs(plan):
    document = workflow(plan)
    spec = document["spec"]
    tasks = {task["name"]: task for task in template_of(document, spec["entrypoint"])["dag"]["tasks"]}
    slugs = {node.name: node.slug for node in plan.nodes}
    assert len({each["name"] for each in spec["templates"]}) == len(plan.nodes) + 1
    for node in plan.nodes:
        needed = tasks[node.slug].get("depends", "").split(" && ")
        assert {each for each in needed if each} == {slugs[need] for need in node.needs}
        command = template_of(document, node.slug)["container"]["command"]
        assert command == ["mlops", "stage", node.slug, "--run", "{{workflow.name}}"]
    if argo_schemas.FOLDER.is_dir():
        assert not faults(document, "v3") + faults(document, "v4")


def test_two_kinds_of_readers_find_the_same_texts():
    document, *_ = all_kinds(one(**ASKED))
    text = argo_manifest.text(document)
    assert yaml.safe_load(text) == YAML(typ="safe", pure=True).load(text) == document
    assert document["metadata"]["annotations"][argo_manifest.COMMIT].startswith("12e45")
    assert re.search(r'value: "yes"$', text, re.MULTILINE)


def test_what_a_stage_asks_for_is_in_its_pod():
    document = workflow(one(**ASKED), **FULL)
    pod = template_of(document)
    assert pod["activeDeadlineSeconds"] == 5400
    assert pod["retryStrategy"] == {"limit": 3, "retryPolicy": "Always"}
    asked = {"cpu": "500m", "memory": "4Gi"}
    assert pod["container"]["resources"] == {"requests": asked, "limits": {**asked, "nvidia.com/gpu": "2"}}
    assert pod["container"]["image"] == ASKED["image"]
    assert pod["volumes"] == [{"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}]
    assert {"name": "shared-memory", "mountPath": kubernetes.SHARED_PATH} in pod["container"]["volumeMounts"]
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert pod["container"]["envFrom"] == [{"secretRef": {"name": "credit-remote"}}]
    assert {"name": "ANSWER", "value": "yes"} in pod["container"]["env"]
    assert document["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "mlops-data"}}]
    assert document["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert document["metadata"]["namespace"] == "training"


def test_a_stage_that_asks_for_nothing_gets_the_defaults():
    document = workflow(one())
    pod = template_of(document)
    assert pod["activeDeadlineSeconds"] == 24 * 3600
    assert pod["retryStrategy"] == {"limit": argo_manifest.LOST, "retryPolicy": "OnError"}
    assert pod["container"]["image"] == f"registry.example.org/credit:12e4{'5' * 8}"
    assert not {"volumes", "tolerations"} & pod.keys()
    assert not {"resources", "envFrom", "env", "volumeMounts"} & pod["container"].keys()
    assert document["spec"]["securityContext"]["runAsNonRoot"] is True
    assert document["spec"]["parallelism"] == 10


def test_a_stage_may_have_the_name_of_the_whole():
    node = Node("pipeline", "pipeline", (), Resources())
    plan = Plan("credit", Path("/srv/credit"), "one", "c" * 40, (node,))
    assert [each["name"] for each in workflow(plan)["spec"]["templates"]] == ["pipeline-dag", "pipeline"]


@argo_schemas.missing
@pytest.mark.parametrize("version", ["v3", "v4"])
def test_each_kind_is_as_argo_describes_it(version):
    for document in all_kinds(one(**ASKED)):
        assert not faults(document, version), document["kind"]


def mappings(value: Any, schema: dict[str, Any], root: dict[str, Any], path: tuple = ()) -> list[tuple]:
    """The paths of all mappings in a manifest for which Argo's schema lists the fields."""
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return [found for i, each in enumerate(value) for found in mappings(each, schema["items"], root, (*path, i))]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    below = [mappings(each, schema["properties"][name], root, (*path, name)) for name, each in value.items()]
    return [path, *(found for each in below for found in each)]


@argo_schemas.missing
@settings(max_examples=40)
@given(data=st.data())
def test_an_unknown_field_is_found_wherever_it_is(data):
    document = data.draw(st.sampled_from(all_kinds(one(**ASKED))))
    schema = dict(validator(document["kind"], "v4").schema)
    path = data.draw(st.sampled_from(mappings(document, {"$ref": schema["$ref"]}, schema)))
    broken = copy.deepcopy(document)
    place: Any = broken
    for step in path:
        place = place[step]
    place["imagePullPolcy"] = "Always"
    assert any("imagePullPolcy" in each for each in faults(broken))


@pytest.mark.parametrize(
    ("plan", "values", "said"),
    [
        (one(run="Nightly_7"), {}, "'Nightly_7' cannot name the run in Kubernetes"),
        (one(run="n" * 64), {}, "use at most 63 lower case letters"),
        (one(run="nightly-"), {}, "cannot name the run"),
        (one(), {"image": ""}, "no image is named\n  fix: set image in operation/configuration/engines/argo.yaml"),
        (one(cpu=0.0001), {}, "the stage train: meta.execution.cpu is 0.0001\n  fix: ask for 0.001 cores"),
        (one(memory="9999999999Ti"), {}, "meta.execution.memory is 9999999999Ti, which no machine has"),
        (one(shared_memory="9999999999Ti"), {}, "meta.execution.shared_memory is 9999999999Ti"),
    ],
)
def test_what_kubernetes_would_refuse_is_a_sentence(plan, values, said):
    with pytest.raises(EngineError) as refused:
        workflow(plan, **values)
    assert said in str(refused.value) and "\n  fix: " in str(refused.value)


def test_names_at_the_limits():
    assert workflow(one(run="n" * 63))["metadata"]["name"] == "n" * 63
    long = Plan("c" * 52, Path("/srv"), "one", "c" * 40, ())
    assert argo_manifest.cron(long, set_to(**FULL))["metadata"]["name"] == "c" * 52
    with pytest.raises(EngineError, match="at most 52"):
        argo_manifest.cron(Plan("c" * 53, Path("/srv"), "one", "c" * 40, ()), set_to(**FULL))


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": "n" * 64},
        {"namespace": "Training"},
        {"service_account": "a" * 254},
        {"secret": "two words"},
        {"claim": "-data"},
        {"timeout": "90"},
        {"parallelism": 0},
        {"user": 0},
        {"mount": "data"},
        {"schedule": "daily"},
        {"nmespace": "training"},
    ],
)
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        set_to(**wrong)
    assert set_to(namespace="n" * 63, service_account="a." * 126 + "a", claim="b-1.c")


def test_a_workflow_that_kubernetes_cannot_store_is_refused():
    nodes = tuple(Node(f"train@{i}", f"train-{i}", (), Resources()) for i in range(2000))
    with pytest.raises(EngineError, match=r"the manifest of one has 1,\d{3},\d{3} bytes, and 1,000,000 are the most"):
        workflow(Plan("credit", Path("/srv"), "one", "c" * 40, nodes))


def test_the_settings_of_a_new_project_are_the_defaults():
    text = (FOLDER / "argo.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == Settings().model_dump()


def test_the_rights_in_the_cluster_are_valid_and_those_that_are_used():
    access = list(yaml.safe_load_all((FOLDER / "argo_access.yaml").read_text(encoding="utf-8")))
    volume = yaml.safe_load((FOLDER / "argo_volume.yaml").read_text(encoding="utf-8"))
    for document in (*access, volume):
        assert not faults(document), document
        assert faults(document | {"spek": {}})
    account, role, binding, trainer = access
    assert account["metadata"]["name"] == Settings().service_account == binding["subjects"][0]["name"]
    assert role["metadata"]["name"] == binding["roleRef"]["name"]
    of_workflows, of_pods = trainer["rules"]
    assert {"create", "get", "patch", "delete"} <= set(of_workflows["verbs"])
    used = {each.partition(".")[0] for each in (argo_client.KIND, argo_client.CRON)}
    assert used | {"workflowtemplates"} == set(of_workflows["resources"])
    assert of_pods["resources"] == ["pods", "pods/log"]
