"""`poe login`: what it writes is what the clouds' own libraries read, and nothing of it is a secret of ours."""

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.package.hosts.server import Reply, Server
from tests.project import ANSWERS, registry, replace

IDS = {
    "azure": {"client_id": "c-1", "tenant_id": "11111111-1111-1111-1111-111111111111"},
    "aws": {"role_arn": "arn:aws:iam::123456789012:role/kredit", "region": "eu-central-1"},
    "gcp": {
        "provider": "projects/1/locations/global/workloadIdentityPools/pool/providers/host",
        "service_account": "kredit@project.iam.gserviceaccount.com",
    },
}
AUDIENCES = {
    "azure": "api://AzureADTokenExchange",
    "aws": "sts.amazonaws.com",
    "gcp": f"https://iam.googleapis.com/{IDS['gcp']['provider']}",
}


SCOPES = ["https://www.googleapis.com/auth/devstorage.read_write"]


def token_for(audience: str, **more: object) -> str:
    claims = {"aud": audience, "sub": "repo:acme/kredit:environment:prod", "exp": int(time.time()) + 300, **more}
    parts = [json.dumps(each).encode() for each in ({"alg": "RS256"}, claims)] + [b"signature"]
    return ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in parts)


@pytest.fixture
def cloud(request) -> str:
    return request.param


@pytest.fixture
def run(place, cloud):
    """A run that may ask for an identity, in a project that logs in to a cloud; ids are filled in."""
    answers = place.tree / ANSWERS
    before = answers.read_text(encoding="utf-8")
    replace(answers, "cloud: aws", f"cloud: {cloud}")
    named = registry("clouds")[cloud]["audience"]
    place.server.on("GET", "/token", lambda request: {"value": token_for(request.query["audience"])}, "v audience")
    place.server.on("POST", "/oidc", lambda _: {"oidcToken": token_for(AUDIENCES["azure"])}, "api-version")
    if place.name == "github":
        place.server.headers = {"Authorization": "Bearer for-identities"}
    place.variables |= {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{place.server.url}/token?v=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "for-identities",
        "SYSTEM_OIDCREQUESTURI": f"{place.server.url}/oidc",
        "HOST_ID_TOKEN": token_for(named),
        "BITBUCKET_STEP_OIDC_TOKEN": token_for(AUDIENCES[cloud]),
    }
    fill(place, IDS[cloud])
    yield place
    answers.write_text(before, encoding="utf-8")
    shutil.rmtree(place.tree / ".identity", ignore_errors=True)


def fill(place, values: dict[str, str]) -> None:
    for environment in ("dev", "prod"):
        file = place.tree / "operation" / "configuration" / f"environment_{environment}" / "identity.yaml"
        file.write_text(json.dumps(values), encoding="utf-8")


def variables(place) -> dict[str, str]:
    """What poe loads before the next task, read by poe itself."""
    from poethepoet.env.parse import parse_env_file

    return parse_env_file((place.tree / ".identity" / "env").read_text(encoding="utf-8"))


@pytest.mark.parametrize("cloud", ["azure", "aws", "gcp"], indirect=True)
def test_every_host_vouches_for_a_run_at_every_cloud(run):
    printed = run.run("login", "--env", "prod")
    assert "repo:acme/kredit:environment:prod until 20" in printed
    folder = run.tree / ".identity"
    token = (folder / "token").read_text()
    assert token not in printed and token.count(".") == 2
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert all(token not in value for value in variables(run).values()), "variables name the file alone"


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("cloud", ["aws"], indirect=True)
def test_botocore_assumes_the_role(run, monkeypatch):
    from botocore.session import Session

    run.run("login", "--env", "prod")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in variables(run).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    given = {"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2099-01-01T00:00:00Z"}
    tags = "".join(f"<{key}>{value}</{key}>" for key, value in given.items())
    space = "https://sts.amazonaws.com/doc/2011-06-15/"
    result = f"<AssumeRoleWithWebIdentityResult><Credentials>{tags}</Credentials></AssumeRoleWithWebIdentityResult>"
    answer = f'<AssumeRoleWithWebIdentityResponse xmlns="{space}">{result}</AssumeRoleWithWebIdentityResponse>'
    with Server("application/x-www-form-urlencoded") as sts:
        sts.on("POST", "/", lambda _: Reply(raw=answer.encode(), headers={"Content-Type": "text/xml"}), body=is_role)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        session = Session()
        assert session.get_credentials().get_frozen_credentials().access_key == "ASIA1"
        assert session.get_config_variable("region") == "eu-central-1"
        assert sts.problems == []
        (asked,) = sts.seen
    assert asked.body["WebIdentityToken"] == (run.tree / ".identity" / "token").read_text()


