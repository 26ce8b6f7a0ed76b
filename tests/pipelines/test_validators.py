"""What the hosts' own tools and schemas say about every rendered file, and that they would say something."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.resources import files as resources
from pathlib import Path

import pytest
import yaml

from tests.pipelines.described import described
from tests.pipelines.hosts import EVERYTHING, copy_host_files
from tests.pipelines.read.text import load
from tests.project import commit, files, matches, registry, run

LEVELS = range(1, 5)
SCHEMAS = resources("check_jsonschema") / "builtin_schemas" / "vendor"
YAMLLINT = """
extends: default
rules:
  document-start: disable
  line-length: {max: 140}
  comments: {min-spaces-from-content: 1}
  comments-indentation: disable # the place for steps of the team ends the list of steps
  truthy: {check-keys: false}
"""


@pytest.fixture
def projects(render, published) -> Callable[[str], list[Path]]:
    """Projects of a host: of each level with flows, with all that an answer or a private template adds."""

    def rendered(host: str) -> list[Path]:
        every = [(EVERYTHING if level >= 3 else {}) | {"maturity_level": level, "git_host": host} for level in LEVELS]
        return [make(**answers) for answers in every for make in (render, published)]

    return rendered


def host_paths(project: Path, host: str) -> list[Path]:
    """The YAML of a host in a project."""
    names = matches(registry("hosts")[host]["paths"]).match_files(files(project))
    return [project / name for name in sorted(names) if name.endswith(".yml")]


def complaints(*command: object) -> str:
    """What a tool says; nothing where all is well."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def zizmor(*paths: Path, allowed: Path | None = None) -> str:
    config = ["--config", allowed] if allowed else ["--no-config"]
    return complaints("zizmor", "--offline", *config, "--strict-collection", "--persona", "auditor", *paths)


def as_json(path: Path, folder: Path) -> Path:
    """A file with every scalar as text, which is how Azure reads its own."""
    document = load(path)
    if document.keys() == {"variables"}:
        document["steps"] = [{"script": "uv run poe lint"}]  # the schema knows pipelines alone
    target = folder / f"{len(list(folder.iterdir())):03}-{path.stem}.json"
    target.write_text(json.dumps(document), encoding="utf-8")
    return target


def strict(schema: object) -> object:
    """Bitbucket's schema lets unknown keys through; this one does not."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if "properties" in closed and isinstance(closed.get("type"), str):
        closed.setdefault("additionalProperties", False)
    return closed


def strict_bitbucket(folder: Path) -> Path:
    schema = json.loads((SCHEMAS / "bitbucket-pipelines.json").read_text(encoding="utf-8"))
    parts = schema["definitions"]
    one, two = (parts.pop(name, part) for name, part in zip(("step_base", ""), parts["step"]["allOf"], strict=True))
    parts["step"] = one | {"properties": one["properties"] | two["properties"]}
    for name in ("parallel_item", "parallel_steps", "final_step", "final_item", "stage", "stage_item"):
        parts[name] = {"not": {}}  # nothing that a render has
    strictly = strict(schema)
    strictly["definitions"]["pipelines_configuration"]["properties"]["definitions"]["properties"]["steps"] = {}
    # Bitbucket runs both, and its schema knows neither: https://jira.atlassian.com/browse/BCLOUD-24035 (November 2026).
    strictly["definitions"]["step"]["properties"]["output-variables"] = {"type": "array", "items": {"type": "string"}}
    strictly["definitions"]["condition"]["properties"]["state"] = {"type": "string"}
    strictly["definitions"]["condition"].pop("required", None)
    target = folder / "schema.json"
    target.write_text(json.dumps(strictly), encoding="utf-8")
    return target


def azure_schema(folder: Path) -> Path:
    """Azure's schema, in which version 2 of a task has inputs: a part of those of version 1, as its page says."""
    text = (SCHEMAS / "azure-pipelines.json").read_text(encoding="utf-8")
    known = "^PublishCodeCoverageResults@1$"
    assert known in text and known.replace("1", "2") not in text
    path = folder / "azure-schema.json"
    text = re.sub(r'"deprecationMessage": "PublishCodeCoverageResults is deprecated[^"]*",', "", text)
    path.write_text(text.replace(known, "^PublishCodeCoverageResults@[12]$"), encoding="utf-8")
    return path


