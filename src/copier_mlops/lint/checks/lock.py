"""The lock: dvc.lock agrees with dvc.yaml, the parameters and the code, and the metrics are those of that run."""

import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.lint.stages import READ, UNKNOWN, command, get, join, paths, resolve, stages, values_of


def locks(project: Project) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield each dvc.lock with its folder, its dvc.yaml and its stages."""
    for path in project.files:
        folder, _, name = path.rpartition("/")
        if name == "dvc.lock":
            found = project.dvc(path)
            locked = found.get("stages") if isinstance(found, dict) else None
            if isinstance(locked, dict):
                entries = {str(stage): entry for stage, entry in locked.items() if isinstance(entry, dict)}
                yield path, folder, join(folder, "dvc.yaml"), entries


def both(project: Project) -> Iterator[tuple[str, str, str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Yield each stage of both files: the lock, its `wdir`, its name, its entries in lock and pipeline, its values.

    A stage whose `wdir` is not known is left out.
    """
    for path, folder, source, locked in locks(project):
        for name, entry, context in stages(project, source):
            place = resolve(entry.get("wdir", "."), context)
            if name in locked and isinstance(place, str):
                yield path, join(folder, place), name, locked[name], entry, context


def line_of(project: Project, path: str, name: str) -> int:
    """Return the line of a lock at which a stage begins."""
    return project.line_of(path, rf"^  ['\"]?{re.escape(name)}['\"]?:")


def digest(project: Project, path: str) -> set[str]:
    """Return the MD5 of a file in git, with and without this machine's line ends; of data, the MD5 in its pointer."""
    pointer = project.dvc(f"{path}.dvc")
    outs = pointer.get("outs") if isinstance(pointer, dict) else None
    if isinstance(outs, list) and outs and isinstance(outs[0], dict):
        return {str(outs[0].get("md5"))}
    content = project.read(path)
    if content is None:
        return set()
    some = {content, content.replace(b"\r\n", b"\n")}
    return {hashlib.md5(each, usedforsecurity=False).hexdigest() for each in some}


def recorded(entries: object, folder: str) -> dict[str, str]:
    """Return the files that a lock records, each with its hash; empty if it is one that cannot be computed here."""
    found = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and "://" not in entry["path"]:
            is_known = entry.get("hash") == "md5" and isinstance(entry.get("md5"), str)
            found[join(folder, entry["path"])] = entry["md5"] if is_known else ""
    return found


def unresolved(project: Project, source: str, known: set[str]) -> set[str]:
    """Return the stages of a dvc.yaml whose names in dvc.lock are not known: a file that is not read here has them."""
    document = project.dvc(source)
    entries = document.get("stages") if isinstance(document, dict) else None
    return set(map(str, entries or ())) - {name.partition("@")[0] for name in known}


