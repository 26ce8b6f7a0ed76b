"""Forgejo's REST API as https://forgejo.org/docs/latest/user/api-usage describes it.

In memory, and as far as Renovate asks it.
"""

import subprocess
from pathlib import Path

from tests.package.hosts.server import TOKEN, Reply, Request, Server, exactly

REPOSITORY = "acme/kredit"
BOT = {"id": 1, "login": "bot", "full_name": "Bot", "email": "bot@example.org"}


class State:
    """What the host knows."""

    def __init__(self) -> None:
        self.comments: list[str] = []
        self.pulls: list[dict] = []


def install(server: Server, repository: Path) -> State:
    """Teach a server the requests of Forgejo for one repository, which git reaches as a folder."""
    state = State()
    server.headers = {"Authorization": f"Bearer {TOKEN}"}
    root = f"/api/v1/repos/{REPOSITORY}"
    described = {
        "id": 7,
        "full_name": REPOSITORY,
        "owner": {"id": 2, "login": "acme"},
        "default_branch": "main",
        "permissions": {"admin": False, "pull": True, "push": True},
        "allow_merge_commits": True,
        "has_issues": True,
        "empty": False,
        "ssh_url": repository.as_uri(),
    }
    server.on("GET", "/api/v1/user", lambda _: BOT)
    server.on("GET", "/api/v1/version", lambda _: {"version": "15.0.0+gitea-1.22.0"})
    server.on("GET", "/api/v1/orgs/acme", lambda _: {"id": 2})
    server.on("GET", root, lambda _: described)
    server.on("GET", f"{root}/contents/renovate.json", lambda _: Reply({"message": "Not Found"}, 404))

    def open_pull(request: Request) -> Reply:
        asked, now = request.body, "2026-11-21T10:00:00Z"
        command = ["git", "rev-parse", asked["head"]]
        tip = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout.strip()
        head = {"label": asked["head"], "sha": tip, "repo": {"full_name": REPOSITORY}}
        state.pulls.append(
            {"number": len(state.pulls) + 1, "state": "open", "mergeable": True, "merged": False, "user": BOT}
            | {"title": asked["title"], "body": asked["body"], "base": {"ref": asked["base"]}, "head": head}
            | {"created_at": now, "updated_at": now, "labels": [], "assignees": []}
        )
        return Reply(state.pulls[-1], 201)

    def add_comment(request: Request) -> Reply:
        state.comments.append(request.body["body"])
        return Reply({"id": len(state.comments), "body": request.body["body"]}, 201)

    def list_comments(_: Request) -> list:
        return [{"id": number, "body": body} for number, body in enumerate(state.comments, 1)]

    server.on("GET", f"{root}/pulls", lambda _: state.pulls, "state sort limit poster")
    server.on("POST", f"{root}/pulls", open_pull, body=exactly("base", "head", "title", "body", "labels"))
    server.on("GET", f"{root}/issues", lambda _: [], "state type")
    server.on("GET", f"{root}/issues/1/comments", list_comments)
    server.on("POST", f"{root}/issues/1/comments", add_comment, body=exactly("body"))
    fields = exactly("state", "context", "description", optional="target_url")
    server.on("GET", rf"{root}/commits/[\w.%-]+/statuses", lambda _: [])
    server.on("POST", rf"{root}/statuses/[0-9a-f]+", lambda _: Reply({"id": 1}, 201), body=fields)
    return state
