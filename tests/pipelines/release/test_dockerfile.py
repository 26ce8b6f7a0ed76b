"""The images of a release and of the stages: hadolint passes their Dockerfiles, and one with a fault is found.

What they install and run is proven without docker: test_image.py and test_stage_image.py in tests/package.
"""

import re
import subprocess
from pathlib import Path

import pytest

EXECUTION = Path("operation", "execution")
# The image of Python names its system as well.
FULL = r"\S+/uv:\d+\.\d+\.\d+|python:\d+\.\d+\.\d+-slim-\w+"


def lint(dockerfile: str) -> str:
    """What hadolint says, and what it does not look for: nothing where all is well."""
    command = ["hadolint", "--no-color", "-"]
    done = subprocess.run(command, input=dockerfile, capture_output=True, text=True, check=False)
    found = [done.stdout + done.stderr] if done.returncode else []
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    users = re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE)
    is_numbered = bool(users) and re.fullmatch(r"[1-9]\d*(:\d+)?", users[-1])
    faults = {
        "a base without its full version": not all(re.fullmatch(FULL, base) for base in bases),
        "one stage": len(bases) < 2,
        "no user by number": not is_numbered,
        "no health check": "HEALTHCHECK" not in dockerfile,
        "a shell": re.search(r"^(ENTRYPOINT|CMD|\s+CMD) (?!\[)", dockerfile, re.MULTILINE),
        "curl": "curl" in dockerfile,
        "a distribution without its hash": "--require-hashes" not in dockerfile,
        "a secret": re.search(r"(?i)(password|token|secret|_key)\s*=", dockerfile),
        "git or a login": re.search(r"(?im)^(?!#).*(\bgit\b|netrc|--mount=type=(secret|ssh))", dockerfile),
        "everything copied": re.search(r"^(COPY|ADD) \. ", dockerfile, re.MULTILINE),
    }
    return "\n".join(found + [name for name, is_there in faults.items() if is_there])


@pytest.mark.parametrize("python_version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("serving", [["batch", "online"], ["batch"], ["online"]], ids=",".join)
def test_the_dockerfile_lints_clean(release, python_version, serving):
    dockerfile = (release(python_version=python_version, serving=serving) / EXECUTION / "image/Dockerfile").read_text()
    assert lint(dockerfile) == ""
    assert f"FROM python:{python_version}." in dockerfile
    assert ("EXPOSE 8080" in dockerfile) == ("online" in serving)


@pytest.mark.parametrize("python_version", ["3.11", "3.14"])
@pytest.mark.parametrize("engine", ["argo", "kubeflow", "azureml"])
def test_the_dockerfile_of_the_stages_lints_clean(release, python_version, engine):
    project = release(python_version=python_version, engines=[engine, "slurm"], maturity_level=2)
    dockerfile = (project / EXECUTION / "stages/Dockerfile").read_text()
    assert lint(dockerfile) == ""
    assert f"FROM python:{python_version}." in dockerfile


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (r"-slim-trixie$", ""),
        (r"python:3\.11\.\d+", "python:latest"),
        (r"uv:[\d.]+", "uv"),
        (r"USER .*", ""),
        (r"USER .*", "USER root"),
        (r"USER .*", "USER app"),
        (r"HEALTHCHECK[^\n]*\\\n[^\n]*", ""),
        (r"ENTRYPOINT .*", "ENTRYPOINT mlops service"),
        (r" --require-hashes", ""),
        (r"COPY operation operation", "COPY . ."),
        (r"COPY operation operation", "RUN cd /app && pip install mlflow"),
        (r"COPY wheels wheels", "RUN apt-get update && apt-get install --yes git"),
        (r"RUN uv venv", "RUN --mount=type=secret,id=netrc,target=/run/netrc uv venv"),
        (r"EXPOSE 8080", "EXPOSE 80800"),
        (r"EXPOSE 8080", "ENV API_TOKEN=abc"),
        (r"COPY model model", "RUN apt-get install curl"),
        (r"COPY model model", "COPY model model extra"),
        (r"COPY model model", "CPY model model"),
    ],
)
def test_the_linter_would_find_a_fault(project, text, fault):
    dockerfile = (project / EXECUTION / "image/Dockerfile").read_text()
    planted = re.sub(text, fault, dockerfile, flags=re.MULTILINE)
    assert planted != dockerfile
    assert lint(planted)


def test_it_runs_the_service_of_the_package(project):
    dockerfile = (project / EXECUTION / "image/Dockerfile").read_text()
    assert dockerfile.endswith('ENTRYPOINT ["mlops", "service"]\n')
    assert "uv pip install --no-cache --require-hashes --requirement requirements.txt" in dockerfile


def test_the_context_is_listed_name_by_name(project):
    dockerfile = (project / EXECUTION / "image/Dockerfile").read_text()
    ignored = (project / EXECUTION / "image/.dockerignore").read_text().splitlines()
    copied = set(re.findall(r"^COPY (?!--from)(\S+)", dockerfile, re.MULTILINE))
    assert "*" in ignored
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
