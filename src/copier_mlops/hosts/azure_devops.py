"""Azure DevOps: comments, pull requests, runs, approvals and tokens over its REST API.

The docstring of each method names its pages of https://learn.microsoft.com/rest/api/azure/devops.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from copier_mlops.hosts import azure_devops_settings
from copier_mlops.hosts.api import Api, Document
from copier_mlops.hosts.base import Base, open_or_newest, part
from copier_mlops.hosts.interface import (
    Approval,
    Change,
    ChangeRequest,
    HostError,
    Kept,
    Protection,
    Run,
    Setting,
)
from copier_mlops.hosts.refusals import one_line

VERSION: Document = {"api-version": "7.1"}
PREVIEW: Document = {"api-version": "7.1-preview.1"}
LONGEST = 100_000
LONGEST_DESCRIPTION = 4_000
CLOSED = 4
BUILDS = "read builds (build: read)"
RUN = re.compile(r"(?:[^/]+/)?(?P<repository>[^/?]+)/_build/results\?(?:.*&)?buildId=(?P<number>\d+)(&.*)?")
PULLS = "contribute to pull requests"


class AzureDevOps(Base):
    """Azure DevOps Services, with the repository in Azure Repos."""

    name = "Azure DevOps"
    example_run = "https://dev.azure.com/ORGANISATION/PROJECT/_build/results?buildId=NUMBER"
    runner = ("TF_BUILD", "true")
    ref = "BUILD_SOURCEBRANCH"

    def tell(self, name: str, value: bool) -> None:
        """Print the command of the log that sets an output variable (Pipelines: logging commands)."""
        print(f"##vso[task.setvariable variable={name};isOutput=true]{str(value).lower()}", flush=True)

    def tell_step(self, values: Mapping[str, str]) -> None:
        """Print the command of the log that sets an output variable, for each value; outside of a run, nothing."""
        for name, value in values.items() if self.on_runner() else ():
            print(f"##vso[task.setvariable variable={name};isOutput=true]{value}", flush=True)

    @cached_property
    def place(self) -> tuple[str, str, str]:
        """Collection, project and repository, from the run, from ORG/PROJECT/REPOSITORY, or from the git remote."""
        if self.on_runner():
            names = ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_REPOSITORY_NAME")
            return self.need(names[0]), self.need(names[1]), self.need(names[2])
        parts = [unquote(each) for each in self.repository.split("/") if each not in ("_git", "v3")]
        if len(parts) == 2 and self.remote.server.endswith(".visualstudio.com"):
            parts = [self.remote.server.partition(".")[0], *parts]
        if len(parts) != 3:
            text = f"{self.repository!r} is not a repository of Azure DevOps: expected ORGANISATION/PROJECT/REPOSITORY"
            raise HostError(text, "repository in operation/configuration/host.yaml")
        return self.wanted.api or f"https://dev.azure.com/{part(parts[0])}", parts[1], parts[2]

    @cached_property
    def headers(self) -> dict[str, str]:
        """The job's own token on a runner; a personal one on a laptop, which is a password without a user name."""
        kind, value = "Bearer", self.token
        if not self.on_runner():
            kind, value = "Basic", base64.b64encode(f":{self.token}".encode()).decode()
        return {"Authorization": f"{kind} {value}", "X-TFS-FedAuthRedirect": "Suppress"}

    @cached_property
    def api(self) -> Api:
        """The REST API of the collection."""
        return self.client(self.place[0], self.headers)

    @cached_property
    def people(self) -> Api:
        """The REST API of people and groups, which has its own address."""
        base = self.place[0].replace("https://dev.azure.com/", "https://vssps.dev.azure.com/", 1)
        return self.client(base, self.headers)

    def path(self, *parts: object) -> str:
        """Return a path below the project's API."""
        return "/".join([part(self.place[1]), "_apis", *map(part, parts)])

    def git(self, *parts: object) -> str:
        """Return a path below the repository's API."""
        return self.path("git", "repositories", self.place[2], *parts)

    def web(self, *parts: object) -> str:
        """Return the web address of a part of the repository."""
        places = [part(self.place[1]), "_git", part(self.place[2]), *map(part, parts)]
        return "/".join([self.place[0].rstrip("/"), *places])

    def change_request(self) -> ChangeRequest | None:
        """Read it from the variables of the run."""
        number = self.var("SYSTEM_PULLREQUEST_PULLREQUESTID")
        if not self.on_runner() or not number:
            return None
        target = self.var("SYSTEM_PULLREQUEST_TARGETBRANCH").removeprefix("refs/heads/")
        return ChangeRequest(number, target, self.var("SYSTEM_PULLREQUEST_ISFORK").lower() == "true")

    def run_url(self) -> str:
        """Read it from the variables of the run."""
        if not self.on_runner():
            return ""
        return f"{self.place[0].rstrip('/')}/{part(self.place[1])}/_build/results?buildId={self.var('BUILD_BUILDID')}"

    def comment(self, marker: str, body: str) -> str:
        """List and create threads, update a comment (Git / Pull Request Threads, Pull Request Thread Comments)."""
        request = self.own_request()
        hidden = f"<!-- {marker} -->"
        text = f"{hidden}\n{body}"[:LONGEST]
        path = self.git("pullRequests", request.number, "threads")
        for thread in self.api.pages(path, PULLS, **VERSION):
            first: Document = next(iter(thread.get("comments") or []), {})
            if not thread.get("isDeleted") and (first.get("content") or "").startswith(hidden):
                if first["content"] != text:
                    place = f"{path}/{thread['id']}/comments/{first['id']}"
                    self.api.send("PATCH", place, PULLS, {"content": text}, **VERSION)
                break
        else:
            said = {"parentCommentId": 0, "content": text, "commentType": 1}
            # Closed: an open thread may block the completion of the request.
            thread = self.api.send("POST", path, PULLS, {"comments": [said], "status": CLOSED}, **VERSION)
        return f"{self.web('pullrequest', request.number)}?discussionId={thread['id']}"

    def _pulls(self, branch: str, base: str, status: str) -> Iterator[Document]:
        wanted = {"sourceRefName": f"refs/heads/{branch}", "targetRefName": f"refs/heads/{base}", "status": status}
        query: Document = {f"searchCriteria.{key}": value for key, value in wanted.items()}
        found = self.api.pages(self.git("pullrequests"), PULLS, **query, **VERSION)
        return (each for each in found if not each.get("forkSource"))  # a fork may have a branch of the same name

    def find_change(self, branch: str, base: str) -> Change | None:
        """List pull requests (Git / Pull Requests)."""
        found = [(each["pullRequestId"], each["status"]) for each in self._pulls(branch, base, "all")]
        return open_or_newest(Change(self.web("pullrequest", number), status == "active") for number, status in found)

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """List, create and update pull requests and add labels (Git / Pull Requests, Pull Request Labels)."""
        text = {"title": title[:400], "description": body[:LONGEST_DESCRIPTION]}
        path = self.git("pullrequests")
        found = next(self._pulls(branch, base, "active"), None)
        if found is None:
            ends = {"sourceRefName": f"refs/heads/{branch}", "targetRefName": f"refs/heads/{base}"}
            found = self.api.send("POST", path, PULLS, {**ends, **text}, **VERSION)
        elif any(found.get(key) != value for key, value in text.items()):
            self.api.send("PATCH", self.git("pullrequests", found["pullRequestId"]), PULLS, text, **VERSION)
        place = self.git("pullRequests", found["pullRequestId"], "labels")
        wanted = list(labels)
        known = {each["name"] for each in self.api.pages(place, PULLS, **VERSION)} if wanted else set()
        for label in wanted:
            if label not in known:
                self.api.send("POST", place, PULLS, {"name": label}, **VERSION)
        return self.web("pullrequest", found["pullRequestId"])

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Run the pipeline of the flow's file (Build / Definitions: list, Pipelines / Runs: run pipeline)."""
        found = azure_devops_settings.definition(self, flow)
        if found is None:
            raise HostError(f"Azure DevOps has no pipeline for azure_pipelines/{flow}.yml", "uv run poe host-setup")
        reference = {"refName": f"refs/heads/{self.wanted.branch.name}"}
        body = {"resources": {"repositories": {"self": reference}}, "templateParameters": dict(inputs)}
        path = self.path("pipelines", found["id"], "runs")
        return str(self.api.send("POST", path, "queue builds", body, **VERSION)["_links"]["web"]["href"])

    def find_run(self, reference: str) -> Run:
        """Get a build, its pipeline and its timeline, list its artifacts (Build / Builds, Definitions, Timeline, …)."""
        number = self.run_number(reference, RUN, self.place[1])
        path = self.path("build", "builds", number)
        found = self.api.get(path, BUILDS, optional=True, **VERSION)
        if not found:
            raise self.no_run(number)
        if found["repository"]["id"].casefold() != azure_devops_settings.repository(self)["id"].casefold():
            text = f"run {number} is one of {one_line(found['definition']['name'])}, and not of {self.place[2]}"
            raise HostError(text, "run it in a clone of that repository")
        records = self.api.get(f"{path}/timeline", BUILDS, optional=True, **VERSION) or {"records": []}
        failed = {
            (each.get("identifier") or "").rpartition(".")[2].replace("_", "-")
            for each in records["records"]
            if each["type"] in ("Stage", "Job") and each.get("result") == "failed"
        }
        kept = [self._kept(number, found, each) for each in self.api.pages(f"{path}/artifacts", BUILDS, **VERSION)]
        url = f"{self.place[0].rstrip('/')}/{part(self.place[1])}/_build/results?buildId={number}"
        definition = self.api.get(self.path("build", "definitions", found["definition"]["id"]), BUILDS, **VERSION)
        flow = (definition.get("process") or {}).get("yamlFilename", "").rpartition("/")[2].rpartition(".")[0]
        return Run(number, url, flow, found["sourceVersion"], tuple(sorted(failed - {"", "--default"})), tuple(kept))

    def _kept(self, number: str, build: Document, artifact: Document) -> Kept:
        """Return a job's artifact; the address of its archive is signed, so that it needs no token."""
        name, pipeline = artifact["name"], build["definition"]["id"]

        def save(file: BinaryIO, most: int, progress: Callable[[int], None]) -> None:
            """Get the signed address (Pipelines / Artifacts: get), then download it."""
            path = self.path("pipelines", pipeline, "runs", number, "artifacts")
            query: Document = {"artifactName": name, "$expand": "signedContent"}
            found = self.api.get(path, BUILDS, **query, **VERSION)
            self.api.download(found["signedContent"]["url"], BUILDS, file, most, progress)

        size = (artifact.get("resource") or {}).get("properties", {}).get("artifactsize", "")
        return Kept(name, int(size) if str(size).isdigit() else 0, False, (f"{name}/", ""), save)

    def protection(self, gate: str) -> Protection | None:
        """Find an enabled check of type Approval (Approvals and checks / Check Configurations: list)."""
        found = azure_devops_settings.environment_of(self, gate)
        listed = azure_devops_settings.checks(self, found["id"]) if found else []
        check = azure_devops_settings.approval_check(listed) or {}
        people = check.get("settings", {}).get("approvers") or []
        if not people or check.get("isDisabled"):
            return None
        names = tuple(sorted(each.get("displayName") or each["id"] for each in people))
        return Protection(names, azure_devops_settings.gaps(gate, listed))

    def approval(self, gate: str) -> Approval | None:
        """Find the approval of this job's stage (Build / Timeline: get, Approvals and checks / Approvals: get)."""
        if self.var("ENVIRONMENT_NAME") != gate:
            text = f"this job deploys to {self.var('ENVIRONMENT_NAME') or 'no environment'}, not to {gate}"
            raise HostError(text, f"environment: {gate} in its job of azure_pipelines")
        path = self.path("build", "builds", self.need("BUILD_BUILDID"), "timeline")
        records = self.api.get(path, "read builds", **VERSION)["records"]
        parent = {record["id"]: record.get("parentId") for record in records}
        stages = {each["id"] for each in records if each["type"] == "Stage" and self._is_here(each)}
        for record in records:
            if record["type"] == "Checkpoint.Approval" and parent.get(record.get("parentId")) in stages:
                place = self.path("pipelines", "approvals", record["id"])
                asked = self.api.get(place, "read builds", **(VERSION | {"$expand": "steps"}))
                steps = [step for step in asked.get("steps") or [] if step.get("status") == "approved"]
                if asked.get("status") == "approved" and steps:
                    who = ", ".join(sorted({step["actualApprover"]["displayName"] for step in steps}))
                    when = max(step.get("lastModifiedOn", "") for step in steps)
                    return Approval(who, f"approval of environment {gate} on Azure DevOps", when)
        return None

    def _is_here(self, stage: Document) -> bool:
        return self.need("SYSTEM_STAGENAME") in (stage.get("identifier"), stage.get("name"))

    def git_header(self) -> str:
        """Return the job's token as a bearer token, as git needs it on this host."""
        return f"Authorization: Bearer {self.token}"

    def settings(self) -> list[Setting]:
        """Return pipelines, environments with their approvals, and the policies of the main branch."""
        return azure_devops_settings.settings(self)

    def id_token(self, audience: str, connection: str = "") -> str:
        """Request a token (Distributed Task / Oidctoken: create); its audience is always Entra's."""
        parts = urlsplit(self.need("SYSTEM_OIDCREQUESTURI"))
        issuer = self.client(f"{parts.scheme}://{parts.netloc}", {**self.headers, "Content-Type": "application/json"})
        query: Document = {"serviceConnectionId": connection} if connection else {}
        answer = issuer.send("POST", parts.path, "use the service connection", None, **query, **PREVIEW)
        return str((answer or {}).get("oidcToken", ""))


ADAPTER = AzureDevOps
