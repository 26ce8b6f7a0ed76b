"""Bad answers are refused with a sentence that says what is allowed."""

import pytest

from tests.project import copy_project, files, registry
from tests.render.answers import QUESTIONS

PACKAGE = "A package name has letters a to z, digits and inner underscores: credit_risk."
NO_LETTERS = "The name has no letters a to z: give package_name, for example credit_risk."
INSIDE = "The data remote may not be inside the project"
REMOTES = "A data remote is a folder, or a URL of s3, azure, gs, ssh, webdavs, webdav."
TRACKERS = "A tracking URI begins with sqlite, http, https, databricks, azureml."
PROFILE = "Name databricks, or databricks://PROFILE of your file ~/.databrickscfg."
WORKSPACE = "Copy the MLflow tracking URI of your workspace: azureml://…/workspaces/NAME."
CREDENTIALS = "may not have a user or a password: give only the address."
QUERY = "may not have a query (? & ;): give only the address."
LINE = "must be one line, without tabs or other control characters."
LENGTH = "may have at most 100 characters; this one has 101."
EMAIL = "An e-mail address must have the form name@example.org, or be empty."
ENDPOINT = "An endpoint starts with http:// or https://, or is empty for the provider's."

# A terminal of 80 columns shows so much of a line.
WIDTH = 78

REFUSED = [
    ("project_name", "", "The project name may not be empty: give one, for example Credit Risk."),
    ("project_name", "   ", "The project name may not be empty: give one, for example Credit Risk."),
    ("project_name", "!?§$%", NO_LETTERS),
    ("project_name", "信用リスク", NO_LETTERS),
    ("project_name", "Lambda", '"lambda" is a keyword of Python: choose my_lambda.'),
    ("project_name", "Statistics", '"statistics" is a module of Python: choose my_'),
    ("project_name", "MLflow", '"mlflow" is taken in the project: choose my_'),
    ("project_name", "p" * 101, f"The project name {LENGTH}"),
    ("project_name", "credit\nrisk", f"The project name {LINE}"),
    ("project_name", "credit\x1b[31m", f"The project name {LINE}"),
    ("project_name", "credit\u0085risk", f"The project name {LINE}"),
    ("project_name", "credit\u2028risk", f"The project name {LINE}"),
    ("package_name", "", NO_LETTERS),
    ("package_name", "Credit", PACKAGE),
    ("package_name", "credit-risk", PACKAGE),
    ("package_name", "credit risk", PACKAGE),
    ("package_name", "1credit", PACKAGE),
    ("package_name", "_credit", PACKAGE),
    ("package_name", "credit_", PACKAGE),
    ("package_name", "credit\n", PACKAGE),
    ("package_name", "../credit", PACKAGE),
    ("package_name", "größe", PACKAGE),
    ("package_name", "p" * 41, "A package name may have at most 40 characters; this one has 41."),
    ("package_name", "class", '"class" is a keyword of Python: choose my_class.'),
    (
        "package_name",
        "json",
        '"json" is a module of Python: choose my_json.',
    ),
    (
        "package_name",
        "operation",
        '"operation" is taken in the project: choose my_',
    ),
    *(("package_name", max(names, key=len), ": choose my_") for names in registry("reserved").values()),
    ("description", "two\nlines", f"The description {LINE}"),
    ("description", "d" * 101, f"The description {LENGTH}"),
    ("author_name", "tab\tbed", f"The name {LINE}"),
    ("author_name", "a" * 101, f"The name {LENGTH}"),
    ("author_email", "nobody", EMAIL),
    ("author_email", "no body@example.org", EMAIL),
    ("author_email", 'a"b@example.org', EMAIL),
    ("author_email", "a@example.org\n", EMAIL),
    ("data_remote", "", "The data remote may not be empty: name a folder, for example ../project-data."),
    *(("data_remote", folder, INSIDE) for folder in (".", "data/raw", "./data", "a/../b", "data\\raw")),
    ("data_remote", "ftp://host/path", REMOTES),
    ("data_remote", "s4://bucket", REMOTES),
    ("data_remote", "s3://", 'The data remote has no path after "s3://", for example s3://bucket/path.'),
    ("data_remote", "ssh://ada@host/path", f"The data remote {CREDENTIALS}"),
    ("data_remote", "ssh://host:0/path", "The data remote names the port 0: a port is a number from 1 to 65535."),
    ("data_remote", "webdavs://ho st/path", "The data remote may not have spaces, quotes, backslashes"),
    ("data_remote", "webdavs://[x/path", 'The data remote names "[x", not a host such as example.org:5000.'),
    ("data_remote", "s3://key:secret@bucket/path", f"The data remote {CREDENTIALS}"),
    ("data_remote", "s3://key@bucket/path", f"The data remote {CREDENTIALS}"),
    ("data_remote", "s3://bucket/path?secret=1", f"The data remote {QUERY}"),
    (
        "data_remote",
        "s3://bucket/a b",
        "The data remote may not have spaces, quotes, backslashes or # , % < >.",
    ),
    ("data_remote", "~/data", "The folder may not have ~, quotes, control characters or # , % < > | * ?."),
    ("data_remote", "../da#ta", "The folder may not have ~, quotes, control characters or # , % < > | * ?."),
    (
        "data_remote",
        "../data\n[core]",
        "The folder may not have ~, quotes, control characters or # , % < > | * ?.",
    ),
    ("tracking_uri", "", TRACKERS),
    ("tracking_uri", "mlflow.db", TRACKERS),
    ("tracking_uri", "https", TRACKERS),
    ("tracking_uri", "databricks://", PROFILE),
    ("tracking_uri", "databricks://a/b", PROFILE),
    ("tracking_uri", "azureml", WORKSPACE),
    ("tracking_uri", "azureml://westeurope.api.azureml.ms", WORKSPACE),
    ("tracking_uri", "ftp://mlflow.example.org", TRACKERS),
    ("tracking_uri", "https:mlflow.example.org", TRACKERS),
    ("tracking_uri", "https://user:secret@mlflow.example.org", f"The tracking URI {CREDENTIALS}"),
    ("tracking_uri", "https://token@mlflow.example.org", f"The tracking URI {CREDENTIALS}"),
    ("tracking_uri", "https://mlflow.example.org?token=1", f"The tracking URI {QUERY}"),
    ("tracking_uri", 'https://mlflow.example.org/"', "The tracking URI may not have spaces, quotes, backslashes"),
    ("tracking_uri", "https://", "The tracking URI names no server, for example https://mlflow.example.org."),
    (
        "tracking_uri",
        "sqlite://mlflow.db",
        "A SQLite URI names a file after three slashes: sqlite:///mlflow.db.",
    ),
    ("tracking_uri", "https://h][", 'The tracking URI names "h][", not a host such as example.org:5000.'),
    ("tracking_uri", "http://h:99999", "The tracking URI names the port 99999: a port is a number from 1 to 65535."),
    ("tracking_uri", "http://h:0", "The tracking URI names the port 0: a port is a number from 1 to 65535."),
    ("tracking_uri", f"http://{'h[' * 40}", "not a host such as example.org:5000."),
    ("tracking_uri", f"http://h:{'9' * 40}", "a port is a number from 1 to 65535."),
    ("data_remote", f"{'s' * 80}://bucket", REMOTES),
    ("tracking_uri", "http://h:/x", 'The tracking URI names "h:", not a host such as example.org:5000.'),
    ("data_endpoint", "http://h:x", 'The endpoint names "h:x", not a host such as example.org:5000.'),
    ("data_endpoint", "storage.example.org", ENDPOINT),
    ("data_endpoint", "ftp://storage.example.org", ENDPOINT),
    ("data_endpoint", "https://key:secret@storage.example.org", f"The endpoint {CREDENTIALS}"),
    ("data_endpoint", "https://storage.example.org\nurl = elsewhere", "The endpoint may not have spaces, quotes"),
    ("heavy_runner", "two labels", "A runner's label has at most 64 letters"),
    ("heavy_runner", "gpu\npool: mine", "A runner's label has at most 64 letters"),
    ("heavy_runner", "${{ secrets.ADMIN }}", "A runner's label has at most 64 letters"),
    ("heavy_runner", "g" * 65, "A runner's label has at most 64 letters"),
]
OPENED_BY = {
    "data_endpoint": {"data_remote": "s3://bucket/path"},
    "heavy_runner": {"maturity_level": 3},
    "cloud": {"maturity_level": 3},
}


