"""Render the flows as Azure DevOps pipelines: one file per flow, in which each step runs one task of poe_tasks.toml."""

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from extensions.hosts import login, work
from extensions.hosts.document import YOURS, before, inline, quoted, text_below, text_of
from extensions.hosts.flows import COVERAGE, TEST_REPORTS, Answers, Flow, Input, Job, Step, flows_of, load
from extensions.hosts.variants import answer

FOLDER = "azure_pipelines"
POOL = {"pool": {"vmImage": "ubuntu-24.04"}}
FROM_HERE = (
    "and(succeeded(), eq(variables['Build.Reason'], 'PullRequest'), ne(variables['System.PullRequest.IsFork'], 'True'))"
)


def files(answers: Answers) -> dict[str, str]:
    """Return the files of a project by their paths."""
    found = {f"{FOLDER}/{id}.yml": pipeline(flow, answers) for id, flow in flows_of(answers).items()}
    found |= {f"{FOLDER}/variables.yml": variables(answers), f"{FOLDER}/templates/prepare.yml": prepare(answers)}
    return found | ({".azuredevops/pull_request_template.md": work.CHANGE_REQUEST} if answers.level >= 3 else {})


def pipeline(flow: Flow, answers: Answers) -> str:
    """Return the pipeline of a flow."""
    own = [{"name": each.variable, "value": f"${{{{ parameters.{each.name} }}}}"} for each in flow.inputs]
    sections: list[dict[str, Any]] = [triggers(flow)]
    if flow.inputs:
        sections.append({"parameters": [_parameter(each) for each in flow.inputs]})
    head = text_of(*sections, {"variables": [{"template": "variables.yml"}, *own]}, POOL)
    if flow.has_gate:
        about = "# A stage per job: Azure asks for every approval of a stage before the stage starts.\n"
        stages = [stage(each, flow, answers) for each in flow.jobs.values()]
        return f"# {flow.title}\n{head}\n{about}{text_below('stages', *stages, as_list=True)}"
    jobs = [job(each, answers, is_stage=False) for each in flow.jobs.values()]
    return f"# {flow.title}\n{head}\n{text_below('jobs', *jobs, as_list=True)}"


def _parameter(each: Input) -> dict[str, Any]:
    about = {"name": each.name, "displayName": each.help, "type": "string"}
    return about | {"default": each.default, "values": inline(each.choices)}


def triggers(flow: Flow) -> CommentedMap:
    """Return the triggers of a pipeline; runs wait for each other unless a newer one replaces an older one."""
    found = CommentedMap()
    if flow.push is None:
        found["trigger"] = "none"
    else:
        found["trigger"] = {} if flow.replaces else {"batch": True}
        found["trigger"]["branches"] = {"include": inline(["main"])}
        if flow.push:
            found["trigger"]["paths"] = {"include": flow.push}
    if flow.change_request:
        found["pr"] = {"autoCancel": flow.replaces, "branches": {"include": inline([quoted("*")])}}
        why = "Only for repositories outside of Azure Repos, which uses the branch policy for build validation."
        before(found, "pr", why, 0)
    else:
        found["pr"] = "none"
    if flow.schedule:
        schedule = {
            "cron": flow.schedule,
            "displayName": flow.name,
            "branches": {"include": inline(["main"])},
            "always": True,
        }
        found["schedules"] = [schedule]
    if not flow.replaces:
        found["lockBehavior"] = "sequential"
    return found


def stage(each: Job, flow: Flow, answers: Answers) -> CommentedMap:
    """Return a stage of one job."""
    found = CommentedMap(stage=plain(each.id), displayName=each.name)
    if each.needs:
        found["dependsOn"] = inline([plain(other) for other in each.needs])
    if each.only_if:
        other, task = flow.teller(each)
        told = f"dependencies.{plain(other)}.outputs['{plain(other)}.{plain(task)}.{each.only_if}']"
        found["condition"] = f"and(succeeded(), eq({told}, 'true'))"
    found["jobs"] = [job(each, answers, is_stage=True)]
    return found


def job(each: Job, answers: Answers, is_stage: bool) -> CommentedMap:
    """Return one job; a job with an environment is a deployment job, whose steps are nested deeper."""
    found = CommentedMap({"deployment" if each.environment else "job": plain(each.id), "displayName": each.name})
    if each.needs and not is_stage:
        found["dependsOn"] = inline([plain(other) for other in each.needs])
    if each.only == "change_request":
        found["condition"] = FROM_HERE
        before(found, "condition", "A pull request from a fork may not comment.", 4)
    found["timeoutInMinutes"] = each.minutes
    if each.heavy and answers.heavy:
        found["pool"] = "${{ variables.HEAVY_POOL }}"
    if each.environment:
        found["environment"] = each.environment
        found["strategy"] = {"runOnce": {"deploy": {"steps": steps(each, answers)}}}
    else:
        found["steps"] = steps(each, answers)
    return found


def plain(id: str) -> str:
    """Return an id as a name for Azure, which allows no dashes."""
    return id.replace("-", "_")


