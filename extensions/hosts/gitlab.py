"""Render the flows as GitLab CI: one file per flow; the variable FLOW names the flow that a pipeline runs."""

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from extensions.hosts import login, work
from extensions.hosts.document import YOURS, before, inline, mapping, quoted, text_of
from extensions.hosts.flows import COVERAGE, KEPT_DAYS, TEST_REPORTS, Answers, Flow, Job, flows_of, load
from extensions.hosts.variants import answer, image

Flows = dict[str, Flow]
ROOT = ".gitlab-ci.yml"
TO_MAIN = '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'
ON_CHANGE = '$CI_PIPELINE_SOURCE == "merge_request_event"'
FROM_HERE = f"{ON_CHANGE} && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID"


def files(answers: Answers) -> dict[str, str]:
    """Return the files of a project by their paths."""
    flows = flows_of(answers)
    found = {ROOT: root(flows, answers)} | {f".gitlab/flows/{id}.yml": flow_file(id, flows, answers) for id in flows}
    if answers.level >= 3:
        found[".gitlab/CODEOWNERS"] = work.owners("@group/team")
        found[".gitlab/merge_request_templates/Default.md"] = work.CHANGE_REQUEST
        found |= work.pages(".gitlab/issue_templates")
    return found


def root(flows: Flows, answers: Answers) -> str:
    """Return the root file: the triggers of the flows, and the settings that all jobs share."""
    stages = dict.fromkeys(id for flow in flows.values() for id in flow.jobs)
    about = "# The triggers of the flows, and the settings of all jobs. Each flow has a file in .gitlab/flows."
    workflow = {
        "name": "$FLOW",
        "auto_cancel": {"on_new_commit": "interruptible"},
        "rules": starts(flows),
    }
    cloud = [{".cloud": {"id_tokens": {"HOST_ID_TOKEN": {"aud": answer("cloud_audience")}}}}] if answers.cloud else []
    sections: list[dict[str, Any]] = [
        {"include": [{"local": f"/.gitlab/flows/{id}.yml"} for id in flows]},
        {"stages": inline(list(stages))},
        {"workflow": workflow},
        {"variables": variables(flows)},
        {"default": default(answers)},
        *cloud,
    ]
    return f"{about} Managed by the template.\n{text_of(*sections)}"


def starts(flows: Flows) -> CommentedSeq:
    """Return the rules of the workflow: each names the flow that a merge request or a push starts."""
    rules = CommentedSeq()
    for id, flow in flows.items():
        if flow.change_request:
            rules.append({"if": ON_CHANGE, "variables": {"FLOW": id}})
    always = [id for id, flow in flows.items() if flow.push == []]
    for id, flow in flows.items():
        if flow.push:
            paths = [path.replace("/**", "/**/*") for path in flow.push]
            rules.append({"if": TO_MAIN, "changes": inline(paths), "variables": {"FLOW": " ".join([*always, id])}})
    rules.append({"if": TO_MAIN, "variables": {"FLOW": " ".join(always)}})
    if len(flows) > 1:
        rules.append({"if": "$CI_PIPELINE_SOURCE =~ /^(api|schedule|trigger|web)$/"})
        before(rules, len(rules) - 1, "A start by hand, by a schedule or by another flow sets FLOW.", 4)
    return rules


def variables(flows: Flows) -> dict[str, Any]:
    """Return the inputs of a pipeline that is started by hand, and the variables of uv."""
    asked: dict[str, Any] = {}
    if len(flows) > 1:
        asked["FLOW"] = {"description": "Which flow?", "value": next(iter(flows)), "options": inline(list(flows))}
    for each in {each.name: each for flow in flows.values() for each in flow.inputs}.values():
        askers = " and ".join(id for id, flow in flows.items() if each.name in [other.name for other in flow.inputs])
        choice = {"description": f"{each.help} For {askers}.", "value": each.default, "options": inline(each.choices)}
        asked[each.name.upper()] = choice
    return asked | {"UV_LOCKED": quoted("1"), "UV_CACHE_DIR": "$CI_PROJECT_DIR/.uv-cache"}


def default(answers: Answers) -> CommentedMap:
    """Return the image, the login and the cache of every job."""
    found = CommentedMap(image=image("gitlab"))
    if answers.installs_from_server:
        found["before_script"] = [login.command()]
        before(found, "before_script", login.WHY_COMMAND, 2)
    found["after_script"] = inline([load("commands")["prune"]])
    found["cache"] = {"key": {"files": inline(["uv.lock"])}, "paths": inline([".uv-cache"])}
    return found


