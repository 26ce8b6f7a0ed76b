"""The programs `kubectl` and `argo` of the stand-in for a cluster, which refuse what the engine does not use."""

import json
import re
import shlex
import sys
from pathlib import Path

import yaml

from tests.package.pipeline.engines.cluster import Cluster, RefusedError

REFUSED = "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?"


def create(cluster: Cluster, _: tuple[str, ...]) -> str:
    document = yaml.safe_load(sys.stdin)
    cluster.create(document)
    return f"workflow.argoproj.io/{document['metadata']['name']} created"


def get(cluster: Cluster, words: tuple[str, ...]) -> str:
    return json.dumps(cluster.workflow(words[0])) if cluster.file("Workflow", words[0]).exists() else ""


def get_or_fail(cluster: Cluster, words: tuple[str, ...]) -> str:
    return json.dumps(cluster.workflow(words[0]))


def pods(cluster: Cluster, words: tuple[str, ...]) -> str:
    return "".join(f"pod/{each}\n" for each in cluster.pods(*words))


def logs(cluster: Cluster, words: tuple[str, ...]) -> str:
    return cluster.log(words[0])


def logs_of_all(cluster: Cluster, words: tuple[str, ...]) -> str:
    lines = [(pod, line) for pod in cluster.pods(*words) for line in cluster.log(pod).splitlines()]
    return "".join(f"{pod}: {line}\n" for pod, line in lines)


def stop(cluster: Cluster, words: tuple[str, ...]) -> str:
    cluster.read("Workflow", words[0])
    cluster.write("shutdown", words[0], {"shutdown": "Stop"})
    return "workflow stopped"


def delete(cluster: Cluster, words: tuple[str, ...]) -> str:
    cluster.delete("Workflow", words[0])
    return "deleted"


def delete_schedule(cluster: Cluster, words: tuple[str, ...]) -> str:
    cluster.delete("CronWorkflow", words[0])
    return ""


def apply(cluster: Cluster, words: tuple[str, ...]) -> str:
    text = Path(words[0]).read_text(encoding="utf-8") if words else sys.stdin.read()
    for each in yaml.safe_load_all(text):
        cluster.apply(each)
    return "applied"


def secret(cluster: Cluster, words: tuple[str, ...]) -> str:
    lines = Path(words[1]).read_text(encoding="utf-8").splitlines()
    cluster.write("Secret", words[0], {"data": dict(line.split("=", 1) for line in lines if line)})
    return f"secret/{words[0]} created"


WORKFLOW = r"workflows\.argoproj\.io (\S+)"
STAGE = r"app\.kubernetes\.io/component=(\S+)"
SELECTOR = rf"--selector=workflows\.argoproj\.io/workflow=(\S+?),{STAGE}"
COMMANDS = {
    r"kubectl create --filename=-": create,
    r"kubectl create secret generic (\S+) --from-env-file=(\S+)": secret,
    rf"kubectl get {WORKFLOW} --ignore-not-found --output=json": get,
    rf"kubectl get pods {SELECTOR} --sort-by=\.metadata\.creationTimestamp --output=name": pods,
    r"kubectl logs pod/(\S+) --container=main": logs,
    rf"""kubectl patch {WORKFLOW} --type=merge '--patch={{"spec": {{"shutdown": "Stop"}}}}'""": stop,
    rf"kubectl delete {WORKFLOW} --ignore-not-found": delete,
    r"kubectl delete cronworkflows\.argoproj\.io (\S+) --ignore-not-found": delete_schedule,
    r"kubectl apply --filename=-": apply,
    r"kubectl apply --filename=(\S+)": apply,
    r"argo submit - --output=name": create,
    r"argo get (\S+) --output=json": get_or_fail,
    rf"argo logs (\S+) --selector={STAGE} --no-color": logs_of_all,
    r"argo stop (\S+)": stop,
    r"argo delete (\S+)": delete,
}


def main(folder: str, program: str, words: list[str]) -> int:
    """Do what one of the programs would do."""
    cluster = Cluster(Path(folder))
    line = shlex.join([program, *(each for each in words if each != "--namespace=training")])
    try:
        if (cluster.folder / "away").exists():
            raise RefusedError(REFUSED)
        for pattern, act in COMMANDS.items():
            if found := re.fullmatch(pattern, line):
                print(act(cluster, found.groups()), end="")
                return 0
        raise RefusedError(f"error: unknown command: {line}")
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 1
