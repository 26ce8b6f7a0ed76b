"""dvc.lock says what dvc.yaml, the parameters and the code say, and the metrics are those of that run."""

import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.lint.stages import UNKNOWN, command, get, join, paths, resolve, stages, values_of


def locks(project: Project) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Each dvc.lock with its folder, its dvc.yaml and its stages."""
    for path in project.files:
        folder, _, name = path.rpartition("/")
        if name == "dvc.lock":
            found = project.dvc(path)
            locked = found.get("stages") if isinstance(found, dict) else None
            if isinstance(locked, dict):
                entries = {str(stage): entry for stage, entry in locked.items() if isinstance(entry, dict)}
                yield path, folder, join(folder, "dvc.yaml"), entries


def both(project: Project) -> Iterator[tuple[str, str, str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Each stage that stands in both files: the lock, the folder, its name, its entries there and there, its values."""
    for path, folder, source, locked in locks(project):
        for name, entry, context in stages(project, source):
            if name in locked:
                yield path, folder, name, locked[name], entry, context


def at(project: Project, path: str, name: str, check_id: str, message: str) -> Finding:
    """A finding on the line where a stage begins in its lock."""
    return Finding(path, project.line_of(path, rf"^  ['\"]?{re.escape(name)}['\"]?:"), check_id, message)


def digest(project: Project, path: str) -> set[str]:
    """The MD5 of a file of git, with the line ends of this machine and without; the one of its pointer otherwise."""
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
    """The files that a lock records with the hash of each, where it is one that can be computed here."""
    found = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and "://" not in entry["path"]:
            is_known = entry.get("hash") == "md5" and isinstance(entry.get("md5"), str)
            found[join(folder, entry["path"])] = entry["md5"] if is_known else ""
    return found


@check("MLO601")
def stages_differ(project: Project) -> Iterator[Finding]:
    """A stage that one of the two files does not have."""
    for path, _, source, locked in locks(project):
        if source in project.problems:
            continue
        now = {name for name, _, _ in stages(project, source)}
        for name in sorted(locked.keys() - now):
            yield at(project, path, name, "MLO601", f"stage {name} is not in {source}")
        for name in sorted(now - locked.keys()):
            yield Finding(path, 0, "MLO601", f"stage {name} of {source} has not run")


@check("MLO602")
def command_differs(project: Project) -> Iterator[Finding]:
    """A command that is another one by now."""
    for path, _, name, was, entry, context in both(project):
        now = command(entry.get("cmd"), context)
        if now is not None and was.get("cmd") is not None and now != command(was["cmd"], {}):
            yield at(project, path, name, "MLO602", f"stage {name} ran with another command than dvc.yaml has")


@check("MLO603")
def parameters_differ(project: Project) -> Iterator[Finding]:
    """A parameter that has another value by now, or that the run did not know."""
    for path, folder, name, was, entry, context in both(project):
        params = was.get("params")
        known = params if isinstance(params, dict) else {}
        for file, values in known.items():
            now = values_of(project, join(folder, str(file)))
            for parameter, value in values.items() if isinstance(values, dict) else ():
                if (found := get(now, str(parameter))) is UNKNOWN or found != value:
                    yield at(project, path, name, "MLO603", f"stage {name} ran with another {parameter} than now")
        for file, parameter in wanted(entry.get("params"), context):
            values = known.get(file)
            first = {str(each).split(".")[0] for each in values} if isinstance(values, dict) else set()
            if parameter.split(".")[0] not in first:
                yield at(project, path, name, "MLO603", f"stage {name} ran without knowing {parameter} of {file}")


def wanted(entries: object, context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The parameters that a stage of dvc.yaml names, with the file of each."""
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            for file, names in entry.items():
                yield from ((str(file), str(each)) for each in names or ())
        elif isinstance(name := resolve(entry, context), str):
            yield "params.yaml", name


@check("MLO604")
def dependencies_differ(project: Project) -> Iterator[Finding]:
    """Code or data that is another one by now, or that the run did not know."""
    made: dict[str, str] = {}
    for _, folder, _, locked in locks(project):
        for entry in locked.values():
            made |= recorded(entry.get("outs"), folder)
    for path, folder, name, was, entry, context in both(project):
        known = recorded(was.get("deps"), folder)
        for file, before in known.items():
            now = {made[file]} if made.get(file) else digest(project, file)
            if before and now and before not in now:
                yield at(project, path, name, "MLO604", f"stage {name} ran with another {file}")
        for file, _ in paths(entry.get("deps"), context, folder):
            if file not in known:
                yield at(project, path, name, "MLO604", f"stage {name} ran without {file}, which dvc.yaml names")


@check("MLO605")
def metrics(project: Project) -> Iterator[Finding]:
    """Metrics that git should keep and that are not there, or not those of the run."""
    for path, folder, name, was, entry, context in both(project):
        known = recorded(was.get("outs"), folder)
        for file, options in paths(entry.get("metrics"), context, folder):
            if options.get("cache") is not False:
                continue
            if not os.path.lexists(project.root / file):
                yield at(project, path, name, "MLO605", f"{file}, which stage {name} measured, is not there")
            elif known.get(file) and (now := digest(project, file)) and known[file] not in now:
                yield Finding(file, 0, "MLO605", f"is not what stage {name} measured when dvc.lock was written")