def schema_complaints(host: str, paths: list[Path], folder: Path) -> str:
    if host == "azure_devops":
        paths = [as_json(path, folder) for path in paths]
        options = ["--schemafile", azure_schema(folder), "--regex-variant", "nonunicode"]
        return complaints("check-jsonschema", *options, "--data-transform", "azure-pipelines", *paths)
    if host == "gitlab":
        options = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
        return complaints("check-jsonschema", *options, *paths)
    if host == "bitbucket":
        return complaints("check-jsonschema", "--schemafile", strict_bitbucket(folder), *paths)
    actions = [path for path in paths if path.name == "action.yml"]
    forms = [path for path in paths if path.parent.name == "ISSUE_TEMPLATE"]
    flows = [path for path in paths if path.parent.name == "workflows"]
    kinds = {"vendor.github-actions": actions, "vendor.github-issue-forms": forms, "vendor.github-workflows": flows}
    return "".join(complaints("check-jsonschema", "--builtin-schema", kind, *of) for kind, of in kinds.items() if of)


# The token that reads a private template is for every job, so that no environment can keep it.
# The local action is called by `./`, since GitHub Enterprise Server does not know `$/`.
ZIZMOR = "rules: {secrets-outside-env: {config: {allow: [TEMPLATE_TOKEN]}}, self-repository: {disable: true}}\n"


def test_zizmor_finds_nothing(projects, tmp_path):
    folders = [project / ".github" for project in projects("github")]
    forgejo = [project / ".forgejo" / "workflows" / "ci.yml" for project in projects("forgejo")]
    (tmp_path / "zizmor.yml").write_text(ZIZMOR)
    assert not (found := zizmor(*folders, *forgejo, allowed=tmp_path / "zizmor.yml")), found
    assert "secret is accessed outside" in zizmor(*folders)


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        ("github", "persist-credentials: true"),
        ("github", "uses: actions/checkout@v7"),
        ("forgejo", "uses: actions/checkout@v7"),
        ("forgejo", "contents: write"),
    ],
)
def test_zizmor_would_find_something(render, tmp_path, host, fault):
    key = fault.split(": ")[0]
    copy = copy_host_files(render(git_host=host), host, tmp_path)
    path = copy / f".{host}" / "workflows" / "ci.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(rf"{key}: .*", fault, text, count=1), encoding="utf-8")
    assert zizmor(path)


@pytest.mark.parametrize("host", list(registry("hosts")))
def test_the_schema_of_the_host_allows_it(projects, tmp_path, host):
    paths = [path for project in projects(host) for path in host_paths(project, host)]
    paths = [path for path in paths if "issue_template" not in path.parts]
    assert len(paths) >= 4
    assert not (found := schema_complaints(host, paths, tmp_path)), found[-3000:]


@pytest.mark.parametrize(
    ("host", "path", "old", "new"),
    [
        ("github", ".github/workflows/cd.yml", "timeout-minutes", "timeout"),
        ("github", ".github/ISSUE_TEMPLATE/ask.yml", "type: textarea", "type: text"),
        ("github", ".github/actions/prepare/action.yml", "using: composite", "using: shell"),
        ("azure_devops", "azure_pipelines/cd.yml", "timeoutInMinutes", "timeoutMinutes"),
        ("azure_devops", "azure_pipelines/templates/prepare.yml", "persistCredentials", "persistTheCredentials"),
        ("gitlab", ".gitlab/flows/cd.yml", "timeout: 240 minutes", "timeout: [240]"),
        ("gitlab", ".gitlab/flows/cd.yml", "resource_group: prod", "resource_groups: prod"),
        ("bitbucket", "bitbucket-pipelines.yml", "trigger: manual", "trigger: approved"),
        ("bitbucket", "bitbucket-pipelines.yml", "max-time", "max-minutes"),
        ("bitbucket", "bitbucket-pipelines.yml", "oidc: true", "ocid: true"),
        ("forgejo", ".forgejo/workflows/ci.yml", "runs-on", "run-on"),
    ],
)
def test_the_schema_would_refuse_something(render, tmp_path, host, path, old, new):
    copy = copy_host_files(render(git_host=host, **EVERYTHING), host, tmp_path / "copy")
    text = (copy / path).read_text(encoding="utf-8")
    assert old in text
    (copy / path).write_text(text.replace(old, new, 1), encoding="utf-8")
    (tmp_path / "schema").mkdir()
    assert schema_complaints(host, [copy / path], tmp_path / "schema")


def test_yamllint_finds_nothing(projects):
    paths = [path for host in registry("hosts") for each in projects(host) for path in host_paths(each, host)]
    assert len(paths) > 50
    assert not (found := complaints("yamllint", "--strict", "--config-data", YAMLLINT, *paths)), found[-3000:]


def test_a_yaml_reader_of_the_host_finds_no_surprise(projects):
    for host in registry("hosts"):
        for path in host_paths(projects(host)[-1], host):
            assert yaml.safe_load(path.read_text(encoding="utf-8")), path


