"""The flow of Prefect for random pipelines, and what a server is asked: nothing here needs Prefect."""

import ast
import json
import re
import subprocess
import threading
import zlib
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copier_mlops.pipeline.dag import Node, Resources, slug
from copier_mlops.pipeline.engines import (
    EngineAwayError,
    EngineError,
    State,
    prefect,
    prefect_api,
    prefect_deployment,
    prefect_flow,
)
from copier_mlops.pipeline.engines.prefect_api import Api
from copier_mlops.pipeline.plan import Plan, stage_command

HOSTILE = [
    "train@'; boom()",
    'a@"quoted"',
    "grün",
    "with space",
    "a@$HOME",
    "a@{{ x }}",
    "a@%s",
    "a@\\n",
    "a@@needs@",
    '"""',
]
NAMES = st.lists(
    st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40),
    unique=True,
    max_size=12,
)
RESOURCES = st.builds(
    Resources,
    retries=st.integers(0, 5),
    timeout=st.none() | st.sampled_from(["30s", "90m", "2h"]),
    partition=st.none() | st.sampled_from(["gpu", "big.memory"]),
)


@st.composite
def pipelines(draw) -> list[Node]:
    """Stages in the order of a run, each of which needs some of those before it."""
    nodes: list[Node] = []
    for name in draw(NAMES):
        needs = draw(st.lists(st.sampled_from([node.name for node in nodes]), unique=True)) if nodes else []
        nodes.append(Node(name, slug(name), tuple(sorted(needs)), draw(RESOURCES)))
    return nodes


def values(text: str) -> dict[str, object]:
    """The constants of a flow by their names, read by Python's own parser."""
    lines = [each for each in ast.parse(text).body if isinstance(each, ast.Assign)]
    found = {}
    for line in lines:
        if (name := line.targets[0].id).isupper():  # type: ignore[attr-defined]
            found[name] = ast.literal_eval(line.value)
    return found


@given(pipelines(), st.sampled_from(["/srv/credit", '/srv/o\'brien "x" $HOME %s @needs@', "C:\\new"]))
def test_the_flow_has_exactly_the_edges_and_options_of_the_pipeline(nodes, folder):
    found = values(prefect_flow.write("credit", folder, nodes, "origin/main", 2))
    assert found["NEEDS"] == {node.name: list(node.needs) for node in nodes}
    assert found["FOLDER"] == folder
    options = found["OPTIONS"]
    for node in nodes:
        asked = options.get(node.name, {})
        assert asked.get("retries", 0) == node.resources.retries
        assert asked.get("timeout_seconds") == node.resources.seconds
        assert asked.get("tags", []) == ([node.resources.partition] if node.resources.partition else [])
    assert options.keys() <= found["NEEDS"].keys()


@settings(max_examples=5)
@given(pipelines())
def test_no_name_of_a_stage_becomes_code(nodes):
    written, empty = (ast.parse(prefect_flow.write("credit", "/x", each, "main", 2)) for each in (nodes, []))
    functions = [
        [ast.dump(each) for each in tree.body if not isinstance(each, ast.Assign)] for tree in (written, empty)
    ]
    assert functions[0] == functions[1]


@pytest.mark.parametrize("long", [False, True])
def test_the_flow_passes_the_formatter_and_the_linter(tmp_path, long):
    names = [f"{'a-very-long-name-of-a-stage-' if long else 's'}{number}" for number in range(7)]
    asked = Resources(retries=3, timeout="90m", partition="a-partition-of-a-cluster" if long else "gpu")
    nodes = [Node(name, name, tuple(names[:number]), asked) for number, name in enumerate(names)]
    file = tmp_path / "flow.py"
    file.write_text(
        prefect_flow.write("german-credit", "/srv/german credit", nodes, "origin/main", 4), encoding="utf-8"
    )
    for command in ("format --check --diff", "check --select E,F,W,I,B,SIM,PL,RUF"):
        words = f"ruff {command} --isolated --line-length 120 {file}".split()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_flow_calls_the_command_of_the_plan():
    text = prefect_flow.write("credit", "/x", [], "origin/main", 2)
    words = re.search(r'execute\(("uv", [^)]*"stage"[^)]*)\)', text)[1]
    known = {"name": "NAME", "run": "RUN", "commit": "COMMIT"}
    called = [known.get(word, word.strip('"')) for word in words.split(", ")]
    assert called == stage_command("NAME", "RUN", "COMMIT")


