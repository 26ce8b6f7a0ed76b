"""The answers that are rendered: each value alone, and rows that hold every pair of values."""

from itertools import combinations

from copier_mlops.registry import questions

QUESTIONS = questions()
ODD = 'Größe "L" & Söhne\'s C:\\credit: 100 % #1 🚀'
AZURE_ML = (
    "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/"
    "risk-team/providers/Microsoft.MachineLearningServices/workspaces/credit"
)

# Values of the questions that have no choices; the first is the default.
TEXTS = {
    "project_name": ["German Credit", ODD],
    "package_name": ["german_credit", "c", "score", "p" * 40],
    "description": ["Decides which credits to grant, and says how sure it is.", ODD],
    "author_name": ["", ODD],
    "author_email": ["", "team@example.org"],
    "data_remote": [
        "../german-credit-data",
        "/srv/data",
        "s3://bucket/some/path",
        "azure://container/some/path",
        "gs://bucket/some/path",
        "ssh://storage.example.org:2222/srv/some/path",
        "webdavs://storage.example.org/some/path",
    ],
    # A form that every remote takes that has an endpoint; Azure takes no other.
    "data_endpoint": ["", "https://account.blob.core.windows.net"],
    "heavy_runner": ["", "gpu-large_1.x"],
    "tracking_uri": [
        "sqlite:///mlflow.db",
        "http://localhost:5000",
        f"https://mlflow.example.org{'/team' * 20}",
        "databricks",
        AZURE_ML,
    ],
}


def choices(question: dict) -> list[object]:
    """All answers that a choice question allows; of a multiple choice every combination, or if it is long, a few."""
    offered = question["choices"]
    values = list(offered.values()) if isinstance(offered, dict) else list(offered)
    if not question.get("multiselect"):
        return values
    counts = range(len(values) + 1) if len(values) < 3 else (0, 1, len(values))
    return [list(some) for count in counts for some in combinations(values, count)]


def values(name: str, question: dict) -> list[object]:
    """All answers to a question that are tried; the default comes first."""
    if question["type"] == "bool":
        return [question["default"], not question["default"]]
    return choices(question) if "choices" in question else TEXTS[name]


VALUES = {name: values(name, each) for name, each in QUESTIONS.items()}


def singles() -> list[dict[str, object]]:
    """The default project, and every value alone."""
    return [{}] + [{name: value} for name, values in VALUES.items() for value in values]


def pairs() -> list[dict[str, object]]:
    """A few rows of answers that hold every pair of values of two questions, found greedily."""
    slots = {name: [(name, position) for position in range(len(values))] for name, values in VALUES.items()}

    def pairs_of(row: list[tuple[str, int]]) -> set[frozenset]:
        return {frozenset(pair) for pair in combinations(row, 2)}

    missing = {frozenset((one, two)) for a, b in combinations(slots.values(), 2) for one in a for two in b}
    rows = []
    while missing:
        row = sorted(min(missing, key=sorted))
        for name in sorted(slots, key=lambda name: -len(slots[name])):
            if name not in dict(row):
                row.append(max(slots[name], key=lambda slot: len(pairs_of([*row, slot]) & missing)))
        missing -= pairs_of(row)
        rows.append({name: VALUES[name][position] for name, position in row})
    return rows


def label(answers: dict[str, object]) -> str:
    """A short name for a test."""
    text = ",".join(f"{name}={value}" for name, value in answers.items()) or "default"
    return text if len(answers) < 2 else "pairs"


CASES = {f"{position}-{label(answers)}": answers for position, answers in enumerate([*singles(), *pairs()])}
