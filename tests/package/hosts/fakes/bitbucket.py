"""Bitbucket's REST API as https://developer.atlassian.com/cloud/bitbucket/rest describes it, in memory."""

from tests.package.hosts.server import TOKEN, Reply, Request, Server, exactly

REPOSITORY = "acme/kredit"


class State:
    """What the host knows."""

    def __init__(self) -> None:
        self.comments: list[dict] = []
        self.pulls: list[dict] = []
        self.environments: list[dict] = []
        self.rules: list[dict] = []
        self.schedules: list[dict] = []
        self.config = {"enabled": False}
        self.started: list[dict] = []
        self.premium = True
        # Whether the token has the scope repository:admin.
        self.admin = True


def install(server: Server) -> State:
    """Teach a server Bitbucket's requests."""
    state = State()
    server.headers = {"Authorization": f"Bearer {TOKEN}"}
    root = f"/repositories/{REPOSITORY}"

    def page(entries: list) -> dict:
        return {"pagelen": 100, "values": entries}

    def list_comments(request: Request) -> dict:
        # One a page, so that pages are read.
        number = int(request.query.get("page", 1))
        following = f"{server.url}{root}/pullrequests/5/comments?pagelen=100&page={number + 1}"
        found = page(state.comments[number - 1 : number])
        return {**found, "next": following} if state.comments[number:] else found

    def add_comment(request: Request) -> Reply:
        number = len(state.comments) + 1
        link = {"html": {"href": f"{server.url}/pr/5#{number}"}}
        state.comments.append({"id": number, "content": request.body["content"], "links": link})
        return Reply(state.comments[-1], 201)

    def change_comment(request: Request) -> dict:
        state.comments[int(request.parts["id"]) - 1].update(request.body)
        return state.comments[int(request.parts["id"]) - 1]

    comments = f"{root}/pullrequests/5/comments"
    server.on("GET", comments, list_comments, "pagelen")
    server.on("GET", comments, list_comments, "pagelen page")
    server.on("POST", comments, add_comment, body=exactly("content"))
    server.on("PUT", rf"{comments}/(?P<id>\d+)", change_comment, body=exactly("content"))

    def open_pull(request: Request) -> Reply:
        links = {"html": {"href": f"{server.url}/pr/5"}}
        state.pulls.append({**request.body, "id": 5, "state": "OPEN", "links": links})
        return Reply(state.pulls[-1], 201)

    def change_pull(request: Request) -> dict:
        state.pulls[0].update(request.body)
        return state.pulls[0]

    def list_pulls(request: Request) -> dict:
        assert f'source.repository.full_name = "{REPOSITORY}"' in request.query["q"]
        found = [each for each in state.pulls if each["state"] in request.query["state"].split(",")]
        return page([each for each in found if f'"{each["source"]["branch"]["name"]}"' in request.query["q"]])

    fields = exactly("title", "description", "source", "destination", "close_source_branch")
    server.on("GET", f"{root}/pullrequests", list_pulls, "q state sort pagelen")
    server.on("POST", f"{root}/pullrequests", open_pull, body=fields)
    server.on("PUT", f"{root}/pullrequests/5", change_pull, body=exactly("title", "description"))

    def start(request: Request) -> Reply:
        target = request.body["target"]
        variables = {each["key"]: each["value"] for each in request.body["variables"]}
        state.started.append({"ref": target["ref_name"], "flow": target["selector"]["pattern"], **variables})
        return Reply({"build_number": 9}, 201)

    server.on("POST", f"{root}/pipelines", start, body=exactly("target", "variables"))
    server.on("GET", r"/users/%7Bu-1%7D", lambda _: {"display_name": "Ada"})
    _settings(server, state, root, page)
    return state


