"""What rendered files take from publishers and git hosts is what extensions/published.yml says was published."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from extensions.hosts.flows import Answers, flows_of
from tests.project import files, interview, registry
from tests.render.answers import VALUES

PUBLISHED = registry("published")
IMAGE = re.compile(r"(?m)^(?:\s*image: |FROM )(\S+?):(\S+)( AS \w+)?$")
PYTHON = re.compile(r"python3\.(\d+)")


def images(project: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the tag of each image that a project pulls."""
    for path, content in files(project).items():
        if path.endswith((".yml", ".yaml", "Dockerfile")):
            for name, tag, _ in IMAGE.findall(content.decode()):
                if name != "service":  # the project's own, which `poe package` names
                    yield name, tag


def unpublished(name: str, tag: str) -> str:
    """Say what is wrong with an image; an empty text if its publisher lists it."""
    if name not in PUBLISHED["images"]:
        return f"nobody read what is published of {name}"
    version, _, variant = tag.partition("-")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return f"{tag} is not pinned to a full version"
    if version not in PUBLISHED["images"][name].get("versions", [version]):
        return f"{name} has no version {version}"
    known = PUBLISHED["images"][name]["variants"]
    return "" if PYTHON.sub("python3.x", variant) in known else f"{name} has no variant {variant}"


@pytest.mark.parametrize("python", VALUES["python_version"])
@pytest.mark.parametrize("host", VALUES["git_host"])
def test_every_image_is_one_that_its_publisher_lists(render, host, python):
    found = set(images(render(git_host=host, python_version=python, maturity_level=4)))
    assert {name for name, _ in found} == {"python", "ghcr.io/astral-sh/uv"}
    assert [text for each in found if (text := unpublished(*each))] == []
    assert {tag.split("-")[0].rpartition(".")[0] for name, tag in found if name == "python"} == {python}


@pytest.mark.parametrize(
    ("name", "tag", "reported"),
    [
        ("ghcr.io/astral-sh/uv", "0.13.9-python3.11-bookworm", "has no variant python3.11-bookworm"),
        ("ghcr.io/astral-sh/uv", "0.13-python3.11-trixie", "is not pinned to a full version"),
        ("python", "3.13.16-slim-buster", "has no variant slim-buster"),
        ("python", "3.13.99-slim-trixie", "has no version 3.13.99"),
        ("docker.io/ours", "1.0.0", "nobody read what is published of docker.io/ours"),
    ],
)
def test_an_image_that_nobody_publishes_is_reported(name, tag, reported):
    assert reported in unpublished(name, tag)


@pytest.mark.parametrize("host", PUBLISHED["minutes"])
def test_no_job_may_take_longer_than_its_host_lets_it(host):
    most = PUBLISHED["minutes"][host]["most"]
    jobs = [job for flow in flows_of(Answers(4, cloud=True)).values() for job in flow.jobs.values()]
    assert max(job.minutes for job in jobs) <= most


def test_every_fact_has_a_source_and_a_day():
    facts = [fact for kind in PUBLISHED.values() for fact in kind.values()]
    assert all(len(fact["source"]) > len("https://") for fact in facts)
    assert all(str(fact["read"]) >= "2026-11-29" for fact in facts)
    assert set(PUBLISHED["minutes"]) <= set(interview()["git_host"]["choices"].values())
