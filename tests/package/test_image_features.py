"""A model learns from images: their pixels are numbers, and equal models are equal files."""

import base64

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from copier_mlops import images, model_file, problems
from copier_mlops.features import encoder
from tests import drawn
from tests.drawn import CONTRACT


def test_pixels_are_colours_from_0_to_1():
    array = np.zeros((4, 4, 3), dtype="uint8")
    array[:2, :, 0] = 255
    text = base64.b64encode(drawn.encoded(array)).decode()
    assert images.pixels(text, 2).reshape(2, 2, 3).tolist() == [[[1, 0, 0]] * 2, [[0, 0, 0]] * 2]


def test_grey_of_16_bits_keeps_its_shades_and_transparent_is_white():
    deep = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype="uint16")
    text = base64.b64encode(drawn.encoded(deep)).decode()
    assert (images.pixels(text, 2).reshape(4, 3)[:, 0] * 255).round().tolist() == [0, 100, 200, 255]
    clear = np.zeros((2, 2, 4), dtype="uint8")
    assert images.pixels(base64.b64encode(drawn.encoded(clear)).decode(), 2).tolist() == [1.0] * 12


@pytest.mark.parametrize("is_linear", [True, False])
def test_a_model_learns_from_images_and_equal_models_are_equal_files(tmp_path, is_linear):
    estimator = (
        LogisticRegression(max_iter=1000) if is_linear else HistGradientBoostingClassifier(max_iter=10, random_state=1)
    )
    model = make_pipeline(encoder(CONTRACT, for_linear=is_linear), estimator)
    records = drawn.records()
    records.loc[0, "file"] = None
    for name in ("one", "two"):
        fitted = clone(model).fit(records[["file", "size"]], records["label"])
        model_file.save(fitted, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    read_back = model_file.load(tmp_path / "one")
    answers = problems.predict(read_back, records, CONTRACT)
    assert (answers["label"] == records["label"])[1:].all()
    assert len(read_back[0].get_feature_names_out()) == read_back[0].transform(records[["file", "size"]]).shape[1]


def test_the_number_of_pixels_can_be_chosen():
    records = drawn.records(3)[["file", "size"]]
    found = encoder(CONTRACT, for_linear=False, pixels=4).fit(records)
    assert found.transform(records).shape == (3, 1 + 3 * 4 * 4)
    assert found.get_feature_names_out()[-1] == "file (row 4, column 4, blue)"


def test_shuffled_images_matter():
    model = make_pipeline(encoder(CONTRACT, for_linear=True), LogisticRegression(max_iter=1000))
    records = drawn.records()
    model.fit(records[["file", "size"]], records["label"])
    found = problems.importance(model, records, CONTRACT, "", repeats=1, seed=1)
    assert found["feature"][0] == "file"
