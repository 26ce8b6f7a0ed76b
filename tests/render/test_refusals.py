"""Bad answers are refused with a sentence that says what is allowed."""

import pytest

from tests.project import copy_project, files
from tests.render.answers import QUESTIONS

PACKAGE = "A package name starts with a letter from a to z, has only letters from a to z, digits and underscores"
NO_LETTERS = "The project name has no letters from which a package name can be made: give the answer package_name"
INSIDE = "The data remote may not be inside the project"
REMOTES = "is not a data remote that this template knows. Allowed are ../project-data, s3://bucket/path"
TRACKERS = (
    "is not a tracking URI that this template knows. Allowed are sqlite:///mlflow.db, http://localhost:5000, https://"
)
CREDENTIALS = "may not have a user name or a password, since git keeps the files with it: give only the address"
QUERY = "may not have a query (? & ;), which may contain secrets: give only the address."
LINE = "must be one line of text, without tabs or other control characters."
LENGTH = "may have at most 100 characters; this one has 101."
EMAIL = "An e-mail address must have the form name@example.org, or be empty."
ENDPOINT = "An endpoint must start with http:// or https://, for example https://minio.example.org; leave it empty"

REFUSED = [
    ("project_name", "", "The project name may not be empty: give one, for example Credit Risk."),
    ("project_name", "   ", "The project name may not be empty: give one, for example Credit Risk."),
    ("project_name", "!?§$%", NO_LETTERS),
    ("project_name", "信用リスク", NO_LETTERS),
    ("project_name", "Lambda", '"lambda" is a keyword of Python: choose another name, for example my_lambda.'),
    ("project_name", "Statistics", '"statistics" is a module of Python\'s standard library: choose another name'),
    ("project_name", "MLflow", '"mlflow" is a folder of the project or a package that it imports: choose another name'),
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
    ("package_name", "class", '"class" is a keyword of Python: choose another name, for example my_class.'),
    (
        "package_name",
        "json",
        '"json" is a module of Python\'s standard library: choose another name, for example my_json',
    ),
    (
        "package_name",
        "operation",
        '"operation" is a folder of the project or a package that it imports: choose another',
    ),
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
    ("data_remote", "s3://", 'The data remote has no path after "s3://": give one, for example s3://bucket/path.'),
    ("data_remote", "s3://key:secret@bucket/path", f"The data remote {CREDENTIALS}"),
    ("data_remote", "s3://key@bucket/path", f"The data remote {CREDENTIALS}"),
    ("data_remote", "s3://bucket/path?secret=1", f"The data remote {QUERY}"),
    (
        "data_remote",
        "s3://bucket/a b",
        "The data remote may not have spaces, quotes, backslashes or the characters # , %",
    ),
    ("data_remote", "~/data", "The folder of the data remote must be a relative or an absolute path, without ~"),
    ("data_remote", "../da#ta", "The folder of the data remote must be a relative or an absolute path, without ~"),
    (
        "data_remote",
        "../data\n[core]",
        "The folder of the data remote must be a relative or an absolute path, without ~",
    ),
    ("tracking_uri", "", TRACKERS),
    ("tracking_uri", "mlflow.db", TRACKERS),
    ("tracking_uri", "ftp://mlflow.example.org", TRACKERS),
    ("tracking_uri", "https:mlflow.example.org", TRACKERS),
    ("tracking_uri", "https://user:secret@mlflow.example.org", f"The tracking URI {CREDENTIALS}"),
    ("tracking_uri", "https://token@mlflow.example.org", f"The tracking URI {CREDENTIALS}"),
    ("tracking_uri", "https://mlflow.example.org?token=1", f"The tracking URI {QUERY}"),
    ("tracking_uri", 'https://mlflow.example.org/"', "The tracking URI may not have spaces, quotes, backslashes"),
    ("tracking_uri", "https://", "The tracking URI names no server: give one, for example https://mlflow.example.org."),
    (
        "tracking_uri",
        "sqlite://mlflow.db",
        "A SQLite tracking URI must name a file after three slashes, for example sqlite:///mlflow.db",
    ),
    ("tracking_uri", "https://h][", 'The tracking URI names "h][", which is not a host'),
    ("tracking_uri", "http://h:99999", "The tracking URI names the port 99999: a port is a number from 1 to 65535."),
    ("tracking_uri", "http://h:0", "The tracking URI names the port 0: a port is a number from 1 to 65535."),
    ("tracking_uri", "http://h:/x", 'The tracking URI names "h:", which is not a host'),
    ("data_endpoint", "http://h:x", 'The endpoint names "h:x", which is not a host'),
    ("data_endpoint", "storage.example.org", ENDPOINT),
    ("data_endpoint", "ftp://storage.example.org", ENDPOINT),
    ("data_endpoint", "https://key:secret@storage.example.org", f"The endpoint {CREDENTIALS}"),
    ("data_endpoint", "https://storage.example.org\nurl = elsewhere", "The endpoint may not have spaces, quotes"),
    ("heavy_runner", "two labels", "A runner's label has only letters"),
    ("heavy_runner", "gpu\npool: mine", "A runner's label has only letters"),
    ("heavy_runner", "${{ secrets.ADMIN }}", "A runner's label has only letters"),
    ("heavy_runner", "g" * 65, "A runner's label has only letters"),
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
    assert sentence in " ".join(str(refusal.value).split())
    assert not (tmp_path / "project").exists() or not files(tmp_path / "project")


def test_a_data_remote_below_the_folder_of_the_project_is_refused(template, tmp_path):
    for folder in (tmp_path / "project", tmp_path / "project" / "data"):
        with pytest.raises(ValueError, match=INSIDE):
            copy_project(template, tmp_path / "project", data_remote=folder.as_posix())
    copy_project(template, tmp_path / "project", data_remote=(tmp_path / "project-data").as_posix())


@pytest.mark.parametrize("question", [name for name, each in QUESTIONS.items() if "choices" in each])
def test_an_unknown_choice_is_refused(template, tmp_path, question):
    unknown = {"maturity_level": 5, "serving": ["batch", "streaming"]}.get(question, "unknown")
    with pytest.raises(ValueError, match="Invalid choice"):
        copy_project(template, tmp_path / "project", **OPENED_BY.get(question, {}), **{question: unknown})


def test_the_questions_that_can_be_answered_badly_are_all_tested():
    tested = {question for question, _, _ in REFUSED}
    is_free = {name for name, each in QUESTIONS.items() if "choices" not in each and each["type"] != "bool"}
    assert tested == is_free
    assert all("validator" in QUESTIONS[name] for name in tested)
