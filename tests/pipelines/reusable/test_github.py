"""The action `actions/train`, run by act on three repositories that the template did not render."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tests import foreign
from tests.package.hosts.fakes import github
from tests.package.hosts.server import TOKEN, Server
from tests.pipelines.ship.act import ACTIONS, STANDS_FOR
from tests.pipelines.test_validators import complaints, schema_complaints, zizmor
from tests.project import TEMPLATE, commit, registry, replace, run

FILE = TEMPLATE / "actions" / "train" / "action.yml"
ACTION = yaml.safe_load(FILE.read_text(encoding="utf-8"))
WORKFLOW = """\
on: [pull_request, push]
jobs:
  train:
    runs-on: ubuntu-24.04
    steps:
      - uses: {checkout}
      - run: python3 -m venv --without-pip .venv
      - id: train
        uses: owner/copier-mlops/actions/train@{commit}
        with: {inputs}
      - if: always()
        env:
          RUN: ${{{{ steps.train.outputs.run }}}}
          LINK: ${{{{ steps.train.outputs.link }}}}
          LOCK: ${{{{ steps.train.outputs.lock }}}}
          EXIT: ${{{{ steps.train.outputs.exit }}}}
        run: echo "run=$RUN link=$LINK lock=$LOCK exit=$EXIT" > "$STORE/outputs"
