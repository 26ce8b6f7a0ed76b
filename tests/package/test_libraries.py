"""Models of LightGBM, XGBoost and a network in Torch: saved, read, served, and the libraries that they need."""

import importlib
import json
import sys

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sklearn.pipeline import make_pipeline

from copier_mlops import features, libraries, model_file, problems, serving
from copier_mlops.contract import of_project
from copier_mlops.contract.frame import as_json
from copier_mlops.problems.prediction import threshold
from copier_mlops.project import team
from copier_mlops.serving import batch, online
from copier_mlops.settings import load_settings
from copier_mlops.tracking import lineage
from tests.package.shared import SAMPLE, columns

SETTINGS = {"n_estimators": 8, "max_depth": 3, "random_state": 1, "n_jobs": 1}


def estimator(name: str, kind: str) -> object:
    """A classifier or regressor of a library."""
    module = pytest.importorskip(name, reason=f"{name} has no wheel for this machine")
    if name == "lightgbm":
        return getattr(module, f"LGBM{kind}")(verbose=-1, min_child_samples=5, **SETTINGS)
    found = getattr(module, f"XGB{kind}")(**SETTINGS)
    return features.NumberedClasses(found) if kind == "Classifier" else found


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_a_booster_is_saved_read_and_asked(inside, table, tmp_path, name):
    contract, train = of_project(), team("train")
    encoder = features.encoder(contract, for_linear=False)
    model = make_pipeline(encoder, estimator(name, "Classifier"))
    files = [tmp_path / f"{number}.skops" for number in range(3)]
    for file in files[:2]:
        fitted = train.fit(train.build(model, threshold=0.2), table)
        model_file.save(fitted, file)
    assert files[0].read_bytes() == files[1].read_bytes()
    read = model_file.load(files[0])
    assert threshold(read) == 0.2
    expected = problems.predict(fitted, table, contract)
    assert problems.predict(read, table, contract).equals(expected)
    assert set(expected["label"]) == {"good", "bad"}
    model_file.save(read, files[2])
    assert model_file.load(files[2]).predict(table[columns()]).tolist() == expected["label"].tolist()

    needed = libraries.of_model(files[0])
    assert needed.keys() >= {"scikit-learn", "numpy", "lightgbm" if name == "lightgbm" else "xgboost-cpu"}
    assert needed.keys() <= lineage.library_versions(files[0]).keys()
    assert libraries.debian(needed) == (["libgomp1"] if name == "lightgbm" else [])

    predictor = serving.load(files[0], "7", model_file.sha256(files[0]))
    client = TestClient(online.project_app(predictor, load_settings("dev")))
    answers = client.post("/predict", json=as_json(table.head(20), contract)).json()
    assert [each["probability"] for each in answers] == pytest.approx(list(expected["probability"].head(20)))
    batch.main(["--data", str(SAMPLE), "--out", str(tmp_path / "answers.json")], lambda _: predictor)
    scored = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert [each["label"] for each in scored] == list(expected["label"])


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_numbers_are_learned_as_well(tmp_path, name):
    values = np.linspace(0, 1, 60).reshape(-1, 2)
    model = estimator(name, "Regressor").fit(values, values.sum(axis=1))
    model_file.save(model, tmp_path / "model.skops")
    assert model_file.load(tmp_path / "model.skops").predict(values).tolist() == model.predict(values).tolist()


def test_named_classes_are_numbers_for_the_estimator():
    from sklearn.linear_model import LogisticRegression

    values, names = np.array([[0.0], [1.0], [2.0]] * 5), ["low", "high", "middle"] * 5
    model = features.NumberedClasses(LogisticRegression(C=100)).fit(values, names)
    assert model.estimator_.classes_.tolist() == [0, 1, 2]
    assert model.classes_.tolist() == ["high", "low", "middle"]
    assert model.predict(values[:3]).tolist() == ["low", "high", "middle"]
    assert model.predict_proba(values).shape == (15, 3)


