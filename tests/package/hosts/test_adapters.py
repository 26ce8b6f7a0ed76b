"""What the adapters ask of each host, held against what the host documents."""

import pytest

from tests.package.hosts.server import Reply
from tests.project import run

MARKER = "poe comment: metrics"
HOSTILE = "Größe | `x` <img src=x> @all \"'\\ 🚀\n" * 3


def body_of(place, number: int = 0) -> str:
    found = place.state.comments[number]
    if place.name == "azure_devops":
        return found["comments"][0]["content"]
    return found["content"]["raw"] if place.name == "bitbucket" else found["body"]


def test_one_comment_is_written_and_then_updated_in_place(place):
    adapter = place.adapter()
    first = adapter.comment(MARKER, HOSTILE)
    assert HOSTILE in body_of(place)
    assert place.adapter().comment(MARKER, "better") == first
    assert "better" in body_of(place) and "Größe" not in body_of(place)
    before = len(place.server.writes())
    assert place.adapter().comment(MARKER, "better") == first
    assert len(place.server.writes()) == before, "the same text is not sent again"
    assert len(place.state.comments) == 1


def test_a_comment_is_found_behind_many_others_and_others_stay(place):
    place.adapter().comment("another marker", "theirs")
    for number in range(4):
        place.adapter().comment(f"marker {number}", "theirs")
    url = place.adapter().comment(MARKER, "ours")
    assert place.adapter().comment(MARKER, "ours again") == url
    assert len(place.state.comments) == 6
    assert all("theirs" in body_of(place, number) for number in range(5))


def test_a_very_long_comment_is_cut(place):
    place.adapter().comment(MARKER, "ä" * 2_000_000)
    assert len(body_of(place)) <= 500_000


@pytest.mark.parametrize("host", ["github", "gitlab"], indirect=True)
def test_the_comment_of_a_stranger_with_our_marker_is_left_alone(place):
    place.adapter().comment(MARKER, "theirs")
    place.state.comments[0]["author"] = {"id": 666}
    place.state.comments[0]["user"] = {"type": "User"}
    place.adapter().comment(MARKER, "ours")
    assert len(place.state.comments) == 2
    assert "theirs" in body_of(place)


def test_a_branch_has_one_change_request(place):
    text = {"title": 'Größe "L"', "body": HOSTILE, "labels": ["Data"]}
    url = place.adapter().open_change("template-update", "main", **text)
    writes = len(place.server.writes())
    assert place.adapter().open_change("template-update", "main", **text) == url
    assert len(place.server.writes()) == writes, "nothing was new"
    assert place.adapter().open_change("template-update", "main", "Other", "text", ["Data"]) == url
    assert len(place.state.pulls) == 1
    assert "Other" in place.state.pulls[0].values()
    if place.name != "bitbucket":
        labels = str(place.state.labels if place.name == "azure_devops" else place.state.pulls[0]["labels"])
        assert labels.count("Data") == 1


def test_the_request_of_a_branch_is_found_open_or_closed(place):
    def find(branch: str):
        return place.adapter().find_change(branch, "main")

    assert find("template-update") is None
    url = place.adapter().open_change("template-update", "main", "Title", "text")
    assert (find("template-update").url, find("template-update").is_open) == (url, True)
    assert find("template") is None
    place.fake.close(place.state.pulls[0])
    assert (find("template-update").url, find("template-update").is_open) == (url, False)
    place.adapter().open_change("template-update", "main", "Title", "again")
    assert len(place.state.pulls) == 2, "a closed one is left alone"
    assert find("template-update").is_open


@pytest.mark.parametrize("host", ["azure_devops", "gitlab"], indirect=True)
def test_the_request_of_a_fork_is_not_that_of_the_branch(place):
    place.adapter().open_change("template-update", "main", "Title", "text")
    place.state.pulls[0] |= {"forkSource": {"name": "refs/heads/template-update"}, "source_project_id": 666}
    assert place.adapter().find_change("template-update", "main") is None
    place.adapter().open_change("template-update", "main", "Title", "ours")
    assert [place.fake.told(each)[2] for each in place.state.pulls] == ["text", "ours"]


def test_a_flow_is_started_on_the_main_branch(place):
    if place.name == "azure_devops":
        place.state.definitions.append({"id": 0, "process": {"yamlFilename": "/azure_pipelines/cd.yml"}})
    if place.name == "gitlab":
        place.state.project["ci_pipeline_variables_minimum_override_role"] = "developer"
    assert place.adapter().start("cd", {"environment": "stage"}).startswith("http")
    (started,) = place.state.started
    assert started.pop("ref").removeprefix("refs/heads/") == "main"
    expected = {
        "github": {"file": "cd.yml", "inputs": {"environment": "stage"}},
        "azure_devops": {"flow": "/azure_pipelines/cd.yml", "environment": "stage"},
        "gitlab": {"FLOW": "cd", "OPERATION_ENVIRONMENT": "stage"},
        "bitbucket": {"flow": "cd", "OPERATION_ENVIRONMENT": "stage"},
    }
    assert started == expected[place.name]


