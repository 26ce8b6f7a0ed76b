"""The page of what was proven on each git host, from extensions/proven.yml."""

from collections.abc import Iterator
from typing import Any

import yaml

from copier_mlops.registry import registry
from tasks.reference.markdown import start, table
from tasks.repository import ROOT

INTRODUCTION = """\
No flow ran on a git host itself: the tests have none. For each claim of the pages and the rendered files, you see how
far it was proven instead:

- **run**: a test runs it, with the program that is named, or with a server in the place of the host. The test is named.
- **read**: the host's documentation says it; you see where, and when it was read.
- **believed**: nobody could run or read it here. If you depend on it, try it first, for example in an empty repository.
- **absent**: the host does not have it.

When you see on your host that a claim holds, or that it does not, please
[open an issue](../../CONTRIBUTING.md): it becomes a line here."""
PROOFS = ("run", "read", "believed", "absent")


def claims() -> list[dict[str, Any]]:
    """Return the claims, each with its entries by host or `all`. Only this page needs them, so no package has them."""
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "extensions" / "proven.yml").read_text(encoding="utf-8"))
    return found


def entry(claim: dict[str, Any], host: str) -> dict[str, Any]:
    """Return the entry of a claim for a host.

    Raises:
        KeyError: The claim has none.
    """
    found: dict[str, Any] = claim[host] if host in claim else claim["all"]
    return found


def proof(found: dict[str, Any]) -> str:
    """Return how a claim was proven: `run`, `read`, `believed` or `absent`."""
    return next(each for each in PROOFS if each in found)


def rows(host: str) -> Iterator[tuple[str, str, str]]:
    """Yield the row of each claim on a host: the claim, how it was proven, and by what."""
    for claim in claims():
        found = entry(claim, host)
        how = proof(found)
        by = found.get("by", "")
        if how == "run":
            path, _, name = found["run"].partition("::")
            said = f"{by}: `{name}` in [{path.removeprefix('tests/')}](../../{path})"
        elif how == "read":
            said = f"[the host's page]({found['read']}), read on {found['date']}" + (f": {by}" if by else "")
        else:
            said = found[how]
        yield claim["claim"], how, said


def page() -> str:
    """Return the page: a table for each host."""
    parts = [start("Claims: what was proven on this host", "`extensions/proven.yml`", INTRODUCTION)]
    for host, about in registry("hosts").items():
        counted = [how for _, how, _ in rows(host)]
        total = ", ".join(f"{counted.count(how)} {how}" for how in PROOFS if how in counted)
        parts += [f"## {about['name']}", f"Of {len(counted)} claims: {total}."]
        parts.append(table(("claim", "how", "by"), rows(host)))
    return "\n\n".join(parts) + "\n"
