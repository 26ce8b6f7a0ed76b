"""Azure DevOps' REST API as https://learn.microsoft.com/rest/api/azure/devops describes it, in memory."""

from copier_mlops.hosts.gates import gates
from tests.package.hosts.fakes.kept import COMMIT, KEPT, NUMBER, zipped
from tests.package.hosts.server import TOKEN, Reply, Request, Server, exactly, missing

GIT = "/K%20I/_apis/git/repositories/kredit"
PROJECT = "/K%20I/_apis"
APPROVAL = "8c6f20a7-a545-4486-9777-f762fafe0d4d"
PEOPLE = {"ada@example.org": "id-ada", "[K I]\\Risk": "id-risk"}


class State:
    """What the host knows."""

    def __init__(self) -> None:
        self.comments: list[dict] = []
        self.pulls: list[dict] = []
        self.labels: list[dict] = []
        self.definitions: list[dict] = []
        self.environments: list[dict] = []
        self.checks: list[dict] = []
        self.policies: list[dict] = []
        self.timeline: list[dict] = []
        self.approvals: dict[str, dict] = {}
        self.started: list[dict] = []
        self.archives = {job: zipped(files, f"{job}/") for job, files in KEPT.items()}
        self.expired: set[str] = set()
        self.run = True
        self.commit = COMMIT
        self.failed = ["release"]
        self.built = "r-1"
        self.file = "azure_pipelines/cd.yml"


def install(server: Server) -> State:
    """Teach a server the requests of Azure DevOps."""
    state = State()
    server.headers = {"Authorization": f"Bearer {TOKEN}"}
    version = "api-version"

    def listed(entries: list) -> dict:
        return {"count": len(entries), "value": entries}

    def add_thread(request: Request) -> dict:
        (said,) = request.body["comments"]
        number = len(state.comments) + 1
        state.comments.append({"id": number, "status": "closed", "comments": [{"id": 1, **said}]})
        return state.comments[-1]

    def change_comment(request: Request) -> dict:
        state.comments[int(request.parts["id"]) - 1]["comments"][0].update(request.body)
        return state.comments[int(request.parts["id"]) - 1]["comments"][0]

    threads = f"{GIT}/pullRequests/5/threads"
    server.on("GET", threads, lambda _: listed(state.comments), version)
    server.on("POST", threads, add_thread, version, exactly("comments", "status"))
    server.on("PATCH", rf"{threads}/(?P<id>\d+)/comments/1", change_comment, version, exactly("content"))

    def open_pull(request: Request) -> Reply:
        state.pulls.append({"pullRequestId": 5, "status": "active", **request.body})
        return Reply(state.pulls[-1], 201)

    def change_pull(request: Request) -> dict:
        state.pulls[0].update(request.body)
        return state.pulls[0]

    def add_label(request: Request) -> dict:
        state.labels.append(request.body)
        return request.body

    def list_pulls(request: Request) -> dict:
        source, status = (request.query[f"searchCriteria.{key}"] for key in ("sourceRefName", "status"))
        found = [each for each in state.pulls if status in (each["status"], "all")]
        return listed([each for each in found if each["sourceRefName"] == source])

    search = " ".join(f"searchCriteria.{key}" for key in ("sourceRefName", "targetRefName", "status"))
    fields = exactly("sourceRefName", "targetRefName", "title", "description")
    server.on("GET", f"{GIT}/pullrequests", list_pulls, f"{search} {version}")
    server.on("POST", f"{GIT}/pullrequests", open_pull, version, fields)
    server.on("PATCH", f"{GIT}/pullrequests/5", change_pull, version, exactly("title", "description"))
    server.on("GET", f"{GIT}/pullRequests/5/labels", lambda _: listed(state.labels), version)
    server.on("POST", f"{GIT}/pullRequests/5/labels", add_label, version, exactly("name"))
    server.on("GET", GIT, lambda _: {"id": "r-1", "name": "kredit"}, version)

    def start(request: Request) -> dict:
        reference = request.body["resources"]["repositories"]["self"]["refName"]
        flow = state.definitions[int(request.parts["id"])]["process"]["yamlFilename"]
        state.started.append({"ref": reference, "flow": flow, **request.body["templateParameters"]})
        return {"_links": {"web": {"href": f"{server.url}/run/9"}}}

    def add_definition(request: Request) -> dict:
        made = {"id": len(state.definitions), "process": {"yamlFilename": request.body["configuration"]["path"]}}
        state.definitions.append(made)
        return made

    server.on(
        "GET",
        f"{PROJECT}/build/definitions",
        lambda _: listed(state.definitions),
        f"repositoryId repositoryType includeAllProperties {version}",
    )
    server.on("POST", f"{PROJECT}/pipelines", add_definition, version, exactly("name", "folder", "configuration"))
    runs = exactly("resources", "templateParameters")
    server.on("POST", rf"{PROJECT}/pipelines/(?P<id>\d+)/runs", start, version, runs)
    _gates(server, state, listed)
    _artifacts(server, state, listed)
    return state


