"""Git has code; data and models are in DVC."""

import json
from collections.abc import Iterator

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.fixes import strip_outputs, without_outputs
from copier_mlops.lint.project import Project

# What git keeps below data/.
KEPT = (".dvc", ".gitkeep", ".gitignore", ".md", "dvc.yaml", "dvc.lock")
TABLES = (".arrow", ".avro", ".db", ".dta", ".duckdb", ".feather", ".orc", ".parquet", ".rdata", ".rds", ".sas7bdat", ".sav", ".sqlite", ".sqlite3", ".tfrecord", ".npy", ".npz")  # fmt: skip # noqa: E501
MODELS = (".bst", ".caffemodel", ".cbm", ".ckpt", ".gguf", ".h5", ".hdf5", ".joblib", ".keras", ".mlmodel", ".onnx", ".pb", ".pickle", ".pkl", ".pmml", ".pt", ".pth", ".safetensors", ".skops", ".tflite", ".ubj")  # fmt: skip # noqa: E501


@check("MLO501")
def data(project: Project) -> Iterator[Finding]:
    """Data in git."""
    for path in sorted(project.tracked):
        name = path.rpartition("/")[2].lower()
        if path.startswith("data/") and not name.endswith(KEPT) and not name.startswith("readme"):
            yield Finding(path, 0, "MLO501", "data is in git: data/ has pointers alone")
        elif name.endswith(TABLES):
            yield Finding(path, 0, "MLO501", "data is in git")


@check("MLO502")
def model(project: Project) -> Iterator[Finding]:
    """A model in git."""
    for path in sorted(project.tracked):
        if path.lower().endswith(MODELS):
            yield Finding(path, 0, "MLO502", "a model is in git")


@check("MLO503")
def large(project: Project) -> Iterator[Finding]:
    """A file that makes every clone slower for ever."""
    most = project.config.max_file_kb
    for path in sorted(project.tracked):
        size = project.files[path]
        if size > most * 1000 and not path.endswith("uv.lock"):
            yield Finding(path, 0, "MLO503", f"{size / 1e6:.1f} MB are in git, more than the {most} kB of max-file-kb")


@check("MLO504")
def notebook(project: Project) -> Iterator[Finding]:
    """A notebook with what its cells printed, which may be data."""
    for path in project.files:
        if not path.endswith(".ipynb") or "/.ipynb_checkpoints/" in f"/{path}":
            continue
        content = project.read(path)
        if content is None:
            if path not in project.problems:
                project.problem(path, "is too large to be read: it must hold outputs")
            continue
        try:
            cells = json.loads(content.decode("utf-8"))["cells"]
            full = [cell for cell in cells if cell.get("cell_type") == "code" and cell.get("outputs")]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            project.problem(path, f"is no notebook: {type(error).__name__}")
            continue
        if full:
            fix = strip_outputs(project, path) if without_outputs(content) else None
            yield Finding(path, 0, "MLO504", f"{len(full)} of {len(cells)} cells have outputs", fix)
