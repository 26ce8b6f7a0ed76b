"""Turn the records of a contract into the numbers that a model learns from.

`encoder` builds the first step of a model from the contract, so that a new field needs no code. Values may be missing,
for example as `None`, `NaN` or `pd.NA`, and categories may be new.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.base import (  # type: ignore[import-untyped]
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
    clone,
)
from sklearn.compose import ColumnTransformer  # type: ignore[import-untyped]
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # type: ignore[import-untyped]
from sklearn.utils.validation import validate_data  # type: ignore[import-untyped]

from copier_mlops import images

if TYPE_CHECKING:
    from copier_mlops.contract import Contract, ContractField

# Trees look at each word as a dense column; a linear model only at the words of a text.
MOST_WORDS, MOST_WORDS_OF_LINEAR = 200, 2_000
# Categories that are learned from the data: those with fewer records are one category, as are those beyond the limit.
RARE, MOST_CATEGORIES = 10, 50
# Rows and columns of an image, which a model sees in three colours.
PIXELS = 16
MICROSECONDS_OF_A_DAY = 86_400_000_000
MICROSECONDS_OF_AN_HOUR = 3_600_000_000
# The parts of a moment, and the days after which one comes back. Year and days since 1970 never do.
PARTS = {"year": 0.0, "month": 365.0, "day": 31.0, "weekday": 7.0, "hour": 1.0, "days since 1970": 0.0}


def encoder(contract: Contract, *, for_linear: bool, pixels: int = PIXELS) -> ColumnTransformer:
    """Return a transformer, not fitted, from the features of a contract to numbers.

    Numbers, dates and booleans become columns of numbers, categories one column each, and texts a column for each
    frequent word; images become pixels. For example,
    `make_pipeline(encoder(contract, for_linear=True), LogisticRegression())`.

    Args:
        contract: What the records are.
        for_linear: Fill in missing numbers, note that they were missing, and scale all numbers, as linear models need
            it. Otherwise numbers stay as they are, and missing ones are NaN, as gradient boosting takes them; the
            result is dense.
        pixels: Rows and columns to which an image is made smaller.
    """
    groups: dict[str, list[ContractField]] = {}
    for field in contract.features:
        groups.setdefault(_kind(field, contract), []).append(field)
    most_words = MOST_WORDS_OF_LINEAR if for_linear else MOST_WORDS
    steps = {
        "numbers": [Numbers()],
        "dates": [Moments(with_time=False)],
        "datetimes": [Moments(with_time=True)],
        "categories": [Categories(), _one_hot(groups.get("categories", []))],
        "strings": [Categories(), _one_hot([])],
        "texts": [Words(most_words)],
        "images": [Images(pixels)],
    }
    if for_linear:
        for name in ("numbers", "dates", "datetimes", "images"):
            # A picture that is missing is so in all of its pixels: one column for each would say nothing more.
            filled = SimpleImputer(strategy="median", add_indicator=name != "images")
            steps[name] += [filled, StandardScaler()]
    return ColumnTransformer(
        [
            (name, make_pipeline(*parts), [field.name for field in groups[name]])
            for name, parts in steps.items()
            if name in groups
        ],
        sparse_threshold=0.3 if for_linear else 0.0,
        verbose_feature_names_out=False,
    )


def _kind(field: ContractField, contract: Contract) -> str:
    """Return the group of a field, by which `encoder` treats it."""
    if field.name in contract.learning.text:
        return "texts"
    if field.is_image:
        return "images"
    if field.values is not None or (field.type == "string" and field.allowed is not None):
        return "categories"
    return {"string": "strings", "date": "dates", "datetime": "datetimes"}.get(field.type, "numbers")


def _one_hot(fields: list[ContractField]) -> OneHotEncoder:
    """Return an encoder of the fields' categories; without fields, of those that the data has."""
    if not fields:
        return OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=RARE,
            max_categories=MOST_CATEGORIES,
            sparse_output=True,
            feature_name_combiner=category_column,
        )
    allowed = [np.array([str(value) for value in field.allowed or ()], dtype=object) for field in fields]
    return OneHotEncoder(categories=allowed, handle_unknown="ignore", feature_name_combiner=category_column)


def category_column(field: str, category: Any) -> str:
    """Return the name of the column of a category, for example `city=Bonn`."""
    if category is None:
        return f"{field} is missing"
    return f"{field} is rare" if category == "infrequent_sklearn" else f"{field}={category}"


