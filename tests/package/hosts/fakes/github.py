"""GitHub's REST API as https://docs.github.com/rest describes it, in memory."""

import json

from tests.package.hosts.fakes.kept import COMMIT, KEPT, NUMBER, zipped
from tests.package.hosts.server import TOKEN, Reply, Request, Server, exactly, missing

REPOSITORY = "acme/kredit"
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
}
PEOPLE = {"ada": 7, "grace": 8}


class State:
    """What the host knows."""

    def __init__(self) -> None:
        self.comments: list[dict] = []
        self.pulls: list[dict] = []
        self.environments: dict[str, dict] = {}
        # The branches that may use an environment.
        self.allowed: dict[str, list[str]] = {}
        self.labels: dict[str, dict] = {}
        self.rulesets: list[dict] = []
        self.reviews: list[dict] = []
        self.started: list[dict] = []
        self.archives = {job: zipped(files) for job, files in KEPT.items()}
        self.expired: set[str] = set()
        self.run = True
        self.commit = COMMIT
        self.failed = ["Release"]


def install(server: Server) -> State:
    """Teach a server GitHub's requests."""
    state = State()
    server.headers = HEADERS
    root = f"/repos/{REPOSITORY}"
    paging = "per_page"

    def add_comment(request: Request) -> Reply:
        number = len(state.comments) + 1
        made = {
            "id": number,
            "body": request.body["body"],
            "user": {"type": "Bot"},
            "author_association": "NONE",
            "html_url": f"{server.url}/pull/5#{number}",
        }
        state.comments.append(made)
        return Reply(made, 201)

    def list_comments(request: Request) -> Reply:
        # Two a page, so that pages are read.
        page = int(request.query.get("page", 1))
        rest = state.comments[page * 2 :]
        link = {"Link": f'<{server.url}{root}/issues/5/comments?per_page=100&page={page + 1}>; rel="next"'}
        return Reply(state.comments[page * 2 - 2 : page * 2], headers=link if rest else {})

    def change_comment(request: Request) -> dict:
        found = state.comments[int(request.parts["id"]) - 1]
        found["body"] = request.body["body"]
        return found

    server.on("GET", f"{root}/issues/5/comments", list_comments, paging)
    server.on("GET", f"{root}/issues/5/comments", list_comments, f"{paging} page")
    server.on("POST", f"{root}/issues/5/comments", add_comment, body=exactly("body"))
    server.on("PATCH", rf"{root}/issues/comments/(?P<id>\d+)", change_comment, body=exactly("body"))

    def open_pull(request: Request) -> Reply:
        made = {**request.body, "number": 5, "state": "open", "labels": [], "html_url": f"{server.url}/pull/5"}
        state.pulls.append(made)
        return Reply(made, 201)

    def change_pull(request: Request) -> dict:
        state.pulls[0].update(request.body)
        return state.pulls[0]

    def label_pull(request: Request) -> list:
        state.pulls[0]["labels"] += [{"name": name} for name in request.body["labels"]]
        return state.pulls[0]["labels"]

    def list_pulls(request: Request) -> list:
        listed = [each for each in state.pulls if request.query["state"] in (each["state"], "all")]
        return [each for each in listed if f"acme:{each['head']}" == request.query["head"]]

    server.on("GET", f"{root}/pulls", list_pulls, "state head base per_page")
    server.on("POST", f"{root}/pulls", open_pull, body=exactly("title", "body", "head", "base"))
    server.on("PATCH", f"{root}/pulls/5", change_pull, body=exactly("title", "body"))
    server.on("POST", f"{root}/issues/5/labels", label_pull, body=exactly("labels"))

    def dispatch(request: Request) -> Reply:
        state.started.append({**request.body, "file": request.parts["file"]})
        return Reply(status=204)

    server.on(
        "POST", rf"{root}/actions/workflows/(?P<file>[\w-]+\.yml)/dispatches", dispatch, body=exactly("ref", "inputs")
    )
    _artifacts(server, state, root)
    server.on("GET", f"{root}/actions/runs/99/approvals", lambda _: state.reviews)

    def environment(request: Request) -> object:
        return state.environments.get(request.parts["name"]) or missing()

    def set_environment(request: Request) -> dict:
        names = {number: name for name, number in PEOPLE.items()}
        asked = [
            {
                "type": each["type"],
                "reviewer": {"id": each["id"], "login": names[each["id"]]}
                if each["type"] == "User"
                else {"id": each["id"], "slug": "risk"},
            }
            for each in request.body["reviewers"]
        ]
        prevents = request.body["prevent_self_review"]
        rule = {"type": "required_reviewers", "prevent_self_review": prevents, "reviewers": asked}
        policy = request.body["deployment_branch_policy"]
        rules = [rule] * bool(asked) + [{"type": "branch_policy"}] * bool(policy)
        made = {"name": request.parts["name"], "protection_rules": rules, "deployment_branch_policy": policy}
        state.environments[request.parts["name"]] = made
        return made

    def allow_branch(request: Request) -> dict:
        assert state.environments[request.parts["name"]]["deployment_branch_policy"]["custom_branch_policies"]
        state.allowed.setdefault(request.parts["name"], []).append(request.body["name"])
        return request.body

    def allowed(request: Request) -> dict:
        names = state.allowed.get(request.parts["name"], [])
        return {"total_count": len(names), "branch_policies": [{"id": 1, "name": name} for name in names]}

    policies = rf"{root}/environments/(?P<name>[\w-]+)/deployment-branch-policies"
    server.on("GET", policies, allowed, "per_page")
    server.on("POST", policies, allow_branch, body=exactly("name", "type"))
    all_of_it = exactly("wait_timer", "prevent_self_review", "reviewers", "deployment_branch_policy")
    server.on("GET", rf"{root}/environments/(?P<name>[\w-]+)", environment)
    server.on("PUT", rf"{root}/environments/(?P<name>[\w-]+)", set_environment, body=all_of_it)
    server.on(
        "GET",
        r"/users/(?P<name>[\w%-]+)",
        lambda request: {"id": PEOPLE[request.parts["name"]]} if request.parts["name"] in PEOPLE else missing(),
    )
    server.on("GET", "/orgs/acme/teams/risk", lambda _: {"id": 70, "slug": "risk"})

    def add_ruleset(request: Request) -> Reply:
        made = {"id": len(state.rulesets) + 1, "source": REPOSITORY, **request.body}
        # The host adds what it knows besides.
        made["rules"] = [
            {**rule, "parameters": {**rule.get("parameters", {}), "allowed_merge_methods": ["merge"]}}
            for rule in reversed(made["rules"])
        ]
        state.rulesets.append(made)
        return Reply(made, 201)

    def listed(_: Request) -> list:
        return [{key: each[key] for key in ("id", "name", "target", "enforcement")} for each in state.rulesets]

    def change_ruleset(request: Request) -> dict:
        state.rulesets[0].update(request.body)
        return state.rulesets[0]

    rules = exactly("name", "target", "enforcement", "conditions", "rules")
    server.on("GET", f"{root}/rulesets", listed, "includes_parents per_page")
    server.on("POST", f"{root}/rulesets", add_ruleset, body=rules)
    server.on("GET", f"{root}/rulesets/1", lambda _: state.rulesets[0])
    server.on("PUT", f"{root}/rulesets/1", change_ruleset, body=rules)

    def add_label(request: Request) -> Reply:
        state.labels[request.body["name"]] = dict(request.body)
        return Reply(request.body, 201)

    def change_label(request: Request) -> dict:
        found = state.labels.pop(request.parts["name"])
        found.update(request.body, name=request.body["new_name"])
        state.labels[found["name"]] = found
        return found

    server.on(
        "GET", rf"{root}/labels/(?P<name>\w+)", lambda request: state.labels.get(request.parts["name"]) or missing()
    )
    server.on("POST", f"{root}/labels", add_label, body=exactly("name", "color", "description"))
    server.on("PATCH", rf"{root}/labels/(?P<name>\w+)", change_label, body=exactly("new_name", "color", "description"))
    return state


