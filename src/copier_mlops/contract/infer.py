"""Infer a contract from a file of records: say each decision with its reason, and each doubt.

All records of the file keep the contract that comes out.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from copier_mlops import images
from copier_mlops.contract.contract import STANDARD, Contract, clash, identifier
from copier_mlops.contract.dialect import DataError
from copier_mlops.contract.fields import ContractField
from copier_mlops.contract.files import Source
from copier_mlops.contract.image_files import are_images, contents
from copier_mlops.contract.roles import Roles, choose
from copier_mlops.contract.spelling import MISSING, MISSING_BETWEEN_VALUES, Column, Spelling, has_decimal_comma, spell
from copier_mlops.contract.survey import Facts, Survey, survey
from copier_mlops.contract.values import MOST_TEXT

# Records from which the spelling of a column is read. All records are looked at afterwards.
SAMPLED = 20_000
# A string field has categories if it has at most so many values, each with so many records on average.
MOST_CATEGORIES, RECORDS_OF_A_CATEGORY = 50, 5
# A category with fewer records is rare: other values are to be expected.
RARE = 5
IMAGES = Spelling({"type": "string", "format": "binary"}, "its values are images, or their names")
# Whole numbers from which no negative one is expected. A measure may be negative in another season.
MANY = 100


@dataclass(frozen=True)
class Wishes:
    """Decisions of the team, which inference does not change."""

    target: str
    problem: str = ""
    key: tuple[str, ...] = ()
    time: str = ""
    group: str = ""
    drop: tuple[str, ...] = ()
    positive: str = ""


@dataclass
class Inference:
    """A contract, as its document and ready to use, with the sentences on it."""

    contract: Contract
    document: dict[str, Any]
    count: int
    decisions: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def infer(source: Source, wishes: Wishes) -> Inference:
    """Return the contract of a file's records.

    Raises:
        DataError: A column that is wished is missing, there are no records, or the target cannot be learned.
    """
    _check_names(source, wishes)
    decisions, doubts = _of_files(source)
    spellings, comma = _spell(source, wishes)
    fields, found, missing = _settle(source, spellings, comma, doubts)
    if not found.count:
        raise DataError(f"{source.path} has a header and no records\n  fix: add records")
    _check_second_header(source, found, fields)
    twice = _check_images(source, fields, missing)
    roles = choose(source, wishes, fields, found)
    decisions += roles.decisions
    doubts += [*roles.doubts, *_of_records(found, fields), *twice]
    documents = [_field(fields[name], found, roles, decisions) for name in source.names]
    for name in source.names:
        doubts += [f"{name!r}: {doubt}" for doubt in spellings[name].doubts]
        if name not in (wishes.target, *roles.key):
            decisions.append(f"{name!r} is {_kind(fields[name], roles)}: {spellings[name].reason}")
    document = _document(documents, roles, missing, wishes)
    return Inference(Contract.model_validate(document), document, found.count, decisions, doubts)


def _check_names(source: Source, wishes: Wishes) -> None:
    for option, names in (
        ("target", (wishes.target,)),
        ("key", wishes.key),
        ("time", (wishes.time,)),
        ("group", (wishes.group,)),
        ("drop", wishes.drop),
    ):
        for name in names:
            if name and name not in source.names:
                near = difflib.get_close_matches(name, source.names, 1)
                hint = (
                    f"--{option} {near[0]!r}"
                    if near
                    else f"one of {', '.join(f'{each!r:.40}' for each in source.names[:10])}"
                )
                raise DataError(f"{source.path} has no column {name!r:.80}\n  fix: {hint}")
    if same := clash(list(source.names)):
        raise DataError(
            f"{source.path}: the columns {same[0]!r} and {same[1]!r} are one name to a program, {identifier(same[1])}\n"
            "  fix: rename one of them"
        )


def _of_files(source: Source) -> tuple[list[str], list[str]]:
    """Return the sentences on the dialect or the sheet of the first file."""
    decisions, doubts = [], []
    for form in source.dialects[:1]:
        mark = "a tab" if form.delimiter == "\t" else form.delimiter
        decisions.append(f"{source.files[0].name} is {form.encoding}, with {mark} between its columns")
        if form.is_guess:
            doubts.append(f"the encoding {form.encoding} is a guess: look at the umlauts and accents of the contract")
    for sheet in source.sheets[:1]:
        decisions.append(
            f"{source.files[0].name} has its records in the sheet {sheet.name!r:.80}, from row {sheet.header + 1}"
        )
    return decisions, doubts


def _spell(source: Source, wishes: Wishes) -> tuple[dict[str, Spelling], bool]:
    """Return how each column is written, as its first records say, and whether numbers have a decimal comma."""
    first = next(source.batches(), None)
    if first is None:
        raise DataError(f"{source.path} has a header and no records\n  fix: add records")
    columns = {name: Column.of(first.column(name)[:SAMPLED]) for name in source.names}
    delimiter = source.dialects[0].delimiter if source.dialects else ","
    comma = has_decimal_comma(list(columns.values()), delimiter)
    # A column that tells records apart, or is left out, stays a text, even if its texts are names of images.
    named = {wishes.target, wishes.time, wishes.group, *wishes.key, *wishes.drop}
    found = {
        name: IMAGES if name not in named and are_images(column.values()) else spell(column, comma)
        for name, column in columns.items()
    }
    if found[wishes.target].keys["type"] == "boolean":
        found[wishes.target] = Spelling({"type": "string"}, "its values are the names of classes")
    return found, comma


def _settle(
    source: Source, spellings: dict[str, Spelling], comma: bool, doubts: list[str]
) -> tuple[dict[str, ContractField], Survey, list[str]]:
    """Go through all records until every text fits its field; a column that nothing fits holds texts."""
    for attempt in range(4):
        fields = {
            name: ContractField.model_validate({"name": name} | spelling.keys) for name, spelling in spellings.items()
        }
        found = survey(source, fields, ("", *MISSING))
        unfit = {name: facts for name, facts in found.columns.items() if facts.unfit}
        if not unfit:
            break
        _check_second_header(source, found, fields)
        for name, facts in unfit.items():
            spellings[name] = _wider(name, spellings[name], facts, comma, attempt, doubts)
    used = [text for text in MISSING if any(text in facts.texts_of_missing for facts in found.columns.values())]
    for name, facts in found.columns.items():
        taken = sorted(facts.texts_of_missing & set(MISSING))
        if taken and fields[name].type == "string":
            doubts.append(f"{name!r}: {taken[0]!r} counts as missing; if it is a value, set missingValues of the field")
    return fields, found, ["", *used]


def _wider(name: str, spelling: Spelling, facts: Facts, comma: bool, attempt: int, doubts: list[str]) -> Spelling:
    """Return a spelling that fits more: further texts for a missing value, another type, or texts."""
    texts = [text.strip() for text in facts.unfit]
    if set(texts) <= set(MISSING_BETWEEN_VALUES):
        more = ["", *MISSING, *sorted(set(texts))]
        doubts.append(f"{name!r}: {', '.join(map(repr, sorted(set(texts))))} counts as missing")
        return Spelling(spelling.keys | {"missingValues": more}, spelling.reason, spelling.doubts)
    share = facts.unfit.total() / max(1, facts.unfit.total() + facts.present)
    example = texts[0][:40]
    if attempt < 2 and spelling.keys["type"] in ("integer", "number", "date", "datetime"):
        import pyarrow as pa  # type: ignore[import-untyped]

        column = Column.of(pa.array([*facts.examples, *facts.unfit]))
        wider = spell(column, comma, enough=1.0)
        if wider.keys["type"] in ("number", "datetime"):
            return wider
    doubts.append(
        f"{name!r} has mixed types: {share:.1%} of its values are not of type {spelling.keys['type']}, for example "
        f"{example!r} in record {facts.first_unfit}; it is read as text"
    )
    return Spelling({"type": "string"}, "its values are of mixed types")


def _check_images(source: Source, fields: dict[str, ContractField], missing: list[str]) -> list[str]:
    """Read each image, and return the doubts about those that are there more than once.

    Raises:
        DataError: One is missing, or is not an image; or the source is a file, and its images would stay behind.
    """
    doubts = []
    for name in [name for name, known in fields.items() if known.is_image]:
        seen = Counter(_digests(source, name, missing))
        if again := seen.total() - len(seen):
            doubts.append(
                f"{name!r}: {again:,} images are there more than once: one can be in training and in the test"
            )
    return doubts


def _digests(source: Source, name: str, missing: list[str]) -> Iterator[bytes]:
    """Yield a hash of each image of a column."""
    place, number = source.names.index(name), -1
    for folder, batch in source.parts():
        for cell in batch.column(place).to_pylist():
            number += 1
            if cell is None or cell in missing:
                continue
            if "." in cell and source.path.is_file():
                raise DataError(
                    f"{source.path}: {name!r} names images beside the table, and they come with their folder\n"
                    f"  fix: adopt the folder, {folder}; or leave the column out: --drop {name!r}"
                )
            try:
                text = "".join(filter(None, contents([cell], folder, missing, name, number)))
            except DataError as error:
                raise DataError(f"{error}; or leave the column out: --drop {name!r}") from None
            # One that was read from a file was looked at.
            if text == cell and (expected := images.fault(text)):
                where = f"{source.path}: record {number}, {name!r}"
                raise DataError(f"{where} is not {expected}\n  fix: correct it, or leave the record out")
            yield hashlib.sha256(text.encode()).digest()


def _check_second_header(source: Source, found: Survey, fields: dict[str, ContractField]) -> None:
    """Refuse a file whose first record is a header again, or units: in typed columns, only it is not a value."""
    again = [name for name, facts in found.columns.items() if facts.first == name]
    lone = [name for name, facts in found.columns.items() if facts.first_unfit == 0 and facts.unfit.total() == 1]
    typed = [name for name, each in fields.items() if each.type != "string"]
    if len(again) > len(source.names) / 2 or (lone and len(lone) >= len(typed) / 2):
        raise DataError(f"{source.path}: its second line looks like another header\n  fix: delete one of the two lines")


def _of_records(found: Survey, fields: dict[str, ContractField]) -> list[str]:
    """Return the doubts about records that are there twice, and about columns of texts and numbers."""
    doubts = []
    if found.duplicates:
        times = f"{found.duplicates:,} of {found.count:,} records"
        doubts.append(f"{times} are there more than once: the same record can be in training and in the test")
    for name, facts in found.columns.items():
        digits = [text for text in facts.counts or () if text.strip().isdigit()]
        if fields[name].type == "string" and digits and len(digits) < len(facts.counts or ()):
            other = next(text for text in facts.counts or () if text not in digits)
            doubts.append(
                f"{name!r} has mixed types, for example {digits[0]!r:.40} and {other!r:.40}: it is read as text"
            )
    return doubts


def _kind(known: ContractField, roles: Roles) -> str:
    if known.name in roles.text:
        return "free text"
    if known.is_image:
        return "an image"
    return f"of type {known.type}"


def _field(known: ContractField, found: Survey, roles: Roles, decisions: list[str]) -> dict[str, Any]:
    """Return the document of one field."""
    facts = found.columns[known.name]
    document = known.model_dump(by_alias=True, exclude_defaults=True)
    document = {"name": known.name, "type": known.type} | document
    for key in ("trueValues", "falseValues"):
        if key in document:
            document[key] = list(document[key])
    if "missingValues" in document:
        document["missingValues"] = ["", *sorted(facts.texts_of_missing)]
    limits: dict[str, Any] = {}
    # Nobody has to send a value that no model sees, for example one that is known only after the target.
    if not facts.missing and known.name not in roles.ignore:
        limits["required"] = True
    if known.name == roles.target:
        if roles.classes:
            document["categories"] = list(roles.classes)
    else:
        values = categories(known, facts, roles)
        if values:
            document["categories"] = values
            decisions.append(f"{known.name!r} has {len(values)} categories")
            if min(Counter(facts.counts).values()) < RARE:
                roles.new_categories.append(known.name)
                decisions.append(f"{known.name!r} accepts other categories: a value of it is rare in the file")
        elif known.type == "integer" and facts.low is not None and facts.low >= 0 and facts.present >= MANY:
            limits["minimum"] = 0
            decisions.append(f"{known.name!r} has the minimum 0: none of its {facts.present:,} values is negative")
        if known.type == "string" and facts.longest > MOST_TEXT and not known.is_image:
            limits["maxLength"] = 2 * facts.longest
    if limits:
        document["constraints"] = limits
    return document


def categories(known: ContractField, facts: Facts, roles: Roles) -> list[str]:
    """Return the categories of a string field; none if it has too many values, or is not a feature."""
    if (
        known.type != "string"
        or known.is_image
        or not facts.counts
        or known.name in (*roles.text, *roles.key, roles.group)
    ):
        return []
    is_few = len(facts.counts) <= MOST_CATEGORIES
    return sorted(facts.counts) if is_few and facts.present >= RECORDS_OF_A_CATEGORY * len(facts.counts) else []


def _document(fields: list[dict[str, Any]], roles: Roles, missing: list[str], wishes: Wishes) -> dict[str, Any]:
    learning: dict[str, Any] = {"target": wishes.target, "problem": roles.problem}
    if roles.problem == "binary":
        learning["positive"] = roles.positive
    for key, value in (
        ("time", roles.time),
        ("group", roles.group),
        ("ignore", roles.ignore),
        ("text", roles.text),
        ("newCategories", roles.new_categories),
    ):
        if value:
            learning[key] = value
    document: dict[str, Any] = {"$schema": STANDARD, "missingValues": missing}
    if roles.key:
        document["primaryKey"] = list(roles.key)
    return document | {"learning": learning, "fields": fields}
