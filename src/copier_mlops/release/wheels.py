"""Build the two wheels of an image: the project's own, and this package as it is installed here."""

import base64
import hashlib
import io
import tempfile
import tomllib
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

from copier_mlops.command import CommandError, run

NAME = "copier-mlops"
# Files that the installer added to those of the wheel.
ADDED = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
# The earliest time that a ZIP archive can store, so that the same files give the same bytes.
EARLIEST = (1980, 1, 1, 0, 0, 0)


def build(package: str, project: Path | None = None) -> dict[str, bytes]:
    """Return the wheels of the project and of this package by their file names.

    Args:
        package: The name of the team's package.
        project: The files of the project; those of the work tree if it is None.

    Raises:
        SystemExit: The project's wheel cannot be built; the text is the error of the build.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            run("uv", "build", "--wheel", "--quiet", "--out-dir", folder, cwd=project)
        except CommandError as error:
            raise SystemExit(
                f"package: the wheel of {package} cannot be built: {error}\n  fix: [build-system] of pyproject.toml"
            ) from None
        own = {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.whl"))}
    return own | packed(distribution(NAME))


def packed(found: Distribution) -> dict[str, bytes]:
    """Return an installed distribution as a wheel, by its file name.

    A pin to a commit has no wheel on any index, and its repository may be unreachable, so the installed files are used.
    """
    name, version = found.name.replace("-", "_"), found.version
    info = f"{name}-{version}.dist-info"
    content: dict[str, bytes] = {}
    for file in found.files or []:
        path = file.as_posix()
        is_ours = path.startswith((f"{name}/", f"{info}/")) and not path.endswith(".pyc")
        if is_ours and file.name not in ADDED:
            content[path] = Path(str(found.locate_file(file))).read_bytes()
    if f"{name}/cli.py" not in content:  # installed in editable mode: its files are in their source folder
        content |= _edited(name)
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in sorted(content.items())]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode() + b"\n"
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(content.items()):
            archive.writestr(zipfile.ZipInfo(path, EARLIEST), text, zipfile.ZIP_DEFLATED)
    return {f"{name}-{version}-py3-none-any.whl": wheel.getvalue()}


def unpack(folder: Path, target: Path) -> None:
    """Unpack a folder of wheels, for a process that runs their code without an installation.

    A file with the same content stays untouched, since a process may be reading it.
    """
    for path in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                content, file = archive.read(name), target / name
                if not file.is_file() or file.read_bytes() != content:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(content)


def _edited(name: str) -> dict[str, bytes]:
    """Return the files of the package by their paths in a wheel, from its source folder."""
    source = Path(__file__).resolve().parents[1]
    project = source.parents[1]
    places = {source: name}
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    places |= {project / origin: target for origin, target in wheel["force-include"].items()}
    content = {}
    for origin, target in places.items():
        for path in [origin] if origin.is_file() else origin.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                content[(Path(target) / path.relative_to(origin)).as_posix()] = path.read_bytes()
    return content


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
