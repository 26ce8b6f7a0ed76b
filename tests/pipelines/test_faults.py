"""Mistakes that a person could make in a file of a git host are reported, with the part of the flow that they change.

The mistakes are in faults/HOST.yml. `find` and `put` are a part of a line, or whole lines without the indentation that
they share; an empty `put` drops them. `reported` is a part of what the reader must say. Marks stand for pins: <uv>,
<checkout>, <setup-uv>, <download-artifact>. For example, this drops the gate before the deployment to prod:

    - name: a gate is dropped
      file: .github/workflows/cd.yml
      find: |
        environment: prod
      put: ""
      reported: "cd: deploy-prod: environment is '', not 'prod'"
"""

import re
from pathlib import Path
from textwrap import indent

import pytest
import yaml

from tests.pipelines.hosts import EVERYTHING, READERS, copy_host_files, faults
from tests.project import registry

PINS = {"<uv>": registry("tested")["uv"]}
for pin in registry("hosts")["github"]["actions"].values():
    PINS[f"<{pin['uses'].split('/')[-1]}>"] = f"{pin['commit']} # {pin['version']}"
FOLDER = Path(__file__).with_name("faults")
FAULTS = {host: yaml.safe_load((FOLDER / f"{host}.yml").read_text(encoding="utf-8")) for host in READERS}
CASES = [pytest.param(host, each, id=f"{host}: {each['name']}") for host, them in FAULTS.items() for each in them]


def with_pins(text: str) -> str:
    """Put today's pins in the places of their marks."""
    for mark, pin in PINS.items():
        text = text.replace(mark, pin)
    return text


def edit(file: Path, find: str, put: str) -> None:
    """Replace the first place that has a text, as a person with an editor would."""
    text = file.read_text(encoding="utf-8")
    if find.endswith("\n"):
        lines = "".join(f"(?P=margin){re.escape(line)}" for line in find.splitlines(keepends=True))
        found = re.search(f"^(?P<margin> *){lines.removeprefix('(?P=margin)')}", text, re.MULTILINE)
        assert found, f"{file} does not have the lines:\n{find}"
        find, put = found[0], indent(put, found["margin"])
    assert find in text, f"{file} does not have: {find}"
    file.write_text(text.replace(find, put, 1), encoding="utf-8", newline="\n")


@pytest.mark.parametrize(("host", "fault"), CASES)
def test_a_mistake_in_a_file_of_the_host_is_reported(render, tmp_path, host, fault):
    project = copy_host_files(render(git_host=host, **EVERYTHING), host, tmp_path)
    edit(project / fault["file"], with_pins(fault["find"]), with_pins(fault["put"]))
    found = faults(host, project, 4, "aws", "gpu")
    assert any(with_pins(fault["reported"]) in each for each in found), found


@pytest.mark.parametrize("host", READERS)
def test_without_a_mistake_nothing_is_reported(render, tmp_path, host):
    assert not faults(host, copy_host_files(render(git_host=host, **EVERYTHING), host, tmp_path), 4, "aws", "gpu")


@pytest.mark.parametrize("host", READERS)
def test_a_host_has_at_least_twenty_mistakes_to_find(host):
    assert len({each["name"] for each in FAULTS[host]}) == len(FAULTS[host]) >= 20
