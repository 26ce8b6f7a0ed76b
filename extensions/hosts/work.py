"""Render issue templates for the kinds of work (work_items.yml), the change request template, and code owners."""

from typing import Any

from extensions.hosts.document import inline, quoted, text_of
from extensions.hosts.flows import load

DONE = "A result that a colleague can check"
CHANGE_REQUEST = """\
<!-- The text of a change request. Managed by the template. -->
## What changes, and why

<!-- Name the issue, for example: Closes #12 -->

## What the metrics say

<!-- The flow CI adds a comment that compares them with the main branch -->

## Checked

- [ ] `uv run poe ci` passes on my machine
- [ ] Data that changed is in the data remote (`uv run dvc push`)
- [ ] Cards and docs are up to date
"""


def forms(folder: str, about: str) -> dict[str, str]:
    """Return an issue form for each kind of work, by its path.

    Args:
        about: The key of a form's description, which differs between GitHub and Forgejo.
    """
    return {f"{folder}/{item['id']}.yml": _form(item, about) for item in load("work_items")}


def _form(item: dict[str, Any], about: str) -> str:
    asks = [(ask["heading"].lower().replace(" ", "_"), ask["heading"], quoted(ask["hint"])) for ask in item["asks"]]
    areas = [
        {
            "type": "textarea",
            "id": id,
            "attributes": {"label": label, "description": hint},
            "validations": inline({"required": True}),
        }
        for id, label, hint in [*asks, ("done", "Done when", DONE)]
    ]
    form = {"name": item["name"], about: quoted(item["means"]), "labels": inline([item["name"]]), "body": areas}
    return f"# {item['name']}: a kind of work. Managed by the template.\n{text_of(form)}"


def pages(folder: str) -> dict[str, str]:
    """Return an issue template in Markdown for each kind of work, by its path."""
    return {f"{folder}/{item['id']}.md": _page(item) for item in load("work_items")}


def _page(item: dict[str, Any]) -> str:
    asks = [*((ask["heading"], ask["hint"]) for ask in item["asks"]), ("Done when", DONE)]
    parts = [f"<!-- {item['name']}: a kind of work. Managed by the template. -->\n{item['means']}\n"]
    parts += [f"## {heading}\n\n<!-- {hint} -->\n" for heading, hint in asks]
    return "\n".join([*parts, f'/label ~"{item["name"]}"\n'])


def owners(example: str) -> str:
    """Return a CODEOWNERS with examples only in comments: a host would refuse, or worse accept, an invented owner."""
    paths = ("*", "/src/", "/dvc.yaml", "/params.yaml", "/operation/configuration/")
    rule = "# The reviewers of each path. The last line that matches decides."
    about = f"{rule} Remove the # and name your own people or teams.\n"
    return about + "".join(f"# {path:<27}  {example}\n" for path in paths)
