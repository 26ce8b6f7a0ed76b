"""What was proven of each host: every claim has one proof for every host, and a claim that a test runs names it."""

import datetime
import re
import subprocess
import sys

import pytest

from tasks.reference.proven import PROOFS, claims, entry, proof
from tests.project import TEMPLATE, registry

HOSTS = list(registry("hosts"))
CLAIMS = claims()
MORE = {"run": {"by"}, "read": {"date", "by"}, "believed": set(), "absent": set()}


@pytest.fixture(scope="module")
def collected() -> dict[str, set[str]]:
    """The parameters with which pytest would run each named test, by the test."""
    tests_named = sorted({found["run"] for claim in CLAIMS for host in HOSTS if "run" in (found := entry(claim, host))})
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "--quiet",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        *tests_named,
    ]
    done = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tests: dict[str, set[str]] = {}
    for name, parameters in re.findall(r"^(tests/\S+?::\w+)(?:\[(.*)\])?$", done.stdout, re.MULTILINE):
        tests.setdefault(name, set()).update([parameters] if parameters else [])
    assert tests.keys() == set(tests_named)
    return tests


@pytest.mark.parametrize("host", HOSTS)
def test_every_claim_has_one_proof(host):
    for claim in CLAIMS:
        found = entry(claim, host)
        how = proof(found)
        assert found.keys() - MORE[how] == {how}, claim["claim"]
        if how == "run":
            assert found["by"], claim["claim"]
        if how == "read":
            assert found["read"].startswith("https://"), claim["claim"]
            assert datetime.date(2026, 11, 29) <= found["date"], claim["claim"]


def test_a_claim_names_only_hosts():
    for claim in CLAIMS:
        assert claim.keys() <= {"claim", "all", *HOSTS}, claim["claim"]
    assert len({claim["claim"] for claim in CLAIMS}) == len(CLAIMS)
    assert {proof(entry(claim, host)) for claim in CLAIMS for host in HOSTS} == set(PROOFS)


def named(text: str) -> set[str]:
    """The hosts that the name of a test, its file or its parameters name."""
    return {host for host in HOSTS if re.search(rf"(?<![a-z]){host}(?![a-z])", text)}


@pytest.mark.parametrize("host", HOSTS)
def test_a_test_that_runs_on_some_hosts_proves_nothing_of_the_others(collected, host):
    for claim in CLAIMS:
        if found := entry(claim, host).get("run"):
            # A test that says its host in its name may use the fixtures of another.
            ran = named(found) or set().union(*map(named, collected[found]))
            assert not ran or host in ran, f"{claim['claim']}: {found} runs on {', '.join(sorted(ran))}"


@pytest.mark.parametrize("host", HOSTS)
def test_the_page_of_a_host_leads_to_what_was_proven(host):
    page = (TEMPLATE / "docs" / "how-to" / "hosts" / f"{host}.md").read_text(encoding="utf-8")
    section = re.sub(r"[^\w -]", "", registry("hosts")[host]["name"].lower()).replace(" ", "-")
    assert f"../../reference/proven.md#{section}" in page
