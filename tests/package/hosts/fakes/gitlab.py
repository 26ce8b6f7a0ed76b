"""GitLab's REST API as https://docs.gitlab.com/api describes it, in memory."""

from tests.package.hosts.fakes.kept import COMMIT, KEPT, NUMBER, zipped
from tests.package.hosts.server import TOKEN, Reply, Request, Server, exactly, missing

PROJECT = "42"
PEOPLE = {"ada": 7, "grace": 8}
GROUPS = {"acme%2Frisk": 70}


ROLES = {"developer": 30, "maintainer": 40, "owner": 50, "no_one_allowed": 99}
FORBIDDEN = Reply({"message": "403 Forbidden"}, 403)


class State:
    """What the host knows."""

    def __init__(self) -> None:
        self.comments: list[dict] = []
        self.pulls: list[dict] = []
        self.protected: dict[str, dict] = {}
        self.environments: list[str] = []
        self.branches: dict[str, dict] = {}
        self.rules: list[dict] = []
        # As a project in a new group on GitLab.com is born.
        self.project: dict = {
            "only_allow_merge_if_pipeline_succeeds": False,
            "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
            "allow_pipeline_trigger_approve_deployment": True,
        }
        self.variables = {name: {"protected": False, "masked": True} for name in ("HOST_TOKEN", "COMMENT_TOKEN")}
        # The role of the token: 40 is Maintainer, 30 Developer, 20 Reporter.
        self.role = 40
        self.labels: dict[str, dict] = {}
        self.schedules: list[dict] = []
        self.deployments: list[dict] = []
        self.started: list[dict] = []
        self.waiting = {50: "train", 51: "release", 52: "package", 53: "deploy-prod", 54: "provision-apply"}
        self.canceled: list[str] = []
        self.archives = {job: zipped(files, f"build/{job}/") for job, files in KEPT.items()}
        self.expired: set[str] = set()
        self.run = True
        self.commit = COMMIT
        self.failed = ["release"]


def install(server: Server) -> State:
    """Teach a server GitLab's requests."""
    state = State()
    server.headers = {"PRIVATE-TOKEN": TOKEN}
    root = f"/projects/(?:{PROJECT}|acme%2Fkredit)"
    server.on("GET", "/user", lambda _: {"id": 1, "username": "bot"})

    def add_note(request: Request) -> Reply:
        made = {"id": len(state.comments) + 1, "body": request.body["body"], "author": {"id": 1}}
        state.comments.append(made)
        return Reply(made, 201)

    def change_note(request: Request) -> dict:
        state.comments[int(request.parts["id"]) - 1].update(request.body)
        return state.comments[int(request.parts["id"]) - 1]

    notes = f"{root}/merge_requests/5/notes"
    server.on("GET", notes, lambda _: state.comments, "per_page")
    server.on("POST", notes, add_note, body=exactly("body"))
    server.on("PUT", rf"{notes}/(?P<id>\d+)", change_note, body=exactly("body"))

    def open_request(request: Request) -> Reply:
        labels = [each for each in request.body["labels"].split(",") if each]
        projects = {"source_project_id": 42, "target_project_id": 42}
        made = {**request.body, **projects, "iid": 5, "state": "opened", "labels": labels}
        made["web_url"] = f"{server.url}/mr/5"
        state.pulls.append(made)
        return Reply(made, 201)

    def change_request(request: Request) -> dict:
        added = request.body.pop("add_labels").split(",")
        state.pulls[0].update(request.body)
        state.pulls[0]["labels"] += [each for each in added if each]
        return state.pulls[0]

    def list_requests(request: Request) -> list:
        found = [each for each in state.pulls if request.query["state"] in (each["state"], "all")]
        return [each for each in found if each["source_branch"] == request.query["source_branch"]]

    ends = ("source_branch", "target_branch", "remove_source_branch")
    server.on("GET", f"{root}/merge_requests", list_requests, "state source_branch target_branch per_page")
    server.on("POST", f"{root}/merge_requests", open_request, body=exactly(*ends, "title", "description", "labels"))
    server.on("PUT", f"{root}/merge_requests/5", change_request, body=exactly("title", "description", "add_labels"))

    def start(request: Request) -> Reply:
        if state.role < ROLES[state.project["ci_pipeline_variables_minimum_override_role"]]:
            return Reply({"message": {"base": ["Insufficient permissions to set pipeline variables"]}}, 400)
        variables = {each["key"]: each["value"] for each in request.body["variables"]}
        state.started.append({"ref": request.body["ref"], **variables})
        return Reply({"web_url": f"{server.url}/pipelines/9"}, 201)

    server.on("POST", f"{root}/pipeline", start, body=exactly("ref", "variables"))

    _environments(server, state, root)
    _artifacts(server, state, root)
    _rules(server, state, root)
    return state


