"""Split records into training and test, so that the test is honest.

If the contract names a group, its records stay together; if it names a time, the test is newer than the training. A
record without a group or a time is always for training: nobody knows whether it may be in the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from copier_mlops.contract import Contract

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["group", "time", "stratified", "random"]
# So many random choices of groups are compared by the classes that they bring to the test.
DRAWS = 10


def kind(contract: Contract) -> Kind:
    """Return how records are split: by group, else by time, else at random, `stratified` if the target has classes."""
    if contract.learning.group:
        return "group"
    if contract.learning.time:
        return "time"
    return "random" if contract.learning.problem == "regression" else "stratified"


def hold_out(table: pd.DataFrame, contract: Contract, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the training and the test records, each sorted by the index.

    Args:
        table: n records with the target.
        contract: What the records are.
        share: Share of the records in the test, 0 to 1. Groups and equal times can make it a bit more or less.
        seed: Seed of the random choice; a split by time has none.

    Raises:
        ValueError: The records are too few, or cannot be split by their group, time or classes.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share of the test is {share}\n  fix: a number between 0 and 1, for example 0.2")
    if len(table) < 2:
        raise ValueError(f"{len(table)} records cannot be split\n  fix: add records")
    how = kind(contract)
    rng = np.random.default_rng(seed)
    if how == "group":
        test = _groups_of_test(table, contract, share, rng)
    elif how == "time":
        order, changes = _order(table, contract)
        _check_number(contract, "time", len(changes), 1, "values")
        test = order[_nearest(changes, len(order) * (1 - share)) :]
    elif how == "stratified":
        classes = _classes(table, contract, 2, "one for each part")
        members = [rng.permutation(np.flatnonzero(classes == name)) for name in sorted(set(classes))]
        test = np.concatenate([each[: _count(len(each), share)] for each in members])
    else:
        test = rng.permutation(len(table))[: _count(len(table), share)]
    is_test = np.zeros(len(table), dtype=bool)
    is_test[test] = True
    return table[~is_test].sort_index(kind="stable"), table[is_test].sort_index(kind="stable")


def folds(table: pd.DataFrame, contract: Contract, number: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield the positions of the training and of the test records of each fold, in rising order.

    Args:
        table: n records with the target.
        contract: What the records are.
        number: How many folds, 2 or more. In a split by time, each has older records for training than for the test.
        seed: Seed of the random choice; a split by time has none.

    Raises:
        ValueError: The records are too few, or cannot be split by their group, time or classes.
    """
    if number < 2:
        raise ValueError(f"{number} folds are no cross-validation\n  fix: 2 folds or more, for example 5")
    has_classes = contract.learning.problem != "regression"
    least = number if kind(contract) == "stratified" else 1
    classes = _classes(table, contract, least, "one for each fold") if has_classes else np.zeros(len(table))
    if len(table) < number:
        raise ValueError(f"{len(table)} records are too few for {number} folds\n  fix: fewer folds, or more records")
    pairs = list({"group": _by_group, "time": _by_time}.get(kind(contract), _at_random)(table, contract, number, seed))
    for place, (train, _) in enumerate(pairs, start=1):
        if has_classes and len(set(classes[train])) < 2:
            raise ValueError(
                f"fold {place} of {number} has only the class {classes[train][0]!r} for training\n"
                "  fix: fewer folds, or more records"
            )
    yield from pairs


def _count(records: int, share: float) -> int:
    """Return how many of some records are in the test: at least one, and not all."""
    return min(max(round(records * share), 1), records - 1)


def _classes(table: pd.DataFrame, contract: Contract, least: int, why: str) -> Any:
    """Return the class names of n records, shape (n,).

    Raises:
        ValueError: A class has too few records, or only one class occurs.
    """
    from copier_mlops.problems.classes import targets

    names = targets(table, contract)
    counts = names.value_counts()
    for name, count in counts.items():
        if count < least:
            records = "record" if count == 1 else "records"
            raise ValueError(
                f"class {name!r} of {contract.target.name!r} has {count} {records}, and needs {least}, {why}\n"
                "  fix: add records of this class, or join it with another one"
            )
    if len(counts) < 2:
        found = ", ".join(map(repr, counts.index)) or "none"
        raise ValueError(f"one class of {contract.target.name!r} occurs: {found}\n  fix: add records of another class")
    return names.to_numpy(dtype=object)


def _check_number(contract: Contract, part: Literal["group", "time"], found: int, least: int, things: str) -> None:
    """Refuse records with too few groups or times to split them."""
    if found < least:
        name = getattr(contract.learning, part)
        known = found + 1 if part == "time" else found
        needed = least + 1 if part == "time" else least
        raise ValueError(
            f"{name!r} has {known} different {things}, and a split by {part} needs {needed}\n"
            f"  fix: add records, ask for fewer folds, or take {name!r} out of `{part}` in the contract"
        )


