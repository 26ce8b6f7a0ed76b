"""Track the last run of the pipeline: parameters, metrics and model, with their data, code and libraries.

It reads dvc.lock and the pipeline's files, so you can track a run later if the server did not answer, and never twice.
"""

from __future__ import annotations

import argparse
import hashlib
import warnings
from typing import TYPE_CHECKING

from copier_mlops import model_file
from copier_mlops.address import redacted
from copier_mlops.contract import of_project
from copier_mlops.project import root
from copier_mlops.settings import load_settings
from copier_mlops.tracking import last_run, lineage, metrics_files, mlflow_model, server

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.data.dataset import Dataset
    from mlflow.entities import Run

MODEL = "build/model/model.skops"
TRAIN = "data/processed/train.parquet"
RESULTS = (MODEL, TRAIN, "metrics/test.json")


def check_results(hashes: dict[str, str]) -> None:
    """Check that the files are those that the pipeline wrote.

    Raises:
        SystemExit: A file is missing or differs from dvc.lock.
    """
    for path in RESULTS:
        if path not in hashes:
            raise SystemExit(f"track: the pipeline has not written {path}\n  fix: uv run poe train")
        file = root() / path
        if not file.is_file():
            raise SystemExit(f"track: {path} is not here\n  fix: uv run dvc pull, or uv run poe train")
        if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != hashes[path]:
            raise SystemExit(
                f"track: {path} is damaged or was changed: it is not the file that dvc.lock names\n"
                f"  fix: uv run dvc checkout --force {path}, or uv run dvc repro --force evaluate"
            )


def metrics() -> tuple[str, dict[str, float]]:
    """Return the chosen candidate and all metrics: of the test records by name, others by a name with a dot."""
    folder = root() / "metrics"
    tested = metrics_files.read("track", folder / "test.json", "candidate")
    chosen = str(tested.pop("candidate"))
    found = {"": tested, "data.": metrics_files.read("track", folder / "data.json")}
    if (folder / "baseline.json").is_file():
        found["baseline."] = metrics_files.read("track", folder / "baseline.json")
    for file in sorted((folder / "candidates").glob("*.json")):
        found[f"candidate.{file.stem}."] = metrics_files.read("track", file)
    figures: dict[str, float] = {}
    for prefix, document in found.items():
        numbers, others = metrics_files.numbers(document)
        figures |= {lineage.as_name(f"{prefix}{name}"): value for name, value in numbers.items()}
        for name in others:
            print(f"track: the metric {prefix}{name} is not a number, and is left out")
    return chosen, figures


def tags(chosen: str, pipeline: str, hashes: dict[str, str], libraries: dict[str, str]) -> dict[str, str]:
    """Return the code, data and libraries of the run."""
    return {
        "pipeline": pipeline,
        "candidate": chosen,
        **{f"git.{name}": value for name, value in lineage.git_state(root()).items()},
        **{f"{lineage.DATA}{lineage.as_name(path)}": md5 for path, md5 in hashes.items()},
        **{f"library.{name}": found for name, found in libraries.items()},
    }


def training_records() -> pd.DataFrame:
    """Return the training records as MLflow can describe them: its integers and booleans cannot be missing."""
    import pandas as pd

    found, inputs = pd.read_parquet(root() / TRAIN), of_project().inputs
    doubles = [field.name for field in inputs if field.type in ("integer", "number")]
    flags = [field.name for field in inputs if field.type == "boolean" and found[field.name].hasnans]
    return found.astype(dict.fromkeys([*doubles, *flags], "float64"))


def dataset(records: pd.DataFrame, digest: str) -> Dataset:
    """Return the training data, by its hash in DVC."""
    from mlflow.data.pandas_dataset import from_pandas

    target = of_project().target
    if target.type == "integer":
        records = records.astype({target.name: "float64"})
    with warnings.catch_warnings(action="ignore"):  # MLflow warns that a path fits two kinds of source
        return from_pandas(records, source=TRAIN, targets=target.name, name="train", digest=digest)


def log_model(records: pd.DataFrame, md5: str, libraries: dict[str, str]) -> None:
    """Log the bytes of the model file, and its hashes as tags of the run; every reader checks the SHA-256.

    Args:
        records: The training records, the first of which become the example.
        md5: The hash of the file in dvc.lock.
        libraries: The versions of the libraries that read the model, by their names.
    """
    import mlflow

    from copier_mlops import images, problems

    contract, few = of_project(), records.head(3)
    inputs = few[[field.name for field in contract.features]].copy()
    for name in [field.name for field in contract.features if field.is_image]:
        inputs[name] = inputs[name].map(images.thumbnail, na_action="ignore")
    needed = [f"{name}=={found}" for name, found in libraries.items() if name != "dvc"]
    logged = mlflow_model.log(root() / MODEL, inputs, problems.targets(few, contract), needed)
    sha256 = model_file.sha256(root() / MODEL)
    mlflow.set_tags({"model.uri": logged.model_uri, "model.sha256": sha256, "model.md5": md5})


def with_commit(client: MlflowClient, run: Run) -> Run:
    """Return a run that names the commit, if its code was not committed and is now: the same lock is the same code."""
    state = lineage.git_state(root())
    if run.data.tags.get("git.dirty") != "true" or state["dirty"] != "false":
        return run
    for name, value in state.items():
        client.set_tag(run.info.run_id, f"git.{name}", value)
    for version in client.search_model_versions(f"run_id = '{run.info.run_id}'"):
        for name in ("commit", "dirty"):
            client.set_model_version_tag(version.name, version.version, f"git.{name}", state[name])
    print(f"track: its code is committed now, as {state['commit'][:12]}")
    found: Run = client.get_run(run.info.run_id)
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="poe track", description=__doc__, epilog="For example: uv run poe track")
    parser.parse_args(arguments)
    hashes = lineage.dvc_hashes(root())
    check_results(hashes)
    pipeline = lineage.pipeline_hash(root())
    settings = load_settings()
    client = server.connect(settings)
    experiment = server.make_experiment(client, settings)
    if run := server.find_run(client, experiment.experiment_id, pipeline):
        print(f"track: this result is tracked already, as run {run.info.run_name} ({run.info.run_id})")
        last_run.write(with_commit(client, run))
        return
    import mlflow

    chosen, figures = metrics()
    records, libraries = training_records(), lineage.library_versions(root() / MODEL)
    described = tags(chosen, pipeline, hashes, libraries)
    if not described["git.commit"]:
        print("track: the run gets no commit: git knows none here\n  fix: uv run poe doctor")
    print(f"track: logging to {redacted(settings.tracking_uri)}", flush=True)
    with mlflow.start_run(experiment_id=experiment.experiment_id, tags=described) as run:
        mlflow.log_params({lineage.as_name(name): value for name, value in lineage.parameters(root()).items()})
        mlflow.log_metrics(figures)
        mlflow.log_input(dataset(records, hashes[TRAIN]), context="training")
        log_model(records, hashes[MODEL], libraries)
        for path in ("dvc.lock", "dvc.yaml", "params.yaml"):
            mlflow.log_artifact(str(root() / path))
        mlflow.log_artifacts(str(root() / "build" / "plots"), "plots")
    print(f"track: run {run.info.run_name} ({run.info.run_id}) in experiment {experiment.name}")
    last_run.write(client.get_run(run.info.run_id))


if __name__ == "__main__":
    main()