def _artifacts(server: Server, state: State, root: str) -> None:
    def found(_: Request) -> object:
        url = f"https://github.com/{REPOSITORY}/actions/runs/{NUMBER}"
        path = ".github/workflows/cd.yml@refs/heads/main"
        return {"id": int(NUMBER), "path": path, "html_url": url, "head_sha": state.commit} if state.run else missing()

    def jobs(_: Request) -> dict:
        ended = dict.fromkeys(("Train", "Judge"), "success") | dict.fromkeys(state.failed, "failure")
        return {"total_count": len(ended), "jobs": [{"name": name, "conclusion": end} for name, end in ended.items()]}

    def artifacts(request: Request) -> Reply:
        # One a page, so that pages are read; the first is of an attempt before.
        old = {"id": 1, "name": "train", "size_in_bytes": 3, "expired": True}
        entries = [old] if "train" in state.archives else []
        for number, (name, content) in enumerate(state.archives.items(), 10):
            expired = name in state.expired
            entries.append({"id": number, "name": name, "size_in_bytes": len(content), "expired": expired})
        page = int(request.query.get("page", 1))
        link = f'<{server.url}{root}/actions/runs/{NUMBER}/artifacts?per_page=100&page={page + 1}>; rel="next"'
        listed = {"total_count": len(entries), "artifacts": entries[page - 1 : page]}
        return Reply(listed, headers={"Link": link} if entries[page:] else {})

    def archive(request: Request) -> Reply:
        name = list(state.archives)[int(request.parts["id"]) - 10]
        if name in state.expired:
            return Reply({"message": "Artifact has expired"}, 410)
        return Reply(status=302, headers={"Location": server.away(state.archives[name])})

    run = f"{root}/actions/runs/{NUMBER}"
    server.on("GET", run, found)
    server.on("GET", f"{root}/actions/runs/7", lambda _: missing())
    server.on("GET", f"{run}/jobs", jobs, "per_page")
    server.on("GET", f"{run}/artifacts", artifacts, "per_page")
    server.on("GET", f"{run}/artifacts", artifacts, "per_page page")
    server.on("GET", rf"{root}/actions/artifacts/(?P<id>\d+)/zip", archive)