def as_numbers(column: pd.Series) -> Any:
    """Return numbers or booleans as float64, shape (n,); a missing value is NaN."""
    return column.to_numpy(dtype="float64", na_value=np.nan)


def as_days(column: pd.Series) -> Any:
    """Return dates or datetimes as days since 1970 in UTC, float64 of shape (n,); a missing value is NaN."""
    return _days(_moments(column))


def _days(moments: Any) -> Any:
    return np.where(np.isnat(moments), np.nan, moments.astype("int64") / MICROSECONDS_OF_A_DAY)


def _moments(column: pd.Series) -> Any:
    """Return dates or datetimes as datetime64[us] in UTC, shape (n,); a missing value is NaT."""
    if column.dtype.kind == "M":
        return column.to_numpy(dtype="datetime64[us]")
    values = column.astype(object).where(column.notna(), None)
    # Not by pandas, whose range of years depends on its version.
    return np.array([_moment(value) for value in values], dtype="datetime64[us]")


def _moment(value: Any) -> datetime | None:
    """Return a value of a request as a datetime in UTC without a zone: a date, a datetime, or their ISO 8601 text."""
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    moment: datetime = value.to_pydatetime(warn=False) if isinstance(value, pd.Timestamp) else value
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


class _Columns(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer that treats each column by itself and learns nothing but their names.

    ColumnTransformer checks the names before, so that a request does not pay for it twice.
    """

    def fit(self, records: pd.DataFrame, _: Any = None) -> _Columns:
        """Note the names of the columns."""
        validate_data(self, records, skip_check_array=True)
        return self


class _Figures(_Columns):
    """A transformer to float64. A column without any value in training is 0, since gradient boosting fails on it."""

    def fit(self, records: pd.DataFrame, _: Any = None) -> _Figures:
        """Note the names of the columns, and which have no value."""
        super().fit(records)
        self.is_empty_ = np.isnan(self._figures(records)).all(axis=0)
        return self

    def transform(self, records: pd.DataFrame) -> Any:
        """Return float64, shape (n, columns); a missing value is NaN."""
        values = self._figures(records)
        values[:, self.is_empty_] = 0.0
        return values

    def _figures(self, records: pd.DataFrame) -> Any:
        raise NotImplementedError


class Numbers(_Figures):
    """Numbers and booleans."""

    def _figures(self, records: pd.DataFrame) -> Any:
        return np.column_stack([as_numbers(records[name]) for name in records.columns])


class Categories(_Columns):
    """Values as texts; a missing value is `None`. A whole number is the same text as an integer and as a float."""

    def transform(self, records: pd.DataFrame) -> Any:
        """Return texts and `None`, shape (n, columns)."""
        return np.column_stack([_texts(records[name], None) for name in records.columns])


def _texts(column: pd.Series, missing: str | None) -> Any:
    """Return values as texts, shape (n,)."""
    values = column.astype(object).where(column.notna(), None).tolist()
    whole = (int(value) if isinstance(value, float) and value.is_integer() else value for value in values)
    texts = [missing if value is None else str(value) for value in whole]
    # Made before it is filled: numpy would make texts of one length of a list.
    result = np.empty(len(texts), dtype=object)
    result[:] = texts
    return result


class Moments(_Figures):
    """Dates as year, month, day, weekday (Monday is 0) and days since 1970, in UTC; datetimes have the hour too.

    A part that comes back is left out if the records that are learned span less than two of its cycles. In one week,
    each Monday is the same day. `seasonal_decompose` of statsmodels asks for two cycles as well. For example, records
    of ten days have an hour but no weekday.
    """

    def __init__(self, with_time: bool = True) -> None:
        self.with_time = with_time

    def fit(self, records: pd.DataFrame, _: Any = None) -> Moments:
        """Note the names of the columns, which have no value, and which parts the records can tell something about."""
        super().fit(records)
        spans = [_span(as_days(records[name])) for name in records.columns]
        self.is_kept_ = np.array([[span >= 2 * PARTS[part] for part in self._names()] for span in spans]).ravel()
        return self

    def transform(self, records: pd.DataFrame) -> Any:
        """Return float64, shape (n, parts of all columns); a missing value is NaN."""
        return super().transform(records)[:, self.is_kept_]

    def _names(self) -> list[str]:
        return [part for part in PARTS if self.with_time or part != "hour"]

    def _figures(self, records: pd.DataFrame) -> Any:
        return np.column_stack([part for name in records.columns for part in self._parts(records[name])])

    def _parts(self, column: pd.Series) -> list[Any]:
        moments = _moments(column)
        day, month, year = (moments.astype(f"datetime64[{unit}]") for unit in "DMY")
        numbers = [
            year.astype("int64") + 1970,
            month.astype("int64") % 12 + 1,
            (day - month.astype("datetime64[D]")).astype("int64") + 1,
            # The first day of 1970 was a Thursday.
            (day.astype("int64") + 3) % 7,
        ]
        if self.with_time:
            numbers.append((moments - day).astype("int64") // MICROSECONDS_OF_AN_HOUR)
        return [*(np.where(np.isnat(moments), np.nan, each) for each in numbers), _days(moments)]

    def get_feature_names_out(self, _: Any = None) -> Any:
        """Return names, for example `sold (month)`."""
        names = [f"{name} ({part})" for name in self.feature_names_in_ for part in self._names()]
        return np.array(names, dtype=object)[self.is_kept_]


def _span(days: Any) -> float:
    """Return the days from the first to the last moment; 0 if no moment is known."""
    known = days[~np.isnan(days)]
    return float(np.ptp(known)) if known.size else 0.0


class Images(_Figures):
    """Images in base64 as red, green and blue of few pixels, 0 to 1: enough for colours and coarse shapes.

    An image of another shape is squeezed into a square.
    """

    def __init__(self, size: int = PIXELS) -> None:
        self.size = size

    def _figures(self, records: pd.DataFrame) -> Any:
        return np.column_stack([self._pixels(records[name]) for name in records.columns])

    def _pixels(self, column: pd.Series) -> Any:
        found = np.full((len(column), 3 * self.size**2), np.nan)
        for row, text in enumerate(column.astype(object).where(column.notna(), None)):
            if text is not None:
                found[row] = images.pixels(text, self.size)
        return found

    def get_feature_names_out(self, _: Any = None) -> Any:
        """Return names, for example `photo (row 1, column 16, red)`."""
        places = [
            f"row {row}, column {column}, {colour}"
            for row in range(1, self.size + 1)
            for column in range(1, self.size + 1)
            for colour in ("red", "green", "blue")
        ]
        return np.array([f"{name} ({place})" for name in self.feature_names_in_ for place in places], dtype=object)


class Words(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The most frequent words of each text, weighted by how rare they are in others (TF-IDF, Spärck Jones 1972).

    A missing text has no words. A column without any words has no columns.
    """

    def __init__(self, most_words: int = MOST_WORDS) -> None:
        self.most_words = most_words

    def fit(self, records: pd.DataFrame, _: Any = None) -> Words:
        """Learn the words of each column."""
        validate_data(self, records, skip_check_array=True)
        self.vectorizers_: dict[str, TfidfVectorizer] = {}
        for name in records.columns:
            vectorizer, texts = (
                TfidfVectorizer(max_features=self.most_words, sublinear_tf=True),
                _texts(records[name], ""),
            )
            words = vectorizer.build_analyzer()
            if any(words(text) for text in texts):
                self.vectorizers_[name] = vectorizer.fit(texts)
        return self

    def transform(self, records: pd.DataFrame) -> Any:
        """Return a sparse matrix of float64, shape (n, words)."""
        parts = [each.transform(_texts(records[name], "")) for name, each in self.vectorizers_.items()]
        return sparse.hstack(parts, "csr") if parts else sparse.csr_matrix((len(records), 0))

    def get_feature_names_out(self, _: Any = None) -> Any:
        """Return names, for example `note: slow`."""
        names = [f"{name}: {word}" for name, each in self.vectorizers_.items() for word in each.get_feature_names_out()]
        return np.array(names, dtype=object)


class NumberedClasses(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of named classes around one that takes only the numbers 0, 1, 2 and so on, such as XGBClassifier."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, values: Any, names: Any) -> NumberedClasses:
        """Fit a copy of the estimator to records, shape (n, columns), and the names of their classes, shape (n,)."""
        self.classes_, numbers = np.unique(np.asarray(names), return_inverse=True)
        self.estimator_ = clone(self.estimator).fit(values, numbers)
        return self

    def predict_proba(self, values: Any) -> Any:
        """Return the probability of each class, shape (n, classes), in the order of `classes_`."""
        return self.estimator_.predict_proba(values)

    def predict(self, values: Any) -> Any:
        """Return the name of the likeliest class of each record, shape (n,)."""
        return self.classes_[self.predict_proba(values).argmax(axis=1)]
