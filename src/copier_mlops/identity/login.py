"""Log in to the cloud as this run, without a secret: the cloud trusts the git host's tokens.

The run's OpenID Connect token is written to a file that git ignores. The cloud's own libraries read it: they find it by
variables that poe loads before each task. On a laptop nothing is written, since you are logged in as yourself.
"""

import argparse
import base64
import importlib
import json
import os
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from copier_mlops.hosts import connect
from copier_mlops.hosts.refusals import one_line
from copier_mlops.identity.interface import Cloud
from copier_mlops.project import answer, root
from copier_mlops.registry import registry
from copier_mlops.settings import environment_folder


def folder() -> Path:
    """Return the folder of the token and the variables, which git ignores and only this user may read."""
    return root() / ".identity"


def audience_of_host(host: str, cloud: str) -> str:
    """Return the fixed audience of the host's tokens; empty if a job can request one."""
    if host == "azure_devops":
        return "api://AzureADTokenExchange"
    return str(registry("clouds")[cloud]["audience"]) if host == "gitlab" else ""  # as .gitlab-ci.yml names it


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a token, unverified: the cloud verifies them.

    Raises:
        SystemExit: It is not a token.
    """
    parts = token.split(".")
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = json.loads(payload)
    except (IndexError, ValueError):
        found = None
    if len(parts) != 3 or not isinstance(found, dict):
        raise SystemExit("login: the host gave no OpenID Connect token\n  fix: run the job again")
    return found


def check_audience(found: dict[str, Any], wanted: str) -> None:
    """Refuse a token with another audience.

    Raises:
        SystemExit: Its audience is not the wanted one.
    """
    audience = found.get("aud")
    if wanted not in (audience if isinstance(audience, list) else [audience]):
        raise SystemExit(
            f"login: the token is for {one_line(str(audience))}, not for {wanted}\n"
            "  fix: let the job request the audience of identity.yaml, or write the host's own audience there"
        )


def write(name: str, text: str) -> Path:
    """Write a file of .identity/ that only this user may read."""
    folder().mkdir(mode=0o700, exist_ok=True)
    path = folder() / name
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def main(arguments: list[str] | None = None) -> None:
    """Log in to the cloud as this run of the git host, for all later tasks of the job."""
    parser = argparse.ArgumentParser(
        prog="poe login", description=main.__doc__, epilog="For example: uv run poe login --env prod"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment whose identity.yaml is read")
    options = parser.parse_args(arguments)
    if folder().is_dir():
        shutil.rmtree(folder())  # left by another run, or for another environment
    name = str(answer("cloud", "none"))
    if name not in registry("clouds"):
        raise SystemExit("login: the project logs in to no cloud\n  fix: uvx copier update --data cloud=azure")
    cloud: Cloud = importlib.import_module(f"copier_mlops.identity.{name}")
    host = connect()
    if not host.on_runner():
        print(f"login: this is not a run of {host.name}; your own login counts: {cloud.LOGIN}")
        return
    file = environment_folder(options.env) / "identity.yaml"
    identity = cloud.Identity.read(file)
    if missing := identity.missing():
        place = file.relative_to(root()).as_posix()
        raise SystemExit(f"login: {', '.join(missing)} not set\n  fix: copy the values from {cloud.NAME} to {place}")
    audience = identity.wanted_audience(audience_of_host(answer("git_host"), name))
    token = host.id_token(audience, identity.service_connection)
    found = claims(token)
    check_audience(found, audience)
    variables = cloud.variables(identity, write("token", token), write)
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in variables.items()]
    write("env", "".join(lines))
    until = datetime.fromtimestamp(found.get("exp", 0), UTC).isoformat()
    print(f"login: {one_line(str(found.get('sub')))} until {until}; the next tasks have {', '.join(variables)}")


if __name__ == "__main__":
    main()
