"""`poe fetch`: what the jobs of a run kept is here, whole or not at all, and the token went only to the host."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.package.hosts.fakes.kept import COMMIT
from tests.package.hosts.fetching import HOSTS, built, built_nothing, expected, keep, on_one, on_three
from tests.package.hosts.server import SIGNATURE, TOKEN, Reply
from tests.platforms import on_posix, require_links
from tests.project import commit, registry

# The steps of the job `train`, as a person types them.
TRAIN = " && ".join(f"uv run poe {each}" for each in ("deploy --check", "train --no-track", "track", "push"))
ADDRESSES = {
    "github": (
        "https://github.com/acme/kredit/actions/runs/99",
        "https://github.com/Acme/Kredit/actions/runs/99/job/4711?pr=5#step:3:1",
        "https://github.com/acme/kredit/actions/runs/99/attempts/2",
    ),
    "azure_devops": (
        "https://dev.azure.com/acme/K%20I/_build/results?buildId=99&view=results",
        "https://acme.visualstudio.com/K%20I/_build/results?view=logs&j=1f&buildId=99",
    ),
    "gitlab": (
        "https://gitlab.com/acme/kredit/-/pipelines/99",
        "https://gitlab.com/acme/kredit/-/pipelines/99/failures",
        "https://gitlab.com/acme/kredit/-/jobs/90#L12",
    ),
}
OTHERS = {
    "github": "https://github.com/eve/kredit/actions/runs/99",
    "azure_devops": "https://dev.azure.com/acme/Other/_build/results?buildId=99",
    "gitlab": "https://gitlab.com/acme/kredit/other/-/pipelines/99",
}


@on_three
def test_all_that_was_kept_is_here_and_the_command_of_what_failed_is_said(laptop):
    printed = laptop.process("fetch", "99")
    assert built(laptop) == expected("train", "judge")
    assert "build/train: 1 files" in printed and "build/judge: 2 files" in printed
    after = printed.partition("The failed steps, as commands here:\n")[2]
    assert after.splitlines() == [
        "  release, which reads build/judge:",
        "    uv run poe gate-check model",
        "    uv run poe release",
    ]
    assert f"git switch --detach {COMMIT[:12]}" in printed


@on_three
def test_a_run_on_the_host_fetches_as_well(place):
    place.run("fetch", "99", "--job", "train")
    assert built(place) == expected("train")


@on_three
def test_the_token_stays_with_the_host(laptop):
    laptop.run("fetch", "99")
    assert len(laptop.server.store.seen) == 2
    for each in laptop.server.store.seen:
        assert TOKEN not in str(each.headers) and each.query == {"sig": SIGNATURE}
        assert not {"authorization", "private-token", "cookie"} & each.headers.keys()


@on_one
def test_a_password_of_netrc_goes_nowhere(laptop, tmp_path, monkeypatch):
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login eve password wrong\n", encoding="utf-8")
    laptop.run("fetch", "99", NETRC=str(file))
    assert not any("authorization" in each.headers for each in laptop.server.store.seen)


@on_three
def test_one_job_is_fetched_and_no_other(laptop):
    printed = laptop.run("fetch", "99", "--job", "judge")
    assert built(laptop) == expected("judge")
    assert "build/train" not in printed and "left out" not in printed


@pytest.mark.parametrize(
    ("host", "address"), [(host, each) for host, all in ADDRESSES.items() for each in all], indirect=["host"]
)
def test_a_run_is_named_as_the_browser_does(laptop, address):
    laptop.run("fetch", address, "--job", "train")
    assert built(laptop) == expected("train")


@on_three
def test_a_run_of_another_repository_is_refused(laptop):
    printed = laptop.run("fetch", OTHERS[laptop.name], code=1)
    assert "this is a run of" in printed and "fix: run it in a clone of that repository" in printed
    assert laptop.server.seen == []


@pytest.mark.parametrize("host", ["azure_devops"], indirect=True)
def test_a_run_of_another_repository_of_the_project_is_refused(laptop):
    laptop.state.built = "another"
    assert "and not of kredit" in laptop.run("fetch", "99", code=1)
    assert built_nothing(laptop)


@on_three
@pytest.mark.parametrize("reference", ["CD", "#12", "-1", "99 ", "https://example.org/99", "file:///etc/passwd", "٩٩"])
def test_what_is_no_run_is_refused_before_anything_is_asked(laptop, reference):
    printed = laptop.run("fetch", reference, code=1)
    assert "neither a number nor the address of a run" in printed and "fix: copy the address" in printed
    assert laptop.server.seen == []


@on_three
def test_an_unknown_run_is_refused(laptop):
    printed = laptop.run("fetch", "7", code=1)
    assert "has no run 7 in" in printed and "fix: RUN is in the address" in printed
    laptop.state.run = False
    assert "has no run 99 in" in laptop.run("fetch", "99", code=1)


@pytest.mark.parametrize("host", ["gitlab"], indirect=True)
def test_an_unknown_job_is_refused(laptop):
    assert "has no run 7 in" in laptop.run("fetch", "https://gitlab.com/acme/kredit/-/jobs/7", code=1)


@on_three
def test_without_a_token_nothing_is_asked(laptop):
    printed = laptop.run("fetch", "99", code=1, HOST_TOKEN=None)
    assert "HOST_TOKEN is not set" in printed and "fix: set HOST_TOKEN" in printed
    assert laptop.server.seen == []


@on_three
def test_a_token_that_may_not_read_runs_is_told(laptop):
    laptop.server.first += [Reply({"message": "no"}, 403)]
    assert "does not let this token read " in laptop.run("fetch", "99", code=1)


@pytest.mark.parametrize("host", ["github", "gitlab"], indirect=True)
def test_what_has_expired_is_said(laptop):
    laptop.state.expired = {"train"}
    assert "left out: train, which has expired" in laptop.run("fetch", "99")
    assert built(laptop) == expected("judge")
    printed = laptop.run("fetch", "99", "--job", "train", code=1)
    assert "what train kept in run 99 has expired" in printed
    assert f"fix: {TRAIN}" in printed


@on_three
def test_a_run_that_kept_nothing_names_the_commands(laptop):
    laptop.state.archives.clear()
    laptop.state.failed = ["Train" if laptop.name == "github" else "train"]
    printed = laptop.run("fetch", "99", code=1)
    assert "no job of run 99 kept anything" in printed
    assert printed.endswith(f"fix: {TRAIN}\n")
    assert built_nothing(laptop)


@on_one
def test_a_run_that_was_stopped_before_anything_failed_names_all_its_commands(laptop):
    laptop.state.archives.clear()
    laptop.state.failed.clear()
    printed = laptop.run("fetch", "99", code=1)
    assert f"fix: {TRAIN} && uv run poe propose --kept && uv run poe judge && " in printed


@on_three
def test_a_job_that_failed_kept_nothing_and_its_inputs_are_named(laptop):
    printed = laptop.run("fetch", "99", "--job", "release", code=1)
    assert "the job release kept nothing in run 99: a job that fails keeps nothing" in printed
    assert "fix: uv run poe fetch 99 --job judge" in printed
    assert "no flow has a job 'moon'" in laptop.run("fetch", "99", "--job", "moon", code=1)
    assert "no flow has a job '../x'" in laptop.run("fetch", "99", "--job", "../x", code=1)


@on_three
def test_what_is_no_job_of_the_flows_is_left_out(laptop):
    keep(laptop, "../evil", {"x": "x"})
    keep(laptop, "coverage", {"x": "x"})
    printed = laptop.run("fetch", "99")
    assert "left out: coverage, which is not a job of the flows" in printed and "left out: ../evil" in printed
    assert built(laptop) == expected("train", "judge")


@on_one
def test_what_was_here_is_kept_beside_and_the_same_is_left_alone(laptop):
    laptop.run("fetch", "99", "--job", "train")
    before = (laptop.tree / "build" / "train" / "run.json").stat()
    assert ".before" not in laptop.run("fetch", "99", "--job", "train")
    assert (laptop.tree / "build" / "train" / "run.json").stat().st_ino == before.st_ino
    for number, kept in ((1, "train.before"), (2, "train.before-2")):
        (laptop.tree / "build" / "train" / "mine.txt").write_text(f"mine {number}\n")
        assert f"the previous folder is build/{kept} now" in laptop.run("fetch", "99", "--job", "train")
    mine = {name: text for name, text in built(laptop).items() if name.endswith("mine.txt")}
    assert mine == {"train.before/mine.txt": "mine 1\n", "train.before-2/mine.txt": "mine 2\n"}
    assert {name: text for name, text in built(laptop).items() if ".before" not in name} == expected("train")


@on_one
def test_a_link_in_the_place_of_a_folder_is_moved_and_not_followed(laptop, tmp_path):
    require_links(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (laptop.tree / "build").mkdir()
    (laptop.tree / "build" / "train").symlink_to(elsewhere)
    assert "build/train.before now" in laptop.run("fetch", "99", "--job", "train")
    assert list(elsewhere.iterdir()) == [] and (laptop.tree / "build" / "train.before").is_symlink()


@on_one
def test_machines_get_one_document(laptop):
    keep(laptop, "coverage", {"x": "x"})
    document = json.loads(laptop.run("fetch", "99", "--json"))
    assert (document["run"], document["flow"], document["commit"]) == ("99", "cd", COMMIT)
    assert (document["failed"], document["left_out"]) == (["release"], {"coverage": "which is not a job of the flows"})
    folders = [(each["folder"], each["files"], each["before"]) for each in document["fetched"]]
    assert folders == [("build/train", 1, ""), ("build/judge", 2, "")]
    assert document["commands"]["cd"]["judge"] == ["uv run poe judge"]


@on_one
def test_the_commit_that_is_checked_out_is_not_named(laptop, tmp_path):
    laptop.clone(tmp_path / "project")
    laptop.state.commit = commit(laptop.tree)
    assert "git switch" not in laptop.run("fetch", "99", "--job", "train")


@on_one
def test_a_run_in_which_nothing_failed_shows_the_steps_of_all_jobs(laptop):
    laptop.state.failed = []
    printed = laptop.run("fetch", "99")
    assert "The steps of its jobs, as commands here:" in printed
    assert "  package, which reads build/release (not here):\n    uv run poe package\n" in printed
    assert "login" not in printed


@pytest.mark.parametrize("host", ["azure_devops"], indirect=True)
@pytest.mark.parametrize(("file", "flows"), [("teardown", ["teardown"]), ("moved", ["provision", "teardown"])])
def test_jobs_of_one_name_are_told_apart_by_their_flow(laptop, file, flows):
    laptop.state.file = f"/azure_pipelines/{file}.yml"
    laptop.state.archives, laptop.state.failed = {}, ["apply"]
    keep(laptop, "plan", {"plan.json": "{}"})
    printed = laptop.run("fetch", "99")
    assert ("apply of provision, which reads build/plan:" in printed) == (len(flows) > 1)
    commands = json.loads(laptop.run("fetch", "99", "--json"))["commands"]
    assert list(commands) == flows and commands["teardown"]["plan"] == ["uv run poe plan --teardown"]
    laptop.state.archives.clear()
    printed = laptop.run("fetch", "99", "--job", "plan", code=1)
    fix = "uv run poe plan --teardown" if flows == ["teardown"] else "the steps of plan in the file of the flow"
    assert printed.endswith(f"fix: {fix}\n")


@on_one
@on_posix
def test_a_terminal_sees_the_bytes_come(laptop):
    import pty  # not on Windows

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "copier_mlops.cli", "fetch", "99"]
    options = {"cwd": laptop.tree, "env": laptop.environment({}), "stdout": subprocess.DEVNULL, "stderr": theirs}
    subprocess.run(command, check=True, timeout=60, **options)
    os.close(theirs)
    seen = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "train: 0.1 kB of 0.1 kB" in seen and seen.endswith("\r\033[K")


@on_one
def test_a_build_folder_that_cannot_be_written_is_said(laptop, tmp_path):
    laptop.clone(tmp_path / "project")
    (laptop.tree / "build").write_text("a file\n")
    printed = laptop.run("fetch", "99", code=1)
    assert "build/ cannot be written" in printed and "fix: free some disk space" in printed


@on_one
def test_what_a_killed_fetch_left_goes_after_a_day(laptop):
    old, young = (laptop.tree / "build" / f".fetch-{name}" for name in ("old", "young"))
    for path in (old, young):
        path.mkdir(parents=True)
    os.utime(old, (time.time() - 100_000,) * 2)
    laptop.run("fetch", "99")
    assert (old.exists(), young.exists()) == (False, True)


@on_one
def test_an_answer_of_another_form_is_said(laptop):
    for route in laptop.server.routes:
        if route.pattern.endswith("/runs/99"):
            route.answer = lambda _: {"id": 99}
    assert "does not have the form that is documented" in laptop.run("fetch", "99", code=1)


@pytest.mark.parametrize("host", ["bitbucket"], indirect=True)
def test_bitbucket_does_not_give_them_and_the_way_round_is_said(laptop):
    for reference in ("99", "https://bitbucket.org/acme/kredit/pipelines/results/99/steps/%7Bu-1%7D"):
        printed = laptop.run("fetch", reference, code=1)
        assert "Bitbucket's API has no artifacts of steps" in printed
        assert "https://bitbucket.org/acme/kredit/pipelines/results/99: choose the step, tab Artifacts" in printed
    assert laptop.server.seen == []


@on_one
def test_forgejo_keeps_nothing(laptop, trees):
    laptop.tree = trees("forgejo")
    printed = laptop.run("fetch", "99", code=1)
    assert "Forgejo runs only ci" in printed and "fix: uv run poe ci" in printed


def test_every_host_is_fetched_from_or_says_why_not():
    assert registry("hosts").keys() == {*HOSTS, "bitbucket", "forgejo"}
