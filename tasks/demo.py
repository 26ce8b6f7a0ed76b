"""Render a project with the default answers, train and register its model, serve it and request a prediction."""

import argparse
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]
STEPS = ("setup", "train", "register", "report", "evaluate")


def say(text: str) -> None:
    print(f"\n=== {text}", flush=True)


def environment() -> dict[str, str]:
    """Return this shell's variables, without those of the template's own virtual environment."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}


def run(command: list[str], folder: Path) -> None:
    """Run a command and show its output.

    Raises:
        SystemExit: It ended with an error.
    """
    print(f"$ {' '.join(command)}", flush=True)
    code = subprocess.run(command, cwd=folder, env=environment(), check=False).returncode
    if code:
        raise SystemExit(f"demo: `{' '.join(command)}` ended with {code}; the project is in {folder}")


def first_record(project: Path) -> dict[str, object]:
    """Return the first record of the sample, in the form that the service takes."""
    with (project / "operation" / "tests" / "sample.csv").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    del row["credit_risk"]
    return {name: int(value) if value.isdigit() else value for name, value in row.items()}


def ask(project: Path, port: int) -> object:
    """Serve the model, request a prediction for one record and stop it again.

    Raises:
        SystemExit: The service ended or did not answer within a minute.
    """
    command = ["uv", "run", "mlops", "serve"]
    server = subprocess.Popen(command, cwd=project, env=environment() | {"OPERATION_PORT": str(port)})
    body = json.dumps(first_record(project)).encode()
    message = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, {"Content-Type": "application/json"})
    try:
        for _ in range(300):
            if server.poll() is not None:
                raise SystemExit(f"demo: the service ended with {server.returncode}; the project is in {project}")
            try:
                with urllib.request.urlopen(message, timeout=10) as answer:
                    return json.load(answer)
            except ConnectionError:
                time.sleep(0.2)
            except OSError as error:
                if not isinstance(getattr(error, "reason", None), ConnectionError):
                    raise
                time.sleep(0.2)
        raise SystemExit(f"demo: the service did not answer; the project is in {project}")
    finally:
        server.terminate()
        server.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="poe demo", description=__doc__, epilog="For example: uv run poe demo --into ../demo"
    )
    parser.add_argument(
        "--into", type=Path, help="empty folder to work in (default: a new temporary one, which is kept)"
    )
    options = parser.parse_args()
    folder = (options.into or Path(tempfile.mkdtemp(prefix="copier-mlops-"))).resolve()
    if folder.is_relative_to(TEMPLATE):
        raise SystemExit(f"demo: {folder} is inside the template; name a folder outside of it")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SystemExit(f"demo: {folder} is not empty; name a folder that is")
    folder.mkdir(parents=True, exist_ok=True)
    project = folder / "german-credit"
    started = time.monotonic()

    say("A project with the default answers")
    copy = [sys.executable, "-m", "copier", "copy", "--defaults", "--vcs-ref", "HEAD", "--quiet"]
    run([*copy, str(TEMPLATE), str(project)], folder)
    for step in STEPS:
        say(step)
        run(["uv", "run", "poe", step], project)
    say("serve, and one prediction")
    answer = ask(project, free_port())
    print(json.dumps(first_record(project)))
    print(f"-> {json.dumps(answer)}")
    say(f"Done in {time.monotonic() - started:.0f} seconds")
    print(f"project     {project}")
    print(f"plots       {project / 'build/report/index.html'}")
    print(f"model card  {project / 'docs/model_card.md'}")
    print(f"data card   {project / 'docs/data_card.md'}")
    print(f"metrics     {project / 'metrics/test.json'}")


if __name__ == "__main__":
    main()
