"""Bitbucket Cloud: comments, pull requests, pipelines, approvals and tokens over its REST API.

The docstring of each method names its group of https://developer.atlassian.com/cloud/bitbucket/rest.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from copier_mlops.hosts import bitbucket_settings
from copier_mlops.hosts.api import Api, Document
from copier_mlops.hosts.base import Base, open_or_newest, part
from copier_mlops.hosts.interface import Approval, Change, ChangeRequest, HostError, Protection, Run, Setting

LONGEST = 30_000
WEB = "https://bitbucket.org"
RUN = re.compile(r"(?P<repository>[^/]+/[^/]+)/pipelines/results/(?P<number>\d+)(/.*)?(\?.*)?")
PULLS = "open pull requests (scope pullrequest:write)"
STATES = ["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]


class Bitbucket(Base):
    """Bitbucket Cloud."""

    name = "Bitbucket"
    example_run = "https://bitbucket.org/WORKSPACE/REPOSITORY/pipelines/results/NUMBER"
    git_user = "x-token-auth"
    # All runners set CI, but only Bitbucket's set this number.
    runner = ("BITBUCKET_BUILD_NUMBER", "")
    ref = "BITBUCKET_BRANCH"
    outputs = "BITBUCKET_PIPELINES_VARIABLES_PATH"

    @property
    def repository(self) -> str:
        """WORKSPACE/REPOSITORY."""
        found = self.var("BITBUCKET_REPO_FULL_NAME") if self.on_runner() else super().repository
        if found.count("/") != 1:
            text = f"{found!r} is not a repository of Bitbucket: expected WORKSPACE/REPOSITORY"
            raise HostError(text, "repository in operation/configuration/host.yaml")
        return found

    @cached_property
    def api(self) -> Api:
        """The REST API; runners have no variable for its address."""
        base = self.wanted.api or "https://api.bitbucket.org/2.0"
        return self.client(base, {"Authorization": f"Bearer {self.token}"})

    def path(self, *parts: object) -> str:
        """Return a path below the repository."""
        return "/".join(["repositories", self.repository, *map(part, parts)])

    def change_request(self) -> ChangeRequest | None:
        """Read it from the variables of the run; for a pull request of a fork, Bitbucket runs no pipeline here."""
        number = self.var("BITBUCKET_PR_ID")
        if not self.on_runner() or not number:
            return None
        return ChangeRequest(number, self.var("BITBUCKET_PR_DESTINATION_BRANCH"), False)

    def run_url(self) -> str:
        """Read it from the variables of the run."""
        if not self.on_runner():
            return ""
        return f"{WEB}/{self.repository}/pipelines/results/{self.var('BITBUCKET_BUILD_NUMBER')}"

    def comment(self, marker: str, body: str) -> str:
        """List, create and update comments (Pullrequests)."""
        request = self.own_request()
        right = "write comments (scope pullrequest:write)"
        # Bitbucket shows HTML comments as text, but hides link definitions without a reference.
        hidden = f"[//]: # ({marker})"
        text = f"{hidden}\n\n{body}"[:LONGEST]
        path = self.path("pullrequests", request.number, "comments")
        for known in self.api.pages(path, right, pagelen=100):
            raw = known["content"]["raw"] or ""
            if not known.get("deleted") and raw.startswith(hidden):
                if raw != text:
                    self.api.send("PUT", f"{path}/{known['id']}", right, {"content": {"raw": text}})
                break
        else:
            known = self.api.send("POST", path, right, {"content": {"raw": text}})
        return str(known["links"]["html"]["href"])

    def _pulls(self, branch: str, base: str, states: list[str]) -> Iterator[Document]:
        ends = {
            "source.branch.name": branch,
            "source.repository.full_name": self.repository,  # not from a fork
            "destination.branch.name": base,
        }
        texts = {name: text.replace("\\", "\\\\").replace('"', '\\"') for name, text in ends.items()}
        query = " AND ".join(f'{name} = "{text}"' for name, text in texts.items())
        options: Document = {"q": query, "state": states, "sort": "-created_on", "pagelen": 50}
        return self.api.pages(self.path("pullrequests"), PULLS, **options)

    def find_change(self, branch: str, base: str) -> Change | None:
        """List pull requests (Pullrequests)."""
        found = self._pulls(branch, base, STATES)
        return open_or_newest(Change(each["links"]["html"]["href"], each["state"] == "OPEN") for each in found)

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """List, create and update pull requests, which have no labels (Pullrequests)."""
        text = {"title": title[:255], "description": body[:LONGEST]}
        path = self.path("pullrequests")
        found = next(self._pulls(branch, base, STATES[:1]), None)
        if found is None:
            ends = {"source": {"branch": {"name": branch}}, "destination": {"branch": {"name": base}}}
            found = self.api.send("POST", path, PULLS, {**text, **ends, "close_source_branch": True})
        elif any(found.get(key) != value for key, value in text.items()):
            self.api.send("PUT", f"{path}/{found['id']}", PULLS, text)
        return str(found["links"]["html"]["href"])

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Run a custom pipeline (Pipelines); an input becomes a variable OPERATION_NAME."""
        target = {
            "type": "pipeline_ref_target",
            "ref_type": "branch",
            "ref_name": self.wanted.branch.name,
            "selector": {"type": "custom", "pattern": flow},
        }
        variables = [{"key": f"OPERATION_{name.upper()}", "value": value} for name, value in inputs.items()]
        body = {"target": target, "variables": variables}
        made = self.api.send("POST", self.path("pipelines"), "run pipelines (scope pipeline:write)", body)
        return f"{WEB}/{self.repository}/pipelines/results/{made['build_number']}"

    def find_run(self, reference: str) -> Run:
        """Refuse: the documented API has the steps and logs of a pipeline, but not its artifacts."""
        number = self.run_number(reference, RUN, self.repository)
        raise HostError(
            "Bitbucket's API has no artifacts of steps",
            f"{WEB}/{self.repository}/pipelines/results/{number}: choose the step, tab Artifacts, download it, "
            "and unpack it in this folder, so that build/JOB is there; the lines of the step's script are the commands",
        )

    def protection(self, gate: str) -> Protection | None:
        """List environments (Deployments); to a restricted one only administrators deploy, by a manual step."""
        found = bitbucket_settings.environment_of(self, gate)
        restricted = ((found or {}).get("restrictions") or {}).get("admin_only") is True
        return Protection(("administrators of the repository",), self._gaps()) if restricted else None

    def _gaps(self) -> tuple[str, ...]:
        """Look whether the token could open the gates itself (Branch restrictions: list, needs repository:admin)."""
        try:
            self.api.get(self.path("branch-restrictions"), bitbucket_settings.ADMIN, pagelen=1)
        except HostError:
            return ()
        return ("HOST_TOKEN has repository:admin, so a job could open every gate with it: make one without",)

    def approval(self, gate: str) -> Approval | None:
        """Name who started the manual step, BITBUCKET_STEP_TRIGGERER_UUID (Users: get one)."""
        if self.var("BITBUCKET_DEPLOYMENT_ENVIRONMENT") != gate:
            here = self.var("BITBUCKET_DEPLOYMENT_ENVIRONMENT") or "no environment"
            raise HostError(f"this step deploys to {here}, not to {gate}", f"deployment: {gate} in its step")
        number = self.need("BITBUCKET_STEP_TRIGGERER_UUID")
        try:
            user = self.api.get(f"users/{part(number)}", "read users (scope account)", optional=True)
        except HostError:  # a token of the repository has no such scope, and the number names the person as well
            user = None
        who = (user or {}).get("display_name") or number
        return Approval(who, f"started the step of environment {gate} on Bitbucket")

    def settings(self) -> list[Setting]:
        """Return pipelines, environments, the main branch and schedules."""
        return bitbucket_settings.settings(self)

    def id_token(self, audience: str, connection: str = "") -> str:
        """Read it from a step with `oidc: true`; its audience is always the workspace's."""
        return self.need("BITBUCKET_STEP_OIDC_TOKEN")


ADAPTER = Bitbucket
