"""The pieces for GitLab, Azure DevOps and Bitbucket: validated, and run on a repository that is not of the template."""

import importlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tests import foreign
from tests.package.hosts.server import TOKEN, Server
from tests.pipelines.ship import gitlab
from tests.pipelines.test_validators import azure_schema, complaints, schema_complaints
from tests.platforms import on_posix
from tests.project import TEMPLATE, registry, replace, run

PIECES = {
    "gitlab": TEMPLATE / "actions" / "gitlab" / "train.yml",
    "azure_devops": TEMPLATE / "actions" / "azure_devops" / "train.yml",
    "bitbucket": TEMPLATE / "actions" / "bitbucket" / "pipelines.yml",
}
INPUTS = {"project", "engine", "run", "settings", "push", "comment", "lock", "requirements", "package"}
PARAMETER = re.compile(r"\$\{\{ parameters\.(\w+) \}\}")


def text_of(host: str) -> str:
    return PIECES[host].read_text(encoding="utf-8")


def bare(host: str, folder: Path) -> Path:
    """A file that the host's schema reads: GitLab's without its head."""
    if host != "gitlab":
        return PIECES[host]
    path = folder / "job.yml"
    path.write_text(text_of(host).split("\n---\n")[1], encoding="utf-8")
    return path


@pytest.mark.parametrize("host", PIECES)
def test_the_schema_of_the_host_and_yamllint_allow_it(host, tmp_path):
    path = bare(host, tmp_path)
    (tmp_path / "schema").mkdir()
    if host == "bitbucket":
        options = ["--builtin-schema", "vendor.bitbucket-pipelines"]
        assert not (found := complaints("check-jsonschema", *options, path)), found
    else:
        assert not (found := schema_complaints(host, [path], tmp_path / "schema")), found
    assert not (found := complaints("yamllint", "--strict", PIECES[host])), found


