"""The docs of the template say what is there."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.project import TEMPLATE, files, registry
from tests.render.test_tasks import tasks_of

ROOT_PAGES = [TEMPLATE / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
PAGES = [*ROOT_PAGES, *sorted((TEMPLATE / "docs").rglob("*.md"))]


def sections(page: Path) -> set[str]:
    """The headings of a page, as a link names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TEMPLATE).as_posix())
def test_every_link_leads_to_a_file_and_every_command_is_a_task(page, render):
    text = page.read_text(encoding="utf-8")
    for target, section in re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?", text):
        found = page.parent / target if target else page
        assert found.exists(), target
        assert not section or section in sections(found), f"{target}#{section}"
    ours = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["poe"]["tasks"]
    known = set(ours) | set(tasks_of(render(maturity_level=4, cloud="azure", engines=["slurm"])))
    right = re.sub(r"^\*\*Example\*\*.*?^Instead:", "", text, flags=re.DOTALL | re.MULTILINE)  # the lint's have faults
    assert set(re.findall(r"uv run poe ([a-z][\w-]*)", right)) <= known


def test_the_page_of_the_levels_has_every_task():
    page = (TEMPLATE / "docs" / "reference" / "levels.md").read_text(encoding="utf-8")
    for number, level in enumerate(registry("levels")):
        row = next(line for line in page.splitlines() if line.startswith(f"| {number} | {level['name']}"))
        assert [task for task in level["tasks"] if f"`{task}`" not in row] == []


def read_lines(rendered: dict[str, bytes]) -> int:
    """The lines that people read: not those of data."""
    return sum(len(text.splitlines()) for path, text in rendered.items() if not path.endswith(".csv"))


def test_the_ladder_says_what_each_level_costs(render):
    page = (TEMPLATE / "docs" / "reference" / "levels.md").read_text(encoding="utf-8")
    for number in range(len(registry("levels"))):
        rendered = files(render(maturity_level=number))
        assert f"| {number} | {len(rendered)} | {read_lines(rendered)} | " in page


def test_the_page_of_maturity_has_every_criterion():
    page = (TEMPLATE / "docs" / "reference" / "maturity.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### Level (\d), (.*?)\n(.*?)(?=^### |\Z)", page, re.DOTALL | re.MULTILINE)
    for number, level in enumerate(registry("levels")):
        assert sections[number][:2] == (str(number), level["name"].lower())
        rows = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", sections[number][2], re.MULTILINE)
        criteria = registry("maturity").items()
        assert rows == [(id, entry["means"]) for id, entry in criteria if entry["level"] == number]


@pytest.mark.parametrize("host", registry("hosts"))
def test_the_page_of_a_host_has_every_flow_and_its_tasks(host):
    page = (TEMPLATE / "docs" / "how-to" / "hosts" / f"{host}.md").read_text(encoding="utf-8")
    files_of = {file: number for number, level in enumerate(registry("levels")) for file in level["flows"]}
    for file, level in files_of.items():
        for id_, flow in registry(f"flows/{file}").items():
            row = f"| {level} | `{id_}` | {flow['why']} | "
            assert (row in page) == (host != "forgejo" or id_ == "ci"), row


def test_the_figures_of_the_default_project_are_those_of_today(default):
    rendered = files(default)
    page = (TEMPLATE / "docs" / "reference" / "figures.md").read_text(encoding="utf-8")
    assert f"has {len(rendered)} files and {read_lines(rendered):,} lines" in page


@pytest.mark.parametrize("host", [host for host, entry in registry("hosts").items() if entry["api"]])
def test_the_pages_name_the_rights_of_each_token_and_give_ci_none_to_open_a_gate(host):
    entry = registry("hosts")[host]
    overview, own = (
        " ".join((TEMPLATE / "docs" / "how-to" / name).read_text(encoding="utf-8").split())
        for name in ("token.md", f"hosts/{host}.md")
    )
    laptop, ci = entry["tokens"]["laptop"], entry["tokens"]["ci"]
    assert f"| {entry['name']} | your laptop | {laptop} |" in overview
    assert own.count(laptop) == 1 and laptop not in ci.values()
    assert f"On your laptop, put {'another token' if 'HOST_TOKEN' in ci else 'a token'} into `HOST_TOKEN`" in own
    for name, rights in ci.items():
        assert f"| {entry['name']} | CI, `{name}` | {rights} |" in overview
        assert rights in own
        assert not re.search("admin|Maintainer|Owner|manage", rights), "it could open a gate"
    open_to_all = [name for name, rights in ci.items() if "not protected" in rights]
    assert not any("write_repository" in ci[name] or "Developer" in ci[name] for name in open_to_all)
