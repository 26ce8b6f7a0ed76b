"""The MLflow model that holds the file of dvc.lock: MLflow reads it, and its bytes are those of the file."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest

from copier_mlops import model_file
from tests.package.shared import columns, new_database, settings_at, tracked, uri


@pytest.fixture(scope="module")
def logged(inside, tmp_path_factory):
    """A logged model: its folder in the artifact store, its address, and the file that was logged."""
    folder = tmp_path_factory.mktemp("mlflow")
    inside.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")  # MLflow asks before it reads a model of its store
    settings = settings_at(uri(folder))
    new_database(folder, settings)
    file = folder / "trained.skops"
    run = tracked(settings, file, pipeline="a")
    return folder, run.data.tags["model.uri"], file


def test_the_bytes_are_those_of_the_file(logged):
    folder, _, file = logged
    (stored,) = folder.rglob("model.skops")
    assert stored.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("flavor", ["pyfunc", "sklearn"])
def test_mlflow_reads_it_and_predicts_the_same(logged, table, flavor):
    _, address, file = logged
    inputs = table[columns()].astype(dict.fromkeys(table[columns()].select_dtypes("number"), "float64"))
    model = mlflow.pyfunc.load_model(address) if flavor == "pyfunc" else mlflow.sklearn.load_model(address)
    assert list(model.predict(inputs)) == list(model_file.load(file).predict(inputs))


def test_signature_example_and_requirements_are_there(logged, table):
    _, address, _ = logged
    about = mlflow.models.get_model_info(address)
    assert about.signature.inputs.input_names() == columns()
    assert about.signature.outputs.input_names() == ["credit_risk"]
    example = mlflow.models.Model.load(address).load_input_example()
    pd.testing.assert_frame_equal(example, table[columns()].head(3), check_dtype=False)
    files = {form: Path(mlflow.pyfunc.get_model_dependencies(address, form)) for form in ("pip", "conda")}
    assert files["pip"].read_text() == "skops\n"
    assert "python=" in files["conda"].read_text()


def test_it_is_ready(logged):
    model = mlflow.get_logged_model(logged[1].rpartition("/")[2])
    assert (model.name, str(model.status)) == ("model", "READY")
