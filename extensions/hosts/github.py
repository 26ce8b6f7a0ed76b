"""Render the flows as GitHub Actions: one workflow per flow, in which each step runs one task of poe_tasks.toml."""

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import LiteralScalarString

from extensions.hosts import login, work
from extensions.hosts.document import YOURS, after, before, inline, quoted, text_below, text_of
from extensions.hosts.flows import COVERAGE, KEPT_DAYS, TEST_REPORTS, Answers, Flow, Job, Step, flows_of, load
from extensions.hosts.variants import answer

# GitHub's own token may not push a change of workflows, and its pushes start no CI.
OWN_TOKEN = "${{ secrets.TEMPLATE_UPDATE_TOKEN || github.token }}"  # noqa: S105
PREPARE = ".github/actions/prepare"
# The action prunes only if it is told to.
CACHED = {"enable-cache": True, "prune-cache": True}


def files(answers: Answers) -> dict[str, str]:
    """Return the files of a project by their paths."""
    flows = flows_of(answers)
    found = {f".github/workflows/{id}.yml": workflow(flow, answers) for id, flow in flows.items()}
    return found | release_files(answers) if answers.level >= 3 else found


def release_files(answers: Answers) -> dict[str, str]:
    """Return the files from level 3 on that are not workflows."""
    return {
        f"{PREPARE}/action.yml": prepare_action(answers),
        ".github/CODEOWNERS": work.owners("@organisation/team"),
        ".github/pull_request_template.md": work.CHANGE_REQUEST,
        **work.forms(".github/ISSUE_TEMPLATE", about="description"),
    }


def workflow(flow: Flow, answers: Answers) -> str:
    """Return the workflow of a flow."""
    group = "-".join(f"${{{{ {each} }}}}" for each in ["github.workflow", "github.ref", *_inputs(flow)])
    head: list[dict[str, Any]] = [
        {"name": flow.name},
        {"on": triggers(flow)},
        {"permissions": inline({})},
        {"concurrency": {"group": group, "cancel-in-progress": flow.replaces}},
    ]
    jobs = [{id: job(each, flow, answers)} for id, each in flow.jobs.items()]
    return f"# {flow.title}\n{text_of(*head)}\n{text_below('jobs', *jobs)}"


def _inputs(flow: Flow) -> list[str]:
    return [f"inputs.{each.name}" for each in flow.inputs]


def triggers(flow: Flow) -> CommentedMap:
    """Return the triggers of a workflow."""
    found = CommentedMap()
    if flow.push is not None:
        found["push"] = {"branches": inline(["main"])} | ({"paths": flow.push} if flow.push else {})
    if flow.change_request:
        found["pull_request"] = None
        found["merge_group"] = None
    if flow.schedule:
        found["schedule"] = [{"cron": flow.schedule}]
    if flow.manual:
        asked = {each.name: _choice(each.help, each.choices, each.default) for each in flow.inputs}
        found["workflow_dispatch"] = {"inputs": asked} if asked else None
    return found


def _choice(help: str, choices: list[str], default: str) -> dict[str, Any]:
    return {"description": help, "type": "choice", "options": inline(choices), "default": default, "required": True}


def permissions(each: Job) -> CommentedMap:
    """Return the least permissions that a job needs of GitHub's own token, each with its reason."""
    allowed = [
        ("actions", "write", "starts other flows", "start" in each.may),
        ("actions", "read", "reads the approvals", bool(each.gate) and "start" not in each.may),
        ("contents", "write", "pushes a branch", "propose" in each.may),
        ("contents", "read", "", "propose" not in each.may),
        ("id-token", "write", "logs in to the cloud", "cloud" in each.may),
        ("packages", "write", "pushes the image to GitHub's registry", each.builds),
        ("pull-requests", "write", "comments on the change", "comment" in each.may),
        ("pull-requests", "write", "opens a pull request", "propose" in each.may),
    ]
    found = CommentedMap()
    for what, right, why, is_allowed in allowed:
        if is_allowed:
            found[what] = right
            if why:
                after(found, what, why)
    return found


def job(each: Job, flow: Flow, answers: Answers) -> CommentedMap:
    """Return one job."""
    found = CommentedMap(name=each.name)
    if each.needs:
        found["needs"] = inline(each.needs)
    if each.only == "change_request":
        found["if"] = "github.event.pull_request.head.repo.full_name == github.repository"
        before(found, "if", "A pull request from a fork may not comment.", 4)
    elif each.only_if:
        other, _ = flow.teller(each)
        found["if"] = f"needs.{other}.outputs.{each.only_if} == 'true'"
    found["runs-on"] = quoted(answer("heavy_runner")) if each.heavy and answers.heavy else "ubuntu-24.04"
    found["timeout-minutes"] = each.minutes
    if told := each.address_task:
        found["environment"] = inline({"name": each.environment, "url": quoted(f"${{{{ steps.{told}.outputs.url }}}}")})
    elif each.environment:
        found["environment"] = each.environment
    elif "propose" in each.may:
        found["environment"] = "template-update"
        after(found, "environment", "has the token that may push workflows")
    if each.stage:
        found["concurrency"] = "${{ inputs.environment }}" if each.stage == "input" else each.stage
    found["permissions"] = permissions(each)
    if said := {
        step.says: quoted(f"${{{{ steps.{step.task}.outputs.{step.says} }}}}") for step in each.steps if step.says
    }:
        found["outputs"] = inline(said)
    found["env"] = {input.variable: f"${{{{ inputs.{input.name} }}}}" for input in flow.inputs} | {
        "UV_LOCKED": quoted("1")
    }
    found["steps"] = steps(each, answers)
    return found


