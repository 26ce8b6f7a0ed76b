"""Data remotes other than a folder, against a server of their protocol on this machine."""

import shlex

BUCKET = (
    "import boto3; boto3.client('s3', endpoint_url='{endpoint}', region_name='us-east-1')"
    ".create_bucket(Bucket='bucket')"
)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}

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


def test_s3_is_pushed_to_and_pulled_from(copier, tmp_path, port):
    endpoint = f"http://127.0.0.1:{port}"
    project = copier.copy(
        tmp_path / "project", maturity_level=0, data_remote="s3://bucket/credit", data_endpoint=endpoint
    )
    project.environment |= CREDENTIALS
    printed = project.run("uv run poe setup", fails=True)
    assert "FAILED data remote: the data remote does not answer" in printed
    assert "credentials go to .dvc/config.local" in printed
    with project.serve(f"uvx --from moto[server] moto_server --port {port}", endpoint):
        project.run(f"uv run --quiet --with boto3 python -c {shlex.quote(BUCKET.format(endpoint=endpoint))}")
        assert "s3://bucket/credit answers" in project.run("uv run poe setup")
        project.run("uv run dvc push")
        clone = project.clone(tmp_path / "clone")
        clone.run("uv run dvc pull")
        assert clone.text("data/raw/german_credit.csv") == project.text("data/raw/german_credit.csv")
        for each in (project, clone):
            (each.path / "dvc.yaml").write_text(STAGES, encoding="utf-8")
        project.run("uv run mlops stage first --run one")
        assert "second ran" in clone.run("uv run mlops stage second --run one")
        assert clone.text("second.txt") == "1 and 2"
        project.run("uv run mlops collect --run one")
        assert project.text("dvc.lock") == clone.text("dvc.lock")
    assert "test" not in project.text(".dvc/config")
    away = project.run("uv run mlops stage first --run two", fails=True)
    assert "the data remote failed to read bucket/credit/executions/two/first.tar.gz: " in away
    assert endpoint in away and CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in away.replace(str(tmp_path), "")