def _numbered_groups(table: pd.DataFrame, contract: Contract, least: int) -> tuple[Any, int]:
    """Return the number of each record's group, -1 without one, and how many groups the records have."""
    import pandas as pd

    codes, groups = pd.factorize(table[contract.learning.group].astype(object))
    _check_number(contract, "group", len(groups), least, "values")
    return codes, len(groups)


def _groups_of_test(table: pd.DataFrame, contract: Contract, share: float, rng: np.random.Generator) -> Any:
    """Return the positions of the test: of some random choices of groups, the one with the most usual classes."""
    is_regression = contract.learning.problem == "regression"
    classes = np.zeros(len(table), dtype=int) if is_regression else _classes(table, contract, 1, "")
    codes, number = _numbered_groups(table, contract, 2)
    labels = np.unique(classes.astype(str), return_inverse=True)[1]
    counts = np.zeros((number, labels.max() + 1))
    np.add.at(counts, (codes[codes >= 0], labels[codes >= 0]), 1)
    wanted = np.bincount(labels) * share
    draws = [_fill(counts.sum(axis=1), wanted.sum(), rng.permutation(number)) for _ in range(DRAWS)]
    best = min(draws, key=lambda chosen: float(np.abs(counts[chosen].sum(axis=0) - wanted).sum()))
    return np.flatnonzero(np.isin(codes, best))


def _fill(sizes: Any, wanted: float, order: Any) -> list[int]:
    """Return groups whose records are about as many as wanted: at least one group, and not all."""
    chosen: list[int] = []
    total = 0.0
    for group in order:
        if len(chosen) < len(sizes) - 1 and abs(total + sizes[group] - wanted) < abs(total - wanted):
            chosen.append(group)
            total += sizes[group]
    return chosen or [int(np.argmin(sizes))]


def _order(table: pd.DataFrame, contract: Contract) -> tuple[Any, Any]:
    """Return the positions of records by rising time, and the places in that order at which the time changes.

    Records without a time come first. Records of the same time keep their order.
    """
    from copier_mlops.features import as_days, as_numbers

    field = contract.field(contract.learning.time or "")
    times = (as_days if field.type in ("date", "datetime") else as_numbers)(table[field.name])
    times = np.where(np.isnan(times), -np.inf, times)
    order = np.argsort(times, kind="stable")
    ranked = times[order]
    return order, np.flatnonzero(ranked[1:] != ranked[:-1]) + 1


def _nearest(places: Any, wanted: float) -> int:
    return int(places[np.argmin(np.abs(places - wanted))])


def _by_time(table: pd.DataFrame, contract: Contract, number: int, _: int) -> Iterator[tuple[Any, Any]]:
    """Yield folds with growing training, as TimeSeriesSplit of scikit-learn; equal times stay on one side."""
    order, changes = _order(table, contract)
    _check_number(contract, "time", len(changes), number, "values")
    starts: list[int] = []
    for place in range(number):
        # Enough changes are left for the folds that follow.
        left = changes[changes > (starts[-1] if starts else 0)]
        left = left[: len(left) - (number - place - 1)]
        starts.append(_nearest(left, len(order) * (place + 1) / (number + 1)))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        yield np.sort(order[:start]), np.sort(order[start:end])


def _by_group(table: pd.DataFrame, contract: Contract, number: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield folds of whole groups, as equal in size as they can be: each group goes to the smallest fold so far."""
    codes, groups = _numbered_groups(table, contract, number)
    sizes = np.bincount(codes[codes >= 0], minlength=groups)
    order = np.random.default_rng(seed).permutation(groups)
    fold_of, totals = np.zeros(groups, dtype=int), np.zeros(number)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[group] = np.argmin(totals)
        totals[fold_of[group]] += sizes[group]
    folds_of_records = np.where(codes >= 0, fold_of[codes], -1)
    for place in range(number):
        yield np.flatnonzero(folds_of_records != place), np.flatnonzero(folds_of_records == place)


def _at_random(table: pd.DataFrame, contract: Contract, number: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield random folds, with the shares of the classes kept if the problem has classes."""
    from sklearn.model_selection import KFold, StratifiedKFold  # type: ignore[import-untyped]

    from copier_mlops.problems.classes import targets

    if kind(contract) == "stratified":
        yield from StratifiedKFold(number, shuffle=True, random_state=seed).split(table, targets(table, contract))
    else:
        yield from KFold(number, shuffle=True, random_state=seed).split(table)
