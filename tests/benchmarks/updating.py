"""Benchmark `update`: what `copier update` costs, beside the same update of as many plain files."""

import shutil
import sys
from functools import partial
from pathlib import Path

from . import measure

GOAL = 1.25
NOTHING, NEW = "nothing to do", "a new version"
VERSIONS = {NOTHING: "1.0.0", NEW: "2.0.0"}
ANSWERS = ".copier-answers.yml"
# No rendered file ends like this: of the plain files, copier renders the answers file alone.
SUFFIX = ".rendered-by-nobody"
PLAIN = {
    "copier.yml": f"_subdirectory: files\n_templates_suffix: {SUFFIX}\n",
    f"files/{{{{ _copier_conf.answers_file }}}}{SUFFIX}": "{{ _copier_answers | to_nice_yaml }}",
}
# The file that the new version changes, in the template and as it is rendered.
CHANGED, ADDED = "ruff.toml", "# What is new in this version.\n"


def compare(workspace: Path, runs: int) -> measure.Comparison:
    """Update fresh projects of both in turn; all are in git, the templates with a tag per version."""
    folder = workspace / "updating"
    rendered = folder / "rendered"
    folder.mkdir()
    template = shutil.copytree(measure.clean_template(workspace), folder / "template")
    measure.note("update: render once, for the files of the other side")
    measure.copy(template, rendered)
    count = len(measure.files_of(rendered))
    projects = {
        "this template": released(template, f"template/{CHANGED}.jinja"),
        "plain files": released(plain_files(rendered, folder / "plain"), f"files/{CHANGED}"),
    }
    sides = {name: partial(updates, project, count) for name, project in projects.items()}
    ours, peer = measure.in_turn("update", sides, runs)
    worse = max(measure.ratio(ours, peer, row) for row in VERSIONS)
    return measure.Comparison(
        name="update",
        about=f"CPU of `copier update`, {count} files, median of {runs}; the new version changes one file",
        unit="s",
        ours=ours,
        peers=[peer],
        goals=[measure.Goal("the higher ratio to plain files", GOAL, worse)],
    )


def plain_files(rendered: Path, template: Path) -> Path:
    """A template of the rendered files as they are."""
    shutil.copytree(rendered, template / "files", ignore=shutil.ignore_patterns(ANSWERS))
    for name, text in PLAIN.items():
        (template / name).write_text(text, encoding="utf-8")
    return template


def released(template: Path, changed: str) -> Path:
    """A project of the first version of a template that has two."""
    project = template.with_name(f"{template.name}-project")
    commit(template, "--force")
    measure.run("git", "tag", VERSIONS[NOTHING], cwd=template)
    measure.copy(template, project)
    commit(project)
    with (template / changed).open("a", encoding="utf-8") as file:
        file.write(ADDED)
    commit(template)
    measure.run("git", "tag", VERSIONS[NEW], cwd=template)
    measure.run("git", "gc", "--quiet", cwd=template)  # a git host sends one pack as well
    return project


def commit(folder: Path, *options: str) -> None:
    """Commit all there is; in a template, what the rendered .gitignore leaves out, too."""
    for command in (["init", "--quiet"], ["add", "--all", *options], ["commit", "--quiet", "--message", "Work"]):
        measure.run("git", *command, cwd=folder)


def updates(project: Path, count: int) -> dict[str, float]:
    """CPU seconds of each update."""
    return {row: update(project, version, count) for row, version in VERSIONS.items()}


def update(project: Path, version: str, count: int) -> float:
    """CPU seconds of an update, which is then undone.

    Raises:
        BenchmarkError: It did not do what it should.
    """
    command = [sys.executable, "-m", "copier", "update", "--defaults", f"--vcs-ref={version}"]
    cpu, _ = measure.cost(*command, cwd=project)
    is_new = (project / CHANGED).read_text(encoding="utf-8").endswith(ADDED)
    if is_new != (version == VERSIONS[NEW]) or len(list(measure.files_of(project))) < count:
        raise measure.BenchmarkError(f"update: {project.name} is not what {version} makes of it")
    measure.run("git", "reset", "--quiet", "--hard", cwd=project)
    return cpu
