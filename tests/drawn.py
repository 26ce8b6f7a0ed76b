"""Small images that tests draw: a bright shape on a dark ground, with some noise, of a class that a model can learn."""

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from copier_mlops.contract import parse

CLASSES = ("bar", "cross", "square")
CONTRACT = parse(
    """
learning: {target: label, problem: multiclass}
fields:
- {name: file, type: string, format: binary, constraints: {required: true}}
- {name: size, type: number}
- {name: label, type: string, categories: [bar, cross, square]}
""",
    "contract.yaml",
)


def pixels(label: str, seed: int, size: int = 16) -> np.ndarray:
    """An image of a class as RGB, shape (size, size, 3)."""
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 60, (size, size, 3))
    place = int(rng.integers(size // 4, size // 2))
    shape = np.zeros((size, size), dtype=bool)
    if label == "square":
        shape[place : place + size // 3, place : place + size // 3] = True
    else:
        shape[place : place + 3, :] = True
    if label == "cross":
        shape[:, place : place + 3] = True
    found[shape] += 180
    return found.astype("uint8")


def encoded(array: np.ndarray, form: str = "PNG") -> bytes:
    """The bytes of a file with these pixels."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, form)
    return stream.getvalue()


def image(label: str, seed: int = 1) -> bytes:
    """The bytes of a PNG of a class."""
    return encoded(pixels(label, seed))


def text(label: str, seed: int = 1) -> str:
    """A PNG of a class in base64."""
    return base64.b64encode(image(label, seed)).decode()


def records(number: int = 45) -> pd.DataFrame:
    """n records of the contract, with their images in base64."""
    labels = [CLASSES[seed % 3] for seed in range(number)]
    texts = [text(label, seed) for seed, label in enumerate(labels)]
    return pd.DataFrame({"file": texts, "size": np.arange(number, dtype=float), "label": labels})


def labelled(folder: Path, number: int = 60, classes: tuple[str, ...] = CLASSES) -> Path:
    """A folder of n images with their labels in a table."""
    folder.mkdir(parents=True)
    rows = ["file,label"]
    for seed in range(number):
        label = classes[seed % len(classes)]
        (folder / f"{seed}.png").write_bytes(image(label, seed))
        rows.append(f"{seed}.png,{label}")
    (folder / "labels.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    return folder


def by_class(folder: Path, number: int = 60, classes: tuple[str, ...] = CLASSES) -> Path:
    """A folder with n images in a sub-folder for each class."""
    for seed in range(number):
        label = classes[seed % len(classes)]
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{seed}.png").write_bytes(image(label, seed))
    return folder
