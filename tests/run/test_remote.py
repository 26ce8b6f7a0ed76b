"""Data remotes other than a folder, each against a server of its protocol on this machine."""

import json
import os
import shlex
import shutil
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.pipelines.conftest import PROGRAMS, installed
from tests.project import TEMPLATE
from tests.run.project import Project, commands

HERE = "127.0.0.1"
PAGES = TEMPLATE / "docs" / "how-to" / "remotes"
# A password with all that the file of DVC's settings could misread.
PASSWORD = 'it\'s #1; "quoted" $HOME'  # noqa: S105
# The published key of azurite's only account.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

STAGES = """\
stages:
  first:
    cmd: python -c "open('first.txt', 'w').write('1')"
    outs: [first.txt]
  second:
    cmd: python -c "open('second.txt', 'w').write(open('first.txt').read() + ' and 2')"
    deps: [first.txt]
    outs: [second.txt]
"""


@dataclass
class Storage:
    """A storage of this machine.

    Attributes:
        answers: The answers of a project that has its data there.
        command: Starts its server.
        variables: The credentials as CI has them.
        options: The credentials as `dvc remote modify --local` takes them on a laptop; none if variables do.
        secrets: Texts that no file of git and no output may have.
        make: Makes the bucket or folder that a team has, once the server runs.
        before: What `poe setup` says before that, without the variables if `needs_login`.
        ends_soon: Whether its library gives up within seconds if the server is away.
    """

    answers: dict[str, str]
    command: str
    before: str
    variables: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    make: Callable[[Project], object] = lambda _: None
    needs_login: bool = False
    ends_soon: bool = True


def s3(folder: Path, port: int) -> Storage:
    endpoint = f"http://{HERE}:{port}"
    bucket = f"import boto3; boto3.client('s3', endpoint_url='{endpoint}').create_bucket(Bucket='bucket')"
    return Storage(
        answers={"data_remote": "s3://bucket/credit", "data_endpoint": endpoint},
        command=f"uvx --from moto[server] moto_server --port {port}",
        variables={"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_DEFAULT_REGION": "us-east-1"},
        secrets=("hush",),
        make=lambda project: project.run(f"uv run --quiet --with boto3 python -c {shlex.quote(bucket)}"),
        before="does not answer: EndpointConnectionError",
    )


def azure(folder: Path, port: int) -> Storage:
    program = installed(Path(__file__).with_name("azurite")) / "node_modules/azurite/dist/src/blob/main.js"
    login = (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};"
        f"BlobEndpoint=http://{HERE}:{port}/devstoreaccount1;"
    )
    container = (
        "import os; from azure.storage.blob import BlobServiceClient as Client; "
        "Client.from_connection_string(os.environ['AZURE_STORAGE_CONNECTION_STRING']).create_container('container')"
    )
    options = "--skipApiVersionCheck --disableTelemetry --inMemoryPersistence --silent"
    return Storage(
        answers={"data_remote": "azure://container/credit"},
        command=f"{PROGRAMS / 'bin' / 'node'} {program} {options} --blobHost {HERE} --blobPort {port}",
        variables={"AZURE_STORAGE_CONNECTION_STRING": login},
        secrets=(KEY,),
        make=lambda project: project.run(f"uv run --quiet python -c {shlex.quote(container)}"),
        before="AzureAuthError: Authentication to Azure Blob Storage requires either account_name or connection_string",
        needs_login=True,
        ends_soon=False,
    )


def gs(folder: Path, port: int) -> Storage:
    endpoint = f"http://{HERE}:{port}"

    def make(_: Project) -> None:
        head = {"Content-Type": "application/json"}
        body = json.dumps({"name": "bucket"}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/storage/v1/b?project=p", body, head)).close()

    return Storage(
        answers={"data_remote": "gs://bucket/credit", "data_endpoint": endpoint},
        command=f"uvx --with setuptools<81 gcp-storage-emulator@2024.8.3 start --host {HERE} --port {port} --in-memory",
        # The package keeps DVC's library from asking Google; a plain `dvc` needs the variable.
        variables={"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false", "NO_GCE_CHECK": "true"},
        make=make,
        before="the data remote gave no answer in 20 seconds",
        ends_soon=False,
    )


def ssh(folder: Path, port: int) -> Storage:
    program = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if program is None:
        pytest.skip("sshd is not installed: apt-get install openssh-server")
    if os.geteuid() == 0:  # Debian makes it when the system starts
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    project = Project(folder)
    for name in ("host", "key"):
        project.run(f"ssh-keygen -q -t ed25519 -N '' -f {name}")
    settings = {
        "Port": port,
        "ListenAddress": HERE,
        "HostKey": folder / "host",
        "PidFile": "none",
        "AuthorizedKeysFile": folder / "key.pub",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UsePAM": "no",
        "StrictModes": "no",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()), "utf-8")
    user, key = project.run("id -un").strip(), folder / "key"
    text = key.read_text("utf-8")
    return Storage(
        answers={"data_remote": f"ssh://{HERE}:{port}{folder}/data/credit"},
        command=f"{program} -D -e -f {folder / 'sshd_config'}",
        variables={"DATA_REMOTE_USER": user, "DATA_REMOTE_KEY": text},
        options={"user": user, "keyfile": str(key)},
        secrets=(text.splitlines()[2],),
        before="does not answer: ConnectionRefusedError",
    )