def test_a_library_that_is_not_here_is_named(inside, tmp_path, monkeypatch):
    file = tmp_path / "model.skops"
    model_file.save(estimator("lightgbm", "Regressor").fit(np.eye(9), np.arange(9)), file)
    for name in [name for name in sys.modules if name.partition(".")[0] == "lightgbm"]:
        monkeypatch.delitem(sys.modules, name)
    broken = tmp_path / "broken" / "lightgbm"
    broken.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(broken.parent))
    for code, sentence in (
        (
            "raise OSError('libgomp.so.1: cannot open')",
            "libgomp.so.1: cannot open; on Debian and Ubuntu, install libgomp1",
        ),
        ("raise ModuleNotFoundError('No module named lightgbm')", "No module named lightgbm"),
    ):
        (broken / "__init__.py").write_text(code)
        with pytest.raises(model_file.ModelFileError, match=f"needs a library that cannot be imported: {sentence}$"):
            model_file.load(file)


NET = """
import os

import numpy as np
from lending.layers import Layer


class Net:
    def __init__(self):
        self.layer = Layer()

    def __getstate__(self):
        return {"weights": self.layer.numbers()}

    def __setstate__(self, state):
        self.layer = Layer(state["weights"])

    def predict(self, values):
        return self.layer.forward(np.asarray(values, dtype="float32"))
"""
LAYERS = """
from %s


class Layer:
    def __init__(self, weights=(2.0, 3.0)):
        self.weights = %s

    def numbers(self):
        return [float(each) for each in self.weights]

    def forward(self, values):
        return [float(each) for each in %s]
"""


@pytest.fixture
def layered(inside, team_project):
    """A function that makes a network of the team's own, whose layers are written with a library."""
    folder = team_project / "src" / "lending"
    paths = [folder / name for name in ("net.py", "layers.py", "trusted_types.yaml")]

    def made(*words: str) -> object:
        for path, content in zip(paths, (NET, LAYERS % words, "- lending.net.Net\n"), strict=True):
            path.write_text(content)
        importlib.invalidate_caches()
        return importlib.import_module("lending.net").Net()

    yield made
    for path in paths:
        path.unlink(missing_ok=True)
    for name in ("net", "layers"):
        sys.modules.pop(f"lending.{name}", None)


def test_a_type_of_the_team_needs_what_its_modules_import(layered, tmp_path):
    net = layered("packaging import version\nimport pandas as pd", "pd.Series(weights)", "self.weights @ values.T")
    model_file.save(net, tmp_path / "model.skops")
    assert set(libraries.of_model(tmp_path / "model.skops")) == {"numpy", "packaging", "pandas"}
    assert model_file.load(tmp_path / "model.skops").predict([[1, 1]]) == [5.0]


def test_a_network_of_torch_is_saved_without_a_type_of_torch(layered, tmp_path):
    pytest.importorskip(
        "torch", reason="torch is not here: its wheels for Linux bring CUDA, so that no test installs it"
    )
    net = layered("torch import nn, tensor", "tensor(weights)", "tensor(values) @ self.weights")
    model_file.save(net, tmp_path / "model.skops")
    assert "torch" in libraries.of_model(tmp_path / "model.skops")
    assert model_file.load(tmp_path / "model.skops").predict([[1, 1]]) == [5.0]


def test_a_file_of_another_format_names_no_libraries(tmp_path):
    (tmp_path / "model.skops").write_bytes(b"of a predictor of the team")
    assert libraries.of_model(tmp_path / "model.skops") == {}


def test_every_entry_of_the_registry_has_types_and_packages():
    from copier_mlops.registry import registry

    for entry in registry("libraries").values():
        assert entry.keys() == {"trusted", "debian"} and entry["trusted"]
    assert pd.Series(libraries.debian(registry("libraries"))).is_unique