def plan(folder: Path, *names: str) -> Plan:
    return Plan("credit", folder, "r1", "a" * 40, tuple(Node(name, name, (), Resources()) for name in names))


def test_a_deployment_brings_the_flow_along(tmp_path):
    given = prefect_deployment.Settings(image="", folder="/srv/my credit")
    found = prefect_deployment.describe(plan(tmp_path, "a"), given)
    unpack, move = (next(iter(step.values())) for step in found["pull_steps"])
    assert zlib.decompress(b64decode(unpack["env"]["FLOW_TEXT"])).decode() == prefect_deployment.flow(
        plan(tmp_path, "a"), given
    )
    assert found["entrypoint"] == f"{unpack['env']['FLOW_FILE']}:pipeline"
    assert unpack["directory"] == move["directory"] == "/srv/my credit"
    assert "pipeline(run" in prefect_deployment.flow(plan(tmp_path, "a"), given)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"type": "docker"}, "a work pool of the type docker needs an image"),
        ({"folder": "/srv/{{ x }}"}, "Prefect would read '/srv/{{ x }}' as a template"),
    ],
)
def test_what_a_server_could_not_run_is_refused(tmp_path, changed, said):
    with pytest.raises(EngineError) as refused:
        prefect_deployment.describe(plan(tmp_path, "a"), prefect_deployment.Settings(**changed))
    assert said in str(refused.value) and "\n  fix: " in str(refused.value)


def test_a_pipeline_of_a_thousand_stages_fits_into_a_variable(tmp_path):
    nodes = [
        Node(f"train@{n * 7919}", f"t{n}", (f"train@{(n - 1) * 7919}",) if n else (), Resources()) for n in range(1000)
    ]
    many = Plan("credit", tmp_path, "r1", "a" * 40, tuple(nodes))
    unpack = next(iter(prefect_deployment.describe(many, prefect_deployment.Settings())["pull_steps"][0].values()))
    assert len(unpack["env"]["FLOW_TEXT"]) < 100_000  # Linux takes 131,072


class Answers(BaseHTTPRequestHandler):
    """A server that answers as it is told, and keeps what it was asked."""

    told: ClassVar[tuple[int, bytes]] = (200, b"{}")
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, content = self.told
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(monkeypatch) -> Iterator[str]:
    """The address of such a server."""
    for name in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_API_URL", "PREFECT_UI_URL"):
        monkeypatch.delenv(name, raising=False)
    Answers.told, Answers.asked = (200, b"{}"), []
    with HTTPServer(("127.0.0.1", 0), Answers) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}/api"
        found.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("name", "text", "header"),
    [("PREFECT_API_KEY", "pnu_s3cret", "Bearer pnu_s3cret"), ("PREFECT_API_AUTH_STRING", "me:pw", "Basic bWU6cHc=")],
)
def test_the_login_is_sent_and_never_shown(server, monkeypatch, name, text, header):
    monkeypatch.setenv(name, text)
    Api(server).send("flows/", {})
    assert Answers.asked == [("/api/flows/", header)]
    Answers.told = (422, json.dumps({"detail": f"bad {text} at https://bob:hunter2@example.org"}).encode())
    with pytest.raises(EngineError) as refused:
        Api(server).send("flows/", {})
    assert "bad *** at https://example.org" in str(refused.value) and text not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "content", "kind", "said"),
    [
        (401, b"{}", EngineError, "refuses the login (401)\n  fix: set PREFECT_API_KEY"),
        (403, b"{}", EngineError, "refuses the login (403)"),
        (409, b'{"detail": "no"}', EngineError, "Prefect refuses flows/ (409): no\n  fix: "),
        (302, b"", EngineError, "(302)"),
        (429, b"", EngineAwayError, "an error of its own (429)"),
        (503, b"", EngineAwayError, "an error of its own (503)"),
        (200, b"<html>", EngineError, "answers with something that is not JSON\n  fix: set PREFECT_API_URL"),
    ],
)
def test_an_answer_that_is_none_is_said_in_a_sentence(server, monkeypatch, status, content, kind, said):
    monkeypatch.setattr(prefect_api, "BUSY", prefect_api.BUSY.new(backoff_factor=0))
    Answers.told = (status, content)
    with pytest.raises(EngineError) as refused:
        Api(server).send("flows/", {})
    assert type(refused.value) is kind and said in str(refused.value)
    assert len(Answers.asked) == (6 if status in (429, 503) else 1)  # a server that is busy is asked again


