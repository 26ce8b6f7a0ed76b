"""A small pipeline, as DVC 3 locks it."""

import hashlib

CODE, DATA, METRICS = "print(1)\n", "a,b\n1,2\n", '{"auc": 0.5}\n'


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


PIPELINE = """\
vars:
  - folds: 5
stages:
  read:
    cmd: python src/read.py --seed ${seed}
    deps: [data/raw/ours.csv, src/read.py]
    params: [seed]
    outs: [data/interim/ours.parquet]
  train:
    matrix:
      model: [tree, forest]
      deep: [true, 1e-3]
    cmd: >-
      python src/read.py
      --model ${item.model} --deep ${item.deep} --folds ${folds} --trees ${train.trees}
    deps: [data/interim/ours.parquet]
    params: [train.trees]
    metrics:
      - metrics/${item.model}.json: {cache: false}
"""
PARAMETERS = "seed: 42\ntrain: {trees: 100}\n"
STAGE = """\
  train@%(model)s-%(deep)s:
    cmd: python src/read.py --model %(model)s --deep %(deep)s --folds 5 --trees 100
    deps:
    - path: data/interim/ours.parquet
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
    params:
      params.yaml:
        train.trees: 100
    outs:
    - path: metrics/%(model)s.json
      hash: md5
      md5: %(md5)s
"""
LOCK = f"""\
schema: '2.0'
stages:
  read:
    cmd: python src/read.py --seed 42
    deps:
    - path: data/raw/ours.csv
      hash: md5
      md5: {md5(DATA)}
    - path: src/read.py
      hash: md5
      md5: {md5(CODE)}
    params:
      params.yaml:
        seed: 42
    outs:
    - path: data/interim/ours.parquet
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
""" + "".join(
    STAGE % {"model": model, "deep": deep, "md5": md5(METRICS)}
    for model in ("tree", "forest")
    for deep in ("true", "0.001")
)
LOCKED = {
    "dvc.yaml": PIPELINE,
    "params.yaml": PARAMETERS,
    "dvc.lock": LOCK,
    "src/read.py": CODE,
    "data/raw/ours.csv.dvc": f"outs:\n- md5: {md5(DATA)}\n  path: ours.csv\n",
    "metrics/tree.json": METRICS,
    "metrics/forest.json": METRICS,
}
