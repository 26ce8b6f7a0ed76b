"""GitLab: comments, merge requests, pipelines, approvals and tokens over its REST API.

The docstring of each method names its pages of https://docs.gitlab.com/api.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path

from copier_mlops.hosts import gitlab_settings
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
from copier_mlops.project import level
from copier_mlops.registry import flows

LONGEST = 500_000
RUNS = "read pipelines and artifacts (role Reporter, scope read_api)"
RUN = re.compile(r"(?P<repository>.+)/-/(?P<kind>pipelines|jobs)/(?P<number>\d+)(/.*)?(\?.*)?")
REQUESTS = "open merge requests (role Developer, scope api)"


def asking(rules: list[Document] | None) -> list[Document]:
    """Return the approval rules that ask somebody."""
    return [rule for rule in rules or [] if rule.get("required_approvals", 0) > 0]


class GitLab(Base):
    """GitLab.com, or a GitLab server."""

    name = "GitLab"
    example_run = "https://gitlab.com/GROUP/PROJECT/-/pipelines/NUMBER"
    request = "merge request"
    git_user = "oauth2"
    runner = ("GITLAB_CI", "true")
    ref = "CI_COMMIT_BRANCH"

    @property
    def repository(self) -> str:
        """GROUP/PROJECT, with all parent groups."""
        return (self.on_runner() and self.var("CI_PROJECT_PATH")) or super().repository

    @cached_property
    def api(self) -> Api:
        """The REST API, from the runner's variables, the settings, or the server of the git remote."""
        base = (self.on_runner() and self.var("CI_API_V4_URL")) or self.wanted.api
        server = "gitlab.com" if base or self.wanted.repository else self.remote.server
        return self.client(base or f"https://{server}/api/v4", {"PRIVATE-TOKEN": self.token})

    def path(self, *parts: object) -> str:
        """Return a path below the project."""
        project = (self.on_runner() and self.var("CI_PROJECT_ID")) or self.repository
        return "/".join(["projects", *map(part, [project, *parts])])

    def change_request(self) -> ChangeRequest | None:
        """Read it from the variables of a merge request pipeline."""
        number = self.var("CI_MERGE_REQUEST_IID")
        if not self.on_runner() or not number:
            return None
        source = self.var("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
        target = self.var("CI_MERGE_REQUEST_PROJECT_ID")
        return ChangeRequest(number, self.var("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"), source != target)

    def run_url(self) -> str:
        """Read it from the variables of the run."""
        return self.var("CI_PIPELINE_URL") if self.on_runner() else ""

    def comment(self, marker: str, body: str) -> str:
        """List, create and modify notes of a merge request (Notes; Users: get the current user)."""
        request = self.own_request()
        right = "write comments (a project access token with role Reporter and scope api)"
        hidden = f"<!-- {marker} -->"
        text = f"{hidden}\n{body}"[:LONGEST]
        myself = self.api.get("user", right)["id"]
        path = self.path("merge_requests", request.number, "notes")
        for known in self.api.pages(path, right, per_page=100):
            # Never change somebody else's comment, even if it has our marker.
            if known["author"]["id"] == myself and known["body"].startswith(hidden):
                if known["body"] != text:
                    self.api.send("PUT", f"{path}/{known['id']}", right, {"body": text})
                break
        else:
            known = self.api.send("POST", path, right, {"body": text})
        return f"{self.var('CI_PROJECT_URL')}/-/merge_requests/{request.number}#note_{known['id']}"

    def _requests(self, branch: str, base: str, state: str) -> Iterator[Document]:
        query: Document = {"state": state, "source_branch": branch, "target_branch": base, "per_page": 100}
        found = self.api.pages(self.path("merge_requests"), REQUESTS, **query)
        # A fork may have a branch of the same name.
        return (each for each in found if each["source_project_id"] == each["target_project_id"])

    def find_change(self, branch: str, base: str) -> Change | None:
        """List the project's merge requests (Merge requests)."""
        found = self._requests(branch, base, "all")
        return open_or_newest(Change(each["web_url"], each["state"] == "opened") for each in found)

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """List, create and update the project's merge requests (Merge requests)."""
        text = {"title": title[:255], "description": body[:LONGEST]}
        path = self.path("merge_requests")
        wanted = list(labels)
        found = next(self._requests(branch, base, "opened"), None)
        if found is None:
            ends = {"source_branch": branch, "target_branch": base, "remove_source_branch": True}
            found = self.api.send("POST", path, REQUESTS, {**ends, **text, "labels": ",".join(wanted)})
        else:
            missing = [label for label in wanted if label not in found["labels"]]
            if missing or any(found[key] != value for key, value in text.items()):
                place = self.path("merge_requests", found["iid"])
                self.api.send("PUT", place, REQUESTS, {**text, "add_labels": ",".join(missing)})
        return str(found["web_url"])

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Create a pipeline whose variable FLOW names the flow (Pipelines); an input becomes OPERATION_NAME."""
        given = {"FLOW": flow, **{f"OPERATION_{name.upper()}": value for name, value in inputs.items()}}
        variables = [{"key": key, "value": value} for key, value in given.items()]
        body = {"ref": self.wanted.branch.name, "variables": variables}
        try:
            made = self.api.send("POST", self.path("pipeline"), "run pipelines (role Developer, scope api)", body)
        except HostError as error:
            if "set pipeline variables" not in str(error):
                raise
            text = "this project lets nobody start a flow by its name, the pipeline variable FLOW"
            raise HostError(text, "uv run poe host-setup, on your laptop") from None
        return str(made["web_url"])

    def tell(self, name: str, value: bool) -> None:
        """Cancel the jobs that the value closes (Jobs: cancel): rules are read before a pipeline starts."""
        if value:
            return
        known = flows(level())
        closed = {job for job, (flow, id) in job_ids().items() if known[flow]["jobs"][id].get("only_if") == name}
        right = "cancel jobs (a role that may merge into the main branch, scope api)"
        for each in self.api.pages(self.path("pipelines", self.need("CI_PIPELINE_ID"), "jobs"), right, per_page=100):
            if each["name"] in closed and each["status"] == "created":
                self.api.send("POST", self.path("jobs", each["id"], "cancel"), right, {})

    def tell_step(self, values: Mapping[str, str]) -> None:
        """Write the report that gives variables to later jobs (.gitlab-ci.yml: artifacts:reports:dotenv)."""
        if self.on_runner() and self.var("CI_PROJECT_DIR"):
            lines = [f"MLOPS_{name.upper()}={value}\n" for name, value in values.items()]
            Path(self.var("CI_PROJECT_DIR"), "mlops.env").write_text("".join(lines), encoding="utf-8")

    def show_service(self, url: str, folder: Path) -> None:
        """Write the report that names the address of an environment (.gitlab-ci.yml: artifacts:reports:dotenv)."""
        (folder / "service.env").write_text(f"SERVICE_URL={url}\n", encoding="utf-8")

    def find_run(self, reference: str) -> Run:
        """Get a pipeline and list its jobs, which have their artifacts (Pipelines: get; Jobs: list those of one)."""
        number = self.run_number(reference, RUN, self.repository)
        if (address := RUN.search(reference)) and address["kind"] == "jobs":
            job = self.api.get(self.path("jobs", number), RUNS, optional=True)
            if not job:
                raise self.no_run(number)
            number = str(job["pipeline"]["id"])
        found = self.api.get(self.path("pipelines", number), RUNS, optional=True)
        if not found:
            raise self.no_run(number)
        ids = job_ids()
        failed, kept, ran = [], [], set()
        for each in self.api.pages(self.path("pipelines", number, "jobs"), RUNS, per_page=100):
            flow, id = ids.get(each["name"], ("", each["name"]))
            ran.add(flow)
            if each["status"] == "failed":
                failed.append(id)
            if each["status"] == "success" and (each.get("artifacts_file") or each.get("artifacts_expire_at")):
                kept.append(self._kept(id, each))
        flow = ran.pop() if len(ran) == 1 else ""
        return Run(number, found["web_url"], flow, found["sha"], tuple(failed), tuple(kept))

    def _kept(self, id: str, job: Document) -> Kept:
        """Return a job's artifact; once it has expired, GitLab no longer names its file."""
        file = job.get("artifacts_file") or {}
        save = partial(self.api.download, self.path("jobs", job["id"], "artifacts"), RUNS)
        return Kept(id, file.get("size") or 0, not file, (f"build/{id}/",), save)

    def protection(self, gate: str) -> Protection | None:
        """Read the approval rules of this job's deployment (Deployments: get), which role Developer may.

        An environment without rules may have a list of those who start a manual job (Protected environments: get),
        which only role Maintainer may read."""
        summary = (self._deployment(gate) or {}).get("approval_summary") or {}
        asked = asking(summary.get("rules"))
        if not asked:
            right = "read who may deploy (role Maintainer; with approval rules on the environment, Developer is enough)"
            found = self.api.get(self.path("protected_environments", gate), right, optional=True) or {}
            asked = asking(found.get("approval_rules"))
            if not asked and self.var("CI_JOB_MANUAL") == "true":
                asked = found.get("deploy_access_levels") or []
        people = {rule.get("access_level_description") or "somebody" for rule in asked}
        return Protection(tuple(sorted(people)), self._gaps()) if people else None

    def _gaps(self) -> tuple[str, ...]:
        """Look whether the token could open the gates itself (Projects: get)."""
        rights = (self.api.get(self.path(), RUNS) or {}).get("permissions") or {}
        roles = [(rights.get(key) or {}).get("access_level", 0) for key in ("project_access", "group_access")]
        if max(roles) < gitlab_settings.MAINTAINERS:
            return ()
        return ("HOST_TOKEN has the role Maintainer, so a job could open every gate with it: role Developer is enough",)

    def approval(self, gate: str) -> Approval | None:
        """Read this job's deployment (Deployments: get); GITLAB_USER_LOGIN started a manual job."""
        if self.var("CI_ENVIRONMENT_NAME") != gate:
            text = f"this job deploys to {self.var('CI_ENVIRONMENT_NAME') or 'no environment'}, not to {gate}"
            raise HostError(text, f"environment: name: {gate} in its job")
        found = self._deployment(gate) or {}
        given = [one for one in found.get("approvals") or [] if one.get("status") == "approved"]
        if given:
            who = ", ".join(sorted({one["user"]["username"] for one in given}))
            how = f"approval of environment {gate} on GitLab"
            return Approval(who, how, max(one.get("created_at") or "" for one in given))
        if self.var("CI_JOB_MANUAL") == "true":
            return Approval(self.need("GITLAB_USER_LOGIN"), f"started the manual job of environment {gate} on GitLab")
        return None

    def _deployment(self, gate: str) -> Document | None:
        """Find this job's deployment (Deployments: list, get)."""
        query: Document = {"environment": gate, "order_by": "id", "sort": "desc", "per_page": 20}
        # The newest comes first, so that this job's deployment is on the first page.
        for each in self.api.get(self.path("deployments"), RUNS, **query) or []:
            if str((each.get("deployable") or {}).get("id")) == self.need("CI_JOB_ID"):
                return dict(self.api.get(self.path("deployments", each["id"]), RUNS))
        return None

    def settings(self) -> list[Setting]:
        """Return environments, the main branch, labels and schedules."""
        return gitlab_settings.settings(self)

    def id_token(self, audience: str, connection: str = "") -> str:
        """Read HOST_ID_TOKEN, which the job's keyword `id_tokens` creates for the audience that the job names."""
        return self.need("HOST_ID_TOKEN")


def job_ids() -> dict[str, tuple[str, str]]:
    """Return flow and id of each job by its name on GitLab, where the jobs of all flows share one namespace."""
    known = [(flow, id) for flow, each in flows(level()).items() for id in each["jobs"]]
    ids = [id for _, id in known]
    return {id if ids.count(id) == 1 else f"{flow}-{id}": (flow, id) for flow, id in known}


ADAPTER = GitLab
