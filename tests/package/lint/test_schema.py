"""Environment files are held against the project's own classes as pydantic would, without running them."""

import importlib
import sys

import pytest
import yaml
from copier_mlops.lint.classes import read_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from pydantic import ValidationError

from copier_mlops.lint.checks.environments import FOLDER, schema_of
from copier_mlops.lint.project import Project

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


@pytest.fixture(scope="module")
def project(fresh):
    """A project of the highest level, whose modules can be imported here."""
    path = fresh(maturity_level=4)
    sys.path.insert(0, str(path))
    yield Project(path)
    sys.path.remove(str(path))
    for name in [name for name in sys.modules if name.split(".")[0] == "operation"]:
        del sys.modules[name]


def both(project: Project, name: str):
    """The schema as the lint reads it, and the class as Python does."""
    schema = schema_of(project, name)
    assert schema is not None
    return schema, getattr(importlib.import_module(f"operation.configuration.{name}"), schema.root)


def is_refused(model: type, value: dict, given: set[str]) -> bool:
    """What pydantic says of the values of a file, with those that code gives beside it."""
    try:
        model(**value, **dict.fromkeys(given, "dev"))
    except ValidationError:
        return True
    return False


def values_of(project: Project, name: str) -> dict:
    path = f"{FOLDER}/environment_dev/{name}.yaml"
    return yaml.safe_load((project.root / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["settings", "release"])
def test_the_files_of_a_fresh_project_are_fine_for_both(project, name):
    schema, model = both(project, name)
    value = values_of(project, name)
    assert list(schema.errors(value)) == []
    assert not is_refused(model, value, schema.given)


@pytest.mark.parametrize("name", ["settings", "release"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=some.data())
def test_nothing_is_refused_that_the_project_would_take(project, name, data):
    schema, model = both(project, name)
    value = values_of(project, name)
    for key in data.draw(some.lists(some.sampled_from([*value, "unknown"]), max_size=2, unique=True)):
        if data.draw(some.booleans()):
            value[key] = data.draw(VALUES)
        else:
            value.pop(key, None)
    errors = list(schema.errors(value))
    assert bool(errors) == is_refused(model, value, schema.given), (value, errors)


CLASSES = """
from typing import Annotated, Literal
Place = Literal["a", "b"]
class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: Annotated[int, Field(gt=0, lt=10)] = 3
class Base(FileSettings):
    model_config = SettingsConfigDict(extra="forbid")
    place: Place
class Settings(Base):
    inner: Inner | None = None
    many: dict[str, Inner] = Field(default_factory=dict)
    names: list[str] = []
    odd: "Something[Else]" = None
    code: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]+$")] = "ab"
    slow: Annotated[str, Field(pattern="^(a+)+$")] = "a"
    share: float | None = None
    open: bool = False
def load():
    return Settings.read(path, place="a")
class FileSettings(BaseSettings):
    pass
"""


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{}", []),
        ("place: c", ["place"]),
        ("inner: null", []),
        ("inner: {}", []),
        ("inner: {size: 10}", ["inner.size"]),
        ("inner: {sise: 1}", ["inner.sise"]),
        ("inner: 3", ["inner"]),
        ("many: {a: {size: 1}, b: {size: 0}}", ["many.b.size"]),
        ("many: []", ["many"]),
        ("names: [a, 1]", ["names.1"]),
        ("names: a", ["names"]),
        ("odd: {a: [1]}", []),
        ("code: a", ["code"]),
        ("code: abcd", ["code"]),
        ("code: A1", ["code"]),
        (f"slow: {'a' * 500}b", []),
        ("share: null", []),
        ("share: much", ["share"]),
        ("open: 'yes'", []),
        ("open: maybe", ["open"]),
        ("[]", [""]),
    ],
)
def test_the_types_that_classes_use(text, wrong):
    schema = read_schema([], CLASSES.replace("class Settings(Base)", "class Settings(Base, FileSettings)").encode())
    assert [place for place, _ in schema.errors(yaml.safe_load(text))] == wrong


def test_a_module_without_settings_has_no_schema():
    assert read_schema([], b"class A:\n    x: int\n") is None
