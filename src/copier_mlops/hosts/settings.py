"""The settings of the git host, read from YAML and environment variables, with types.

The values are in operation/configuration/host.yaml. A variable overrides each, for example HOST_REPOSITORY.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic_settings import SettingsConfigDict

from copier_mlops.command import CommandError, run
from copier_mlops.project import CONFIGURATION, is_rendered, level, root
from copier_mlops.registry import flows, registry
from copier_mlops.settings import FileSettings


def schedules() -> dict[str, str]:
    """Return the times, in UTC, at which GitLab and Bitbucket start flows; other hosts read them in the flow's file."""
    return {id: flow["when"]["schedule"] for id, flow in flows(level()).items() if "schedule" in flow["when"]}


# A list for each gate that `extensions/gates.yml` declares, for example `model: [ada]`.
_LISTS: dict[str, Any] = {
    name: (
        Annotated[
            list[str], Field(description=f"people and groups who approve the gate {name}, as the host names them")
        ],
        ...,
    )
    for name in registry("gates")
}
Approvers = create_model(
    "Approvers",
    __doc__="The approvers of each gate.",
    __config__=ConfigDict(extra="forbid", frozen=True),
    **_LISTS,
)


class Branch(BaseModel):
    """The rules that a change must pass before it is on the branch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, description="the main branch")]
    check: Annotated[str, Field(min_length=1, description="the check, or the flow, that must pass")]
    approvals: Annotated[int, Field(ge=0, le=6, description="how many people approve a change request")]


class Label(BaseModel):
    """A label of issues and change requests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    color: Annotated[str, Field(pattern="^[0-9a-f]{6}$")]
    description: Annotated[str, Field(max_length=100)]


class HostSettings(FileSettings):
    """The settings of this repository on the host."""

    model_config = SettingsConfigDict(env_prefix="HOST_", env_nested_delimiter="__", extra="forbid", frozen=True)

    repository: Annotated[str, Field(description="for example team/project; empty: from CI, or the git remote origin")]
    api: Annotated[str, Field(description="empty: from CI, or the server of the git remote origin")]
    approvers: Approvers
    branch: Branch
    results: Annotated[
        Literal["change_request", "commit", "none"],
        Field(description="how the results of a training reach git: change_request, commit to the branch, or none"),
    ] = "change_request"
    labels: Annotated[dict[str, Label], Field(description="labels of issues and change requests")]
    schedules: Annotated[
        dict[str, str],
        Field(description="other times than the flows' own, for example monitor: 0 6 * * *", default_factory=dict),
    ]


def load() -> HostSettings:
    """Return the settings of the host.

    Raises:
        SystemExit: The file is wrong; the text says where.
    """
    if not is_rendered():
        return HostSettings.made_of(_without_file(), "the git host")
    settings = HostSettings.read(root() / CONFIGURATION / "host.yaml")
    wanted = {flow: time for flow, time in (schedules() | settings.schedules).items() if time}
    return settings.model_copy(update={"schedules": wanted})


def _without_file() -> dict[str, Any]:
    """Return the values for a repository that has no host.yaml: what its remote says, and no approvers."""
    try:
        branch = run("git", "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    except CommandError:  # a runner fetches one commit
        branch = "main"
    gates: dict[str, list[str]] = {name: [] for name in registry("gates")}
    rules = {"name": branch, "check": "ci", "approvals": 0}
    return {"repository": "", "api": "", "approvers": gates, "branch": rules, "labels": {}}
