"""`poe comment`: the metrics against those of the main branch, as git and DVC themselves tell them."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.project import commit, replace, run

# Windows allows no bar in the name of a file.
ODD = "we|ird `@all`.json" if os.name == "posix" else "weird `@all`.json"
STAGES = f"""stages:
  evaluate:
    cmd: echo
    metrics:
      - metrics/test.json:
          cache: false
      - "metrics/{ODD}":
          cache: false
"""


def metrics(tree: Path, **values: float) -> None:
    (tree / "metrics").mkdir(exist_ok=True)
    (tree / "metrics" / "test.json").write_text(json.dumps(values), encoding="utf-8")
    odd = {"<img src=x onerror=alert(1)>|\n# title": 1, "Größe": values.get("roc_auc", 0)}
    (tree / "metrics" / ODD).write_text(json.dumps(odd), encoding="utf-8")


@pytest.fixture
def work(place, tmp_path):
    """A shallow clone of a branch whose metrics differ from those of main, as a runner has it."""
    origin = tmp_path / "origin"
    shutil.copytree(place.tree, origin, ignore=shutil.ignore_patterns(".git", "build"))
    (origin / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    metrics(origin, roc_auc=0.75, cost=0.5)
    commit(origin, "Main")
    run(origin, "git", "checkout", "--quiet", "-b", "work")
    metrics(origin, roc_auc=0.8125, cost=0.5)
    commit(origin, "Work")
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", "--branch", "work", origin.as_uri(), str(clone))
    place.tree = clone
    return origin


def posted(place) -> str:
    return json.dumps(place.state.comments, ensure_ascii=False)


def test_the_metrics_are_compared_with_the_main_branch_and_the_comment_is_one(place, work):
    printed = place.process("comment")
    assert "| `metrics/test.json` | `roc_auc` | `0.75` | `0.8125` | `0.0625` |" in printed
    assert "roc_auc" in posted(place)
    writes = len(place.server.writes())
    place.process("comment")
    assert len(place.server.writes()) == writes and len(place.state.comments) == 1
    assert "<img" not in printed.replace("`<img src=x onerror=alert(1)>¦ # title`", "")
    assert f"`metrics/{ODD}`".replace("|", "¦").replace(" `@all`", " '@all'") in printed
    if link := place.adapter().run_url():
        assert f"]({link})" in printed


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_where_nothing_has_changed_it_says_so(place, work):
    metrics(place.tree, roc_auc=0.75, cost=0.5)
    assert "nothing has changed" in place.process("comment")


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_where_there_is_nothing_to_compare_it_says_so(place, work):
    shutil.rmtree(work)
    printed = place.process("comment")
    assert "Nothing to compare: `main` is not in this clone and cannot be fetched" in printed
    assert "Nothing to compare" in posted(place)


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_a_project_that_has_not_been_trained_says_so(place, work):
    for path in (place.tree, work):
        shutil.rmtree(path / "metrics")
    run(work, "git", "checkout", "--quiet", "--force", "main")
    shutil.rmtree(work / "metrics")
    commit(work, "No metrics")
    run(work, "git", "branch", "--force", "work", "main")
    run(place.tree, "git", "fetch", "--quiet", "origin", "work")
    run(place.tree, "git", "reset", "--quiet", "--hard", "FETCH_HEAD")
    assert "there are no metrics" in place.process("comment")


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_many_metrics_are_bounded(place, work):
    metrics(place.tree, **{f"m{number}": number for number in range(500)})
    printed = place.process("comment")
    assert "and 404 more" in printed or "more." in printed
    assert len(posted(place)) < 30_000


@pytest.mark.parametrize("host", ["github", "gitlab", "azure_devops"], indirect=True)
def test_a_fork_gets_no_comment_and_no_failure(place, work, tmp_path):
    if place.name == "github":
        event = Path(place.variables["GITHUB_EVENT_PATH"])
        replace(event, '"full_name": "acme/kredit"', '"full_name": "eve/kredit"')
    fork = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "666", "SYSTEM_PULLREQUEST_ISFORK": "True"}
    printed = place.process("comment", **fork)
    assert "roc_auc" in printed and "runs of a fork's change" in printed
    assert place.server.seen == []


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_on_a_laptop_it_prints(place, work):
    printed = place.process("comment", **{name: None for name in place.variables if name != "HOST_TOKEN"})
    assert "roc_auc" in printed and "nothing to comment on" in printed
    assert place.server.seen == []


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_a_token_that_may_not_write_fails(place, work):
    place.server.headers = {"Authorization": "Bearer another"}
    printed = place.process("comment", code=1)
    assert "host: GitHub refused" in printed
    place.server.problems.clear()
