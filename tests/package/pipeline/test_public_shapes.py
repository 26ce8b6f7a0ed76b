"""Pipelines as public repositories write them: apart and side by side, they give the dvc.lock of `dvc repro`."""

import pytest
import yaml

from copier_mlops.pipeline.apart import collect
from tests.package.pipeline.conftest import Pipeline, start
from tests.package.pipeline.test_apart import copy, run_all

# It reads files and folders, and writes a file, or two into a folder.
TOOL = """\
import json, pathlib, sys
out, *deps = map(pathlib.Path, sys.argv[1:])
files = sorted(each for dep in deps for each in ([dep] if dep.is_file() else dep.rglob("*")) if each.is_file())
text = " ".join(each.read_text().strip() for each in files if each.suffix != ".py")
if out.suffix:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"length": len(text)}) if out.suffix == ".json" else text + out.stem)
else:
    out.mkdir(parents=True, exist_ok=True)
    (out / "one.tsv").write_text(text + "1")
    (out / "two.tsv").write_text(text + "2")
"""
SHAPES = {
    # Text classification: a chain of folders, metrics and plots that git has, two files of parameters.
    "a chain with folders": """\
vars: [config.yaml]
stages:
  prepare:
    cmd: python tool.py data/prepared data/data.xml
    deps: [data/data.xml, tool.py]
    params: [prepare.seed, prepare.split]
    outs: [data/prepared]
  featurize:
    cmd: python tool.py ${features} data/prepared
    deps: [data/prepared, tool.py]
    params: [{config.yaml: [features]}]
    outs: ["${features}"]
  train:
    cmd: python tool.py model.pkl ${features}
    deps: ["${features}", tool.py]
    params: [train]
    outs: [model.pkl]
  evaluate:
    cmd:
      - python tool.py eval/metrics.json model.pkl
      - python tool.py eval/plots model.pkl
    deps: [model.pkl, "${features}", tool.py]
    metrics:
      - eval/metrics.json: {cache: false}
    plots:
      - eval/plots: {cache: false}
""",
    # Models by country: a foreach over a mapping of the parameters, then a stage that takes all of them.
    "a foreach over parameters": """\
stages:
  fetch:
    cmd: python tool.py raw data/data.xml
    deps: [data/data.xml, tool.py]
    outs: [raw]
  fit:
    foreach: ${countries}
    do:
      cmd: python tool.py models/${key}/${item.model}.bin raw
      deps: [raw, tool.py]
      params: ["countries.${key}"]
      outs:
        - models/${key}/${item.model}.bin: {desc: a model}
  compare:
    cmd: python tool.py report.json models/at/tree.bin models/de/linear.bin
    deps: [models/at/tree.bin, models/de/linear.bin, tool.py]
    metrics: [report.json]
""",
    # A grid of two dimensions, and a stage that has to run each time.
    "a matrix and a stage that always runs": """\
stages:
  now:
    cmd: python tool.py now.txt data/data.xml
    deps: [data/data.xml, tool.py]
    always_changed: true
    outs: [now.txt]
  grid:
    matrix: {rate: [0.1, 0.01], depth: [2, 3]}
    cmd: python tool.py grid/${item.rate}-${item.depth}.txt now.txt
    deps: [now.txt, tool.py]
    outs: ["grid/${item.rate}-${item.depth}.txt"]
  best:
    cmd: python tool.py best.txt grid/0.1-2.txt grid/0.01-3.txt
    deps: [grid/0.1-2.txt, grid/0.01-3.txt, tool.py]
    outs: [best.txt]
""",
}
PARAMETERS = {
    "prepare": {"seed": 1, "split": 0.2},
    "train": {"trees": 10},
    "countries": {"at": {"model": "tree"}, "de": {"model": "linear"}},
}


def fill(pipeline: Pipeline, shape: str) -> Pipeline:
    """Write a pipeline with its data, which DVC tracks, and its data remote."""
    (pipeline.path / "data").mkdir()
    texts = {"dvc.yaml": SHAPES[shape], "tool.py": TOOL, "config.yaml": "features: data/features\n"}
    texts |= {"params.yaml": yaml.safe_dump(PARAMETERS), "data/data.xml": "text"}
    for name, text in texts.items():
        (pipeline.path / name).write_text(text, encoding="utf-8")
    pipeline.dvc("add", "data/data.xml")
    pipeline.dvc("remote", "add", "--default", "store", str(pipeline.path.parent / f"store-{pipeline.path.name}"))
    pipeline.dvc("push")
    return pipeline


@pytest.mark.parametrize("shape", SHAPES)
def test_it_runs_apart_and_side_by_side(pipeline, tmp_path, shape):
    fill(pipeline, shape)
    home = copy(pipeline, tmp_path / "home")
    run_all(pipeline, tmp_path, "one")
    collect(home.path, "one")
    twin = fill(start(tmp_path / "twin"), shape)
    twin.run(jobs=1)
    assert home.text("dvc.lock") == twin.text("dvc.lock")
    beside = fill(start(tmp_path / "beside"), shape)
    beside.run(jobs=3)
    assert beside.text("dvc.lock") == twin.text("dvc.lock")
