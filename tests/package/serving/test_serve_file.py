"""The project's operation/execution/serve.py: what is said of one that cannot be used, with its line."""

import pytest
from fastapi.testclient import TestClient

from copier_mlops.project import root, team
from copier_mlops.serving import online
from copier_mlops.settings import load_settings
from tests.package.shared import fitted

BEGIN = "from copier_mlops.serving import online\n\n\n"


@pytest.fixture
def file(inside):
    """serve.py, which is brought back after the test."""
    path = root() / online.ENTRY
    content = path.read_text()
    yield path
    path.write_text(content)


@pytest.fixture(scope="module")
def predictor(inside):
    return team("score").Predictor(fitted(), "7")


def test_routes_that_the_team_adds_are_there(file, predictor):
    line = '    @app.get("/about")\n    def about() -> str:\n        return predictor.version\n\n'
    text = file.read_text()
    file.write_text(text.replace("    return app", f"{line}    return app"))
    app = online.project_app(predictor, load_settings("dev"))
    assert TestClient(app).get("/about").json() == "7"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def create_app(:\n", "line 1: SyntaxError: "),
        ("\n\nimport moon\n", "line 3: ModuleNotFoundError: No module named 'moon'"),
        ("from copier_mlops.serving import moon\n", "line 1: ImportError: cannot import name 'moon'"),
        (f"{BEGIN}X = 1 / 0\n", "line 4: ZeroDivisionError: division by zero"),
        (f"{BEGIN}def create_app(predictor):\n    return None\n", "line 0: TypeError: create_app() takes 1"),
        (f"{BEGIN}def create_app(predictor, settings):\n    return app\n", "line 5: NameError: name 'app' is not"),
        (
            f"{BEGIN}def create_app(predictor, settings):\n    return online.create_app(predictor, settings.port)\n",
            "line 5: AttributeError: 'int' object has no attribute",
        ),
    ],
    ids=["syntax", "import", "name", "module", "arguments", "body", "inside the package"],
)
def test_an_error_is_one_sentence_with_its_line(file, predictor, text, sentence):
    file.write_text(text)
    with pytest.raises(SystemExit) as refused:
        online.project_app(predictor, load_settings("dev"))
    first, fix = str(refused.value).splitlines()
    assert first.startswith(f"mlops: {online.ENTRY}, {sentence}")
    assert fix == f"  fix: correct that line of {online.ENTRY}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\n", f"mlops: {online.ENTRY} has no function create_app"),
        ("create_app = 1\n", f"mlops: {online.ENTRY} has no function create_app"),
        (
            "\ndef create_app(predictor, settings):\n    pass\n",
            f"serve: {online.ENTRY}, line 2: create_app returns NoneType, not the FastAPI app",
        ),
    ],
)
def test_a_file_without_the_function_or_whose_function_makes_no_app_is_named(file, predictor, text, sentence):
    file.write_text(text)
    with pytest.raises(SystemExit) as refused:
        online.project_app(predictor, load_settings("dev"))
    assert str(refused.value).splitlines()[0] == sentence


def test_a_file_that_is_gone_is_named(file, predictor):
    file.unlink()
    with pytest.raises(SystemExit, match=f"{online.ENTRY} is not here\n  fix: git restore {online.ENTRY}"):
        online.project_app(predictor, load_settings("dev"))
