"""`poe contract-schema`: write the JSON schema by which editors check a contract.yaml."""

import json
from pathlib import Path

from copier_mlops.contract import Contract

FILE = Path(__file__).parents[1] / "src" / "copier_mlops" / "contract" / "schema.json"


def text() -> str:
    """Return the JSON schema of a contract, made from its models."""
    return json.dumps(Contract.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