def is_role(body: object) -> bool:
    wanted = {"Action": "AssumeRoleWithWebIdentity", "RoleArn": IDS["aws"]["role_arn"]}
    return isinstance(body, dict) and wanted.items() <= body.items()


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("cloud", ["gcp"], indirect=True)
def test_google_auth_exchanges_the_token(run, monkeypatch):
    from google.auth.identity_pool import Credentials
    from google.auth.transport.requests import Request

    run.run("login", "--env", "prod")
    written = variables(run)["GOOGLE_APPLICATION_CREDENTIALS"]
    # The class behind application default credentials; these would also ask for the project's name.
    found = Credentials.from_file(written, scopes=SCOPES)
    assert found.service_account_email == IDS["gcp"]["service_account"]
    document = json.loads(Path(written).read_text(encoding="utf-8"))
    become = urlsplit(document["service_account_impersonation_url"]).path
    with Server("application/") as google_itself:
        sts = {"access_token": "federated", "issued_token_type": "x", "token_type": "Bearer", "expires_in": 300}
        later = {"accessToken": "as the account", "expireTime": "2099-01-01T00:00:00Z"}
        google_itself.on("POST", "/v1/token", lambda _: sts, body=is_exchange)
        google_itself.on("POST", become, lambda _: later, body=lambda body: body is not None)
        document["token_url"] = f"{google_itself.url}/v1/token"
        document["service_account_impersonation_url"] = f"{google_itself.url}{become}"
        loaded = Credentials.from_info(document, scopes=SCOPES)
        loaded.refresh(Request())
        assert loaded.token == "as the account"  # noqa: S105
        assert google_itself.problems == []
        assert google_itself.seen[0].body["subject_token"] == (run.tree / ".identity" / "token").read_text()


