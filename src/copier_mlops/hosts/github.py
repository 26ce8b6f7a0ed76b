"""GitHub: comments, pull requests, runs, approvals and tokens over its REST API.

The docstring of each method names its pages of https://docs.github.com/rest.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from copier_mlops.hosts import github_settings
from copier_mlops.hosts.api import Api, Document
from copier_mlops.hosts.base import Base, by_name, open_or_newest, part
from copier_mlops.hosts.interface import (
    Approval,
    Change,
    ChangeRequest,
    HostError,
    Kept,
    Plan,
    Protection,
    Run,
    Setting,
)

VERSION = "2022-11-28"
LONGEST = 65_000
PULLS = "open pull requests (pull-requests: write)"
RUNS = "read runs (actions: read)"
RUN = re.compile(r"(?P<repository>[^/]+/[^/]+)/actions/runs/(?P<number>\d+)(/.*)?(\?.*)?")
TRUSTED = {"OWNER", "MEMBER", "COLLABORATOR"}


class GitHub(Base):
    """GitHub, or a GitHub Enterprise server."""

    name = "GitHub"
    example_run = "https://github.com/OWNER/NAME/actions/runs/NUMBER"
    runner = ("GITHUB_ACTIONS", "true")
    ref = "GITHUB_REF"
    outputs = "GITHUB_OUTPUT"

    @property
    def repository(self) -> str:
        """OWNER/NAME."""
        found = self.var("GITHUB_REPOSITORY") if self.on_runner() else super().repository
        if found.count("/") != 1:
            raise HostError(f"{found!r} is not a repository of GitHub: expected OWNER/NAME", "repository in host.yaml")
        return found

    @property
    def server(self) -> str:
        """The server of the repository, for example github.com."""
        found = "github.com" if self.wanted.repository else self.remote.server
        return "github.com" if found == "ssh.github.com" else found

    @cached_property
    def api(self) -> Api:
        """The REST API, from the runner's variables, the settings, or the server of the git remote."""
        base = (self.on_runner() and self.var("GITHUB_API_URL")) or self.wanted.api
        if not base:
            base = "https://api.github.com" if self.server == "github.com" else f"https://{self.server}/api/v3"
        accept = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
        return self.client(base, {"Authorization": f"Bearer {self.token}", **accept})

    def path(self, *parts: object) -> str:
        """Return a path below the repository."""
        return "/".join(["repos", self.repository, *map(part, parts)])

    def change_request(self) -> ChangeRequest | None:
        """Read it from the file of the event that started the run (`GITHUB_EVENT_PATH`)."""
        if not self.on_runner() or not self.var("GITHUB_EVENT_PATH"):
            return None
        try:
            event = json.loads(Path(self.var("GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HostError(f"the event of this run cannot be read: {error}", "run it again") from None
        request = event.get("pull_request")
        if not request:
            return None
        source = (request["head"].get("repo") or {}).get("full_name")  # the repository of a deleted fork is null
        return ChangeRequest(str(request["number"]), request["base"]["ref"], source != self.repository)

    def run_url(self) -> str:
        """Read it from the variables of the runner."""
        if not self.on_runner():
            return ""
        return f"{self.var('GITHUB_SERVER_URL')}/{self.repository}/actions/runs/{self.var('GITHUB_RUN_ID')}"

    def comment(self, marker: str, body: str) -> str:
        """List, create and update issue comments, which those of pull requests are (Issues / Comments)."""
        request = self.own_request()
        right = "write comments (pull-requests: write)"
        hidden = f"<!-- {marker} -->"
        text = f"{hidden}\n{body}"[:LONGEST]
        path = self.path("issues", request.number, "comments")
        for known in self.api.pages(path, right, per_page=100):
            # Never change somebody else's comment, even if it has our marker.
            ours = known["user"]["type"] == "Bot" or known["author_association"] in TRUSTED
            if ours and (known["body"] or "").startswith(hidden):
                if known["body"] != text:
                    self.api.send("PATCH", self.path("issues", "comments", known["id"]), right, {"body": text})
                return str(known["html_url"])
        return str(self.api.send("POST", path, right, {"body": text})["html_url"])

    def _pulls(self, branch: str, base: str, state: str) -> Iterator[Document]:
        owner = self.repository.partition("/")[0]  # and so not from a fork
        query: Document = {"state": state, "head": f"{owner}:{branch}", "base": base, "per_page": 100}
        return self.api.pages(self.path("pulls"), PULLS, **query)

    def find_change(self, branch: str, base: str) -> Change | None:
        """List pull requests (Pulls)."""
        found = self._pulls(branch, base, "all")
        return open_or_newest(Change(each["html_url"], each["state"] == "open") for each in found)

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """List, create and update pull requests (Pulls), and add labels to an issue (Issues / Labels)."""
        text = {"title": title[:250], "body": body[:LONGEST]}
        found = next(self._pulls(branch, base, "open"), None)
        if found is None:
            found = self.api.send("POST", self.path("pulls"), PULLS, {**text, "head": branch, "base": base})
        elif any(found[key] != value for key, value in text.items()):
            self.api.send("PATCH", self.path("pulls", found["number"]), PULLS, text)
        missing = [label for label in labels if label not in {each["name"] for each in found["labels"]}]
        if missing:
            self.api.send("POST", self.path("issues", found["number"], "labels"), PULLS, {"labels": missing})
        return str(found["html_url"])

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Create a workflow dispatch event (Actions / Workflows)."""
        path = self.path("actions", "workflows", f"{flow}.yml", "dispatches")
        body = {"ref": self.wanted.branch.name, "inputs": dict(inputs)}
        self.api.send("POST", path, "start workflows (actions: write)", body)
        server = self.var("GITHUB_SERVER_URL") or "https://github.com"
        return f"{server}/{self.repository}/actions/workflows/{flow}.yml"

    def show_service(self, url: str, folder: Path) -> None:
        """Write the output that the environment of the job reads (Workflow syntax: environment.url)."""
        self.write_output("url", url)

    def find_run(self, reference: str) -> Run:
        """Get a run, its jobs and its artifacts (Actions / Workflow runs, Workflow jobs, Artifacts)."""
        number = self.run_number(reference, RUN, self.repository)
        path = self.path("actions", "runs", number)
        found = self.api.get(path, RUNS, optional=True)
        if not found:
            raise self.no_run(number)
        flow = Path(found["path"].partition("@")[0]).stem
        jobs = self.api.pages(f"{path}/jobs", RUNS, "jobs", per_page=100)
        failed = [each["name"] for each in jobs if each["conclusion"] in ("failure", "timed_out")]
        newest: dict[str, Document] = {}
        for each in self.api.pages(f"{path}/artifacts", RUNS, "artifacts", per_page=100):
            # A job that ran twice has two artifacts of the same name.
            newest[each["name"]] = max(each, newest.get(each["name"], each), key=lambda one: one["id"])
        kept = [self._kept(name, each) for name, each in newest.items()]
        return Run(number, found["html_url"], flow, found["head_sha"], by_name(flow, failed), tuple(kept))

    def _kept(self, name: str, artifact: Document) -> Kept:
        path = self.path("actions", "artifacts", artifact["id"], "zip")
        save = partial(self.api.download, path, RUNS)
        return Kept(name, artifact["size_in_bytes"], artifact["expired"], ("",), save)

    def protection(self, gate: str) -> Protection | None:
        """Read the rule `required_reviewers` of an environment (Deployments / Environments: get)."""
        found = self.api.get(self.path("environments", gate), github_settings.READ, optional=True)
        asked = github_settings.reviewers(found or {})
        return Protection(tuple(sorted(asked.values())), github_settings.gaps(found)) if asked else None

    def approval(self, gate: str) -> Approval | None:
        """Read the review history of the run, which has no times (Actions / Workflow runs)."""
        path = self.path("actions", "runs", self.need("GITHUB_RUN_ID"), "approvals")
        for review in reversed(self.api.get(path, RUNS) or []):
            if gate in {each["name"] for each in review["environments"]}:
                # The last review counts, since it may be a rejection.
                approved = review["state"] == "approved"
                how = f"review of environment {gate} on GitHub"
                return Approval(review["user"]["login"], how) if approved else None
        return None

    def settings(self) -> list[Setting]:
        """Return environments, the rules of the main branch, and labels."""
        return [*self._artifacts(), *github_settings.settings(self)]

    def _artifacts(self) -> list[Setting]:
        """Name a server that does not run the artifact actions of the flows (README of actions/upload-artifact)."""
        try:
            server = self.server
        except HostError:  # the other settings say it
            return []
        if server == "github.com" or server.endswith(".ghe.com"):
            return []

        def see() -> Plan:
            raise HostError(
                f"{server} is GitHub Enterprise Server, which has no artifacts for the actions that cd uses",
                "run cd from a repository on github.com or ghe.com, or by hand: uv run poe cd",
            )

        return [Setting("artifacts", see)]

    def id_token(self, audience: str, connection: str = "") -> str:
        """Request a token at the runner's own address (Actions / Security); the job needs `id-token: write`."""
        if not self.var("ACTIONS_ID_TOKEN_REQUEST_URL"):
            raise HostError(
                "this job may not request an OpenID Connect token", "permissions: id-token: write in its job"
            )
        parts = urlsplit(self.var("ACTIONS_ID_TOKEN_REQUEST_URL"))
        headers = {"Authorization": f"Bearer {self.need('ACTIONS_ID_TOKEN_REQUEST_TOKEN')}"}
        query: Document = dict(parse_qsl(parts.query))
        issuer = self.client(f"{parts.scheme}://{parts.netloc}", headers)
        answer = issuer.get(parts.path, "request an identity (id-token: write)", **query, audience=audience)
        return str((answer or {}).get("value", ""))


ADAPTER = GitHub
