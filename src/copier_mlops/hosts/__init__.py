"""The git host of a project: `connect()` returns its adapter, which speaks the host's API."""

import importlib

from copier_mlops.hosts.interface import Host, HostError
from copier_mlops.hosts.settings import load

__all__ = ["Host", "HostError", "connect"]


def connect() -> Host:
    """Return the host that the project answered; nothing has been asked of it yet.

    Raises:
        SystemExit: `operation/configuration/host.yaml` is wrong; the text says where.
    """
    from copier_mlops.project import answer

    return importlib.import_module(f"copier_mlops.hosts.{answer('git_host')}").ADAPTER(load())
