"""GitLab's files, read back without the help of what wrote them.

Includes and `extends` are resolved, and rules say whose a job is.
"""

import re
from pathlib import Path

from tests.pipelines.flows import Flow, Job, Step, UnreadableError
from tests.pipelines.read import login
from tests.pipelines.read.text import load, same, take

KEYWORDS = ("include", "stages", "workflow", "variables", "default")
ONTO_MAIN = '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'
REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'
OWN_BRANCH = f"{REQUEST} && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID"
GIVEN = "$CI_PIPELINE_SOURCE =~ /^(api|schedule|trigger|web)$/"
AUDIENCES = ("sts.amazonaws.com", "api://AzureADTokenExchange", "iam.googleapis.com")
IMAGE = re.compile(r"ghcr\.io/astral-sh/uv:(\d+\.\d+\.\d+)-python3\.1[123]-trixie")
BUILDS = {"BUILDAH_ISOLATION": "chroot", "BUILDAH_LAYERS": "false", "STORAGE_DRIVER": "vfs"}
COVERAGE = r"/Coverage of src: \d+(\.\d+)?%/"
CACHE = {"key": {"files": ["uv.lock"]}, "paths": [".uv-cache"]}
PRUNE = ["uv cache prune --ci"]


def read(project: Path) -> dict[str, Flow]:
    everything = together(project)
    stages, workflow, variables, default = (everything[key] for key in KEYWORDS[1:])
    image, before, after, cache = take(default, "image", "before_script", "after_script", "cache")
    (reads,) = map(login.by_command, before) if before else [None]
    version = IMAGE.fullmatch(image)
    if not version:
        raise UnreadableError(f"the image {image} is not pinned")
    same((after, cache), (PRUNE, CACHE))
    flows, asked = started(workflow, variables)
    jobs = {name: extended(everything, name) for name in everything if name not in KEYWORDS and name[0] != "."}
    shared = {name for name, flow in flows.items() if flow.push is not None}
    understood = {name: understand(name, each, flows, asked) for name, each in jobs.items()}
    ids = {name: id_ for name, (_, id_, _) in understood.items()}
    for name, (flow, id_, job) in understood.items():
        job.uv, job.caches, job.login = version.group(1), {"uv"}, reads
        if "needs" in jobs[name]:
            needed(jobs[name]["needs"], job, ids, jobs)
        else:
            beside = shared if flow in shared else {flow}
            job.needs = {
                other
                for of, other, _ in understood.values()
                if of in beside and stages.index(other) < stages.index(id_)
            }
        flows[flow].jobs[id_] = job
        if job.variables.pop("interruptible", "") == "true":
            flows[flow].replaces = True
    for name, flow in flows.items():
        flow.jobs = {id_: flow.jobs[id_] for id_ in sorted(flow.jobs, key=stages.index)}
        flow.inputs = inputs_of(name, flow, asked)
        same(
            {"interruptible" in str(jobs[each]) for each, (of, *_) in understood.items() if of == name}, {flow.replaces}
        )
    return flows


def together(project: Path) -> dict:
    """The file at the root and what it includes; no name may come twice, since the later would win without a word."""
    root = load(project / ".gitlab-ci.yml")
    found = dict(root)
    for entry in root["include"]:
        part = load(project / take(entry, "local")[0].removeprefix("/"))
        if twice := part.keys() & found.keys():
            raise UnreadableError(f"{twice} in two files")
        found |= part
    return found


def merged(low: dict, high: dict) -> dict:
    both = low.keys() & high.keys()
    deep = {
        key: merged(low[key], high[key]) for key in both if isinstance(low[key], dict) and isinstance(high[key], dict)
    }
    return low | high | deep


def extended(everything: dict, name: str) -> dict:
    if name not in everything:
        raise UnreadableError(f"{name} is not there")
    own = {key: value for key, value in everything[name].items() if key != "extends"}
    parents = everything[name].get("extends", [])
    found: dict = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        found = merged(found, extended(everything, parent))
    return merged(found, own)


def started(workflow: dict, variables: dict) -> tuple[dict[str, Flow], dict]:
    """The flows, each with what starts it, and the variables that a person is asked for."""
    _, cancel, rules = take(workflow, "name", "auto_cancel", "rules")
    same(cancel, {"on_new_commit": "interruptible"})
    asked = {name: each for name, each in variables.items() if isinstance(each, dict)}
    plain = {name: each for name, each in variables.items() if name not in asked}
    same(plain, {"UV_LOCKED": "1", "UV_CACHE_DIR": "$CI_PROJECT_DIR/.uv-cache"})
    choice = asked.pop("FLOW", None)
    names = take(choice, "description", "value", "options")[2] if choice else []
    if choice:
        same(choice["value"], "ci")
    flows = {name: Flow(jobs={}, manual=False) for name in names}
    for rule in rules:
        condition, changes, values = take(rule, "if", "changes", "variables")
        chosen = take(values, "FLOW")[0].split() if values else []
        for name in chosen:
            flow = flows.setdefault(name, Flow(jobs={}))
            if condition == REQUEST:
                flow.change_request = True
            elif condition == ONTO_MAIN and changes:
                flow.push = [each.replace("/**/*", "/**") for each in changes]
            else:
                same(condition, ONTO_MAIN)
                flow.push = []
        if not chosen:
            same(condition, GIVEN)
            for name in names:
                flows[name].manual = True
    return flows, asked


