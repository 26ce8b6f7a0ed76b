"""Read the `schema.py` of a project that was rendered before 0.4.0 as a contract: it stays the team's file."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from copier_mlops.contract.contract import Contract, Learning, Sensitive
from copier_mlops.contract.fields import Category, Constraints, ContractField
from copier_mlops.project import CONTRACT, team_folder

if TYPE_CHECKING:
    import pandas as pd


def has_schema() -> bool:
    """Return whether the project has a `schema.py` and no contract."""
    folder = team_folder()
    return (folder / "schema.py").is_file() and not (folder / CONTRACT).is_file()


def with_names_of_schema(records: pd.DataFrame, contract: Contract, *, are_texts: bool) -> pd.DataFrame:
    """Return records of a file with the names of the schema, which has `_` where the raw file has `/`.

    Args:
        records: n records as they were read.
        contract: That of the schema.
        are_texts: They come from a text file, so that a column of another name holds texts.
    """
    names = {str(name): str(name).replace("/", "_") for name in records}
    found = records.rename(columns=names)
    if are_texts:
        from copier_mlops.contract.cast import column

        for field in contract.fields:
            if field.name in found and field.name not in records:
                found[field.name] = column(found[field.name], field, contract)
    return found


def from_module(schema: ModuleType) -> Contract:
    """Return the contract that a module of features, labels and groups describes.

    Its records are those that `ingest.features` makes: the target has its label, and unknown codes are accepted.

    Raises:
        SystemExit: The module says something that no contract can say; the text names it.
    """
    try:
        labels = tuple(dict.fromkeys(str(label) for label in schema.LABELS.values()))
        target = ContractField(name=schema.TARGET, type="string", categories=labels)
        features = tuple(_field(feature) for feature in schema.FEATURES)
        learning = Learning(
            target=schema.TARGET,
            problem="binary" if len(labels) == 2 else "multiclass",
            positive=str(schema.POSITIVE) if len(labels) == 2 else None,
            new_categories=tuple(field.name for field in features if field.categories is not None),
            sensitive=tuple(_sensitive(name, edges) for name, edges in getattr(schema, "PROTECTED", {}).items()),
        )
        return Contract(learning=learning, fields=(*features, target))
    except (AttributeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SystemExit(f"mlops: schema.py cannot be read as a contract: {reason}\n  fix: correct it") from None


def _field(feature: Any) -> ContractField:
    if hasattr(feature, "codes"):
        categories = tuple(Category(value=code, label=label) for code, label in feature.codes.items())
        return ContractField(
            name=feature.name,
            type="string",
            description=feature.meaning,
            categories=categories,
            constraints=Constraints(required=True, max_length=64),
        )
    limits = Constraints(required=True, minimum=feature.low, maximum=feature.high)
    return ContractField(name=feature.name, type="integer", description=feature.meaning, constraints=limits)


def _sensitive(name: str, edges: list[int]) -> Sensitive:
    # An edge is the last value of a group there, and the first value of the next one in a contract.
    return Sensitive(field=name, bounds=tuple(edge + 1 for edge in edges))
