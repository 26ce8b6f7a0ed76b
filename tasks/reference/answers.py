"""The page of the answers, from the questions of copier.yml."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from copier_mlops.registry import questions, registry
from tasks.reference.markdown import either, start

INTRODUCTION = """\
`copier copy` asks these questions in this order. If you press Enter, you get the default. You give an answer in advance
by `--data NAME=VALUE`, and you change it later by `copier update --data NAME=VALUE`. Read first what
[else moves](../how-to/interview.md). Copier refuses a bad answer with a sentence that says what is allowed."""
# When a question is asked, by its condition in copier.yml.
ENDPOINTS = [f"{name}://" for name, each in registry("remotes").items() if "endpoint" in each]
ASKED = {
    None: "always",
    questions()["data_endpoint"]["when"]: f"if `data_remote` begins with {either(ENDPOINTS)}",
    "{{ reached >= 2 }}": "from level 2 on",
    "{{ reached >= 2 and 'online' in serving }}": "from level 2 on, if `serving` has `online`",
    "{{ reached >= 3 }}": "from level 3 on",
}


class Note(NamedTuple):
    """The part that copier.yml leaves out: what an answer changes, an example, and what free text may be."""

    changes: str
    example: object
    values: str = ""


URL = "no credentials, no query, no spaces or quotes"
NOTES = {
    "project_name": Note("README, cards, settings", "House Prices", "a line of text, 1 to 100 characters"),
    "package_name": Note(
        "the folder in `src`, the name behind `import`, the names of experiment and model",
        "house_prices",
        "1 to 40 characters: a letter, then letters, digits and underscores, all lower case. It is not a keyword of "
        "Python, a module of the standard library, or a package that the project imports",
    ),
    "description": Note(
        "README and package metadata",
        "Estimates what a house is worth.",
        "empty, or a line of text, at most 100 characters",
    ),
    "author_name": Note(
        "licence and package metadata", "Team Prices", "empty, or a line of text, at most 100 characters"
    ),
    "author_email": Note("package metadata", "team@example.org", "empty, or an address such as `name@example.org`"),
    "license": Note("the file `LICENSE` and package metadata; without it if you choose `none`", "Apache-2.0"),
    "python_version": Note("`.python-version`, the images of the flows", "3.12"),
    "example": Note("the code in `src`, the data, the pipeline", "german_credit"),
    "git_host": Note("the files of CI and CD: you get those of this host", "gitlab"),
    "data_remote": Note(
        "`.dvc/config`, and the packages that DVC needs",
        "s3://bucket/path",
        f"{{}}; {URL}",
    ),
    "data_endpoint": Note(
        "`.dvc/config`",
        "https://storage.example.org:9000",
        f"empty, or the URL of a server, for Azure with the name of your account; {URL}",
    ),
    "maturity_level": Note("which files, tasks and flows you have: see [levels](levels.md)", 3),
    "tracking_uri": Note(
        "the tracking server of each environment whose `settings.yaml` has no line `tracking_uri`",
        "https://mlflow.example.org",
        f"{{}}; {URL}",
    ),
    "engines": Note(
        "`operation/configuration/engines/NAME.yaml`, what `poe train --engine NAME` accepts, the task `compile`, and "
        "for some engines the Dockerfile of `operation/execution/stages`",
        ["slurm"],
    ),
    "serving": Note("the tasks `predict` and `serve`, and `serve.py`", ["batch"]),
    "web_framework": Note("`serve.py`", "fastapi"),
    "cloud": Note("a step `login` in the flows, the task `login`, `identity.yaml` of each environment", "azure"),
    "heavy_runner": Note(
        "the runner of heavy steps, for example `train`",
        "gpu",
        "empty, or one label of letters, digits, dots, dashes and underscores",
    ),
    "devcontainer": Note("`.devcontainer/devcontainer.json`", True),
    "coding_agents": Note("`CLAUDE.md`, and the skills in `.agents/skills` and `.claude/skills`", ["claude_code"]),
    "package_index": Note("a version bound in the place of the pin to a commit, in `pyproject.toml`", True),
}
REGISTRIES = {"data_remote": "remotes", "tracking_uri": "trackers"}


def said(value: object) -> str:
    """Return an answer as `--data` takes it."""
    return (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True, width=200).removesuffix("...\n").strip()
    )


def values(name: str, question: dict[str, Any]) -> str:
    """Return which answers a question allows."""
    if question["type"] == "bool":
        return "`true` or `false`"
    if "choices" not in question:
        return NOTES[name].values.format(_forms(name))
    offered = question["choices"]
    if not isinstance(offered, dict):
        return either(offered)
    labels = {value: str(label).removeprefix(f"{value} - ") for label, value in offered.items()}
    listed = "; ".join(f"`{value}`" if label == value else f"`{value}`: {label}" for value, label in labels.items())
    return f"{'any of ' if question.get('multiselect') else ''}{listed}"


def _forms(name: str) -> str:
    """Return an example of each form that the registry of a question knows, but for the default's own scheme."""
    return either(form["example"] for form in registry(REGISTRIES[name]).values()) if name in REGISTRIES else ""


def default(question: dict[str, Any], answered: object) -> str:
    """Return the default; one that copier computes as it was for the answered project."""
    value = question["default"]
    if value == "":
        return "empty"
    if isinstance(value, str) and "UNSET" in value:
        return f"`{answered}` with `--defaults`; a terminal asks until you type one"
    if isinstance(value, str) and "_copier_conf.defaults" in value:
        return f"`{answered}` with `--defaults`, if the answers above are the defaults; otherwise empty"
    if isinstance(value, str) and "{" in value:
        return f"`{answered}`, if the answers above are the defaults"
    return f"`{said(value)}`"


def section(name: str, question: dict[str, Any], answered: object) -> str:
    """Return what the page says of a question."""
    note = NOTES[name]
    asked = ASKED[question.get("when")]
    if question.get("ask") is False:
        only = len(question.get("choices", "many")) == 1
        asked = "never: there is only one" if only else "never; give it by `--data`"
    lines = {
        "Values": values(name, question),
        "Default": default(question, answered),
        "Asked": asked,
        "Changes": note.changes,
        "Example": f"`--data {name}={_quoted(said(note.example))}`",
    }
    return "\n".join([f"## `{name}`", "", question["help"], "", *(f"- {key}: {text}" for key, text in lines.items())])


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w./:@-]+", text) else f'"{text}"'


def page(project: Path) -> str:
    """Return the page, with the computed defaults of a project."""
    answered = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    found = [section(name, question, answered.get(name)) for name, question in questions().items()]
    return "\n\n".join([start("Answers", "`copier.yml`", INTRODUCTION), *found]) + "\n"