"""
needs_act = pytest.mark.skipif(not shutil.which("act"), reason="act is not here, which runs actions in GitHub's place")


def test_the_tools_of_the_host_find_nothing(tmp_path):
    assert not (found := zizmor(FILE)), found
    assert not (found := schema_complaints("github", [FILE], tmp_path)), found
    assert not (found := complaints("yamllint", "--strict", FILE.parent)), found


def test_the_parser_of_github_finds_nothing(node):
    done = node("github.cjs", FILE)
    assert json.loads(done.stdout) == [], done.stderr


def test_the_parser_of_github_would_find_something(node, tmp_path):
    broken = tmp_path / "action.yml"
    broken.write_text(FILE.read_text(encoding="utf-8").replace("using: composite", "using: shell"), encoding="utf-8")
    assert json.loads(node("github.cjs", broken).stdout)


def test_zizmor_would_find_an_input_in_a_command(tmp_path):
    broken = tmp_path / "action.yml"
    broken.write_text(FILE.read_text(encoding="utf-8").replace('"--engine=$ENGINE"', "${{ inputs.engine }}"))
    assert "template-injection" in zizmor(broken)


def test_its_actions_and_uv_are_those_of_rendered_workflows():
    pins = registry("hosts")["github"]["actions"]
    used = [step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step]
    assert used == [f"{pins[name]['uses']}@{pins[name]['commit']}" for name in ("uv", "keep")]
    assert ACTION["runs"]["steps"][0]["with"]["version"] == registry("tested")["uv"]


def test_only_the_step_that_runs_no_stage_gets_the_token():
    given = {step["name"]: "inputs.token" in str(step.get("env")) for step in ACTION["runs"]["steps"]}
    assert [name for name, has_token in given.items() if has_token] == ["Announce"]
    assert [name for name in ACTION["inputs"] if f"inputs.{name} " not in FILE.read_text(encoding="utf-8")] == []


@dataclass
class Place:
    """A repository on GitHub, with a server in the place of its API."""

    path: Path
    released: tuple[Path, str]
    server: Server
    state: github.State
    store: Path
    more: dict[str, str] = field(default_factory=dict)

    def act(self, event: str = "push", **inputs: str) -> SimpleNamespace:
        """Run the action with inputs; return how it ended, its log, and its outputs."""
        released, revision = self.released
        pins = registry("hosts")["github"]["actions"]
        checkout = f"{pins['checkout']['uses']}@{pins['checkout']['commit']}"
        given = json.dumps({"token": "${{ secrets.TOKEN_OF_TEST }}"} | inputs)
        workflow = self.path / ".github" / "workflows" / "train.yml"
        workflow.parent.mkdir(parents=True, exist_ok=True)
        workflow.write_text(WORKFLOW.format(checkout=checkout, commit=revision, inputs=given), encoding="utf-8")
        commit(self.path, "A workflow")
        if run(self.path, "git", "remote"):
            run(self.path, "git", "push", "--quiet", "origin", "main")
        local = {f"owner/copier-mlops@{revision}": released}
        local |= {f"{pins[name]['uses']}@{pins[name]['commit']}": ACTIONS / STANDS_FOR[name] for name in STANDS_FOR}
        request = {"number": 5, "base": {"ref": "main"}, "head": {"ref": "work", "repo": {"full_name": "acme/kredit"}}}
        told = self.store / "event.json"
        payload = {"pull_request": request} if event == "pull_request" else {"ref": "refs/heads/main"}
        told.write_text(json.dumps(payload), encoding="utf-8")
        variables = {"GITHUB_API_URL": self.server.url, "GITHUB_REPOSITORY": "acme/kredit", "STORE": str(self.store)}
        options = ["-W", ".github/workflows/train.yml", "-P", "ubuntu-24.04=-self-hosted", "--action-offline-mode"]
        options += ["-e", str(told), "-s", f"TOKEN_OF_TEST={TOKEN}"]
        options += [part for name, where in local.items() for part in ("--local-repository", f"{name}={where}")]
        options += [part for each in variables.items() for part in ("--env", "=".join(each))]
        outputs = self.store / "outputs"
        outputs.unlink(missing_ok=True)
        done = subprocess.run(
            ["act", event, *options],
            cwd=self.path,
            env=os.environ | self.more,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert TOKEN not in printed
        found = dict(re.findall(r"(\w+)=(\S*)", outputs.read_text(encoding="utf-8"))) if outputs.exists() else {}
        return SimpleNamespace(code=done.returncode, printed=printed, outputs=found)


@pytest.fixture
def place(released, tmp_path) -> Iterator[Place]:
    """A place whose repository the test writes."""
    store = tmp_path / "store"
    store.mkdir()
    with Server() as server, Server() as server.store:
        state = github.install(server)
        yield Place(tmp_path / "models", released, server, state, store)
        assert server.problems == []


@needs_act
def test_foreach_each_run_of_a_pull_request_updates_one_comment_and_a_failed_stage_is_red(place):
    foreign.write(place.path, "foreach")
    done = place.act("pull_request", run="first")
    assert done.code == 0, done.printed
    link = "https://github.com/acme/kredit/actions/runs/1"
    assert done.outputs == {"run": "first", "link": link, "lock": "dvc.lock", "exit": "0"}
    assert "3 of 3 stages ran" in done.printed
    (comment,) = place.state.comments
    assert "The pipeline succeeded on `local`" in comment["body"] and link in comment["body"]
    assert "| `metrics/tree.json` | `rows` | – | `2` | – |" in comment["body"]

    replace(place.path / "data" / "rows.csv", "one", "broken")
    done = place.act("pull_request", run="second")
    assert done.code == 1
    assert "linear: a row is broken" in done.printed
    assert (done.outputs["run"], done.outputs["exit"]) == ("second", "255"), done.printed
    (comment,) = place.state.comments
    assert "The pipeline failed on `local`" in comment["body"] and "`second`" in comment["body"]


@needs_act
def test_plots_in_a_folder_with_a_remote_and_the_lock_comes_home_as_a_pull_request(place):
    foreign.write(place.path, "plots", folder="ml", remote=True)
    foreign.push_to(place.path, place.path.parent / "origin.git")
    done = place.act(project="ml", lock="change_request", comment="false")
    assert done.code == 0, done.printed
    assert done.outputs["lock"] == "ml/dvc.lock"
    (pull,) = place.state.pulls
    assert (pull["head"], pull["base"]) == ("training-results/main", "main")
    assert "`dvc repro` runs no stage" in pull["body"] and "| `loss` | – | `0.25` | – |" in pull["body"]
    files = run(place.path.parent / "origin.git", "git", "diff", "--name-only", "main", "training-results/main").split()
    assert files == ["ml/dvc.lock", "ml/results/losses.csv", "ml/results/metrics.json"]
    assert list((place.path.parent / "models-store").rglob("*")), "the model is on the data remote"
    assert place.state.comments == []

    done = place.act(project="ml", lock="commit", push="false")
    assert done.code == 0, done.printed
    assert "main has ml/dvc.lock" in done.printed or "main has dvc.lock" in done.printed
    assert run(place.path.parent / "origin.git", "git", "log", "-1", "--format=%s", "main").startswith("Update the res")


@needs_act
def test_requirements_the_environment_of_the_repository_stays_as_it_is(place):
    foreign.write(place.path, "requirements")
    package = f"copier-mlops @ {place.released[0].as_uri()}"
    done = place.act(lock="artifact", run="kept", package=package, requirements="packaging pyyaml")
    assert done.code == 0, done.printed
    kept = (place.store / "dvc-lock-kept" / "dvc.lock").read_text(encoding="utf-8")
    assert yaml.safe_load(kept)["stages"].keys() == {"report"}
    assert "prefix: .venv, packages: [], token: False" in done.printed
    assert "no default data remote" in done.printed

    done = place.act("pull_request", engine="slurm", settings="ci/slurm.yaml")
    assert done.code == 1
    assert "the machines of slurm start `mlops stage`, and no requirement here names copier-mlops" in done.printed
    assert "The pipeline did not start on `slurm`" in place.state.comments[0]["body"]


@needs_act
@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"lock": "merge"}, "lock is none, artifact, commit or change_request, not merge"),
        ({"engine": '"; touch "$STORE/started"; "'}, "is not the name of an engine"),
    ],
)
def test_a_wrong_input_is_refused_before_anything_runs(place, inputs, said):
    foreign.write(place.path, "plots")
    done = place.act(**inputs)
    assert done.code == 1
    assert said in done.printed, done.printed
    assert done.outputs["exit"] == "" and not (place.store / "started").exists()