def test_the_parser_of_github_finds_nothing(projects, node):
    paths = [path for project in projects("github") for path in host_paths(project, "github")]
    done = node("github.cjs", *[path for path in paths if path.parent.name != "ISSUE_TEMPLATE"])
    assert json.loads(done.stdout) == [], done.stderr


def test_the_parser_of_github_would_find_something(render, node, tmp_path):
    copy = copy_host_files(render(git_host="github", **EVERYTHING), "github", tmp_path)
    path = copy / ".github" / "workflows" / "provision.yml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("inputs.environment", "inputs.environment("), encoding="utf-8"
    )
    assert "Unexpected symbol" in node("github.cjs", path).stdout


def test_the_language_service_of_azure_finds_nothing(projects, node, tmp_path):
    paths = [path for each in projects("azure_devops") for path in host_paths(each, "azure_devops")]
    pipelines = [path for path in paths if path.name != "variables.yml"]
    done = node("azure.cjs", azure_schema(tmp_path), *pipelines)
    assert json.loads(done.stdout.splitlines()[-1]) == [], done.stderr


def test_the_language_service_of_azure_would_find_something(render, node, tmp_path):
    copy = copy_host_files(render(git_host="azure_devops", **EVERYTHING), "azure_devops", tmp_path)
    path = copy / "azure_pipelines" / "cd.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("runOnce", "runTwice"), encoding="utf-8")
    done = node("azure.cjs", SCHEMAS / "azure-pipelines.json", path)
    assert "runTwice" in done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def gitlab_clone(render, tmp_path_factory) -> Path:
    """A clone of a project on GitLab, as gitlab-ci-local wants it: with a remote that has its main branch."""
    folder = tmp_path_factory.mktemp("gitlab")
    project = copy_host_files(render(git_host="gitlab", **EVERYTHING), "gitlab", folder / "project")
    commit(project)
    run(folder, "git", "clone", "--quiet", "--bare", "project", "remote.git")
    run(folder, "git", "clone", "--quiet", "remote.git", "clone")
    return folder / "clone"


def pipeline(node, clone: Path, **variables: str) -> list[tuple[str, str]]:
    """The jobs that GitLab's rules let into a pipeline, and when each runs."""
    program = "gitlab-ci-local/dist/index.js"
    options = [text for name, value in variables.items() for text in ("--variable", f"{name}={value}")]
    command = [Path(node.args[0]) / "node_modules" / program, "--list-json", *options]
    done = node(*command, "--ignore-predefined-vars", "CI_PIPELINE_SOURCE", cwd=clone)
    assert not done.returncode, done.stdout + done.stderr
    jobs = json.loads(done.stdout[done.stdout.index("[\n") :])
    return [(job["name"], job["when"]) for job in jobs if job["when"] != "never"]


@pytest.mark.parametrize("flow", ["cd", "monitor", "template-update", "provision", "teardown"])
def test_gitlab_ci_local_walks_the_flow_that_was_asked_for(node, gitlab_clone, flow):
    expected = described(4, "aws")[flow].jobs
    found = pipeline(node, gitlab_clone, CI_PIPELINE_SOURCE="web", FLOW=flow)
    assert [(name.removeprefix(f"{flow}-"), when) for name, when in found] == [
        (name, "manual" if job.manual else "on_success") for name, job in expected.items()
    ]


@pytest.mark.parametrize(("source", "target", "jobs"), [("1", "1", ["ci", "report"]), ("2", "1", ["ci"])])
def test_a_merge_request_from_a_fork_gets_no_comment(node, gitlab_clone, source, target, jobs):
    ids = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": source, "CI_MERGE_REQUEST_PROJECT_ID": target}
    found = pipeline(node, gitlab_clone, CI_PIPELINE_SOURCE="merge_request_event", **ids)
    assert [name for name, _ in found] == jobs


def test_a_schedule_that_names_no_flow_releases_nothing(node, gitlab_clone):
    assert [name for name, _ in pipeline(node, gitlab_clone, CI_PIPELINE_SOURCE="schedule")] == ["ci"]


def test_the_tool_of_dev_containers_reads_the_file(render, node, tmp_path):
    """Nothing here can pull the image, so `true` stands for docker, which is asked whether a container is there."""
    project = tmp_path / "project"
    shutil.copytree(render(devcontainer=True), project)
    options = ["--workspace-folder", project, "--docker-path", shutil.which("true")]
    command = ["node_modules/@devcontainers/cli/devcontainer.js", "read-configuration", *options]
    read = json.loads(node(*command).stdout)["configuration"]
    assert read["image"].startswith("ghcr.io/astral-sh/uv:") and read["postCreateCommand"] == "uv run poe setup"
    path = project / ".devcontainer" / "devcontainer.json"
    path.write_text("[]", encoding="utf-8")
    assert node(*command).returncode
