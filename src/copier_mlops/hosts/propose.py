"""Bring the results of a training home: commit them, and open a change request or push the commit.

The commit is made beside your work tree, on the newest commit of the branch. It has the results and nothing else, and
your files, your index and your branches stay as they are.
"""

import argparse
import os
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from copier_mlops.command import CommandError, run
from copier_mlops.hosts import connect
from copier_mlops.hosts.branches import author, branches, git_remote, open_request
from copier_mlops.hosts.comment import code, differences, plots, table
from copier_mlops.hosts.interface import Host
from copier_mlops.hosts.settings import load
from copier_mlops.pipeline import PipelineError, results
from copier_mlops.pipeline.results import ResultsError
from copier_mlops.project import answer, is_rendered, level, root
from copier_mlops.registry import flows, registry

PREFIX = "training-results/"
# The line of a commit that says that this task made it, and of which commit the results are.
MARK = "Trained-From: "
# Azure DevOps cuts the text of a change request at 4,000 letters.
LONGEST = 3_900
AGAIN = "uv run poe train, then uv run poe propose"


@dataclass(frozen=True)
class Training:
    """The results of a training, and where they go.

    Attributes:
        files: The files that differ from the commit that is checked out, by their paths from the root.
        known: The results of the pipeline.
        head: The commit that is checked out, and was trained.
        base: The branch that was trained.
        run: The web address of the run; empty outside of one.
        variables: Variables with which git may push.
    """

    files: list[str]
    known: results.Results
    head: str
    base: str
    run: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def branch(self) -> str:
        """The one branch on which results for this base are proposed."""
        return PREFIX + self.base

    @property
    def title(self) -> str:
        """The first line of the commit, and the title of the change request."""
        return f"Update the results of training to {self.head[:12]}"


def propose(local: bool = False, kept: bool = False, how: str = "") -> str:
    """Commit the results of the last training, propose or push them as host.yaml says, and return what was done.

    Args:
        local: Only make the branch here, and push nothing.
        kept: First take the results that the job `train` kept in build/train/results.
        how: `change_request` or `commit`, in the place of what host.yaml says.

    Raises:
        PipelineError: The results do not belong to the commit, or the branch has other ones.
        CommandError: git failed, or the remote refused.
        HostError: The host refused; the branch is pushed.
    """
    settings = load().model_copy(update={"results": how} if how else {})
    if settings.results == "none" and not local:
        return "nothing to do, since host.yaml says `results: none`"
    if kept:
        results.take_kept(root())
    known, host, head = results.read(root()), connect(), results.head(root())
    files = results.changed(root(), known.files)
    base = host.branch() or run("git", "branch", "--show-current") or settings.branch.name
    if not files:
        return f"nothing to propose: commit {head[:12]} has the results of its training{_older(host, base)}"
    if not local and (missing := _missing(host)):
        return f"{_listed(files)} of your work tree have the results; {missing}"
    _check(known)
    if local:
        return _keep(Training(files, known, head, base))
    training = Training(files, known, head, base, host.run_url(), host.git_variables())
    return _commit(training, host) if settings.results == "commit" else _request(training, host)


def _older(host: Host, base: str) -> str:
    """Return, on a runner, that an earlier training has an open change request, which is not of this commit."""
    known = host.find_change(PREFIX + base, base) if host.on_runner() else None
    return f"; {known.url} is of an earlier training: close it" if known and known.is_open else ""


def _missing(host: Host) -> str:
    """Return what keeps a laptop from proposing, with a way on; empty if nothing does, and on a runner."""
    if host.on_runner():
        return ""
    try:
        run("git", "remote", "get-url", "origin")
    except CommandError:
        return "commit them, since this repository has no remote `origin`"
    if registry("hosts")[answer("git_host")]["api"] and not os.environ.get("HOST_TOKEN"):
        return "commit them, or set HOST_TOKEN to propose them"
    return ""


def _check(known: results.Results) -> None:
    """Refuse results that are not those of the commit that is checked out.

    Raises:
        ResultsError: Code, data or parameters have changed, in the work tree or since the training.
    """
    if edited := results.changed(root(), known.sources):
        raise ResultsError(
            f"{_listed(edited)} decide the results, and have uncommitted changes\n  fix: commit them, then {AGAIN}"
        )
    if known.outdated:
        raise ResultsError(
            f"the results of {_listed(known.outdated)} are of other code, data or parameters than this commit\n"
            f"  fix: {AGAIN}"
        )