@pytest.mark.parametrize(
    ("host", "before", "after"),
    [
        ("gitlab", "when: always", "when: [always]"),
        ("azure_devops", "displayName: Announce", "display: Announce"),
        ("bitbucket", "max-time: 120", "max-time: long"),
    ],
)
def test_the_schema_of_the_host_would_refuse_something(host, before, after, tmp_path):
    path = tmp_path / PIECES[host].name
    path.write_text(bare(host, tmp_path).read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    assert after in path.read_text(encoding="utf-8")
    (tmp_path / "schema").mkdir()
    if host == "bitbucket":
        assert complaints("check-jsonschema", "--builtin-schema", "vendor.bitbucket-pipelines", path)
    else:
        assert schema_complaints(host, [path], tmp_path / "schema")


def test_the_language_service_of_azure_finds_nothing(node, tmp_path):
    done = node("azure.cjs", azure_schema(tmp_path), PIECES["azure_devops"])
    assert json.loads(done.stdout.splitlines()[-1]) == [], done.stderr


def test_each_has_the_inputs_of_the_action_and_its_uv():
    action = yaml.safe_load((TEMPLATE / "actions" / "train" / "action.yml").read_text(encoding="utf-8"))
    assert action["inputs"].keys() - {"token"} == INPUTS
    head = next(iter(yaml.safe_load_all(text_of("gitlab"))))["spec"]["inputs"]
    assert head.keys() - {"job", "stage", "image"} == INPUTS
    assert {each["name"] for each in yaml.safe_load(text_of("azure_devops"))["parameters"]} == INPUTS
    (asked, _) = yaml.safe_load(text_of("bitbucket"))["definitions"]["pipelines"]["mlops-train"]
    assert {each["name"].lower() for each in asked["variables"]} == INPUTS
    for host in PIECES:
        assert set(re.findall(r"uv(?:==|:)(\d[\d.]+)", text_of(host))) == {registry("tested")["uv"]}


def test_no_input_is_part_of_a_command():
    for host in PIECES:
        documents = list(yaml.safe_load_all(text_of(host)))
        assert not [line for line in scripts(documents) if "${{" in line or "$[[" in line], host


def scripts(node: object) -> Iterator[str]:
    """Every text that a shell reads."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [*value] if key == "script" else [value] if key == "bash" else scripts(value)
    elif isinstance(node, list):
        for each in node:
            yield from scripts(each)


@pytest.fixture(params=PIECES)
def place(request, tmp_path, released) -> Iterator[SimpleNamespace]:
    """A run of a change request of a repository, with a server in the place of the host's API."""
    fake = importlib.import_module(f"tests.package.hosts.fakes.{request.param}")
    with Server() as server, Server() as server.store:
        state = fake.install(server)
        path = foreign.write(tmp_path / "models", "foreach", remote=True)
        foreign.push_to(path, tmp_path / "origin.git")
        variables = fake.runner(server, tmp_path)
        package = f"copier-mlops[submit] @ {released[0].as_uri()}"
        given = SimpleNamespace(path=path, variables=variables, state=state, server=server, package=package)
        yield SimpleNamespace(**vars(given), host=request.param, folder=tmp_path)
        assert server.problems == []


def shell(place: SimpleNamespace, script: str, variables: dict[str, str]) -> subprocess.CompletedProcess:
    """Run a step as the host does: in bash, which stops at an error."""
    here = {name: text for name, text in os.environ.items() if name not in ("CI", "GITHUB_ACTIONS")}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=place.path,
        env=here | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def on_bitbucket(place: SimpleNamespace, inputs: dict[str, str], _: object) -> tuple[int, str]:
    """The script of the step, with the variables that the pipeline asks for."""
    (asked, step) = yaml.safe_load(text_of("bitbucket"))["definitions"]["pipelines"]["mlops-train"]
    given = {each["name"]: inputs.get(each["name"].lower(), each.get("default")) for each in asked["variables"]}
    done = shell(place, "\n".join(step["step"]["script"]), place.variables | given)
    return done.returncode, done.stdout + done.stderr


def on_azure_devops(place: SimpleNamespace, inputs: dict[str, str], _: object) -> tuple[int, str]:
    """Each step whose condition holds, with its parameters, and with what the step `mlops` has told."""
    document = yaml.safe_load(text_of("azure_devops"))
    given = {each["name"]: inputs.get(each["name"], str(each.get("default", ""))) for each in document["parameters"]}
    runner = {name: text for name, text in place.variables.items() if name != "HOST_TOKEN"}
    known = {"Agent.TempDirectory": str(place.folder), "System.AccessToken": TOKEN}
    code, printed = 0, ""
    for step in document["steps"]:
        if "bash" not in step or (code and "condition" not in step):
            continue
        if "condition" in step:
            assert step["condition"] == "and(not(canceled()), ne(variables['mlops.exit'], ''))"
            if not re.search(r"^##vso\[task\.setvariable variable=exit;isOutput=true\]\d+$", printed, re.MULTILINE):
                continue
        env = {name: PARAMETER.sub(lambda found: given[found[1]], text) for name, text in step["env"].items()}
        env = {name: re.sub(r"\$\(([\w.]+)\)", lambda found: known[found[1]], text) for name, text in env.items()}
        done = shell(place, step["bash"], runner | env)
        printed += done.stdout + done.stderr
        code = code or done.returncode
    return code, printed


def on_gitlab(place: SimpleNamespace, inputs: dict[str, str], node: Callable) -> tuple[int, str]:
    """The job by gitlab-ci-local, which includes the file with inputs."""
    (place.path / "train.yml").write_text(text_of("gitlab"), encoding="utf-8")
    included = {"include": [{"local": "/train.yml", "inputs": inputs}]}
    (place.path / ".gitlab-ci.yml").write_text(yaml.safe_dump(included), encoding="utf-8")
    run(place.path, "git", "add", "--all")
    variables = {name: text for name, text in place.variables.items() if name not in ("CI", "CI_ENVIRONMENT_NAME")}
    variables |= {"CI_PIPELINE_SOURCE": "merge_request_event"}
    given = [text for name, value in variables.items() for text in ("--variable", f"{name}={value}")]
    home = ["--home", str(place.folder / "home"), "--ignore-predefined-vars", ",".join(variables)]
    program = Path(node.args[0]) / gitlab.PROGRAM
    done = node(program, *gitlab.OPTIONS, *home, *given, cwd=place.path, PATH=gitlab.path())
    return done.returncode, done.stdout + done.stderr


RUN = {"gitlab": on_gitlab, "azure_devops": on_azure_devops, "bitbucket": on_bitbucket}


@on_posix
def test_a_run_comments_and_a_failed_stage_is_red_and_updates_the_comment(place, request):
    node = request.getfixturevalue("node") if place.host == "gitlab" else None
    inputs = {"package": place.package, "run": "first", "requirements": "packaging"}
    code, printed = RUN[place.host](place, inputs, node)
    assert code == 0, printed
    assert "3 of 3 stages ran" in printed and "succeeded on `local`" in printed
    assert len([each for each in (place.folder / "models-store").rglob("*") if each.is_file()]) >= 3
    assert len(place.state.comments) == 1
    if place.host == "gitlab":
        kept = place.path / ".gitlab-ci-local" / "artifacts" / "mlops-train"
        assert (kept / "dvc.lock").is_file(), sorted(kept.rglob("*"))

    replace(place.path / "data" / "rows.csv", "one", "broken")
    code, printed = RUN[place.host](place, inputs | {"run": "second"}, node)
    assert code != 0
    assert "a row is broken" in printed
    assert len(place.state.comments) == 1
    posted = json.dumps(place.state.comments, ensure_ascii=False)
    assert "failed on `local`" in posted and "`second`" in posted
    assert TOKEN not in printed