def _environments(server: Server, state: State, root: str) -> None:
    def protect_one(request: Request) -> Reply:
        made = {"name": request.body["name"]}
        for key in ("deploy_access_levels", "approval_rules"):
            made[key] = [{"id": number, "access_level": None, **each} for number, each in enumerate(request.body[key])]
        state.protected[made["name"]] = made
        return Reply(made, 201)

    def change_one(request: Request) -> dict:
        found = state.protected[request.parts["name"]]
        for key, entries in request.body.items():
            gone = {each["id"] for each in entries if each.get("_destroy")}
            new = [{"id": 100 + number, **each} for number, each in enumerate(entries) if "id" not in each]
            found[key] = [each for each in found[key] if each["id"] not in gone] + new
        return found

    def one(request: Request) -> object:
        # GitLab lets only maintainers read how an environment is protected.
        return (state.protected.get(request.parts["name"]) or missing()) if state.role >= 40 else FORBIDDEN

    def deployment(request: Request) -> dict:
        found = state.deployments[int(request.parts["id"])]
        rules = state.protected.get(found["environment"]["name"], {}).get("approval_rules")
        return found | ({"approval_summary": {"rules": rules}} if rules else {})

    def add_environment(request: Request) -> Reply:
        state.environments.append(request.body["name"])
        return Reply({"id": 1, **request.body}, 201)

    path = f"{root}/protected_environments"
    levels = ("deploy_access_levels", "approval_rules")
    server.on("GET", rf"{path}/(?P<name>\w+)", one)
    server.on("POST", path, protect_one, body=exactly("name", *levels))
    server.on("PUT", rf"{path}/(?P<name>\w+)", change_one, body=exactly(*levels))
    server.on(
        "GET",
        f"{root}/environments",
        lambda request: [{"name": each} for each in state.environments if each == request.query["name"]],
        "name",
    )
    server.on("POST", f"{root}/environments", add_environment, body=exactly("name"))
    server.on("GET", f"{root}/deployments", lambda _: state.deployments, "environment order_by sort per_page")
    server.on("GET", rf"{root}/deployments/(?P<id>\d+)", deployment)
    server.on(
        "GET",
        "/users",
        lambda request: [{"id": PEOPLE[request.query["username"]]}] if request.query["username"] in PEOPLE else [],
        "username",
    )
    server.on("GET", r"/groups/acme%2Frisk", lambda _: {"id": GROUPS["acme%2Frisk"]})