def steps(each: Job, answers: Answers) -> CommentedSeq:
    """Return the steps of a job: checkout, uv, artifacts of other jobs, tasks, and upload of its own artifact."""
    found = CommentedSeq([checkout(each)])
    if answers.level >= 3:
        found.append(prepare(answers))
    else:
        install_uv(found, "${{ secrets.TEMPLATE_TOKEN }}", answers)
    for other in each.takes:
        found.append(use("take", f"Take what {other} left", {"name": other, "path": f"build/{other}"}, short=True))
    for step in each.steps:
        found.append(task(step, each, answers))
        if step.yours:
            # A team's steps may be the last ones: no line of ours comes after them.
            found += [YOURS, *([reports()] if each.reports else [])]
    if each.keeps:
        kept = {"name": each.id, "path": f"build/{each.id}", "if-no-files-found": "error"}
        found.append(use("keep", f"Keep what {each.id} made", kept | {"retention-days": KEPT_DAYS}, short=True))
    return found


def reports() -> CommentedMap:
    """Return the step that keeps the results of tests, also of those that failed."""
    paths = LiteralScalarString(f"{TEST_REPORTS}\n{COVERAGE}\n")
    kept = use("keep", "Keep the results of the tests", {"name": "tests", "path": paths, "retention-days": KEPT_DAYS})
    kept.insert(1, "if", "${{ !cancelled() }}")
    return kept


def use(action: str, title: str, inputs: dict[str, Any], short: bool = False) -> CommentedMap:
    """Return a step that uses an action of hosts.yml, pinned to its commit; `short` writes its inputs on one line."""
    pin = load("hosts")["github"]["actions"][action]
    found = CommentedMap(name=title, uses=f"{pin['uses']}@{pin['commit']}")
    after(found, "uses", pin["version"])
    found["with"] = inline(inputs) if short else inputs
    return found


def checkout(each: Job) -> CommentedMap:
    """Return the step that checks out the repository, with its history if the job needs it."""
    depth = {"fetch-depth": 0} if each.history else {}
    return use("checkout", "Check out", depth | {"persist-credentials": False})


def prepare(answers: Answers) -> CommentedMap:
    """Return the step that runs the action of `prepare_action`; an action cannot read secrets."""
    found = CommentedMap(uses=f"./{PREPARE}")
    if answers.installs_from_server:
        found["with"] = inline({"template-token": quoted("${{ secrets.TEMPLATE_TOKEN }}")})
    return found


def task(step: Step, each: Job, answers: Answers) -> CommentedMap:
    """Return a step that runs a task, with the tokens that it needs."""
    found = CommentedMap({"name": step.name} | ({"id": step.task} if step.says or step.address else {}))
    found["run"] = f"uv run poe {step.run}"
    if step.token or each.builds:
        found["env"] = {"HOST_TOKEN": OWN_TOKEN if "propose" in each.may else "${{ github.token }}"}
        if step.template and answers.template_on_server:
            found["env"]["TEMPLATE_TOKEN"] = "${{ secrets.TEMPLATE_TOKEN }}"  # noqa: S105
    if secrets := login.servers(step, answers, "${{ secrets.NAME }}"):
        found["env"] = found.get("env", {}) | secrets
    return found


def install_uv(steps: CommentedSeq, token: str, answers: Answers, indent: int = 6) -> None:
    """Append the steps that install uv and, from a server, the template's package: only they get the token."""
    steps.append(use("uv", "Install uv", {"version": load("tested")["uv"]} | CACHED))
    if answers.installs_from_server:
        install = CommentedMap(name="Install", run=login.install())
        if answers.level >= 3:
            install["shell"] = "bash"
        install["env"] = login.variables(token)
        steps.append(install)
        before(steps, len(steps) - 1, login.WHY_INSTALL, indent)


def prepare_action(answers: Answers) -> str:
    """Return the action with the first steps of every job."""
    head: dict[str, Any] = {"name": "Prepare", "description": "Install uv and restore its cache"}
    sections: list[dict[str, Any]] = [head]
    if answers.installs_from_server:
        sections.append({"inputs": {"template-token": {"description": "Reads a private template"}}})
    steps = CommentedSeq()
    install_uv(steps, "${{ inputs.template-token }}", answers, indent=4)
    sections.append({"runs": {"using": "composite", "steps": steps}})
    return f"# The first steps of every job. Managed by the template.\n{text_of(*sections)}"
