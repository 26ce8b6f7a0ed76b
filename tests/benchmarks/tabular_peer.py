"""Learn a project's records by skrub's `tabular_pipeline`; it runs in that project's environment, with skrub beside.

uv run --with skrub python tabular_peer.py RESULT.json
"""

import json
import sys
from pathlib import Path

import pandas as pd
import skrub

from copier_mlops import problems
from copier_mlops.contract import of_project


def main() -> None:
    contract = of_project()
    gate = problems.of(contract).metric()
    train, test = (pd.read_parquet(f"data/processed/{part}.parquet") for part in ("train", "test"))
    kind = "regressor" if contract.learning.problem == "regression" else "classifier"
    names = [field.name for field in contract.features]
    model = skrub.tabular_pipeline(kind).fit(train[names], problems.targets(train, contract))
    found = problems.scores(model, test, contract)
    result = {"metric": gate.name, "higher": gate.higher_is_better, "value": found[gate.name]}
    Path(sys.argv[1]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
