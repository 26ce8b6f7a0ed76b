"""The limits of the service, over real connections: what a hostile or a broken client gets, and what it cannot do."""

import http.client
import json
import logging
import re
import socket
import threading
import time

import pytest
from fastapi.testclient import TestClient

from copier_mlops.contract import of_project
from copier_mlops.contract.frame import as_json
from copier_mlops.project import team
from copier_mlops.serving import online
from copier_mlops.serving.limits import THROWN_AWAY
from copier_mlops.settings import Settings, load_settings
from tests.package.shared import fitted

SECONDS = 1.0
# The kernel takes tens of megabytes that the service never reads. With little room there, what is sent is read.
KERNEL_BUFFER = 65_536


@pytest.fixture(scope="module")
def predictor(inside):
    return team("score").Predictor(fitted(), "7")


@pytest.fixture(scope="module")
def settings(inside) -> Settings:
    return load_settings("dev").model_copy(update={"bind": "127.0.0.1", "port": 0, "max_receive_seconds": SECONDS})


@pytest.fixture(scope="module")
def port(predictor, settings) -> int:
    """The port of a service that runs as `poe serve` runs it."""
    server, listening = online.server_of(online.project_app(predictor, settings), settings), online.listen(settings)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    running = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    running.start()
    while not server.started:
        time.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    running.join()


@pytest.fixture
def record(table) -> dict:
    return as_json(table.head(1), of_project())[0]


def ask(port: int, method: str, path: str, body: bytes | str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def counted(port: int) -> dict[str, float]:
    """How many requests were counted with each status."""
    text = ask(port, "GET", "/metrics")[1].decode()
    found: dict[str, float] = {}
    for status, number in re.findall(r'^requests_total{.*status="(\d+)"} (\S+)$', text, re.MULTILINE):
        found[status] = found.get(status, 0) + float(number)
    return found


def with_value(record: dict, field: str, value: str) -> str:
    """A record as JSON in which a field has a value that may not be JSON."""
    return json.dumps(record | {field: "VALUE"}).replace('"VALUE"', value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 30, r'"\ud800"', "1.5", "{}"])
@pytest.mark.parametrize("form", ["{}", "[{}]"], ids=["one", "many"])
def test_a_value_that_json_cannot_say_is_refused_with_the_name_of_the_field(port, record, value, form):
    status, answer = ask(port, "POST", "/predict", form.replace("{}", with_value(record, "duration_in_month", value)))
    found = json.loads(answer)
    assert (status, found["detail"][0]["loc"][-1], found["more"]) == (422, "duration_in_month", 0)


def test_half_a_character_is_refused_in_a_code_and_in_the_name_of_a_field(port, record):
    status, answer = ask(port, "POST", "/predict", with_value(record, "purpose", r'"\ud800"'))
    assert (status, json.loads(answer)["detail"][0]["loc"][-1]) == (422, "purpose")
    status, answer = ask(port, "POST", "/predict", json.dumps(record | {"\ud800": 1}))
    assert (status, json.loads(answer)["detail"][0]["loc"]) == (422, ["body", "one"])


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (json.dumps([{}] * 1000), 19_995),
        (json.dumps([{}] * 200_000), 0),
        (json.dumps({f"field{number}": "secret" for number in range(40_000)}), 0),
        (json.dumps([{f"secret{field}": 1 for field in range(25)}] * 900), 900 * 45 - 5),
        (json.dumps({"secret" * 10_000: "secret"}), 16),
        ('"' + "secret" * 10_000 + '"', 0),
        ('["' + "secret" * 10_000, 0),
    ],
    ids=["empty records", "too many records", "many fields", "many fields of many", "a long name", "a text", "broken"],
)
def test_a_refusal_is_small_quick_and_repeats_nothing(port, body, more):
    begin = time.perf_counter()
    status, answer = ask(port, "POST", "/predict", body)
    assert time.perf_counter() - begin < 3
    found = json.loads(answer)
    assert (status, found["more"]) == (422, more)
    assert 1 <= len(found["detail"]) <= 5
    assert len(answer) < 2_000
    assert all(len(part) <= 64 for each in found["detail"] for part in each["loc"] if isinstance(part, str))
    assert all(set(each) == {"type", "loc", "msg"} for each in found["detail"])


@pytest.mark.parametrize("body", [b"\xff\xfe{", b"[" * 500_000, b"9" * 100_000])
def test_what_cannot_be_read_at_all_is_refused_in_a_few_words(port, body):
    status, answer = ask(port, "POST", "/predict", body)
    assert status in (400, 422)
    assert len(answer) < 300


def test_a_refusal_is_what_the_api_describes(port):
    described = json.loads(ask(port, "GET", "/openapi.json")[1])
    refused = described["paths"]["/predict"]["post"]["responses"]["422"]["content"]["application/json"]["schema"]
    assert refused == {"$ref": "#/components/schemas/Refusal"}
    assert set(described["components"]["schemas"]["Refusal"]["required"]) == {"detail", "more"}


@pytest.fixture
def logged(caplog):
    """What the service and uvicorn log; uvicorn's logger hands nothing on."""
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_a_client_that_hangs_up_is_no_error(port, logged, record):
    before = counted(port)
    body = json.dumps([record] * 900).encode()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as hung:
            hung.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
            hung.sendall(body[:1000])
            time.sleep(0.1)
    deadline = time.monotonic() + 5
    while counted(port).get("499", 0) < before.get("499", 0) + 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    after = counted(port)
    assert after["499"] == before.get("499", 0) + 3
    assert after.get("500", 0) == before.get("500", 0)
    assert logged.records == []