def webdav(folder: Path, port: int) -> Storage:
    shares = folder / "shares"
    shares.mkdir()
    users = {"user_mapping": {"*": {"ada": {"password": PASSWORD}}}}
    settings = {
        "host": HERE,
        "port": port,
        "provider_mapping": {"/": str(shares)},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "simple_dc": users,
    }
    (folder / "wsgidav.json").write_text(json.dumps(settings), "utf-8")
    return Storage(
        answers={"data_remote": f"webdav://{HERE}:{port}/credit"},
        command=f"uvx --from wsgidav==4.4.0 --with cheroot wsgidav --config {folder / 'wsgidav.json'}",
        variables={"DATA_REMOTE_USER": "ada", "DATA_REMOTE_PASSWORD": PASSWORD},
        options={"user": "ada", "password": PASSWORD},
        secrets=(PASSWORD,),
        make=lambda _: (shares / "credit").mkdir(),
        before="does not answer: ConnectError",
    )


def without_login(project: Project, storage: Storage) -> Project:
    return replace(
        project, environment={name: each for name, each in project.environment.items() if name not in storage.variables}
    )


@pytest.mark.parametrize("kind", [s3, azure, gs, ssh, webdav])
def test_a_remote_is_pushed_to_and_pulled_from_and_takes_the_results_of_stages(copier, tmp_path, port, kind):
    (folder := tmp_path / "server").mkdir()
    storage = kind(folder, port)
    project = copier.copy(tmp_path / "project", maturity_level=0, **storage.answers)
    place = storage.answers["data_remote"]
    if not storage.options:
        project.environment |= storage.variables
    head, enter, *told, setup, push = commands((PAGES / f"{kind.__name__}.md").read_text("utf-8"))
    assert head.startswith("uvx copier copy --data data_remote=") and enter == "cd credit"
    assert (setup, push) == ("uv run poe setup", "uv run dvc push")
    for line, (name, value) in zip(told, storage.options.items(), strict=True):
        assert f" storage {name} " in line
        project.run(f"{line.rpartition(' ')[0]} {shlex.quote(value)}")
    first = without_login(project, storage) if storage.needs_login else project
    printed = first.run(setup, fails=True)
    assert storage.before in printed and "credentials go to .dvc/config.local" in printed
    with project.serve(storage.command, f"tcp://{HERE}:{port}"):
        storage.make(project)
        assert f"{place} answers" in project.run(setup)
        project.run(push)
        clone = project.clone(tmp_path / "clone")
        # As in CI: the credentials come from variables, and no file has them.
        clone = replace(clone, environment=project.environment | storage.variables)
        assert f"{place} answers\n" in clone.run(setup)
        assert clone.text("data/raw/german_credit.csv") == project.text("data/raw/german_credit.csv")
        assert not (clone.path / ".dvc" / "config.local").exists()
        for each in (project, clone):
            (each.path / "dvc.yaml").write_text(STAGES, encoding="utf-8")
        project.run("uv run mlops stage first --run one")
        assert "second ran" in clone.run("uv run mlops stage second --run one")
        assert clone.text("second.txt") == "1 and 2"
        project.run("uv run mlops collect --run one")
        assert project.text("dvc.lock") == clone.text("dvc.lock")
        clone.run("uv run mlops push")
    assert [secret for secret in storage.secrets if secret in project.text(".dvc/config")] == []
    if storage.ends_soon:
        away = project.run("uv run mlops stage first --run two", fails=True)
        assert "the data remote failed to read " in away and "executions/two/first.tar.gz: " in away
        assert [secret for secret in storage.secrets if secret in away] == []
