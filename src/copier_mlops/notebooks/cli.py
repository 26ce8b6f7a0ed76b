"""Turn tagged cells of a notebook into a module and a stage of dvc.yaml, which runs alone and with `poe train`.

Tag the cells of a stage `stage:NAME`, and the cell with its values `parameters`. Imports come along from any cell, and
functions from cells tagged `functions`. The files that the cells read and write are found in the code. A notebook
without tags gets a list of its cells.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path, PurePosixPath

from copier_mlops.adoption.changes import Changes
from copier_mlops.command import CommandError, run
from copier_mlops.notebooks import code, stage
from copier_mlops.notebooks.cells import Cell, NotebookError, by_stage, read
from copier_mlops.notebooks.stage import Stage
from copier_mlops.notebooks.tidy import tidied
from copier_mlops.project import answer, root

EXAMPLE = "For example: uv run poe from-notebook notebooks/explore.ipynb --dry-run"


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="poe from-notebook", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("notebook", metavar="NOTEBOOK", type=Path, help="a file *.ipynb")
    parser.add_argument("--stage", default="", metavar="NAME", help="only this stage; with --cells, its name")
    parser.add_argument("--cells", default="", metavar="NUMBERS", help="cells in place of tags, for example 3-7,9")
    for name, kind in (("deps", "reads"), ("outs", "writes"), ("metrics", "writes as metrics")):
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar="PATH", help=f"a file that it {kind}; can be repeated"
        )
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    parser.add_argument("--force", action="store_true", help="take the place of a stage and module that git has")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the task.

    Raises:
        SystemExit: The notebook cannot become a stage; nothing was written.
    """
    options = _arguments(arguments)
    try:
        changes, doubts, names = _plan(options)
        _check_kept(changes)
        if not options.dry_run:
            changes.write()
    except NotebookError as error:
        raise SystemExit(f"from-notebook: {error}") from None
    except OSError as error:
        where = error.filename or options.notebook
        raise SystemExit(f"from-notebook: {where}: {error.strerror}\n  fix: check its rights, and the disk") from None
    paths = [change.path for change in changes.found]
    if options.json:
        head = {"stages": names, "files": paths, "is_written": bool(paths) and not options.dry_run}
        print(json.dumps(head | {"in doubt": doubts}, ensure_ascii=False))
        return 0
    if doubts:
        print("in doubt:")
        print("\n".join(f"  {sentence}" for sentence in doubts))
    print("\n".join(changes.diff()))
    if options.dry_run:
        print(f"not written, because of --dry-run: {', '.join(paths) or 'nothing would change'}")
    elif paths:
        print(f"written: {', '.join(paths)}; outputs of cells stay in the notebook")
        print(f"Next: uv run dvc repro {' '.join(names)}")
    else:
        print("nothing changes")
    return 0


def _plan(options: argparse.Namespace) -> tuple[Changes, list[str], list[str]]:
    """Return the changes of files, the doubts, and the names of the stages.

    Raises:
        NotebookError: The notebook cannot become a stage.
    """
    place = options.notebook.resolve()
    if not place.is_relative_to(root().resolve()):
        raise NotebookError(f"{options.notebook} is not in the project\n  fix: copy it to notebooks/")
    notebook = place.relative_to(root().resolve()).as_posix()
    cells = read(place)
    stages = by_stage(cells, options.cells, options.stage)
    if len(stages) > 1 and (options.deps or options.outs or options.metrics):
        raise NotebookError("--deps, --outs and --metrics are for one stage\n  fix: add --stage NAME")
    changes, doubts = Changes(root()), list[str]()
    pipeline = changes.read("dvc.yaml")
    if pipeline is None:
        raise NotebookError("the project has no dvc.yaml\n  fix: uvx copier update --data maturity_level=2")
    values = changes.read("params.yaml") or ""
    for name, chosen in stages.items():
        found, text, said = _stage(name, cells, chosen, notebook, options)
        doubts += said
        before = changes.read(found.source)
        if before is not None and before != text and not options.force:
            raise NotebookError(f"{found.source} is there already\n  fix: choose another name, or add --force")
        changes.add(found.source, text)
        # The same module again: a team may have changed its stage and its values since.
        pipeline = stage.pipeline(pipeline, found, options.force, keeps=before == text)
        values = stage.parameters(values, found, options.force, keeps=before == text)
    changes.add("params.yaml", values)
    changes.add("dvc.yaml", pipeline)
    return changes, doubts, list(stages)


def _stage(
    name: str, cells: list[Cell], chosen: list[Cell], notebook: str, options: argparse.Namespace
) -> tuple[Stage, str, list[str]]:
    """Return a stage, the text of its module, and what is in doubt about it.

    Raises:
        NotebookError: The cells cannot become a stage.
    """
    package = str(answer("package_name"))
    module = code.build(name, cells, chosen, notebook, root())
    metrics = [path for path in module.writes if _is_metrics(path)]
    deps, outs = list(module.reads), [path for path in module.writes if path not in metrics]
    lists = {"deps": deps, "outs": outs, "metrics": metrics}
    for kind, found in lists.items():
        for path in getattr(options, kind):
            place = _named(path)
            for others in lists.values():
                others[:] = [each for each in others if each != place]
            found.append(place)
    source = f"src/{package}/{name}.py"
    text, said = tidied(module.text, source, root())
    doubts = [*module.doubts, *said]
    if not outs and not metrics:
        doubts.append(f"stage {name} writes no file, so DVC runs it only if its inputs change: --outs names one")
    doubts += [f"{path} is not here yet" for path in deps if not (root() / path).exists()]
    doubts += [f"git has {path}, so DVC refuses it as an output: git rm --cached {path}" for path in _in_git(outs)]
    named = module.reads | module.writes
    return (
        Stage(name, f"{package}.{name}", source, notebook, named, module.parameters, deps, outs, metrics),
        text,
        doubts,
    )


def _is_metrics(path: str) -> bool:
    place = PurePosixPath(path)
    return place.suffix == ".json" and ("metrics" in place.parts or place.stem.endswith("metrics"))


def _named(path: str) -> str:
    """Return a path of an option, relative to the project.

    Raises:
        NotebookError: It is not in the project.
    """
    place = Path(path).resolve()
    if not place.is_relative_to(root().resolve()):
        raise NotebookError(f"{path} is not in the project\n  fix: name a file of the project")
    return place.relative_to(root().resolve()).as_posix()


def _in_git(paths: list[str]) -> list[str]:
    try:
        return [name for name in run("git", "ls-files", "-z", "--", *paths, cwd=root()).split("\0") if name and paths]
    except CommandError:  # no repository
        return []


def _check_kept(changes: Changes) -> None:
    """Refuse to overwrite a module that only the working tree has; dvc.yaml and params.yaml keep all that they had.

    Raises:
        NotebookError: Git does not have a module as it is.
    """
    lost = [path for path in changes.only_here() if path.endswith(".py")]
    if lost:
        raise NotebookError(f"git does not have {', '.join(lost)} as it is\n  fix: commit it first, or move it away")
