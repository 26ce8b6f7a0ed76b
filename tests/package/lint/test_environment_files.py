"""Environment files are checked as the package itself reads them, by what they say and by nothing else."""

import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

from copier_mlops.lint.checks.environments import FOLDER, HOST, READERS, SEARCH, Reader
from copier_mlops.lint.project import Project
from copier_mlops.lint.values import errors
from copier_mlops.registry import registry
from tests.package.lint.conftest import copy_of, found

CLOUDS = {name: Reader(f"identity.{name}", "Identity") for name in registry("clouds")}
PROD = f"{FOLDER}/environment_prod"
PLACES = {f"{PROD}/{name}": reader for name, reader in READERS.items()} | {f"{FOLDER}/host.yaml": HOST}
SCALARS = (
    some.none()
    | some.booleans()
    | some.integers(-5, 100_000)
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.sampled_from(
        ["", "1", "1.0", "1.5", " 7 ", "yes", "off", "higher", "local", "https://example.org", "ftp://x", "dev"]
    )
)
VALUES = (
    SCALARS | some.lists(SCALARS, max_size=2) | some.dictionaries(some.sampled_from(["metric", "margin", "x"]), SCALARS)
)


@pytest.fixture
def project(fresh, tmp_path):
    """A copy of a project of the highest level, to be spoilt."""
    return copy_of(fresh(maturity_level=4, cloud="gcp"), tmp_path / "project")


def wrong(project, path: str, *change: str) -> list[tuple[int, str]]:
    """Replace a text in a file, and return the line and the message of each finding; all are in that file."""
    text = (project / path).read_text(encoding="utf-8")
    assert change[0] in text
    (project / path).write_text(text.replace(*change, 1), encoding="utf-8")
    seen = found(project, select=("MLO7",))
    assert {each.path for each in seen} <= {path}
    return [(each.line, each.message) for each in seen]


def line_of(project, path: str, text: str) -> int:
    """Return the number of the first line of a file that has a text."""
    lines = (project / path).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize(
    ("path", "before", "after", "said"),
    [
        (f"{PROD}/settings.yaml", "port: 8080", "port: 80800", "port is at most 65535, not 80800 (0 takes a free one)"),
        (f"{PROD}/settings.yaml", "port: 8080", "port: high", "port is a whole number, not 'high' (0 takes"),
        (f"{PROD}/settings.yaml", "port: 8080", "port: 8080\nprot: 1", "prot is not a setting; known are bind,"),
        (
            f"{PROD}/settings.yaml",
            "model_alias: champion",
            "model_alias: [a]",
            "model_alias is text, not a list (alias",
        ),
        (
            f"{PROD}/release.yaml",
            "direction: higher",
            "direction: up",
            "gate.direction is 'up'; allowed are 'higher' or",
        ),
        (
            f"{PROD}/release.yaml",
            "target: local",
            "target: x",
            "target is 'x'; allowed are 'local', 'compose' or 'kube",
        ),
        (f"{PROD}/release.yaml", "url: http", "url: ftp", "url does not look like ^https?:// (where the deployed ser"),
        (f"{PROD}/identity.yaml", 'provider: ""', "provider: x", "provider does not look like ^(projects/"),
        (f"{PROD}/monitoring.yaml", "max_age_days: ", "max_age_days: -", "max_age_days is more than 0, not -"),
        (
            f"{FOLDER}/host.yaml",
            "labels:",
            "labels:\n  a: {color: red, description: x}",
            "labels.a.color does not look",
        ),
        (f"{FOLDER}/host.yaml", "labels:", "labels:\n  a: {color: '00ff00'}", "labels.a.description is missing"),
        (f"{FOLDER}/host.yaml", "approvals: ", "approvals: 1", "branch.approvals is at most 6, not 1"),
    ],
)
def test_a_finding_says_where_it_is_and_what_is_allowed(project, path, before, after, said):
    ((line, message),) = wrong(project, path, before, after)
    assert message.startswith(said)
    assert line == line_of(project, path, after.splitlines()[-1])


def test_what_is_missing_is_said_at_the_group_that_lacks_it(project):
    path = f"{PROD}/release.yaml"
    ((line, message),) = wrong(project, path, "  direction: higher\n", "")
    assert (line, message) == (
        line_of(project, path, "gate:"),
        "gate.direction is missing (which value of the metric is better)",
    )
    ((line, message),) = wrong(project, path, (project / path).read_text(encoding="utf-8"), "- 1\n")
    assert (line, message) == (0, "the file is a group of settings, not a list")


