"""Commands of release.yaml prepare a CI machine; those of the pages are typed here, with programs that record."""

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from copier_mlops.release import runner
from copier_mlops.release.settings import ReleaseSettings
from tests.platforms import require_posix
from tests.project import TEMPLATE, registry

PAGES = [TEMPLATE / "docs" / "how-to" / "releases.md", *sorted((TEMPLATE / "docs" / "how-to" / "hosts").glob("*.md"))]
# The commands of the page on releases are for machines that have the programs of the clouds.
MEANT = {"releases": "azure_devops github"}
BLOCK = re.compile(r"^ *```yaml\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
BLOCKS = [
    pytest.param(yaml.safe_load(block), id=f"{MEANT.get(page.stem, page.stem)}-{number}")
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
    if "prepare_" in block
]
PROGRAMS = {"apt-get", "aws", "az", "docker", "gcloud", "kubectl", "podman", "sudo"}
# The secrets of a job, which no command line and no log may have.
SECRETS = {"HOST_TOKEN": "host-secret", "CI_REGISTRY_PASSWORD": "job-secret"}
IDENTITY = "identity-secret"
TOLD = {
    "AZURE_CLIENT_ID": "client",
    "AZURE_TENANT_ID": "tenant",
    "GOOGLE_APPLICATION_CREDENTIALS": "google.json",
    "GITHUB_ACTOR": "ada",
    "CI_REGISTRY": "registry.gitlab.com",
    "CI_REGISTRY_USER": "gitlab-ci-token",
}
GATE = {"metric": "roc_auc", "direction": "higher", "margin": 0.0}


def test_a_ci_machine_is_prepared_and_a_laptop_is_not(inside, monkeypatch, tmp_path, capfd):
    log = tmp_path / "asked.txt"
    write = f"{sys.executable} -c \"open(r'{log.as_posix()}', 'a').write('$HOME; rm it')\""
    runner.prepare([write, write], "package")
    assert not log.exists()
    monkeypatch.setenv("CI", "true")
    runner.prepare([write, write], "package")
    # No shell reads it.
    assert log.read_text(encoding="utf-8") == "$HOME; rm it" * 2
    assert f"package: {write}" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program --login", "deploy: no-such-program is not installed"),
        (f"{sys.executable} -c 'raise SystemExit(3)'", "ended with 3"),
        ("docker login 'ghcr.io", "is not a command: No closing quotation\n  fix: correct it in prepare_deploy of"),
    ],
)
def test_a_machine_that_cannot_be_prepared_goes_no_further(inside, monkeypatch, tmp_path, command, said):
    after = tmp_path / "after"
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit, match=re.escape(said)):
        runner.prepare([command, f"touch {after}"], "deploy")
    assert not after.exists()


def test_what_a_program_prints_has_no_secret_in_an_address(inside, monkeypatch, capfd):
    monkeypatch.setenv("CI", "true")
    lines = "print('pulling https://bob:hunter2@example.org/x?sig=hunter2')"
    with pytest.raises(SystemExit) as refused:
        runner.prepare([f'{sys.executable} -c "{lines}; raise SystemExit(3)"'], "deploy")
    printed = capfd.readouterr()
    assert "pulling https://example.org/x\n" in printed.out
    assert "hunter2" not in printed.out + printed.err + str(refused.value)
    assert "ended with 3" in str(refused.value)


@pytest.fixture
def asked(inside, tmp_path, monkeypatch) -> Path:
    """The file in which the programs write their names, arguments and input."""
    require_posix()
    folder, log = tmp_path / "bin", tmp_path / "asked.txt"
    folder.mkdir()
    for name in PROGRAMS:
        program = folder / name
        program.write_text(
            f"#!{sys.executable}\nimport sys\n"
            "said = sys.stdin.read().strip() if '--password-stdin' in sys.argv else ''\n"
            f"open({str(log)!r}, 'a').write(' '.join([{name!r}, *sys.argv[1:]]) + ' < ' + said + '\\n')\n"
            f"print({IDENTITY!r} if 'get-login-password' in sys.argv else '')\n",
            encoding="utf-8",
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    for name, value in (SECRETS | TOLD | {"CI": "true"}).items():
        monkeypatch.setenv(name, value)
    token = tmp_path / "token"
    token.write_text(IDENTITY, encoding="utf-8")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))
    return log


def test_each_host_and_each_cloud_has_its_block():
    assert {each.id.rpartition("-")[0] for each in BLOCKS} == {*MEANT.values(), "bitbucket", "github", "gitlab"}
    assert sum("azure_devops" in each.id for each in BLOCKS) == len(registry("clouds"))


@pytest.mark.parametrize("block", BLOCKS)
def test_the_commands_of_a_page_log_in_without_a_secret_in_the_log(asked, block, capfd):
    found = ReleaseSettings(**{"gate": GATE, "target": "kubernetes", "url": "https://credit.example.org"} | block)
    runner.prepare(found.prepare_package, "package")
    runner.prepare(found.prepare_deploy, "deploy")
    lines = asked.read_text(encoding="utf-8").splitlines()
    assert len(lines) >= len(found.prepare_package) + len(found.prepare_deploy)
    piped = [line for line in lines if "--password-stdin" in line]
    assert all(line.rpartition(" < ")[2] in {*SECRETS.values(), IDENTITY} for line in piped), piped
    printed = "".join(capfd.readouterr())
    assert not [secret for secret in (*SECRETS.values(), IDENTITY) if secret in printed]
    # Only Azure's program takes a token as an argument, and it lives for minutes.
    shown = [line.rpartition(" < ")[0] for line in lines if not line.startswith("az login")]
    assert not [line for line in shown if any(secret in line for secret in (*SECRETS.values(), IDENTITY))]
