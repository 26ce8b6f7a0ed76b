"""Git has code; data and models are in DVC."""

import json
from collections.abc import Iterator

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.fixes import strip_outputs, without_outputs
from copier_mlops.lint.project import Project

# Files that may be in git below data/.
KEPT = (".dvc", ".gitkeep", ".gitignore", ".md", "dvc.yaml", "dvc.lock")
TABLES = (".arrow", ".avro", ".db", ".dta", ".duckdb", ".feather", ".orc", ".parquet", ".rdata", ".rds", ".sas7bdat", ".sav", ".sqlite", ".sqlite3", ".tfrecord", ".npy", ".npz")  # fmt: skip # noqa: E501
MODELS = (".bst", ".caffemodel", ".cbm", ".ckpt", ".gguf", ".h5", ".hdf5", ".joblib", ".keras", ".mlmodel", ".onnx", ".pb", ".pickle", ".pkl", ".pmml", ".pt", ".pth", ".safetensors", ".skops", ".tflite", ".ubj")  # fmt: skip # noqa: E501


class DataInGit(Check):
    """Data in git."""

    id = "MLO501"
    name = "data-in-git"
    page = "data"
    finds = (
        "A file in `data/` that is not a pointer, a README or a `.gitkeep`, or a table such as `.parquet` or "
        "`.sqlite` in any folder."
    )
    why = "Git keeps each version of it for ever, so you cannot delete a record that must be deleted."
    fix = "`git rm --cached FILE`, then `uv run dvc add FILE`."
    example = Example("git ls-files data", "data/raw/records.csv\n", "data/raw/records.csv.dvc\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Judge files in git by their folder and suffix."""
        for path in sorted(project.tracked):
            name = path.rpartition("/")[2].lower()
            if path.startswith("data/") and not name.endswith(KEPT) and not name.startswith("readme"):
                yield self.found(path, 0, "data is in git: only pointers belong in data/")
            elif name.endswith(TABLES):
                yield self.found(path, 0, "data is in git")


class ModelInGit(Check):
    """A model in git."""

    id = "MLO502"
    name = "model-in-git"
    page = "data"
    finds = "A file with the suffix of a stored model."
    why = "You cannot tell which run it came from. Models are outputs of the pipeline and versions in the registry."
    fix = "`git rm --cached FILE`, and make it an output of a stage in `dvc.yaml`."
    example = Example("git ls-files", "src/my_package/model.pkl\n", "dvc.lock\ndvc.yaml\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Judge files in git by their suffix."""
        for path in sorted(project.tracked):
            if path.lower().endswith(MODELS):
                yield self.found(path, 0, "a model is in git")


class LargeFile(Check):
    """A file that makes every clone slower for ever."""

    id = "MLO503"
    name = "large-file"
    page = "data"
    finds = "A file in git that has more than `max-file-kb`, by default 1000. `uv.lock` is allowed."
    why = "Every clone downloads it for ever."
    fix = "Track it with DVC, or raise `max-file-kb`."
    example = Example("git ls-files docs", "docs/recording.mp4\n", "docs/recording.mp4.dvc\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare the size of each file in git with the limit."""
        most = project.config.max_file_kb
        for path in sorted(project.tracked):
            size = project.files[path]
            if size > most * 1000 and not path.endswith("uv.lock"):
                yield self.found(path, 0, f"{size / 1e6:.1f} MB are in git, more than the {most} kB of max-file-kb")


class NotebookOutput(Check):
    """A notebook with what its cells printed, which may be data."""

    id = "MLO504"
    name = "notebook-output"
    page = "data"
    finds = "A notebook that has cells with outputs."
    why = "Outputs are data, often personal, and nobody can review a change of them."
    fix = (
        "`--fix` empties outputs and execution counts and changes no other byte. It leaves a notebook that it could "
        "not write back exactly."
    )
    fixes_itself = True
    example = Example(
        "notebooks/explore.ipynb",
        '{"cell_type": "code", "outputs": [{"text": "Ada Lovelace, 36"}], "source": "people.head()"}\n',
        '{"cell_type": "code", "outputs": [], "source": "people.head()"}\n',
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Look for outputs in the code cells of each notebook."""
        for path in project.files:
            if not path.endswith(".ipynb") or "/.ipynb_checkpoints/" in f"/{path}":
                continue
            content = project.read(path)
            if content is None:
                if path not in project.problems:
                    project.problem(path, "is too large to be read, so it must have outputs")
                continue
            try:
                cells = json.loads(content.decode("utf-8"))["cells"]
                full = [cell for cell in cells if cell.get("cell_type") == "code" and cell.get("outputs")]
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                project.problem(path, f"is not a notebook: {type(error).__name__}")
                continue
            if full:
                fix = strip_outputs(project, path) if without_outputs(content) else None
                yield self.found(path, 0, f"{len(full)} of {len(cells)} cells have outputs", fix)
