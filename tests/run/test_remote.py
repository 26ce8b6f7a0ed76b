"""Data remotes other than a folder, against a server of their protocol on this machine."""

import shlex

BUCKET = (
    "import boto3; boto3.client('s3', endpoint_url='{endpoint}', region_name='us-east-1')"
    ".create_bucket(Bucket='bucket')"
)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


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
    assert "test" not in project.text(".dvc/config")