def test_a_gate_is_protected_only_where_the_host_asks_somebody(place):
    assert place.adapter().protection("prod") is None, "there is no such environment"
    place.fake.weaken(place.state, "prod")
    assert place.adapter().protection("prod") is None, "an environment that asks nobody is no gate"


def test_a_gate_that_the_host_keeps_names_who_is_asked(place):
    place.fake.protect(place.state, "prod")
    assert place.adapter().protection("prod").approvers


@pytest.mark.parametrize("host", ["gitlab"], indirect=True)
def test_a_manual_job_that_only_some_may_start_is_a_gate(place):
    place.fake.weaken(place.state, "prod")
    adapter = place.adapter(CI_JOB_MANUAL="true")
    assert adapter.protection("prod").approvers == ("Maintainers",)
    assert adapter.approval("prod").by == "grace"


def test_who_approved_is_told(place):
    place.fake.protect(place.state, "prod")
    if place.name != "bitbucket":
        assert place.adapter().approval("prod") is None
    by = place.fake.approve(place.state, "prod")
    assert place.adapter().approval("prod").by == by


@pytest.mark.parametrize("host", ["bitbucket"], indirect=True)
def test_a_token_of_a_repository_may_not_read_names_so_the_number_is_told(place):
    place.fake.approve(place.state, "prod")
    place.server.first.append(Reply({"error": {"message": "no scope account"}}, 403))
    assert place.adapter().approval("prod").by == "{u-1}"


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize(
    ("server", "is_told"), [("github.com", False), ("acme.ghe.com", False), ("git.example.org", True)]
)
def test_a_server_of_github_that_keeps_no_artifacts_of_cd_is_named(place, server, is_told, tmp_path, monkeypatch):
    place.clone(tmp_path / "clone")
    run(place.tree, "git", "remote", "set-url", "origin", f"https://{server}/acme/kredit.git")
    monkeypatch.chdir(place.tree)
    adapter = place.adapter(HOST_REPOSITORY=None)
    found = {each.name: each for each in adapter.settings()}
    assert ("artifacts" in found) == is_told
    if is_told:
        with pytest.raises(SystemExit, match=r"git.example.org is GitHub Enterprise Server(.*\n)*.*fix: "):
            found["artifacts"].see()


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_a_rejection_after_an_approval_counts(place):
    place.fake.approve(place.state, "prod")
    place.state.reviews.append({"state": "rejected", "environments": [{"name": "prod"}], "user": {"login": "grace"}})
    assert place.adapter().approval("prod") is None


def test_an_approval_of_another_environment_is_none(place):
    place.fake.approve(place.state, "prod")
    if place.name == "github":
        assert place.adapter().approval("model") is None
    else:
        with pytest.raises(SystemExit, match="deploys to prod, not to model"):
            place.adapter().approval("model")


def test_a_fork_is_recognised(place, tmp_path):
    assert place.adapter().change_request().target == "main"
    if place.name == "github":
        event = tmp_path / "event.json"
        event.write_text(event.read_text().replace('"full_name": "acme/kredit"', '"full_name": "eve/kredit"'))
        fork = {}
    else:
        fork = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "666", "SYSTEM_PULLREQUEST_ISFORK": "True"}
    assert place.adapter(**fork).change_request().from_fork == (place.name != "bitbucket")


def test_the_identity_of_a_run_comes_from_the_host(place):
    place.server.headers = (
        {"Authorization": "Bearer for-identities"} if place.name == "github" else place.server.headers
    )
    place.server.on("GET", "/token", lambda request: {"value": f"jwt for {request.query['audience']}"}, "v audience")
    query = "serviceConnectionId api-version"
    place.server.on("POST", "/oidc", lambda request: {"oidcToken": request.query["serviceConnectionId"]}, query)
    variables = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{place.server.url}/token?v=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "for-identities",
        "SYSTEM_OIDCREQUESTURI": f"{place.server.url}/oidc",
        "HOST_ID_TOKEN": "from the job",
        "BITBUCKET_STEP_OIDC_TOKEN": "from the step",
    }
    expected = {
        "github": "jwt for sts.amazonaws.com",
        "azure_devops": "c-1",
        "gitlab": "from the job",
        "bitbucket": "from the step",
    }
    assert place.adapter(**variables).id_token("sts.amazonaws.com", "c-1") == expected[place.name]
    with pytest.raises(SystemExit, match="host: "):
        place.adapter().id_token("sts.amazonaws.com", "c-1")


def test_outside_of_a_run_there_is_no_change_request(place):
    adapter = place.adapter(**dict.fromkeys(place.variables))
    assert not adapter.on_runner()
    assert adapter.change_request() is None
    assert adapter.run_url() == ""