HALF_A_HEADER = b"POST /predict HTTP/1.1\r\nHost: x"
HALF_A_BODY = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1234\r\n"
LATE = b"HTTP/1.1 408 "


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (HALF_A_HEADER, b""),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", LATE),
        (HALF_A_BODY, LATE),
        # After an answer, uvicorn itself ends a connection within 5 seconds.
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", b"HTTP/1.1 200 "),
    ],
    ids=["nothing", "half a header", "no body", "half a body", "half of a second header"],
)
def test_a_request_that_is_never_whole_is_ended(port, sent, answer):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        begin = time.monotonic()
        slow.sendall(sent)
        received = b""
        try:
            while part := slow.recv(65_536):
                received += part
        except ConnectionResetError:
            pass
        assert SECONDS * 0.9 < time.monotonic() - begin < 9
    assert received.startswith(answer)
    assert (b"the body did not arrive within 1 seconds" in received) == (answer == LATE)


@pytest.mark.parametrize("begin", [b"", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["new", "used"])
def test_a_header_that_trickles_in_gets_no_more_time(port, begin):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        slow.sendall(begin + b"GET /health HTTP/1.1\r\n")
        started = time.monotonic()
        with pytest.raises((ConnectionError, BrokenPipeError)):
            while time.monotonic() - started < 10:
                slow.sendall(b"X: y\r\n")
                time.sleep(0.1)
        assert time.monotonic() - started < 8


def test_many_half_sent_requests_go_away_and_the_service_answers(port):
    held = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(150)]
    for number, each in enumerate(held):
        each.sendall(HALF_A_HEADER if number % 2 else HALF_A_BODY)
    begin = time.monotonic()
    assert ask(port, "GET", "/health")[0] == 200
    assert time.monotonic() - begin < SECONDS
    for each in held:
        try:
            while each.recv(65_536):
                pass
        except ConnectionResetError:
            pass
        each.close()
    assert time.monotonic() - begin < 9


def test_a_body_that_is_sent_slowly_but_in_time_is_answered(port, record):
    body = json.dumps(record).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        time.sleep(0.55 * SECONDS)
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        slow.sendall(b"Content-Length: %d\r\n\r\n" % len(body))
        time.sleep(0.55 * SECONDS)
        slow.sendall(body)
        assert slow.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_body_without_an_end_is_refused(port, settings):
    part = b"%x\r\n%s\r\n" % (100_000, b"x" * 100_000)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as endless:
        endless.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        endless.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with pytest.raises((ConnectionError, BrokenPipeError)):
            while sent < 200_000_000:
                endless.sendall(part)
                sent += len(part)
        assert THROWN_AWAY * settings.max_body_bytes < sent < 1.2 * THROWN_AWAY * settings.max_body_bytes


def test_the_page_that_shows_the_service_needs_no_other_server(port):
    for page in ("/docs", "/redoc"):
        status, content = ask(port, "GET", page)
        assert status == 200
        found = re.findall(r'(?:src|href|url)[=:]\s*["\']([^"\']+)["\']', content.decode())
        assert len(found) >= 3 - (page == "/redoc")
        assert [each for each in found if not each.startswith("/")] == []
        assert [each for each in found if ask(port, "GET", each)[0] != 200] == []


def test_a_port_that_is_taken_names_the_setting(port, predictor, settings):
    taken = settings.model_copy(update={"port": port})
    with pytest.raises(SystemExit) as refused:
        online.serve(predictor, taken)
    sentence, fix = str(refused.value).splitlines()
    assert sentence.startswith(f"serve: port {port} of 127.0.0.1 cannot be used: ")
    assert fix == (
        "  fix: end the program that has it, or set another `port` in settings.yaml of environment_dev, "
        "or the variable OPERATION_PORT"
    )


def test_an_address_that_is_not_of_this_machine_names_the_setting(predictor, settings):
    with pytest.raises(SystemExit, match=r"set another `bind` in .*environment_dev, or .*OPERATION_BIND"):
        online.serve(predictor, settings.model_copy(update={"bind": "192.0.2.1"}))


def test_a_contract_of_numbers_only_is_answered(predictor, settings, record, monkeypatch):
    contract = of_project()
    numbers = [field for field in contract.inputs if field.type == "integer"]
    learning = contract.learning.model_copy(update={"new_categories": (), "sensitive": ()})
    few = contract.model_copy(update={"fields": (*numbers, contract.target), "learning": learning})
    monkeypatch.setattr(online, "of_project", lambda: few)
    names = {field.name for field in numbers}

    class Whole:
        """A model of all fields, to which those of the contract are enough."""

        version = "7"

        def score(self, records):
            codes = {name: record[name] for name in record if name not in names}
            return predictor.score(records.assign(**codes))

    client = TestClient(online.create_app(Whole(), settings))
    given = {name: record[name] for name in names}
    for body, rows in ((given, 1), ([given, given], 2)):
        answer = client.post("/predict", json=body)
        assert answer.status_code == 200
        assert [each["unseen"] for each in answer.json()] == [[]] * rows