def _gates(server: Server, state: State, listed) -> None:
    version = "api-version"

    def add_environment(request: Request) -> dict:
        state.environments.append({"id": len(state.environments) + 1, **request.body})
        return state.environments[-1]

    def add_check(request: Request) -> dict:
        state.checks.append({"id": len(state.checks), **request.body})
        return state.checks[-1]

    def change_check(request: Request) -> dict:
        state.checks[int(request.parts["id"])].update(request.body, isDisabled=False)
        return state.checks[int(request.parts["id"])]

    def list_checks(request: Request) -> dict:
        assert request.query["resourceType"] == "environment"
        return listed([each for each in state.checks if each["resource"]["id"] == request.query["resourceId"]])

    path = f"{PROJECT}/distributedtask/environments"
    server.on("GET", path, lambda _: listed(state.environments), f"name {version}")
    server.on("POST", path, add_environment, version, exactly("name", "description"))
    path = f"{PROJECT}/pipelines/checks/configurations"
    fields = ("type", "settings", "resource", "timeout")
    server.on("GET", path, list_checks, f"resourceType resourceId $expand {version}")
    server.on("POST", path, add_check, version, exactly(*fields))
    server.on("PATCH", rf"{path}/(?P<id>\d+)", change_check, version, exactly("id", *fields))

    def identities(request: Request) -> dict:
        found = PEOPLE.get(request.query["filterValue"])
        return listed([{"id": found}] if found else [])

    search = f"searchFilter filterValue queryMembership {version}"
    server.on("GET", "/_apis/identities", identities, search)

    def add_policy(request: Request) -> dict:
        state.policies.append({"id": len(state.policies), **request.body})
        return state.policies[-1]

    def change_policy(request: Request) -> dict:
        state.policies[int(request.parts["id"])].update(request.body)
        return state.policies[int(request.parts["id"])]

    def list_policies(request: Request) -> dict:
        return listed([each for each in state.policies if each["type"]["id"] == request.query["policyType"]])

    path = f"{PROJECT}/policy/configurations"
    fields = exactly("isEnabled", "isBlocking", "type", "settings")
    server.on("GET", path, list_policies, f"policyType {version}")
    server.on("POST", path, add_policy, version, fields)
    server.on("PUT", rf"{path}/(?P<id>\d+)", change_policy, version, fields)

    server.on(
        "GET", f"{PROJECT}/build/builds/99/timeline", lambda _: {"records": [*state.timeline, *_ended(state)]}, version
    )
    server.on(
        "GET",
        rf"{PROJECT}/pipelines/approvals/(?P<id>[\w-]+)",
        lambda request: state.approvals[request.parts["id"]],
        f"$expand {version}",
    )


def _ended(state: State) -> list[dict]:
    records = [{"id": f"f-{name}", "type": "Stage", "identifier": name, "result": "failed"} for name in state.failed]
    return [*records, {"id": "t", "type": "Task", "identifier": None, "result": "failed"}] if records else []


