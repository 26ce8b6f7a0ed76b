"""A model archive that unpacks to more than it may is refused before it is unpacked."""

import io
import json
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from copier_mlops import model_file, model_types
from copier_mlops.model_file import ModelFileError

MB = 1_000_000


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return path


def zipped(name: str, content: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr(name, content)
    return written.getvalue()


def named(count: int, file: str) -> bytes:
    """A schema whose objects all name one file."""
    return json.dumps([{"__id__": number, "file": file} for number in range(count)]).encode()


@pytest.mark.parametrize(
    "members",
    [
        {"schema.json": b"{}", "0.npy": bytes(60 * MB)},
        {"schema.json": b"{}", **{f"{number}.npy": bytes(3 * MB) for number in range(20)}},
        {"schema.json": b"[" * 3 * MB},
        {"schema.json": b"{}", "0.npz": zipped("data.npy", bytes(60 * MB))},
        {"schema.json": named(30, "0.npy"), "0.npy": bytes(2 * MB)},
    ],
    ids=["one file", "many files", "the schema", "an archive in it", "one file many times"],
)
def test_an_archive_that_unpacks_to_too_much_is_refused_in_one_sentence(tmp_path, members):
    path = archive(tmp_path / "model.skops", members)
    assert path.stat().st_size < MB
    tracemalloc.start()
    with pytest.raises(ModelFileError) as refused:
        model_file.load(path, most=50 * MB)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sentence = (
        r"\S+model.skops needs 60,0\d\d,\d\d\d bytes of memory when it is unpacked, more than the 50,000,000 allowed"
    )
    assert re.fullmatch(sentence, str(refused.value))
    assert used < 20 * MB


def test_a_model_of_usual_size_is_read(tmp_path):
    model = StandardScaler().fit(np.arange(10.0).reshape(5, 2))
    model_file.save(model, tmp_path / "model.skops")
    assert model_file.load(tmp_path / "model.skops").mean_.tolist() == model.mean_.tolist()
    with pytest.raises(ModelFileError, match="more than the 1,000 allowed"):
        model_file.load(tmp_path / "model.skops", most=1000)


def test_a_sparse_matrix_in_a_model_is_read_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(model_types, "TRUSTED", ["scipy.sparse._csr.csr_matrix"])
    matrix = sparse.csr_matrix((np.zeros(MB), (np.zeros(MB, int), np.arange(MB))), shape=(1, MB))
    model_file.save(matrix, tmp_path / "model.skops")
    assert (tmp_path / "model.skops").stat().st_size < 2 * MB
    assert model_file.load(tmp_path / "model.skops").shape == (1, MB)
    with pytest.raises(ModelFileError, match="more than the 10,000,000 allowed"):
        model_file.load(tmp_path / "model.skops", most=10 * MB)


def test_one_array_that_two_objects_share_counts_once(tmp_path):
    array = np.zeros(MB // 8)
    model_file.save([array, array, array], tmp_path / "model.skops")
    assert len(model_file.load(tmp_path / "model.skops", most=int(1.5 * MB))) == 3


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive", zipped("other.json", b"{}")])
def test_what_is_not_a_model_is_refused_as_before(tmp_path, content):
    (tmp_path / "model.skops").write_bytes(content)
    with pytest.raises(ModelFileError, match="cannot be read as a model"):
        model_file.load(tmp_path / "model.skops")