def test_a_server_that_is_not_there_is_away(server):
    with HTTPServer(("127.0.0.1", 0), Answers) as gone:
        port = gone.server_port
    with pytest.raises(EngineAwayError, match="Prefect does not answer at"):
        Api(f"http://127.0.0.1:{port}/api").get("health")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("prefect.example.org", "not one of the web"),
        ("https://me:hunter2@prefect.example.org/api", "the address https://prefect.example.org/api has a login"),
        ("http://prefect.example.org/api", "the login is not sent to http://prefect.example.org/api"),
    ],
)
def test_an_address_that_would_tell_the_login_is_refused(monkeypatch, address, said):
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_s3cret")
    with pytest.raises(EngineError) as refused:
        Api(address)
    assert said in str(refused.value) and "hunter2" not in str(refused.value) and "pnu" not in str(refused.value)


def test_the_page_of_a_workspace_is_named(monkeypatch):
    monkeypatch.delenv("PREFECT_UI_URL", raising=False)
    cloud = Api("https://api.prefect.cloud/api/accounts/1/workspaces/2")
    assert cloud.web == "https://app.prefect.cloud/account/1/workspace/2"
    assert Api("http://127.0.0.1:4200/api").web == "http://127.0.0.1:4200"


def run_of(tmp_path, ended: str, **tasks: tuple[str, str]) -> dict[str, State]:
    """The states of a, b and c when the flow run has ended and Prefect knows these tasks."""
    run = prefect.FlowRun(plan(tmp_path, "a", "b", "c"), None, "id", {})  # type: ignore[arg-type]
    run._read = lambda: {"state_type": ended}  # type: ignore[method-assign]
    listed = [{"name": name, "state_type": kind, "state_name": said} for name, (kind, said) in tasks.items()]
    run.api = type("Api", (), {"list": lambda *_: listed})()  # type: ignore[assignment]
    run.ended_at = -1e9
    return {name: each.state for name, each in run.states().items()}


def test_tasks_that_a_flow_run_left_have_a_state(tmp_path):
    done, ready, runs = ("COMPLETED", "Completed"), ("PENDING", "NotReady"), ("RUNNING", "Running")
    fails = ("FAILED", "Failed")
    found = run_of(tmp_path, "FAILED", a=done, b=fails, c=ready)
    assert list(found.values()) == [State.SUCCEEDED, State.FAILED, State.SKIPPED]
    found = run_of(tmp_path, "CANCELLED", a=done, b=runs)
    assert list(found.values()) == [State.SUCCEEDED, State.CANCELLED, State.CANCELLED]
    found = run_of(tmp_path, "CRASHED", a=done, b=runs)
    assert list(found.values()) == [State.SUCCEEDED, State.FAILED, State.SKIPPED]
    assert list(run_of(tmp_path, "CRASHED").values()) == [State.FAILED, State.SKIPPED, State.SKIPPED]
    assert set(run_of(tmp_path, "COMPLETED", a=done, b=runs).values()) == {State.SUCCEEDED}
    assert run_of(tmp_path, "RUNNING", a=("SCHEDULED", "AwaitingRetry"))["a"] is State.WAITING


def test_a_variable_that_is_not_json_is_said(tmp_path, monkeypatch):
    file = tmp_path / "prefect.yaml"
    file.write_text("work_pool: mlops\n", encoding="utf-8")
    monkeypatch.setenv("ENGINE_PREFECT_JOB_VARIABLES", '{"env": {"TZ": "UTC"}}')
    assert prefect_deployment.Settings.read(file).job_variables == {"env": {"TZ": "UTC"}}
    monkeypatch.setenv("ENGINE_PREFECT_JOB_VARIABLES", "{env")
    with pytest.raises(SystemExit) as refused:
        prefect_deployment.Settings.read(file)
    assert 'field "job_variables"' in str(refused.value) and "\n  fix: write it as JSON" in str(refused.value)