def _keep(training: Training) -> str:
    """Make the branch here, and push nothing.

    Raises:
        ResultsError: The branch has a commit of somebody else.
    """
    there = run("git", "for-each-ref", "--format=%(objectname)", f"refs/heads/{training.branch}")
    if there:
        _check_ours(there, training.branch)
    made = _made(training, training.head)
    run("git", "branch", "--force", training.branch, made)
    return f"the branch {training.branch} has {_listed(training.files)}; to push it: git push origin {training.branch}"


def _request(training: Training, host: Host) -> str:
    """Push the branch and open its change request, or update the one that is open."""
    base = training.base
    there = branches(training.variables, training.branch).get(training.branch, "")
    tip = _base_tip(training)
    is_there = False
    if there:
        there = _fetched(training, training.branch)
        _check_ours(there, training.branch)
        is_there = _same_commit(there, training, tip)
    text = describe(training, tip)
    if is_there:
        known = host.find_change(training.branch, base)
        if known and not known.is_open:
            return f"{known.url} was closed; the results of the next training are proposed again"
    else:
        _push_branch(training, _made(training, tip), there)
    return open_request(host, training.branch, base, training.title, text)


def _push_branch(training: Training, made: str, there: str) -> None:
    """Push the branch, if the remote still has the commit that was seen; `there` is empty if it had no such branch.

    Raises:
        ResultsError: Somebody has pushed to it meanwhile.
        CommandError: The remote refused for another reason.
    """
    branch = training.branch
    lease = f"--force-with-lease=refs/heads/{branch}:{there}"
    fix = f"give HOST_TOKEN the right to push {branch}, then repeat: uv run poe propose"
    try:
        git_remote(training.variables, "push", "--quiet", lease, "origin", f"{made}:refs/heads/{branch}", fix=fix)
    except CommandError:
        if branches(training.variables, branch).get(branch, "") == there:
            raise
        raise ResultsError(f"somebody has pushed to {branch} meanwhile\n  fix: uv run poe propose") from None
    print(f"propose: {branch} has {_listed(training.files)}", flush=True)


def _commit(training: Training, host: Host) -> str:
    """Push the commit to the branch that was trained; if it moves meanwhile, once again.

    Raises:
        CommandError: The remote refused twice, or for another reason.
    """
    tip, target = _base_tip(training), f"refs/heads/{training.base}"
    fix = f"let HOST_TOKEN push to {training.base}, or write `results: change_request` into host.yaml"
    made = _made(training, tip)
    try:
        git_remote(training.variables, "push", "--quiet", "origin", f"{made}:{target}", fix=fix)
    except CommandError:
        before, tip = tip, _base_tip(training)
        if tip == before:
            raise
        made = _made(training, tip)
        git_remote(training.variables, "push", "--quiet", "origin", f"{made}:{target}", fix=fix)
    said = f"{training.base} has {_listed(training.files)} in commit {made[:12]}"
    return said if host.on_runner() else f"{said}{_follow(training, made)}"


def _follow(training: Training, made: str) -> str:
    """Move the branch that is checked out on a laptop to the pushed commit, if nothing of yours is in the way."""
    try:
        run("git", "add", "--", *training.files)
        run("git", "merge", "--quiet", "--ff-only", made)
    except CommandError:
        return "; your branch differs from it: git pull --rebase --autostash"
    return ""


def _base_tip(training: Training) -> str:
    """Return the newest commit of the branch that was trained, if the results are those of this commit as well.

    Raises:
        ResultsError: It has other code, data, parameters or results.
    """
    base = training.base
    if base not in branches(training.variables, base):
        raise ResultsError(f"the remote has no branch {base}\n  fix: git push --set-upstream origin {base}")
    tip = _fetched(training, base)
    if other := _differing(training.head, tip, training.known.sources):
        raise ResultsError(
            f"{base} of the remote has another {_listed(other)} than commit {training.head[:12]}, which was trained\n"
            f"  fix: train the newest commit: git pull --rebase, git push, then {AGAIN}"
        )
    if other := _differing(training.head, tip, training.known.files):
        raise ResultsError(
            f"{base} of the remote has another {_listed(other)} since commit {training.head[:12]} was trained\n"
            f"  fix: git stash, git pull --rebase, then {AGAIN}"
        )
    return tip


def _fetched(training: Training, branch: str) -> str:
    """Fetch the newest commit of a branch and return it; a shallow clone stays shallow."""
    depth = ["--depth=1"] if run("git", "rev-parse", "--is-shallow-repository") == "true" else []
    git_remote(training.variables, "fetch", "--quiet", "--no-tags", *depth, "origin", f"refs/heads/{branch}")
    return run("git", "rev-parse", "FETCH_HEAD")