def _settings(server: Server, state: State, root: str, page) -> None:
    def add_environment(request: Request) -> Reply:
        made = {"uuid": f"{{e-{len(state.environments)}}}", **request.body}
        made["restrictions"] = {**made["restrictions"], "admin_only": state.premium}
        state.environments.append(made)
        return Reply(made, 201)

    def change_environment(request: Request) -> Reply:
        found = next(each for each in state.environments if each["uuid"] == f"{{{request.parts['id']}}}")
        found.update(request.body["change"])
        found["restrictions"] = {**found["restrictions"], "admin_only": state.premium}
        return Reply(status=202, document={})

    fields = exactly("type", "name", "environment_type", "restrictions")
    server.on("GET", f"{root}/environments", lambda _: page(state.environments), "pagelen")
    server.on("POST", f"{root}/environments", add_environment, body=fields)
    server.on("POST", rf"{root}/environments/%7B(?P<id>[\w-]+)%7D/changes", change_environment, body=exactly("change"))

    def switch(request: Request) -> dict:
        state.config.update(request.body)
        return state.config

    server.on("GET", f"{root}/pipelines_config", lambda _: state.config)
    server.on("PUT", f"{root}/pipelines_config", switch, body=exactly("enabled"))

    def add_rule(request: Request) -> Reply:
        state.rules.append({"id": len(state.rules), **request.body})
        return Reply(state.rules[-1], 201)

    def change_rule(request: Request) -> dict:
        state.rules[int(request.parts["id"])].update(request.body)
        return state.rules[int(request.parts["id"])]

    fields = exactly("kind", "branch_match_kind", "pattern", optional="value")
    forbidden = Reply({"type": "error", "error": {"message": "Your credentials lack one or more scopes"}}, 403)
    rules = f"{root}/branch-restrictions"
    server.on("GET", rules, lambda _: page(state.rules) if state.admin else forbidden, "kind pattern pagelen")
    server.on("GET", rules, lambda _: page(state.rules[:1]) if state.admin else forbidden, "pagelen")
    server.on("POST", f"{root}/branch-restrictions", add_rule, body=fields)
    server.on("PUT", rf"{root}/branch-restrictions/(?P<id>\d+)", change_rule, body=fields)

    def add_schedule(request: Request) -> Reply:
        state.schedules.append({"uuid": f"{{s-{len(state.schedules)}}}", **request.body})
        return Reply(state.schedules[-1], 201)

    def remove_schedule(request: Request) -> Reply:
        state.schedules[:] = [each for each in state.schedules if each["uuid"] != f"{{{request.parts['id']}}}"]
        return Reply(status=204)

    path = f"{root}/pipelines_config/schedules"
    server.on("GET", path, lambda _: page(state.schedules), "pagelen")
    server.on("POST", path, add_schedule, body=exactly("type", "target", "cron_pattern", "enabled"))
    server.on("DELETE", rf"{path}/%7B(?P<id>[\w-]+)%7D", remove_schedule)


def runner(server: Server, folder) -> dict[str, str]:
    """The variables of a step for pull request 5 in the environment prod; HOST_API since runners name no API."""
    return {
        "CI": "true",
        "BITBUCKET_BUILD_NUMBER": "99",
        "BITBUCKET_REPO_FULL_NAME": REPOSITORY,
        "BITBUCKET_PR_ID": "5",
        "BITBUCKET_PR_DESTINATION_BRANCH": "main",
        "BITBUCKET_DEPLOYMENT_ENVIRONMENT": "prod",
        "BITBUCKET_STEP_TRIGGERER_UUID": "{u-1}",
        "BITBUCKET_PIPELINES_VARIABLES_PATH": str(folder / "outputs"),
        "HOST_API": server.url,
        "HOST_TOKEN": TOKEN,
    }


def told(pull: dict) -> tuple[str, str, str]:
    """The branch of a request, where it goes, and what it says."""
    return pull["source"]["branch"]["name"], pull["destination"]["branch"]["name"], pull["description"]


def close(pull: dict) -> None:
    """A person closes a request."""
    pull["state"] = "DECLINED"


def protect(state: State, gate: str) -> None:
    """Only administrators deploy."""
    state.environments.append({"uuid": "{e-9}", "name": gate, "restrictions": {"admin_only": True}})


def weaken(state: State, gate: str) -> None:
    """Everybody deploys."""
    state.environments.append({"uuid": "{e-9}", "name": gate, "restrictions": {"admin_only": False}})


def approve(state: State, gate: str) -> str:
    """Ada has started the step, which the variables of the runner say."""
    return "Ada"
