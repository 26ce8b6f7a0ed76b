"""The git host of a project: `connect()` returns its adapter, which speaks the host's API.

Each host of extensions/hosts.yml has a module of its name, which exports `ADAPTER`: a class that implements `Host`.
"""

import importlib
from pathlib import Path

from copier_mlops.address import redacted
from copier_mlops.hosts.interface import Host, HostError
from copier_mlops.hosts.settings import load
from copier_mlops.registry import registry

__all__ = ["Host", "HostError", "connect", "show_service", "tell"]


def connect() -> Host:
    """Return the adapter of the project's host, without calling its API.

    Raises:
        SystemExit: The host is unknown, or `operation/configuration/host.yaml` is wrong; the text says where.
    """
    from copier_mlops.project import ANSWERS, answer

    name, known = answer("git_host"), registry("hosts")
    if name not in known:
        text = f"{ANSWERS} names {name!r} as git_host, which is none of {', '.join(known)}"
        raise HostError(text, f"uvx copier update --data git_host={next(iter(known))}")
    host: Host = importlib.import_module(f"copier_mlops.hosts.{name}").ADAPTER(load())
    return host


def show_service(url: str, folder: Path) -> None:
    """Show, in a run, the address of a deployed service at the host's environment; a refusal is only printed.

    Args:
        url: The address, whose login nobody sees.
        folder: build/<job>/ of the job that deployed it.
    """
    try:
        host = connect()
        if host.on_runner():
            host.show_service(redacted(url), folder)
    except (HostError, OSError) as error:
        print(f"{error}\n  until then, the host shows no address of the service")


def tell(name: str, value: bool) -> None:
    """Tell the host, in a run, whether the jobs whose `only_if` has this name run; a refusal is only printed.

    Without an answer they ask for an approval, and then find that there is nothing to do.
    """
    try:
        host = connect()
        if host.on_runner():
            host.tell(name, value)
    except HostError as error:
        print(f"{error}\n  until then, the jobs behind the gate wait for an approval, even if there is nothing to do")