def flow_file(id: str, flows: Flows, answers: Answers) -> str:
    """Return the file of one flow: its rules and its jobs."""
    flow = flows[id]
    rule = f"$FLOW =~ /\\b{id}\\b/" if flow.push is not None else f'$FLOW == "{id}"'
    group = "-".join([id, *(f"${each.variable}" for each in flow.inputs)])
    base = mapping(
        rules=[{"if": rule}],
        interruptible=True if flow.replaces else None,
        resource_group=None,
        variables={each.variable: f"${each.name.upper()}" for each in flow.inputs} or None,
    )
    if not flow.replaces:
        base.insert(1, "resource_group", group)
    sections: list[dict[str, Any]] = [{f".{id}": base}]
    if flow.has_gate:
        waits = {"if": rule, "when": "manual", "allow_failure": False}
        sections.append({f".{id}-gate": {"extends": f".{id}", "rules": [waits]}})
    sections += [{job_name(id, name, flows): job(flow, each, flows, answers)} for name, each in flow.jobs.items()]
    return f"# {flow.title}\n{text_of(*sections)}"


def job_name(flow: str, id: str, flows: Flows) -> str:
    """Return a job's name, which includes the flow if another flow has a job with the same id."""
    return id if sum(id in each.jobs for each in flows.values()) == 1 else f"{flow}-{id}"


def job(flow: Flow, each: Job, flows: Flows, answers: Answers) -> CommentedMap:
    """Return one job; every line of its script is one task of poe_tasks.toml."""
    parent = f".{flow.id}-gate" if each.gate else f".{flow.id}"
    found = CommentedMap(extends=inline([parent, ".cloud"]) if "cloud" in each.may else parent, stage=each.id)
    if each.only == "change_request":
        found["rules"] = CommentedSeq([{"if": FROM_HERE}])
        before(found["rules"], 0, "A merge request from a fork may not comment.", 4)
    needs = needed(flow, each, flows)
    if needs or flow.push:
        found["needs"] = inline(needs)
    if each.heavy and answers.heavy:
        found["tags"] = inline([quoted(answer("heavy_runner"))])
    found["timeout"] = f"{each.minutes} minutes"
    if each.address_task:
        found["environment"] = inline({"name": each.environment, "url": "$SERVICE_URL"})
    elif each.environment:
        found["environment"] = each.environment
    if each.stage:
        found["resource_group"] = f"${flow.inputs[0].variable}" if each.stage == "input" else each.stage
    if variables := job_variables(each):
        found["variables"] = variables
    if each.builds:
        before(found, "variables", "podman builds in a container, without a daemon of docker.", 2)
    found["script"] = [line for step in each.steps for line in [f"uv run poe {step.run}", *([YOURS] * step.yours)]]
    if each.reports:
        found["coverage"] = SingleQuotedScalarString(r"/Coverage of src: \d+(\.\d+)?%/")
    if kept := artifacts(each):
        found["artifacts"] = kept | {"expire_in": f"{KEPT_DAYS} days"}
    return found


def artifacts(each: Job) -> dict[str, Any]:
    """Return what a job leaves, and what GitLab reads of it: the address of a service, results of tests, coverage."""
    found: dict[str, Any] = {"paths": inline([f"build/{each.id}"])} if each.keeps else {}
    if each.address_task:
        found["reports"] = {"dotenv": f"build/{each.id}/service.env"}
    if each.reports:
        covered = inline({"coverage_format": "cobertura", "path": COVERAGE})
        found |= {"when": "always", "reports": {"junit": f"{TEST_REPORTS}/*.xml", "coverage_report": covered}}
    return found


def job_variables(each: Job) -> CommentedMap:
    """Return the variables of one job; a merge request gets no protected variable, so HOST_TOKEN is another there."""
    found = CommentedMap()
    if each.history:
        found["GIT_DEPTH"] = quoted("0")
    if "comment" in each.may:
        found["HOST_TOKEN"] = "$COMMENT_TOKEN"  # noqa: S105
    if each.builds:
        found |= {"BUILDAH_ISOLATION": "chroot", "BUILDAH_LAYERS": quoted("false"), "STORAGE_DRIVER": "vfs"}
    return found


def needed(flow: Flow, each: Job, flows: Flows) -> list[Any]:
    """Return the jobs that this one needs, and whether it downloads their artifacts, which is GitLab's default."""
    found: list[Any] = [job_name(flow.id, other, flows) for other in each.takes]
    for other in each.needs:
        if other not in each.takes:
            name = job_name(flow.id, other, flows)
            found.append(inline({"job": name, "artifacts": False}) if flow.jobs[other].keeps else name)
    return found
