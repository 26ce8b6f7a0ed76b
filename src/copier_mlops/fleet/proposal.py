"""The text of the change request for an update of the template."""

from dataclasses import dataclass

PREFIX = "template-update/"
MOST_CONFLICTS = 30


@dataclass(frozen=True)
class Update:
    """An update from one version of the template to another."""

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
    """Return the text of the change request. `before` has commands to run first, if the branch is not pushed yet."""
    lines = [f"The template went from {update.current} to {update.latest}.", ""]
    if replaced:
        lines += [f"It replaces {', '.join(replaced)}, which can be closed.", ""]
    if not conflicts and not unlocked:
        return "\n".join([*lines, "Nothing is in conflict. After the merge: `uv run poe setup`."])
    if conflicts:
        lines += ["These files were changed by you and by the template, and have conflict markers:", ""]
        lines += [f"- `{path}`" for path in conflicts[:MOST_CONFLICTS]]
        lines += [f"- and {len(conflicts) - MOST_CONFLICTS} more"] if conflicts[MOST_CONFLICTS:] else []
        lines += [""]
    if unlocked:
        lines += [f"`uv.lock` could not be updated: `{unlocked}`", ""]
    lines += ["Fix it on this branch:", "", "```sh", *before, f"git switch {update.branch}"]
    lines += ["# edit the files: decide for one side or for both, delete the markers"] if conflicts else []
    lines += ["uv lock", "uv run poe setup", "uv run poe doctor"]
    lines += ['git commit --all --message "Fix the update of the template"', "git push", "```"]
    return "\n".join(lines)