def is_exchange(body: object) -> bool:
    wanted = {
        "audience": f"//iam.googleapis.com/{IDS['gcp']['provider']}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    return isinstance(body, dict) and wanted.items() <= body.items()


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("cloud", ["azure"], indirect=True)
def test_azure_identity_presents_the_token(run, monkeypatch):
    from azure.core.pipeline.transport import HttpTransport
    from azure.identity import WorkloadIdentityCredential

    run.run("login", "--env", "prod")
    for name, value in variables(run).items():
        monkeypatch.setenv(name, value)
    asked = []

    class Entra(HttpTransport):
        """Microsoft Entra's two answers; what it was asked is kept."""

        def send(self, request, **_):
            asked.append(request)
            return answer_of(request)

        def open(self) -> None: ...

        def close(self) -> None: ...

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None: ...

    credential = WorkloadIdentityCredential(transport=Entra(), disable_instance_discovery=True)
    assert credential.get_token("https://storage.azure.com/.default").token == "for storage"  # noqa: S105
    sent = asked[-1].body
    assert sent["client_assertion"] == (run.tree / ".identity" / "token").read_text()
    assert (sent["client_id"], sent["grant_type"]) == ("c-1", "client_credentials")
    assert IDS["azure"]["tenant_id"] in asked[-1].url


def answer_of(request):
    """An answer as `requests` would hand it on."""
    import requests
    from azure.core.pipeline.transport import RequestsTransportResponse

    home = f"https://login.microsoftonline.com/{IDS['azure']['tenant_id']}"
    if request.url.endswith("openid-configuration"):
        document = {"issuer": f"{home}/v2.0", "token_endpoint": f"{home}/oauth2/v2.0/token"}
        document |= {"authorization_endpoint": f"{home}/oauth2/v2.0/authorize"}
    else:
        document = {"token_type": "Bearer", "expires_in": 3600, "access_token": "for storage"}
    answer = requests.Response()
    answer.status_code = 200
    answer.headers["Content-Type"] = "application/json"
    answer._content = json.dumps(document).encode()
    return RequestsTransportResponse(request, answer)


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("cloud", ["aws"], indirect=True)
def test_poe_hands_the_variables_to_the_next_task(run):
    run.run("login", "--env", "prod")
    text = (run.tree / "poe_tasks.toml").read_text(encoding="utf-8")
    show = "\n[tasks.show]\ncmd = \"python -c 'import os; print(os.environ)'\"\n"
    (run.tree / "poe_tasks.toml").write_text(text + show, encoding="utf-8")
    try:
        command = [sys.executable, "-m", "poethepoet", "-q", "show"]
        seen = subprocess.run(command, cwd=run.tree, env=run.shell, capture_output=True, text=True, check=True).stdout
        assert IDS["aws"]["role_arn"] in seen
        (run.tree / ".identity" / "env").unlink()
        done = subprocess.run(command, cwd=run.tree, env=run.shell, capture_output=True, text=True, check=True)
        assert IDS["aws"]["role_arn"] not in done.stdout and "envfile" not in done.stderr
    finally:
        (run.tree / "poe_tasks.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("cloud", ["aws"], indirect=True)
def test_on_a_laptop_nothing_is_written_and_what_was_there_goes(run):
    run.run("login")
    assert (run.tree / ".identity").is_dir()
    printed = run.run("login", **dict.fromkeys(run.variables))
    assert "your own login counts" in printed
    assert not (run.tree / ".identity").exists()


@pytest.mark.parametrize("cloud", ["aws"], indirect=True)
def test_an_audience_of_the_file_comes_first(run):
    fill(run, IDS["aws"] | {"audience": "ours"})
    if run.name == "github":
        assert "repo:acme/kredit" in run.run("login")
    else:
        assert "not for ours" in run.run("login", code=1)


@pytest.mark.parametrize("cloud", ["aws"], indirect=True)
def test_ids_that_nobody_filled_in_are_named(run):
    fill(run, {"role_arn": "", "region": "eu-central-1"})
    printed = run.run("login", "--env", "prod", code=1)
    assert "login: role_arn not set" in printed and "environment_prod/identity.yaml" in printed
    fill(run, {"role_arn": "AKIA1234567890", "region": "eu-central-1"})
    assert "role_arn" in run.run("login", code=1)
    fill(run, {"role_arn": "arn:aws:iam::1:role/x", "region": "eu", "secret_access_key": "no"})
    assert "secret_access_key" in run.run("login", code=1)


@pytest.mark.parametrize("cloud", ["aws"], indirect=True)
@pytest.mark.parametrize("host", ["gitlab", "bitbucket"], indirect=True)
@pytest.mark.parametrize("token", ["no-token", "a.b.c", token_for("somebody else"), token_for(["x", "y"])])
def test_a_token_for_somebody_else_is_refused(run, token):
    names = dict.fromkeys(("HOST_ID_TOKEN", "BITBUCKET_STEP_OIDC_TOKEN"), token)
    printed = run.run("login", code=1, **names)
    assert printed.startswith("login: ") and token not in printed
    assert not (run.tree / ".identity").exists()


@pytest.mark.parametrize("cloud", ["aws"], indirect=True)
def test_a_job_that_may_not_ask_for_an_identity_is_told(run):
    names = ("ACTIONS_ID_TOKEN_REQUEST_URL", "SYSTEM_OIDCREQUESTURI", "HOST_ID_TOKEN", "BITBUCKET_STEP_OIDC_TOKEN")
    assert run.run("login", code=1, **dict.fromkeys(names)).startswith("host: ")
