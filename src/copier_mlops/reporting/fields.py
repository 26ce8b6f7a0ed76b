"""Describe the fields of the contract for the data card: what each allows, and what the last run saw of it."""

from typing import Any

import pandas as pd
from pydantic.alias_generators import to_camel

from copier_mlops.contract import Contract, ContractField
from copier_mlops.contract.fields import MissingValue

# The most categories that a cell of the card names.
MOST_CATEGORIES = 30
KINDS = {"integer": "number", "number": "number", "string": "text", "date": "date", "datetime": "date"}


def describe(contract: Contract, table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return one row per field of the contract, in its order.

    Args:
        contract: What the records are.
        table: The validated records; None if they are not here.

    Returns:
        Per field `name`, `title`, `meaning`, `type`, `unit`, `role`, `is_feature` and `is_required`. `kind` is
        category, number, text, image, boolean or date. `codes` has each category and its meaning, `rules` the limits as
        texts, and `seen` the values of the records as a text. A category also has `top`, its `share` of the records
        and the `absent` categories. A number has `low` and `high`, which may be None, and `observed`: minimum,
        median and maximum.
    """
    rows = []
    for field in contract.fields:
        is_shown = table is not None and field.name in table and field.name not in contract.learning.unlogged
        values = table[field.name] if table is not None and is_shown else None
        row: dict[str, Any] = {
            "name": field.name,
            "title": field.title,
            "meaning": field.description or field.title,
            "type": field.type,
            "unit": field.unit,
            "role": role(contract, field),
            "is_feature": field in contract.features,
            "is_required": contract.is_required(field),
            "kind": _kind(field),
            "codes": {},
            "rules": _rules(field, contract),
            "low": field.constraints.minimum,
            "high": field.constraints.maximum,
            "observed": [],
            "seen": "not shown" if field.name in contract.learning.unlogged else "",
        }
        rows.append(row | _seen(values, field, row["kind"]))
    return rows


def _kind(field: ContractField) -> str:
    if field.is_image:
        return "image"
    return "category" if field.values is not None else KINDS.get(field.type, field.type)


def role(contract: Contract, field: ContractField) -> str:
    """Return the part that a field has in learning, in words."""
    learning = contract.learning
    parts = {
        "target": field.name == learning.target,
        "key": field.name in contract.primary_key,
        "group": field.name == learning.group,
        "ignored": field.name in learning.ignore,
    }
    found = [name for name, is_it in parts.items() if is_it]
    if not found:
        form = "free text" if field.name in learning.text else "image" if field.is_image else ""
        found = [f"feature, {form}" if form else "feature"]
    if field.name == learning.time:
        found.append("order in time")
    return ", ".join(found)


def missing_values(contract: Contract) -> list[dict[str, str]]:
    """Return the texts that mean a missing value in every field, each with its `value` and `label`."""
    found = []
    for each in contract.missing_values:
        value, label = (each.value, each.label) if isinstance(each, MissingValue) else (each, "")
        found.append({"value": value, "label": label})
    return found


def _rules(field: ContractField, contract: Contract) -> list[str]:
    """Return the limits of a field, for example `1 to 120`; categories are in `codes`."""
    limits = field.constraints
    rules = []
    if limits.minimum is not None and limits.maximum is not None:
        rules.append(f"{limits.minimum} to {limits.maximum}")
    elif limits.minimum is not None:
        rules.append(f"{limits.minimum} or more")
    elif limits.maximum is not None:
        rules.append(f"at most {limits.maximum}")
    for name in ("min_length", "max_length", "pattern"):
        if (value := getattr(limits, name)) is not None:
            rules.append(f"{to_camel(name)} {value}")
    if limits.enum is not None:
        more = ", …" if len(limits.enum) > MOST_CATEGORIES else ""
        rules.append(f"one of {', '.join(map(str, limits.enum[:MOST_CATEGORIES]))}{more}")
    if field.name in contract.learning.new_categories:
        rules.append("new categories are accepted")
    if not contract.is_required(field) and field.name != contract.learning.target:
        rules.append("may be missing")
    return rules


def _seen(values: Any, field: ContractField, kind: str) -> dict[str, Any]:
    """Return what the records have in a field; only categories and limits, never the text of a record."""
    found: dict[str, Any] = {}
    if kind == "category":
        found["codes"] = {value: field.labels.get(value, "") for value in field.values or ()}
        found |= {"top": "", "share": 0.0, "absent": []}
    if values is None:
        return found
    present = values.dropna()
    missing = 1 - len(present) / len(values) if len(values) else 0.0
    parts = [f"{missing:.1%} missing"] if missing else []
    if kind == "category":
        shares = values.value_counts(normalize=True)
        # If two are equal, the first of the contract is taken, so that the card does not depend on pandas.
        top = max(found["codes"], key=lambda code: shares.get(code, 0.0))
        found |= {"top": top, "share": float(shares.get(top, 0.0))}
        found["absent"] = [code for code in found["codes"] if code not in shares]
        new = sorted(str(code) for code in shares.index if code not in found["codes"])
        parts += [f"also {', '.join(new[:5])}{', …' if len(new) > 5 else ''}"] if new else []
    elif not len(present):
        parts = ["no value"]
    elif kind == "number":
        numbers = pd.to_numeric(present)
        found["observed"] = [numbers.min(), numbers.median(), numbers.max()]
        low, middle, high = found["observed"]
        parts.insert(0, f"{low:g} to {high:g}, median {middle:g}")
    elif kind == "date":
        form = "%Y-%m-%d" if field.type == "date" else "%Y-%m-%d %H:%M"
        parts.insert(0, f"{present.min():{form}} to {present.max():{form}}")
    elif kind == "boolean":
        parts.insert(0, f"{present.astype(bool).mean():.0%} true")
    elif kind == "image":
        # Four characters of base64 are three bytes.
        size = present.str.len() * 3 // 4
        parts.insert(0, f"images of {size.min():,} to {size.max():,} bytes, {present.nunique():,} different")
    else:
        number = present.nunique()
        parts.insert(0, f"{number:,} different texts" if number > 1 else "one text in all records")
    return found | {"seen": ", ".join(parts)}
