"""Write the MLflow model of a run: the model file as DVC hashed it, with the files that MLflow needs to read it.

`mlflow.sklearn.log_model` would load the model and write it again, so that the registered file differs from the one of
dvc.lock. Here its bytes are copied, and scikit-learn is not imported.
"""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from copier_mlops import model_types

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import Model
    from mlflow.models.model import ModelInfo

FILE = "model.skops"
EXAMPLE = "input_example.json"


def log(file: Path, inputs: pd.DataFrame, labels: pd.Series, requirements: list[str]) -> ModelInfo:
    """Log a model file to the active run, as a model that `mlflow.pyfunc` and `mlflow.sklearn` can read.

    Args:
        file: The skops file, whose bytes are logged.
        inputs: Some training records, n rows by one column per feature, for the signature and the example.
        labels: The labels of these records, n values, for the signature.
        requirements: The requirements for reading the model, in pip's format.

    Raises:
        mlflow.exceptions.MlflowException: The server refuses.
    """
    from mlflow.models import Model

    options = {"file": file, "inputs": inputs, "labels": labels, "requirements": requirements}
    # MLflow would load the model to try the example, but `track` checks the file by its hash.
    logged: ModelInfo = Model.log(
        None, Flavor, name="model", validate_serving_input=False, flavor_name="sklearn", **options
    )
    return logged


class Flavor:
    """The interface that `Model.log` calls to fill the folder of a model."""

    @staticmethod
    def save_model(
        path: str,
        mlflow_model: Model,
        file: Path,
        inputs: pd.DataFrame,
        labels: pd.Series,
        requirements: list[str],
        **_: object,
    ) -> None:
        """Write the folder: the model file, MLmodel, an input example, and the files with requirements."""
        from mlflow import pyfunc
        from mlflow.models import infer_signature

        folder = Path(path)
        folder.mkdir(parents=True)
        shutil.copyfile(file, folder / FILE)
        text = inputs.to_json(orient="split", index=False)
        (folder / EXAMPLE).write_text(text, encoding="utf-8")
        for name, content in environment(requirements).items():
            (folder / name).write_text(content, encoding="utf-8")
        mlflow_model.signature = infer_signature(inputs, labels)
        mlflow_model.saved_input_example_info = {
            "artifact_path": EXAMPLE,
            "pandas_orient": "split",
            "type": "dataframe",
        }
        pyfunc.add_to_model(
            mlflow_model,
            loader_module="mlflow.sklearn",
            model_path=FILE,
            conda_env="conda.yaml",
            python_env="python_env.yaml",
            predict_fn="predict",
        )
        mlflow_model.add_flavor(
            "sklearn",
            pickled_model=FILE,
            sklearn_version=version("scikit-learn"),
            serialization_format="skops",
            code=None,
            skops_trusted_types=model_types.trusted(),
        )
        mlflow_model.save(str(folder / "MLmodel"))


def environment(requirements: list[str]) -> dict[str, str]:
    """Return the three files with a model's requirements: for pip, conda and MLflow's own environments."""
    python = platform.python_version()
    packages = [f"python={python}", "pip", {"pip": requirements}]
    conda = {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": packages}
    own = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    return {
        "requirements.txt": "\n".join(requirements) + "\n",
        "conda.yaml": yaml.safe_dump(conda, sort_keys=False),
        "python_env.yaml": yaml.safe_dump(own, sort_keys=False),
    }
