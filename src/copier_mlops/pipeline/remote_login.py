"""Give DVC the credentials of the data remote that this machine has in variables, as a machine of CI does.

DVC itself reads those of S3 and Azure. The others become options of DVC, in a folder that only this user can read and
that goes with the process. DVC takes it for the settings of the system, so the repository has no file with a secret.
"""

import atexit
import base64
import binascii
import functools
import logging
import os
import shutil
import tempfile
from pathlib import Path

from copier_mlops.project import answer
from copier_mlops.registry import registry

FOLDER = "DVC_SYSTEM_CONFIG_DIR"
# Options that name a file; the variable has its text.
FILES = ("credentialpath", "keyfile")
# DVC's library asks over gRPC which kind a bucket has. Servers other than Google's never answer, which takes a minute.
NO_KINDS = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"


def answered(name: str) -> str:
    """Return an answer, or nothing: stages run apart in any repository of DVC, even without a project."""
    try:
        return str(answer(name) or "")
    except SystemExit:
        return ""


def scheme() -> str:
    """Return the name of the project's data remote in the registry, for example `s3`, or `folder`."""
    before, found, _ = answered("data_remote").partition("://")
    return before if found else "folder"


@functools.cache
def provide() -> None:
    """Let DVC find the credentials that are in variables, in this process and those that it starts.

    The registry names the variables. If you set DVC_SYSTEM_CONFIG_DIR yourself, its file has to name the credentials.
    """
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it logs a traceback of each attempt, and raises the last
    if scheme() == "gs" and answered("data_endpoint"):
        os.environ.setdefault(NO_KINDS, "false")
    options = {}
    for name, option in registry("remotes").get(scheme(), {}).get("secrets", {}).items():
        value = os.environ.get(name, "")
        # Without such a secret, GitHub sets an empty text, and Azure DevOps the text in parentheses.
        if value in ("", f"$({name})"):
            os.environ.pop(name, None)
        elif option:
            options[option] = value
    if options and not os.environ.get(FOLDER):
        os.environ[FOLDER] = str(_written(options))


def _written(options: dict[str, str]) -> Path:
    """Write the options into a new folder that goes when this process ends, and return it."""
    from configobj import ConfigObj  # type: ignore[import-untyped]  # comes with DVC

    folder = Path(tempfile.mkdtemp(prefix="mlops-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for option in set(options) & set(FILES):
        options[option] = str(_file(options[option], folder / option))
    settings = ConfigObj({'remote "storage"': options}, encoding="utf-8")
    settings.filename = str(folder / "config")
    settings.write()
    return folder


def _file(text: str, file: Path) -> Path:
    """Write the text of a key into a file; some hosts allow only one line, so it may be base64, or name a file."""
    if "\n" not in text and Path(text).is_file():
        return Path(text)
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        content = text.encode()
    file.write_bytes(content.strip() + b"\n")
    file.chmod(0o600)
    return file
