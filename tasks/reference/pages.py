"""The generated pages, each made from projects that are rendered for it."""

import shutil
import tempfile
from pathlib import Path

import copier

from copier_mlops.registry import registry
from tasks.reference import answers, commands, files, proven, settings
from tasks.repository import ROOT

FOLDER = ROOT / "docs" / "reference"
# A project that has every task and every file of an environment.
ANSWERS = {"git_host": "github", "cloud": "azure", "engines": [name for name in registry("engines") if name != "local"]}


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    with tempfile.TemporaryDirectory() as folder:
        projects = rendered(Path(folder))
        return {
            "tasks.md": commands.page(projects[-1]),
            "answers.md": answers.page(projects[-1]),
            "settings.md": settings.page(projects[-1]),
            "files.md": files.page(projects),
            "proven.md": proven.page(),
        }


def rendered(folder: Path) -> list[Path]:
    """Render a project of each level, from this checkout as it is."""
    template = folder / "template"
    # Without git: copier would take the newest tag.
    for name in ("extensions", "template"):
        shutil.copytree(ROOT / name, template / name)
    shutil.copy(ROOT / "copier.yml", template)
    projects = []
    for level in range(len(registry("levels"))):
        project = folder / f"level_{level}"
        said = ANSWERS | {"maturity_level": level}
        copier.run_copy(str(template), project, data=said, defaults=True, quiet=True)
        projects.append(project)
    return projects
