"""What the change request for an update of the template says."""

from dataclasses import dataclass

PREFIX = "template-update/"
MOST_CONFLICTS = 30


@dataclass(frozen=True)
class Update:
    """From one version of the template to another."""

    current: str
    latest: str

    @property
    def branch(self) -> str:
        """The branch on which it is proposed."""
        return PREFIX + self.latest

    @property
    def title(self) -> str:
        """The first line of the commit, and the title of the change request."""
        return f"Update the template to {self.latest}"


def describe(update: Update, conflicts: list[str], unlocked: str, before: list[str], replaced: list[str]) -> str:
    """Write what the change request says. `before` is what a person has to do before the branch is there."""
    lines = [f"The template went from {update.current} to {update.latest}.", ""]
    if replaced:
        lines += [f"It replaces {', '.join(replaced)}, which can be closed.", ""]
    if not conflicts and not unlocked:
        return "\n".join([*lines, "Nothing is in conflict. After the merge: `uv run poe setup`."])
    if conflicts:
        lines += ["Files that were changed on both sides hold conflict markers:", ""]
        lines += [f"- `{path}`" for path in conflicts[:MOST_CONFLICTS]]
        lines += [f"- and {len(conflicts) - MOST_CONFLICTS} more"] if conflicts[MOST_CONFLICTS:] else []
        lines += [""]
    if unlocked:
        lines += [f"`uv.lock` could not be brought in step: `{unlocked}`", ""]
    lines += ["Fix it on this branch:", "", "```sh", *before, f"git switch {update.branch}"]
    lines += ["# edit the files: decide for one side or for both, delete the markers"] if conflicts else []
    lines += ["uv lock", "uv run poe setup", "uv run poe doctor"]
    lines += ['git commit --all --message "Fix the update of the template"', "git push", "```"]
    return "\n".join(lines)