def understand(name: str, document: dict, flows: dict[str, Flow], asked: dict) -> tuple[str, str, Job]:
    keys = "rules interruptible resource_group stage needs tags timeout environment variables script coverage"
    rules, ends, lock, id_, _, tags, limit, environment, variables, script, coverage, artifacts, tokens = take(
        document, *keys.split(), "artifacts", "id_tokens"
    )
    environment, address = take(environment, "name", "url") if isinstance(environment, dict) else (environment, None)
    (rule,) = rules
    condition, when, failing = take(rule, "if", "when", "allow_failure")
    same((when, failing), (None, None), ("manual", "false"))
    flow, only = whose(condition, flows)
    same(name, id_, f"{flow}-{id_}")
    own = dict(variables or {})
    depth = own.pop("GIT_DEPTH", None)
    same(depth, None, "0")
    builds = {key: own.pop(key, None) for key in BUILDS}
    same(builds, BUILDS, dict.fromkeys(BUILDS))
    same(own.pop("HOST_TOKEN", None), "$COMMENT_TOKEN" if only == "change_request" else None)
    inputs = {key: f"input {text[1:].lower()}" for key, text in own.items() if text[1:] in asked}
    if tokens:
        audience = take(take(tokens, "HOST_ID_TOKEN")[0], "aud")[0]
        same(audience, *AUDIENCES)
    keeps, reports = kept(artifacts or {}, id_, address, coverage)
    for key, text in inputs.items():
        lock = (lock or "").replace(f"${key}", text)
    return (
        flow,
        id_,
        Job(
            steps=[Step(line) for line in script],
            minutes=int(re.fullmatch(r"(\d+) minutes", limit or "0 minutes").group(1)),
            keeps=keeps,
            builds=builds == BUILDS,
            reports=reports,
            environment=environment or "",
            address=bool(address),
            manual=when == "manual",
            lock=lock or "",
            only=only,
            runner=(tags or [""])[0],
            history=depth == "0",
            may={"cloud"} if tokens else set(),
            variables={"UV_LOCKED": "1", **own, **inputs, **({"interruptible": ends} if ends else {})},
        ),
    )


def kept(artifacts: dict, id_: str, address: str | None, coverage: str | None) -> tuple[bool, bool]:
    """Whether a job leaves its folder, and whether GitLab reads the results of its tests."""
    paths, when, reports, expiry = take(artifacts, "paths", "when", "reports", "expire_in")
    same(expiry, "30 days" if artifacts else None)
    same(paths, None, [f"build/{id_}"])
    same(address, None, "$SERVICE_URL")
    if coverage:
        covered = {"coverage_format": "cobertura", "path": "build/coverage.xml"}
        results = {"junit": "build/test-reports/*.xml", "coverage_report": covered}
        same((coverage, when, reports), (COVERAGE, "always", results))
    else:
        same((when, reports), (None, {"dotenv": f"build/{id_}/service.env"} if address else None))
    return bool(paths), bool(coverage)


def whose(condition: str, flows: dict[str, Flow]) -> tuple[str, str]:
    """The flow of a job, and whether it is there for change requests alone."""
    if condition == OWN_BRANCH:
        (flow,) = [name for name, each in flows.items() if each.change_request]
        return flow, "change_request"
    match = re.fullmatch(r'\$FLOW (?:== "([\w-]+)"|=~ /\\b([\w-]+)\\b/)', condition)
    if not match or (match.group(1) or match.group(2)) not in flows:
        raise UnreadableError(f"nobody knows when `{condition}` holds")
    return match.group(1) or match.group(2), ""


def needed(entries: list, job: Job, ids: dict[str, str], jobs: dict) -> None:
    for entry in entries:
        other, artifacts = (entry, "true") if isinstance(entry, str) else take(entry, "job", "artifacts")
        if other not in ids:
            raise UnreadableError(f"{other} is not there")
        job.needs.add(ids[other])
        if artifacts == "true" and "paths" in jobs[other].get("artifacts", {}):
            job.takes.add(ids[other])


def inputs_of(name: str, flow: Flow, asked: dict) -> dict[str, dict]:
    found = {}
    for job in flow.jobs.values():
        for variable, text in job.variables.items():
            if text.startswith("input "):
                help_, value, options = take(
                    asked[text.removeprefix("input ").upper()], "description", "value", "options"
                )
                question, _, askers = help_.partition("? For ")
                same(name in askers.rstrip(".").split(" and "), True)
                entry = {"help": f"{question}?", "choices": options, "default": value, "variable": variable}
                found[text.removeprefix("input ")] = entry
    return found
