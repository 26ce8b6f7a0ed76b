"""Choose the part of each column: target, problem, key, time, group, free text, and all that a model must not see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from copier_mlops.contract.dialect import DataError
from copier_mlops.contract.doubts import gives_away, group_of, is_key_name, time_of
from copier_mlops.contract.fields import ContractField
from copier_mlops.contract.files import Source
from copier_mlops.contract.survey import Facts, Survey

if TYPE_CHECKING:
    from copier_mlops.contract.infer import Wishes

# Whole numbers with at most so many values are classes; texts may have more.
MOST_CODES, MOST_CLASSES = 20, 100
# One class to so many others is worth a word.
IMBALANCED = 20
TRUE_WORDS = frozenset({"1", "true", "yes", "y", "t", "ja", "wahr", "oui", "vrai", "si", "sí", "on", "positive"})
# Words of a text from which it is prose.
PROSE = 3.5


@dataclass
class Roles:
    """The parts that columns have, and the sentences on them."""

    target: str
    problem: str = ""
    classes: tuple[str | int, ...] = ()
    positive: str | int | None = None
    key: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = None
    ignore: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    new_categories: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def choose(source: Source, wishes: Wishes, fields: dict[str, ContractField], found: Survey) -> Roles:
    """Return the part of each column.

    Raises:
        DataError: The target has one value, none, or values that are neither classes nor numbers; a wish cannot be.
    """
    roles = Roles(wishes.target)
    # An image is a feature, or left out.
    others = {name: known for name, known in fields.items() if not known.is_image}
    _choose_problem(source, wishes, fields[wishes.target], found, roles)
    _choose_key(source, wishes, others, found, roles)
    _leave_out(wishes, fields, found, roles)
    _choose_time(source, wishes, fields, found, roles)
    _choose_group(wishes, others, found, roles)
    _find_text(others, found, roles)
    _find_leaks(wishes, others, found, roles)
    left = set(source.names) - {roles.target, roles.group, *roles.key, *roles.ignore}
    if not left:
        raise DataError(
            f"{source.path}: no column is left for a model to learn from\n  fix: add columns, or drop fewer"
        )
    return roles


def _choose_problem(source: Source, wishes: Wishes, known: ContractField, found: Survey, roles: Roles) -> None:
    facts, name = found.columns[wishes.target], f"{source.path}: the target {wishes.target!r}"
    if not facts.present:
        raise DataError(f"{name} has no values\n  fix: name another column with --target")
    texts = facts.counts
    if (texts is not None and len(texts) == 1) or (facts.low is not None and facts.low == facts.high):
        raise DataError(
            f"{name} has one value: {_some(facts)}\n  fix: add records of other values, or name another column"
        )
    is_number = known.type in ("integer", "number")
    few = texts is not None and len(texts) <= (MOST_CODES if is_number else MOST_CLASSES)
    is_classes = few and known.type in ("integer", "string")
    if texts is not None and known.type == "integer":
        is_classes = is_classes and (len(texts) == 2 or facts.present >= 5 * len(texts))
    roles.problem = wishes.problem or (
        "regression" if not is_classes else "binary" if len(texts or ()) == 2 else "multiclass"
    )
    if roles.problem == "regression":
        if not is_number:
            raise DataError(
                f"{name} is of type {known.type}, neither classes nor numbers\n  fix: name another with --target"
            )
        roles.decisions.append(
            f"the problem is regression: {wishes.target!r} has numbers from {facts.low:g} to {facts.high:g}"
        )
    else:
        _choose_classes(name, wishes, known, facts, roles)
    if facts.missing:
        roles.doubts.append(f"{facts.missing:,} records have no {wishes.target!r}: nothing is learned from them")


def _choose_classes(name: str, wishes: Wishes, known: ContractField, facts: Facts, roles: Roles) -> None:
    if facts.counts is None or len(facts.counts) > MOST_CLASSES or known.type not in ("integer", "string"):
        raise DataError(
            f"{name} has too many values for classes, or no names\n  fix: --problem regression, or another target"
        )
    is_whole = known.type == "integer"
    counts: dict[Any, int] = {}
    for text, count in facts.counts.items():
        value = int(float(text)) if is_whole else text
        counts[value] = counts.get(value, 0) + count
    roles.classes = tuple(sorted(counts))
    if (roles.problem == "binary") != (len(counts) == 2):
        raise DataError(
            f"{name} has {len(counts)} classes, and the problem is {roles.problem}\n  fix: leave out --problem"
        )
    rarest = min(counts, key=lambda value: counts[value])
    roles.decisions.append(
        f"the problem is {roles.problem}: {wishes.target!r} has {len(counts)} values, {_some(facts)}"
    )
    if is_whole and len(counts) > 2:
        roles.doubts.append(
            f"the classes of {wishes.target!r} are whole numbers: if they are amounts, use --problem regression"
        )
    ratio = (sum(counts.values()) - counts[rarest]) / counts[rarest]
    if ratio >= IMBALANCED:
        roles.doubts.append(f"{rarest!r} is rare, one record to {ratio:.0f} others: accuracy says nothing here")
    if counts[rarest] < 10:
        roles.doubts.append(f"the class {rarest!r} has {counts[rarest]} of the records: its figures will vary much")
    if roles.problem == "binary":
        _choose_positive(name, wishes, counts, rarest, roles)


def _choose_positive(name: str, wishes: Wishes, counts: dict[Any, int], rarest: Any, roles: Roles) -> None:
    named = [value for value in counts if str(value) == wishes.positive]
    if wishes.positive and not named:
        listed = " or ".join(map(str, sorted(counts)))
        raise DataError(f"{name} has no value {wishes.positive!r:.60}\n  fix: --positive {listed}")
    words = [value for value in counts if str(value).casefold() in TRUE_WORDS]
    is_zero_or_one = set(map(str, counts)) == {"0", "1"}
    if named:
        roles.positive, reason = named[0], "you named it"
    elif len(words) == 1 and (is_zero_or_one or not isinstance(words[0], int)):
        roles.positive, reason = words[0], "it is the word for yes"
    else:
        roles.positive, reason = rarest, "it is the rarer of the two"
        roles.doubts.append(f"the positive class {rarest!r} was chosen because it is rarer; --positive names another")
    roles.decisions.append(f"the positive class is {roles.positive!r}: {reason}")


def _choose_key(source: Source, wishes: Wishes, fields: dict[str, ContractField], found: Survey, roles: Roles) -> None:
    for name in wishes.key:
        if (facts := found.columns[name]).missing:
            raise DataError(
                f"{source.path}: the key {name!r} is missing in {facts.missing:,} records\n  fix: another --key"
            )
    if len(wishes.key) == 1 and not found.columns[wishes.key[0]].is_unique:
        raise DataError(
            f"{source.path}: {wishes.key[0]!r} is not a key, it has values twice\n  fix: --group {wishes.key[0]!r}"
        )
    roles.key = wishes.key
    if roles.key or found.count < 2:
        return
    for name, known in fields.items():
        is_name = known.type in ("integer", "string") and found.columns[name].is_unique and name != wishes.target
        is_first = name == source.names[0] and known.type == "string" and found.columns[name].words <= found.count
        if is_name and (is_key_name(name) or is_first):
            roles.key = (name,)
            roles.decisions.append(
                f"the key is {name!r}: all {found.count:,} values differ, and it is named or placed as a key"
            )
            return


def _leave_out(wishes: Wishes, fields: dict[str, ContractField], found: Survey, roles: Roles) -> None:
    """Ignore what you dropped, and columns from which nothing can be learned."""
    taken = {wishes.target, wishes.time, wishes.group, *roles.key}
    for name, known in fields.items():
        facts = found.columns[name]
        if name in taken:
            continue
        is_constant = (facts.counts is not None and len(facts.counts) == 1) and not facts.missing
        is_name = known.type == "string" and facts.is_unique and facts.words <= found.count and found.count > 20
        is_name = is_name and not known.is_image
        if name in wishes.drop:
            roles.decisions.append(f"{name!r} is ignored: you dropped it")
        elif not facts.present:
            roles.doubts.append(f"{name!r} is empty, and is ignored")
        elif is_constant:
            roles.doubts.append(f"{name!r} is constant, {_some(facts)}, and is ignored")
        elif is_name or (known.type == "integer" and facts.is_unique and is_key_name(name) and found.count > 20):
            roles.doubts.append(f"{name!r} identifies records, all values differ, and is ignored")
        else:
            continue
        roles.ignore.append(name)


def _choose_time(source: Source, wishes: Wishes, fields: dict[str, ContractField], found: Survey, roles: Roles) -> None:
    if wishes.time:
        if fields[wishes.time].type == "string" or fields[wishes.time].type == "boolean":
            raise DataError(
                f"{source.path}: {wishes.time!r} has no dates or numbers\n  fix: name another column with --time"
            )
        roles.time = wishes.time
        return
    roles.time = time_of(found.sample, fields)
    if roles.time:
        roles.decisions.append(f"the time is {roles.time!r}: the records are in its order, so the newest are the test")
        return
    dates = [name for name, known in fields.items() if known.type in ("date", "datetime") and name not in roles.ignore]
    if dates:
        roles.doubts.append(
            f"{dates[0]!r} has dates: if you predict what comes later, split by them with --time {dates[0]!r}"
        )


def _choose_group(wishes: Wishes, fields: dict[str, ContractField], found: Survey, roles: Roles) -> None:
    if wishes.group:
        roles.group = wishes.group
        return
    taken = {roles.target, roles.time, *roles.key, *roles.ignore}
    names = [name for name, known in fields.items() if known.type in ("integer", "string") and name not in taken]
    if candidate := group_of(found.sample, names):
        name, reason, is_sure = candidate
        if is_sure:
            roles.group = name
            roles.decisions.append(f"the group is {name!r}: {reason}, so none is on both sides of a split")
        else:
            roles.doubts.append(f"{reason}: if new ones come later, keep them together with --group {name!r}")


def _find_text(fields: dict[str, ContractField], found: Survey, roles: Roles) -> None:
    taken = {roles.target, roles.group, *roles.key, *roles.ignore}
    for name, known in fields.items():
        facts = found.columns[name]
        is_prose = facts.lines or facts.words >= PROSE * facts.present
        if known.type == "string" and facts.present and is_prose and name not in taken:
            roles.text.append(name)


def _find_leaks(wishes: Wishes, fields: dict[str, ContractField], found: Survey, roles: Roles) -> None:
    target = found.sample[roles.target]
    for name in fields:
        if name in (roles.target, roles.time, roles.group, *roles.key, *roles.ignore, *roles.text):
            continue
        if gives_away(found.sample[name], target, roles.problem != "regression"):
            roles.ignore.append(name)
            roles.doubts.append(
                f"{name!r} gives the target away, so it is ignored; if it is known before {wishes.target!r}, take it "
                "out of learning.ignore"
            )


def _some(facts: Facts) -> str:
    """Return the most frequent values, in words."""
    if facts.counts is None:
        return f"{facts.low:g}"
    return ", ".join(f"{text!r:.40} ({count:,})" for text, count in facts.counts.most_common(5))