def _rules(server: Server, state: State, root: str) -> None:
    def protect_branch(request: Request) -> Reply:
        made = {
            "name": request.body["name"],
            "push_access_levels": [{"id": 1, "access_level": request.body["push_access_level"]}],
            "allow_force_push": request.body["allow_force_push"],
        }
        state.branches[made["name"]] = made
        return Reply(made, 201)

    def change_branch(request: Request) -> dict:
        found = state.branches[request.parts["name"]]
        levels = [each for each in request.body["allowed_to_push"] if not each.get("_destroy")]
        found["push_access_levels"] = [{"id": 9, **each} for each in levels]
        found["allow_force_push"] = request.body["allow_force_push"]
        return found

    fields = exactly("name", "push_access_level", "merge_access_level", "allow_force_push")
    branches = f"{root}/protected_branches"
    server.on(
        "GET", rf"{branches}/(?P<name>\w+)", lambda request: state.branches.get(request.parts["name"]) or missing()
    )
    server.on("POST", branches, protect_branch, body=fields)
    server.on("PATCH", rf"{branches}/(?P<name>\w+)", change_branch, body=exactly("allowed_to_push", "allow_force_push"))

    def add_rule(request: Request) -> Reply:
        state.rules.append({"id": 3, **request.body})
        return Reply(state.rules[-1], 201)

    def project(_: Request) -> dict:
        return state.project | {"permissions": {"project_access": {"access_level": state.role}, "group_access": None}}

    def protect_variable(request: Request) -> dict:
        state.variables[request.parts["key"]].update(request.body)
        return state.variables[request.parts["key"]]

    variable = rf"{root}/variables/(?P<key>\w+)"
    server.on("GET", variable, lambda request: state.variables.get(request.parts["key"]) or missing())
    server.on("PUT", variable, protect_variable, body=exactly("protected"))

    def change_project(request: Request) -> dict:
        state.project.update(request.body)
        return state.project

    server.on("GET", f"{root}/approval_rules", lambda _: state.rules)
    server.on("POST", f"{root}/approval_rules", add_rule, body=exactly("name", "approvals_required"))
    server.on("GET", root, project)
    server.on("PUT", root, change_project, body=lambda body: len(body) == 1 and set(body) <= set(state.project))

    def add_label(request: Request) -> Reply:
        state.labels[request.body["name"]] = dict(request.body)
        return Reply(request.body, 201)

    def change_label(request: Request) -> dict:
        state.labels[request.parts["name"]].update(request.body)
        return state.labels[request.parts["name"]]

    label = rf"{root}/labels/(?P<name>\w+)"
    server.on("GET", label, lambda request: state.labels.get(request.parts["name"]) or missing())
    server.on("POST", f"{root}/labels", add_label, body=exactly("name", "color", "description"))
    server.on("PUT", label, change_label, body=exactly("color", "description"))

    def add_schedule(request: Request) -> Reply:
        made = {"id": len(state.schedules), **request.body, "variables": []}
        state.schedules.append(made)
        return Reply(made, 201)

    def change_schedule(request: Request) -> dict:
        state.schedules[int(request.parts["id"])].update(request.body)
        return state.schedules[int(request.parts["id"])]

    def add_variable(request: Request) -> Reply:
        state.schedules[int(request.parts["id"])]["variables"].append(request.body)
        return Reply(request.body, 201)

    path = f"{root}/pipeline_schedules"
    one = rf"{path}/(?P<id>\d+)"
    fields = exactly("description", "ref", "cron", "cron_timezone", "active")
    server.on("GET", path, lambda _: [{k: v for k, v in each.items() if k != "variables"} for each in state.schedules])
    server.on("GET", one, lambda request: state.schedules[int(request.parts["id"])])
    server.on("POST", path, add_schedule, body=fields)
    server.on("PUT", one, change_schedule, body=fields)
    server.on("POST", f"{one}/variables", add_variable, body=exactly("key", "value"))


