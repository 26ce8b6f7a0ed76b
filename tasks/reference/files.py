"""The page of the files and who owns them, from extensions/yours.yml and rendered projects."""

from pathlib import Path

from pathspec import PathSpec

from copier_mlops.registry import registry, team_files
from tasks.reference.markdown import start, table

INTRODUCTION = """\
- **Managed** files are kept up to date by `copier update`, which merges its changes with yours. Their first lines say
  "Managed by the template".
- **Yours** are rendered once. An update never touches them, and brings none back that you deleted. They hold nothing
  that an answer moves, for example no host and no address. [Updates](../how-to/updates.md) tells you the rest.

If a file has that header, it is managed. If it has none, it is yours. Tests check for every file, level and host that
header and list agree. These are the exceptions:"""
# Managed files that cannot have the header.
BARE = {
    ".copier-answers.yml": "copier writes it, as its header says",
    ".dvc/config": "DVC drops comments when it writes the file",
    ".python-version": "some tools take each of its lines for a version",
}


def contents(project: Path) -> list[str]:
    """Return the files of a project by their paths."""
    return sorted(path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file())


def page(projects: list[Path]) -> str:
    """Return the page, from a project of each level."""
    levels = [contents(project) for project in projects]
    yours = [
        (f"`{pattern.removeprefix('/')}`", str(level))
        for level, patterns in enumerate(team_files())
        for pattern in patterns
    ]
    is_yours = PathSpec.from_lines("gitignore", [pattern for patterns in team_files() for pattern in patterns])
    managed = [path for path in levels[-1] if not is_yours.match_file(path)]
    of_host = PathSpec.from_lines("gitignore", registry("hosts")["github"]["paths"])
    first = {path: next(number for number, paths in enumerate(levels) if path in paths) for path in managed}
    rows = [(f"`{path}`", str(first[path])) for path in managed if not of_host.match_file(path)]
    hosts = [
        (entry["name"], ", ".join(f"`{path.removeprefix('/')}`" for path in entry["paths"]))
        for entry in registry("hosts").values()
    ]
    agents = [
        (f"`{name}`", ", ".join(f"`{path.removeprefix('/')}`" for path in entry["paths"]))
        for name, entry in registry("coding_agents").items()
    ]
    parts = [
        start("Files and who owns them", "`extensions/yours.yml` and rendered projects", INTRODUCTION),
        table(("managed without the header", "because"), ((f"`{path}`", why) for path, why in BARE.items())),
        "## Yours",
        "A folder means each file in it, and `*` any name. You get those of a level when you first reach it. For "
        "example,\n`dvc.yaml` appears when you climb to level 2.",
        table(("path", "from level"), yours),
        "## Managed",
        "You get the files of the service only if you serve online, and `identity.yaml` only if you name a cloud.",
        table(("path", "from level"), rows),
        "## Files of the git host",
        "These are managed, except `CODEOWNERS`. You have those of your host, from level 1 on.",
        table(("host", "paths"), hosts),
        "## Files for coding agents",
        "These are managed. You have those that the answer `coding_agents` names, without the skills that your level\n"
        "cannot use.",
        table(("answer", "paths"), agents),
    ]
    return "\n\n".join(parts) + "\n"
