"""Notebooks and projects that the tests make."""

import json
import subprocess
import sys
from pathlib import Path

from tests.project import ANSWERS, TEMPLATE, commit

PIPELINE = """\
# The pipeline.
stages:
  ingest:   # first
    cmd: python -c "1"
    outs:
      - data/interim/ingested.parquet

# Curves.
plots:
  - ROC curve:
      x: {build/roc.csv: x}
"""
PARAMS = "# Values.\nseed: 42\ntrain:\n  leaf: 20 # records\n"


def notebook(*cells: tuple[str, str] | str, **changes: object) -> str:
    """A notebook of code cells: a text, or a text and its tags. Each has an output."""
    made = []
    for cell in cells:
        source, tags = (cell, "") if isinstance(cell, str) else cell
        output = {"output_type": "stream", "name": "stdout", "text": ["SECRET OUTPUT\n"]}
        metadata = {"tags": tags.split()} if tags else {}
        made.append(
            {
                "cell_type": "code",
                "execution_count": 7,
                "metadata": metadata,
                "outputs": [output],
                "source": source.splitlines(keepends=True),
            }
        )
    kernel = {"kernelspec": {"language": "python", "name": "python3"}}
    return json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5} | changes)


def project(folder: Path) -> Path:
    """A project of level 2 with only the files that the task reads, committed."""
    for path, text in {
        ANSWERS: "package_name: houses\nmaturity_level: 2\n",
        "src/houses/__init__.py": '"""Houses."""\n',
        "dvc.yaml": PIPELINE,
        "params.yaml": PARAMS,
        "pyproject.toml": '[project]\nname = "houses"\nversion = "1"\n',
        "ruff.toml": (TEMPLATE / "template" / "ruff.toml.jinja").read_text().replace("{{ package_name }}", "houses"),
        "data/raw/houses.csv": "Größe,Preis\n3,300000\n4,420000\n5,\n",
        "notebooks/README.md": "Notebooks\n",
    }.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    commit(folder)
    return folder


def executed(folder: Path, document: str) -> None:
    """Run all cells in one process whose working directory is that of the notebooks, as Jupyter does."""
    code = "\n".join("".join(cell["source"]) for cell in json.loads(document)["cells"])
    subprocess.run([sys.executable, "-c", code], cwd=folder / "notebooks", check=True)