class LockStages(Check):
    """A stage that only one of the two files has."""

    id = "MLO601"
    name = "lock-stages"
    page = "lock"
    finds = "A stage that only one of `dvc.yaml` and `dvc.lock` has."
    why = "The results in git are not those of the pipeline in git."
    fix = "Run `uv run poe train`, then commit `dvc.lock`."
    example = Example(
        "dvc.lock",
        "stages:\n  prepare: …  # dvc.yaml has prepare and train\n",
        "stages:\n  prepare: …\n  train: …\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare the names of the stages."""
        for path, _, source, locked in locks(project):
            if source in project.problems:
                continue
            now = {name for name, _, _ in stages(project, source)}
            unknown = unresolved(project, source, now)
            for name in sorted(locked.keys() - now):
                if name.partition("@")[0] in unknown:
                    continue
                yield self.found(path, line_of(project, path, name), f"stage {name} is not in {source}")
            for name in sorted(now - locked.keys()):
                yield self.found(path, 0, f"stage {name} of {source} has not run")


class LockCommand(Check):
    """A command that is another one by now."""

    id = "MLO602"
    name = "lock-command"
    page = "lock"
    finds = "A command of `dvc.yaml` that, after its parameters are filled in, is not the one that ran."
    why = "The results in git are not those of the pipeline in git."
    fix = "Run `uv run poe train`, then commit `dvc.lock`."
    example = Example(
        "dvc.lock",
        "cmd: python train.py --folds 5  # dvc.yaml says --folds 10\n",
        "cmd: python train.py --folds 10\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare the commands of each stage."""
        for path, _, name, was, entry, context in both(project):
            now = command(entry.get("cmd"), context)
            if now is not None and was.get("cmd") is not None and now != command(was["cmd"], {}):
                said = f"stage {name} ran with another command than dvc.yaml has"
                yield self.found(path, line_of(project, path, name), said)


class LockParameters(Check):
    """A parameter that has another value by now, or that the run did not know."""

    id = "MLO603"
    name = "lock-parameters"
    page = "lock"
    finds = "A parameter that had another value in the run, or that the run did not know."
    why = "The metrics in git belong to other parameters."
    fix = "Run `uv run poe train`, then commit `dvc.lock`."
    example = Example(
        "dvc.lock",
        "params.yaml:\n  seed: 42  # params.yaml says 7\n",
        "params.yaml:\n  seed: 7\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare the parameters of each stage."""
        for path, folder, name, was, entry, context in both(project):
            line = line_of(project, path, name)
            params = was.get("params")
            known = params if isinstance(params, dict) else {}
            for file, values in known.items():
                if not str(file).endswith(READ):
                    continue
                now = values_of(project, join(folder, str(file)))
                for parameter, value in values.items() if isinstance(values, dict) else ():
                    if (found := get(now, str(parameter))) is UNKNOWN or found != value:
                        yield self.found(path, line, f"stage {name} ran with another {parameter} than now")
            for file, parameter in wanted(entry.get("params"), context):
                values = known.get(file)
                if not file.endswith(READ):
                    continue
                first = {str(each).split(".")[0] for each in values} if isinstance(values, dict) else set()
                if parameter.split(".")[0] not in first:
                    yield self.found(path, line, f"stage {name} ran without knowing {parameter} of {file}")


def wanted(entries: object, context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters that a stage of dvc.yaml names, with the file of each."""
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            for file, names in entry.items():
                path = resolve(str(file), context)
                for each in names if isinstance(names, list) else ():
                    if isinstance(path, str) and isinstance(name := resolve(each, context), str):
                        yield path, name
        elif isinstance(name := resolve(entry, context), str):
            yield "params.yaml", name


class LockDependencies(Check):
    """Code or data that is another one by now, or that the run did not know."""

    id = "MLO604"
    name = "lock-dependencies"
    page = "lock"
    finds = (
        "Code, a data pointer or an output that is not the one of the run. The lint compares only what is in git and "
        "downloads nothing."
    )
    why = "The metrics in git belong to other code or data."
    fix = (
        'Run `uv run poe train`, then commit `dvc.lock`. If your team trains only in CI, you can set `warn = ["MLO6"]`.'
    )
    example = Example(
        "dvc.lock",
        "- path: src/my_package/train.py\n  md5: 0b4b7a…  # the file was edited since\n",
        "- path: src/my_package/train.py\n  md5: 91f3c2…\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare the hashes of each stage's dependencies."""
        made: dict[str, str] = {}
        for _, folder, _, was, _, _ in both(project):
            made |= recorded(was.get("outs"), folder)
        for path, folder, name, was, entry, context in both(project):
            line = line_of(project, path, name)
            known = recorded(was.get("deps"), folder)
            for file, before in known.items():
                now = {made[file]} if made.get(file) else digest(project, file)
                if before and now and before not in now:
                    yield self.found(path, line, f"stage {name} ran with another {file}")
            for file, _ in paths(entry.get("deps"), context, folder):
                if file not in known:
                    yield self.found(path, line, f"stage {name} ran without {file}, which dvc.yaml names")


class MetricsMissing(Check):
    """Metrics that belong in git and are not there, or are not those of the run."""

    id = "MLO605"
    name = "metrics-missing"
    page = "lock"
    finds = (
        "A metrics file outside DVC's cache that is not there, or that has not the content which `dvc.lock` recorded."
    )
    why = "The figures that people compare were never measured, or somebody edited them."
    fix = "Run `uv run poe train`, then commit the metrics together with `dvc.lock`."
    example = Example("metrics.json", '{"roc_auc": 0.99}\n', '{"roc_auc": 0.79}\n')

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare the hashes of each stage's metrics."""
        for path, folder, name, was, entry, context in both(project):
            known = recorded(was.get("outs"), folder)
            for file, options in paths(entry.get("metrics"), context, folder):
                if options.get("cache") is not False:
                    continue
                if not os.path.lexists(project.root / file):
                    said = f"{file}, which stage {name} measured, is not there"
                    yield self.found(path, line_of(project, path, name), said)
                elif known.get(file) and (now := digest(project, file)) and known[file] not in now:
                    yield self.found(file, 0, f"is not what stage {name} measured when dvc.lock was written")
