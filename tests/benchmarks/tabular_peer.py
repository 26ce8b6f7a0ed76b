"""Learn a project's records by skrub's `tabular_pipeline`; it runs in that project's environment, with skrub beside.

uv run --with skrub python tabular_peer.py RESULT.json
"""

import json
import sys
from pathlib import Path
from statistics import median

import pandas as pd
import skrub

from copier_mlops import problems
from copier_mlops.contract import of_project

# Its boosting has no seed of its own, and on small test sets its metric moves by several hundredths: the median counts.
FITS = 5


def main() -> None:
    contract = of_project()
    gate = problems.of(contract).metric()
    train, test = (pd.read_parquet(f"data/processed/{part}.parquet") for part in ("train", "test"))
    kind = "regressor" if contract.learning.problem == "regression" else "classifier"
    names = [field.name for field in contract.features]
    values = []
    for seed in range(FITS):
        model = skrub.tabular_pipeline(kind)
        model[-1].set_params(random_state=seed)
        model.fit(train[names], problems.targets(train, contract))
        values.append(problems.scores(model, test, contract)[gate.name])
    result = {"metric": gate.name, "higher": gate.higher_is_better, "value": median(values)}
    Path(sys.argv[1]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