def test_only_what_the_file_says_counts(project, monkeypatch):
    for name in ("OPERATION_PORT", "RELEASE_TARGET", "HOST_BRANCH__APPROVALS", "MONITORING_MAX_AGE_DAYS"):
        monkeypatch.setenv(name, "nothing of this kind")
    assert found(project, select=("MLO7",)) == []
    monkeypatch.setenv("OPERATION_PORT", "8080")
    ((_, message),) = wrong(project, f"{PROD}/settings.yaml", "port: 8080\n", "")
    assert message.startswith("port is missing")


@pytest.mark.parametrize("name", ["ours.yaml", "kustomization.yaml", "sub/settings.yaml", "settings.json"])
def test_a_file_of_the_teams_own_is_not_judged(project, name):
    path = project / PROD / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("what: ever\n", encoding="utf-8")
    (project / FOLDER / "settings.yaml").write_text("what: ever\n", encoding="utf-8")
    assert found(project, select=("MLO7",)) == []


def test_a_file_that_its_level_does_not_bring_is_the_teams_own(fresh, tmp_path):
    project = copy_of(fresh(), tmp_path / "project")
    (project / PROD / "release.yaml").write_text("what: ever\n", encoding="utf-8")
    (project / PROD / "identity.yaml").write_text("what: ever\n", encoding="utf-8")
    assert found(project, select=("MLO7",)) == []


def test_an_environment_of_the_teams_own_is_checked(project):
    (project / FOLDER / "environment_qa").mkdir()
    (project / FOLDER / "environment_qa" / "release.yaml").write_text("gate: 1\n", encoding="utf-8")
    said = [each.message for each in found(project, select=("MLO7",))]
    assert said[0].startswith(f"there is no {FOLDER}/environment_qa/settings.yaml")
    assert "gate is a group of values, not a whole number" in said


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_identity_is_that_of_the_answered_cloud(fresh, cloud):
    project = Project(fresh(maturity_level=4, cloud=cloud))
    value = project.yaml(f"{PROD}/identity.yaml")
    for name, reader in CLOUDS.items():
        assert bool(list(errors(reader.model(), value))) == (name != cloud)


def is_refused(reader: Reader, folder, value: dict) -> bool:
    """Return whether the package refuses a file with these values when it runs."""
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    try:
        reader.model().read(path, **dict.fromkeys(reader.given, "dev"))
    except SystemExit:
        return True
    return False


@pytest.mark.parametrize("path", PLACES)
@settings(max_examples=60)
@given(data=some.data())
def test_the_lint_refuses_what_the_package_refuses(fresh, tmp_path, path, data):
    value = yaml.safe_load((fresh(maturity_level=4, cloud="gcp") / path).read_text(encoding="utf-8"))
    for key in data.draw(some.lists(some.sampled_from([*value, "unknown"]), max_size=2, unique=True)):
        if data.draw(some.booleans()):
            value[key] = data.draw(VALUES)
        else:
            value.pop(key, None)
    reader = PLACES[path]
    seen = list(errors(reader.model(), yaml.safe_load(yaml.safe_dump(value)), reader.given))
    assert bool(seen) == is_refused(reader, tmp_path, value), (value, seen)
    assert all(reason.startswith(("is ", "has ", "does ")) for _, reason in seen), seen


SEARCHED = """\
metric: {file: metrics/candidates/linear.json, name: roc_auc, direction: higher}
parameters:
  train.leaf: {low: 5, high: 50}
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("low: 5", "low: few", "parameters.train.leaf.low is a whole number, not 'few'"),
        ("low: 5", "low: 60", "parameters.train.leaf has low 60, which is not below high 50"),
        (
            "low: 5",
            "lowest: 5",
            "parameters.train.leaf.lowest is not a setting; known are choices, high, log, low, step",
        ),
        ("higher", "up", "metric.direction is 'up'; allowed are 'higher' or 'lower'"),
        ("parameters:", "trials: 0\nparameters:", "trials is at least 1, not 0"),
    ],
)
def test_what_poe_tune_searches_is_checked_where_it_can_run(project, fresh, tmp_path, before, after, said):
    path = f"{FOLDER}/search.yaml"
    (project / path).write_text(SEARCHED, encoding="utf-8")
    assert found(project, select=("MLO7",)) == []
    ((line, message),) = wrong(project, path, before, after)
    assert message == said
    assert line == line_of(project, path, after.splitlines()[0])
    below = copy_of(fresh(maturity_level=1), tmp_path / "below")
    (below / FOLDER).mkdir(exist_ok=True)
    (below / path).write_text("what: ever\n", encoding="utf-8")
    assert found(below, select=("MLO7",)) == []


def test_the_classes_import_nothing_heavy():
    readers = [HOST, SEARCH, *READERS.values(), *CLOUDS.values()]
    code = (
        "import sys; from copier_mlops.lint.checks.environments import Reader;"
        f"[Reader(*each).model() for each in {[(each.module, each.name) for each in readers]}];"
        "print([name for name in ('mlflow', 'requests', 'sklearn', 'pandas', 'copier') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