def steps(each: Job, answers: Answers) -> CommentedSeq:
    """Return the steps of a job: preparation, tasks, and upload of its artifact."""
    parameters: dict[str, Any] = {"depth": 0} if each.history else {}
    if each.takes:
        parameters["takes"] = inline(each.takes)
    first = {"template": "templates/prepare.yml"} | ({"parameters": parameters} if parameters else {})
    found = CommentedSeq([first])
    for step in each.steps:
        found.append(task(step, answers))
        if step.yours:
            # A team's steps may be the last ones: no line of ours comes after them.
            found += [YOURS, *(reports() if each.reports else [])]
    if each.keeps:
        kept = f"$(Build.SourcesDirectory)/build/{each.id}"
        found.append({"publish": kept, "artifact": each.id, "displayName": f"Keep what {each.id} made"})
    return found


def reports() -> list[dict[str, Any]]:
    """Return the steps that show the results of tests, also of those that failed, and what they covered."""
    results = {"testResultsFormat": "JUnit", "testResultsFiles": f"{TEST_REPORTS}/*.xml"}
    covered = {"summaryFileLocation": f"$(Build.SourcesDirectory)/{COVERAGE}"}
    shown = [
        ("PublishTestResults@2", "Show the results of the tests", results),
        ("PublishCodeCoverageResults@2", "Show the coverage of the tests", covered),
    ]
    return [
        {"task": task, "displayName": title, "condition": "succeededOrFailed()", "inputs": inputs}
        for task, title, inputs in shown
    ]


def task(step: Step, answers: Answers) -> dict[str, Any]:
    """Return a step that runs a task, with the tokens that it needs."""
    found: dict[str, Any] = {"script": f"uv run poe {step.run}", "displayName": step.name}
    if step.says:
        found["name"] = plain(step.task)
    if step.token:
        found["env"] = {"HOST_TOKEN": "$(System.AccessToken)"}
        if step.template and answers.template_on_server:
            found["env"]["TEMPLATE_TOKEN"] = "$(TEMPLATE_TOKEN)"  # noqa: S105
        if step.cloud:
            found["env"]["SYSTEM_OIDCREQUESTURI"] = "$(System.OidcRequestUri)"
    if secrets := login.servers(step, answers, "$(NAME)"):
        found["env"] = found.get("env", {}) | secrets
    return found


def variables(answers: Answers) -> str:
    """Return the file of variables that every pipeline reads."""
    found = CommentedMap(
        UV_VERSION=load("tested")["uv"], UV_LOCKED=quoted("1"), UV_CACHE_DIR="$(Pipeline.Workspace)/.uv-cache"
    )
    if answers.heavy:
        found["HEAVY_POOL"] = quoted(answer("heavy_runner"))
        before(found, "HEAVY_POOL", "The agent pool of heavy steps.", 2)
    return f"# Variables of every pipeline in this folder. Managed by the template.\n{text_of({'variables': found})}"


def prepare(answers: Answers) -> str:
    """Return the template with the first steps of every job."""
    has_jobs = answers.level >= 3
    found = CommentedSeq([checkout(has_jobs)])
    if has_jobs:
        found.append({"download": "none"})
        before(found, 1, "Otherwise, a deployment job would download every artifact.", 2)
    python = {"versionSpec": quoted(answer("python_version"))}
    found.append({"task": "UsePythonVersion@0", "displayName": "Use Python", "inputs": python})
    found.append({"script": "python -m pip install uv==$(UV_VERSION)", "displayName": "Install uv"})
    found.append(cache("uv's cache", 'uv | "$(Agent.OS)" | uv.lock', 'uv | "$(Agent.OS)"', "$(UV_CACHE_DIR)"))
    token = {"env": login.variables("$(TEMPLATE_TOKEN)")} if answers.installs_from_server else {}
    found.append({"script": login.install(), "displayName": "Install"} | token)
    if token:
        before(found, len(found) - 1, login.WHY_INSTALL, 2)
    found.append({"script": load("commands")["prune"], "displayName": "Prune uv's cache, which is saved at the end"})
    if has_jobs:
        found.append({"${{ each job in parameters.takes }}": [take()]})
    sections = [{"parameters": parameters()}] if has_jobs else []
    about = "# The first steps of every job. Managed by the template.\n"
    return about + text_of(*sections, {"steps": found})


def parameters() -> list[dict[str, Any]]:
    """Return the parameters of the template."""
    depth = {"name": "depth", "displayName": "Number of commits to fetch; 0 for all", "type": "number", "default": 1}
    takes = {
        "name": "takes",
        "displayName": "Jobs whose artifacts this one reads",
        "type": "object",
        "default": inline([]),
    }
    return [depth, takes]


def checkout(has_jobs: bool) -> dict[str, Any]:
    """Return the step that checks out the repository, with the depth that the job needs."""
    depth = "${{ parameters.depth }}" if has_jobs else 1
    return {"checkout": "self", "fetchDepth": depth, "persistCredentials": False}


def cache(name: str, key: str, otherwise: str, path: str) -> dict[str, Any]:
    """Return a step that restores a cache, and saves it at the end of the job."""
    inputs = {"key": key, "restoreKeys": otherwise, "path": path}
    return {"task": "Cache@2", "displayName": f"Restore {name}", "inputs": inputs}


def take() -> dict[str, Any]:
    """Return the step that downloads the artifact of an earlier job."""
    place = "$(Build.SourcesDirectory)/build/${{ job }}"
    inputs = {"artifactName": "${{ job }}", "targetPath": place}
    return {"task": "DownloadPipelineArtifact@2", "displayName": "Take what ${{ job }} left", "inputs": inputs}