@pytest.mark.parametrize(("question", "answer", "sentence"), REFUSED)
def test_a_bad_answer_is_refused(template, tmp_path, question, answer, sentence):
    with pytest.raises(ValueError, match="Validation error") as refusal:
        copy_project(template, tmp_path / "project", **OPENED_BY.get(question, {}), **{question: answer})
    said = str(refusal.value).removeprefix("Validation error for question ")
    assert sentence in said
    assert len(said.partition(": ")[2]) <= WIDTH
    assert not (tmp_path / "project").exists() or not files(tmp_path / "project")


def test_a_data_remote_below_the_folder_of_the_project_is_refused(template, tmp_path):
    for folder in (tmp_path / "project", tmp_path / "project" / "data"):
        with pytest.raises(ValueError, match=INSIDE):
            copy_project(template, tmp_path / "project", data_remote=folder.as_posix())
    copy_project(template, tmp_path / "project", data_remote=(tmp_path / "project-data").as_posix())


@pytest.mark.parametrize("question", [name for name, each in QUESTIONS.items() if "choices" in each])
def test_an_unknown_choice_is_refused(template, tmp_path, question):
    several = {"serving": ["batch", "streaming"], "coding_agents": ["unknown"], "engines": ["slurm", "unknown"]}
    unknown = ({"maturity_level": 5} | several).get(question, "unknown")
    with pytest.raises(ValueError, match="Invalid choice"):
        copy_project(template, tmp_path / "project", **OPENED_BY.get(question, {}), **{question: unknown})


def test_the_questions_that_can_be_answered_badly_are_all_tested():
    tested = {question for question, _, _ in REFUSED}
    is_free = {name for name, each in QUESTIONS.items() if "choices" not in each and each["type"] != "bool"}
    assert tested == is_free
    assert all("validator" in QUESTIONS[name] for name in tested)