def _differing(one: str, other: str, paths: tuple[str, ...]) -> list[str]:
    literal = [f":(literal){path}" for path in paths]
    found = run("git", "diff", "--name-only", "--no-renames", "--relative", "-z", one, other, "--", *literal)
    return [name for name in found.split("\0") if name]


def _made(training: Training, parent: str) -> str:
    """Make a commit of the results on another one, in an index of its own, and return it."""
    message = [training.title, f"{MARK}{training.head}"]
    starts = flows(level()).get("cd", {"when": {}})["when"].get("push", [])
    if any(fnmatch(file, pattern) for file in training.files for pattern in starts):
        # Results in a folder whose changes start the flow would start it again.
        message.insert(1, "[skip ci]")
    paragraphs = [part for text in message for part in ("-m", text)]
    return run("git", *author("Training"), "commit-tree", _tree(training.files, parent), "-p", parent, *paragraphs)


def _tree(files: list[str], parent: str) -> str:
    """Return the tree of a commit with these files as they are in the work tree."""
    with tempfile.TemporaryDirectory() as folder:
        index = str(Path(folder) / "index")
        run("git", "read-tree", parent, GIT_INDEX_FILE=index)
        run("git", "update-index", "--add", "--remove", "--", *files, GIT_INDEX_FILE=index)
        return run("git", "write-tree", GIT_INDEX_FILE=index)


def _check_ours(commit: str, branch: str) -> None:
    if MARK not in run("git", "log", "-1", "--format=%B", commit):
        raise ResultsError(
            f"somebody has committed to {branch}, whose commits this task replaces\n"
            f"  fix: merge it, or delete it: git push origin --delete {branch}"
        )


def _same_commit(commit: str, training: Training, parent: str) -> bool:
    """Return whether a commit of this task has these results, of the same training, on the files of a parent."""
    message, tree = run("git", "log", "-1", "--format=%B", commit), run("git", "rev-parse", f"{commit}^{{tree}}")
    return f"{MARK}{training.head}" in message and tree == _tree(training.files, parent)


def describe(training: Training, tip: str) -> str:
    """Return the text of the change request: what was trained, which files it has, and the metrics that changed."""
    lines = [f"A training of commit {training.head} wrote these results. The data remote has data and model.", ""]
    lines += [f"- {code(file)}" for file in training.files[:20]]
    lines += [f"- and {len(training.files) - 20} more"] if training.files[20:] else []
    pull, train = ("uv run dvc pull", "uv run poe train") if is_rendered() else ("dvc pull", "dvc repro")
    lines += ["", f"After the merge, `{pull}` brings data and model, and `{train}` runs no stage."]
    lines += ["", f"[The run of CI]({training.run})"] if training.run else []
    lines += ["", plots(), ""]
    try:
        found = differences(tip)
    except SystemExit:
        return "\n".join([*lines, "The metrics cannot be compared: `uv run dvc metrics diff`"])
    moved = {
        file: {name: values for name, values in metrics.items() if values.get("old") != values.get("new")}
        for file, metrics in found.items()
    }
    if not any(moved.values()):
        return "\n".join([*lines, "No metric has changed."])
    rows, more = table(moved), "\nAll metrics: `uv run dvc metrics diff`"
    while len("\n".join([*lines, *rows, more])) > LONGEST:
        rows.pop()
    return "\n".join([*lines, *rows, more])


def _listed(names: list[str] | tuple[str, ...], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def main(arguments: list[str] | None = None) -> None:
    """Propose the results of the last training: dvc.lock, and the metrics and plots that git has."""
    parser = argparse.ArgumentParser(
        prog="poe propose", description=main.__doc__, epilog="For example: uv run poe propose --local"
    )
    parser.add_argument("--local", action="store_true", help="only make the branch here, and push nothing")
    parser.add_argument(
        "--kept",
        action="store_true",
        help="take what the job train kept in build/train, as in CI or after poe fetch",
    )
    chosen = parser.parse_args(arguments)
    show("propose", local=chosen.local, kept=chosen.kept)


def show(task: str, local: bool = False, kept: bool = False) -> None:
    """Propose the results and print what was done.

    Args:
        task: The name of the task, for its messages.
        local: As in `propose`.
        kept: As in `propose`.

    Raises:
        SystemExit: It failed; the text says why. The results stay where they are.
    """
    try:
        print(f"{task}: {propose(local, kept)}")
    except (CommandError, PipelineError) as error:
        has_fix = "\n  fix: " in str(error)
        fix = "" if has_fix else "\n  fix: `git ls-remote origin` has to answer; then repeat: uv run poe propose"
        raise SystemExit(f"{task}: {error}{fix}") from None


if __name__ == "__main__":
    main()