def _artifacts(server: Server, state: State, root: str) -> None:
    def found(_: Request) -> object:
        url = f"https://gitlab.com/acme/kredit/-/pipelines/{NUMBER}"
        return {"id": int(NUMBER), "sha": state.commit, "web_url": url} if state.run else missing()

    def jobs(_: Request) -> list:
        listed = []
        for number, (name, content) in enumerate(state.archives.items(), 10):
            job = {"id": number, "name": name, "status": "success", "artifacts_expire_at": "2026-12-21T10:00:00Z"}
            file = {"artifacts_file": {"filename": "artifacts.zip", "size": len(content)}}
            listed.append(job if name in state.expired else job | file)
        ended = [{"id": 90, "name": name, "status": "failed", "artifacts_expire_at": None} for name in state.failed]
        return [*ended, *listed, {"id": 91, "name": "package", "status": "skipped", "artifacts_expire_at": None}]

    def archive(request: Request) -> Reply:
        name = list(state.archives)[int(request.parts["id"]) - 10]
        if name in state.expired:
            return missing()
        return Reply(status=302, headers={"Location": server.away(state.archives[name])})

    server.on("GET", f"{root}/pipelines/{NUMBER}", found)
    server.on("GET", f"{root}/pipelines/7", lambda _: missing())
    server.on("GET", f"{root}/pipelines/{NUMBER}/jobs", jobs, "per_page")

    def cancel(request: Request) -> Reply:
        state.canceled.append(state.waiting[int(request.parts["id"])])
        return Reply({"status": "canceled"}, 201)

    def of_this_run(_: Request) -> list:
        states = {"train": "success", "release": "created"}
        return [{"id": id_, "name": name, "status": states.get(name, "created")} for id_, name in state.waiting.items()]

    server.on("GET", f"{root}/pipelines/9/jobs", of_this_run, "per_page")
    server.on("POST", rf"{root}/jobs/(?P<id>\d+)/cancel", cancel, body=exactly())
    server.on("GET", f"{root}/jobs/90", lambda _: {"id": 90, "pipeline": {"id": int(NUMBER)}})
    server.on("GET", f"{root}/jobs/7", lambda _: missing())
    server.on("GET", rf"{root}/jobs/(?P<id>\d+)/artifacts", archive)


def runner(server: Server, folder) -> dict[str, str]:
    """The variables of a manual job for merge request 5 in the environment prod."""
    return {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_API_V4_URL": server.url,
        "CI_PROJECT_ID": PROJECT,
        "CI_PROJECT_PATH": "acme/kredit",
        "CI_PROJECT_URL": f"{server.url}/acme/kredit",
        "CI_PIPELINE_URL": "https://gitlab.com/acme/kredit/-/pipelines/99",
        "CI_JOB_ID": "77",
        "CI_PIPELINE_ID": "9",
        "CI_ENVIRONMENT_NAME": "prod",
        "CI_MERGE_REQUEST_IID": "5",
        "CI_MERGE_REQUEST_PROJECT_ID": PROJECT,
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": PROJECT,
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "GITLAB_USER_LOGIN": "grace",
        "HOST_TOKEN": TOKEN,
    }


def told(pull: dict) -> tuple[str, str, str]:
    """The branch of a request, where it goes, and what it says."""
    return pull["source_branch"], pull["target_branch"], pull["description"]


def close(pull: dict) -> None:
    """A person closes a request."""
    pull["state"] = "closed"


def protect(state: State, gate: str) -> None:
    """The host asks the maintainers."""
    rule = {"id": 1, "access_level": 40, "access_level_description": "Maintainers", "required_approvals": 1}
    state.protected[gate] = {"name": gate, "deploy_access_levels": [], "approval_rules": [rule]}


def weaken(state: State, gate: str) -> None:
    """Only some may deploy, but the job starts by itself."""
    level = {"id": 1, "access_level": 40, "access_level_description": "Maintainers"}
    state.protected[gate] = {"name": gate, "deploy_access_levels": [level], "approval_rules": []}


def approve(state: State, gate: str) -> str:
    """Ada has approved."""
    given = {"status": "approved", "user": {"username": "ada"}, "created_at": "2026-11-21T10:00:00Z"}
    state.deployments.append({"id": 0, "environment": {"name": gate}, "deployable": {"id": 77}, "approvals": [given]})
    return "ada"