def runner(server: Server, folder) -> dict[str, str]:
    """The variables of a run for pull request 5."""
    event = folder / "event.json"
    head = {"repo": {"full_name": REPOSITORY}}
    request = {"number": 5, "base": {"ref": "main"}, "head": head}
    event.write_text(json.dumps({"pull_request": request}), encoding="utf-8")
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": server.url,
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": "99",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_OUTPUT": str(folder / "outputs"),
        "HOST_TOKEN": TOKEN,
    }


def told(pull: dict) -> tuple[str, str, str]:
    """The branch of a request, where it goes, and what it says."""
    return pull["head"], pull["base"], pull["body"]


def close(pull: dict) -> None:
    """A person closes a request."""
    pull["state"] = "closed"


def protect(state: State, gate: str) -> None:
    """The host asks ada."""
    asked = [{"type": "User", "reviewer": {"id": 7, "login": "ada"}}]
    rules = [{"type": "branch_policy"}, {"type": "required_reviewers", "reviewers": asked}]
    state.environments[gate] = {"name": gate, "protection_rules": rules}


def weaken(state: State, gate: str) -> None:
    """There is an environment that asks nobody."""
    state.environments[gate] = {"name": gate, "protection_rules": [{"type": "wait_timer", "wait_timer": 30}]}


def approve(state: State, gate: str) -> str:
    """Ada has approved."""
    review = {"state": "approved", "environments": [{"name": gate}], "user": {"login": "ada"}, "comment": ""}
    state.reviews.append(review)
    return "ada"
