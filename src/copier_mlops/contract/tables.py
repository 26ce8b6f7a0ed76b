"""Read a file of records as one table with the types of the contract, or say which value has no such type."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from copier_mlops.contract.cast import records
from copier_mlops.contract.files import open_source
from copier_mlops.contract.frame import typed
from copier_mlops.contract.verdict import of_columns, of_types
from copier_mlops.serving.records import refuse

if TYPE_CHECKING:
    from copier_mlops.contract.contract import Contract


# The images of a table, in base64: all of them are in memory when a model learns.
MOST_OF_IMAGES = 1_000_000_000


def read_table(path: Path, contract: Contract) -> pd.DataFrame:
    """Return the records of a file, or of a folder of files, for training: `frame.typed` has the types.

    Raises:
        ValueError: It cannot be read, a column is missing or unknown, or a value does not have the type of its field.
    """
    tables, size = [], 0
    names = [field.name for field in contract.images]
    for part in records(open_source(str(path)), contract):
        unreadable = chain(of_columns(part, contract, labelled=True), of_types(part, contract))
        refuse(map(str, unreadable), path)
        size += sum(part[name].str.len().sum() for name in names)
        if size > MOST_OF_IMAGES:
            raise ValueError(f"{path} has more than {MOST_OF_IMAGES:,} bytes of images\n  fix: make the images smaller")
        tables.append(typed(part, contract))
    return pd.concat(tables) if len(tables) > 1 else tables[0]
