"""GitLab: comments, merge requests, pipelines, approvals and tokens over its REST API.

Each call names its page of https://docs.gitlab.com/api in its docstring.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from copier_mlops.hosts import gitlab_settings
from copier_mlops.hosts.api import Api
from copier_mlops.hosts.base import Base, part, standing
from copier_mlops.hosts.interface import Approval, Change, ChangeRequest, HostError, Protection, Setting

LONGEST = 500_000
REQUESTS = "open merge requests (role Developer, scope api)"


class GitLab(Base):
    """GitLab.com, or a GitLab server."""

    name = "GitLab"
    request = "merge request"
    git_user = "oauth2"
    runner = ("GITLAB_CI", "true")

    @cached_property
    def api(self) -> Api:
        """The REST API: the runner's, the one of the settings, or the one that belongs to the git remote."""
        base = (self.on_runner() and self.var("CI_API_V4_URL")) or self.wanted.api
        server = "gitlab.com" if base or self.wanted.repository else self.remote.server
        return self.client(base or f"https://{server}/api/v4", {"PRIVATE-TOKEN": self.token})

    def path(self, *parts: object) -> str:
        """A path below the project."""
        project = (self.on_runner() and self.var("CI_PROJECT_ID")) or self.repository
        return "/".join(["projects", *map(part, [project, *parts])])

    def change_request(self) -> ChangeRequest | None:
        """From the variables of a merge request pipeline."""
        number = self.var("CI_MERGE_REQUEST_IID")
        if not self.on_runner() or not number:
            return None
        source = self.var("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
        target = self.var("CI_MERGE_REQUEST_PROJECT_ID")
        return ChangeRequest(number, self.var("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"), source != target)

    def run_url(self) -> str:
        """From the variables of the run."""
        return self.var("CI_PIPELINE_URL") if self.on_runner() else ""

    def comment(self, marker: str, body: str) -> str:
        """Notes: list, create and modify those of a merge request. Users: get the current user."""
        request = self.own_request()
        right = "write comments (a project access token with role Reporter and scope api)"
        hidden = f"<!-- {marker} -->"
        text = f"{hidden}\n{body}"[:LONGEST]
        myself = self.api.get("user", right)["id"]
        path = self.path("merge_requests", request.number, "notes")
        for known in self.api.pages(path, right, per_page=100):
            # Somebody else's comment with our marker is not ours to write.
            if known["author"]["id"] == myself and known["body"].startswith(hidden):
                if known["body"] != text:
                    self.api.send("PUT", f"{path}/{known['id']}", right, {"body": text})
                break
        else:
            known = self.api.send("POST", path, right, {"body": text})
        return f"{self.var('CI_PROJECT_URL')}/-/merge_requests/{request.number}#note_{known['id']}"

    def _requests(self, branch: str, base: str, state: str) -> Iterator[dict]:
        query = {"state": state, "source_branch": branch, "target_branch": base, "per_page": 100}
        found = self.api.pages(self.path("merge_requests"), REQUESTS, **query)
        # A fork may have a branch of that name as well.
        return (each for each in found if each["source_project_id"] == each["target_project_id"])

    def find_change(self, branch: str, base: str) -> Change | None:
        """Merge requests: list those of a project."""
        found = self._requests(branch, base, "all")
        return standing(Change(each["web_url"], each["state"] == "opened") for each in found)

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """Merge requests: list, create and update those of a project."""
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
        return found["web_url"]

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Pipelines: create a pipeline, which FLOW names; an input becomes OPERATION_ and its name."""
        given = {"FLOW": flow, **{f"OPERATION_{name.upper()}": value for name, value in inputs.items()}}
        variables = [{"key": key, "value": value} for key, value in given.items()]
        body = {"ref": self.wanted.branch.name, "variables": variables}
        return self.api.send("POST", self.path("pipeline"), "run pipelines (role Developer, scope api)", body)[
            "web_url"
        ]

    def protection(self, gate: str) -> Protection | None:
        """Protected environments: get one. Its approval rules ask; so does a manual job that only some may start."""
        found = self.api.get(self.path("protected_environments", gate), "read environments (scope api)", optional=True)
        if not found:
            return None
        rules = [rule for rule in found.get("approval_rules") or [] if rule.get("required_approvals", 0) > 0]
        if not rules and self.var("CI_JOB_MANUAL") == "true":
            rules = found.get("deploy_access_levels") or []
        people = {rule.get("access_level_description") or "somebody" for rule in rules}
        return Protection(tuple(sorted(people))) if people else None

    def approval(self, gate: str) -> Approval | None:
        """Deployments: list those of the environment, get this job's. GITLAB_USER_LOGIN has started a manual job."""
        if self.var("CI_ENVIRONMENT_NAME") != gate:
            text = f"this job deploys to {self.var('CI_ENVIRONMENT_NAME') or 'no environment'}, not to {gate}"
            raise HostError(text, f"environment: name: {gate} in its job")
        right = "read deployments (scope read_api)"
        query = {"environment": gate, "order_by": "id", "sort": "desc", "per_page": 20}
        # The list is long and newest comes first: this job's deployment is on its first page.
        listed = self.api.get(self.path("deployments"), right, **query)
        for each in listed or []:
            if str((each.get("deployable") or {}).get("id")) == self.need("CI_JOB_ID"):
                found = self.api.get(self.path("deployments", each["id"]), right)
                given = [one for one in found.get("approvals") or [] if one.get("status") == "approved"]
                if given:
                    who = ", ".join(sorted({one["user"]["username"] for one in given}))
                    how = f"approval of environment {gate} on GitLab"
                    return Approval(who, how, max(one.get("created_at") or "" for one in given))
        if self.var("CI_JOB_MANUAL") == "true":
            return Approval(self.need("GITLAB_USER_LOGIN"), f"started the manual job of environment {gate} on GitLab")
        return None

    def settings(self) -> list[Setting]:
        """Environments, the main branch, labels and schedules."""
        return gitlab_settings.settings(self)

    def id_token(self, audience: str, connection: str = "") -> str:
        """The job's keyword `id_tokens`: HOST_ID_TOKEN, whose audience the job names."""
        return self.need("HOST_ID_TOKEN")


ADAPTER = GitLab