def _artifacts(server: Server, state: State, listed) -> None:
    version = "api-version"

    def found(_: Request) -> object:
        repository = {"id": state.built.upper(), "type": "TfsGit"}
        build = {"id": int(NUMBER), "sourceVersion": state.commit, "repository": repository}
        return {**build, "definition": {"id": 3, "name": "kredit cd"}} if state.run else missing()

    def artifacts(_: Request) -> dict:
        # What has expired is gone with its build, or from the list.
        names = [name for name in state.archives if name not in state.expired]
        sizes = {name: {"artifactsize": str(len(state.archives[name]))} for name in names}
        return listed([{"name": name, "resource": {"properties": sizes[name]}} for name in names])

    def signed(request: Request) -> dict:
        assert request.query["$expand"] == "signedContent"
        name = request.query["artifactName"]
        return {"name": name, "signedContent": {"url": server.away(state.archives[name])}}

    build = f"{PROJECT}/build/builds/{NUMBER}"

    def described(_: Request) -> dict:
        return {"id": 3, "process": {"type": 2, "yamlFilename": state.file}}

    server.on("GET", f"{PROJECT}/build/definitions/3", described, version)
    server.on("GET", build, found, version)
    server.on("GET", f"{PROJECT}/build/builds/7", lambda _: missing(), version)
    server.on("GET", f"{build}/artifacts", artifacts, version)
    path = f"{PROJECT}/pipelines/3/runs/{NUMBER}/artifacts"
    server.on("GET", path, signed, f"artifactName $expand {version}")


def runner(server: Server, folder) -> dict[str, str]:
    """The variables of a deployment job for pull request 5 in the environment prod."""
    return {
        "TF_BUILD": "True",
        "SYSTEM_COLLECTIONURI": f"{server.url}/",
        "SYSTEM_TEAMPROJECT": "K I",
        "BUILD_REPOSITORY_NAME": "kredit",
        "BUILD_BUILDID": "99",
        "SYSTEM_STAGENAME": "deploy_prod",
        "ENVIRONMENT_NAME": "prod",
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "5",
        "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
        "SYSTEM_PULLREQUEST_ISFORK": "False",
        "HOST_TOKEN": TOKEN,
    }


def told(pull: dict) -> tuple[str, str, str]:
    """The branch of a request, where it goes, and what it says."""
    ends = (pull[key].removeprefix("refs/heads/") for key in ("sourceRefName", "targetRefName"))
    return *ends, pull["description"]


def close(pull: dict) -> None:
    """A person closes a request."""
    pull["status"] = "abandoned"


def protect(state: State, gate: str) -> None:
    """The host asks Ada."""
    number = 9 + len(state.environments)
    state.environments.append({"id": number, "name": gate})
    people = [{"id": "id-ada", "displayName": "Ada"}]
    check = {"id": 0, "type": {"id": APPROVAL.upper(), "name": "Approval"}, "settings": {"approvers": people}}
    state.checks.append({**check, "resource": {"type": "environment", "id": str(number)}})


def weaken(state: State, gate: str) -> None:
    """The check is switched off."""
    protect(state, gate)
    state.checks[-1]["isDisabled"] = True


def approve(state: State, gate: str) -> str:
    """Ada has approved the stage."""
    stage = gates()[gate].job.replace("-", "_")
    state.timeline += [
        {"id": stage, "type": "Stage", "identifier": stage, "name": stage, "parentId": None},
        {"id": f"c-{stage}", "type": "Checkpoint", "parentId": stage},
        {"id": f"a-{stage}", "type": "Checkpoint.Approval", "parentId": f"c-{stage}"},
        {"id": "other", "type": "Stage", "identifier": "package", "parentId": None},
    ]
    step = {"status": "approved", "actualApprover": {"displayName": "Ada"}, "lastModifiedOn": "2026-11-21T10:00:00Z"}
    state.approvals[f"a-{stage}"] = {"id": f"a-{stage}", "status": "approved", "steps": [step]}
    return "Ada"
