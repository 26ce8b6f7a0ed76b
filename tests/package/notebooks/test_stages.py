"""A notebook becomes a stage: the module, dvc.yaml and params.yaml, and the same bytes as the notebook wrote."""

import os
import subprocess
import sys

import pytest
import yaml

from copier_mlops.notebooks import cli
from tests.package.notebooks import made
from tests.project import commit

IMPORTS = "import json\nfrom pathlib import Path\n\nimport numpy as np\nimport pandas as pd\n"
VALUES = """\
least_rooms = 4  # smaller ones are flats
factor = -1e-05
verbose = False
name = "Zürich's Häuser"
RAW = '../data/raw/houses.csv'
weights = [1, 2]
"""
CLEAN = '''\
# Houses without a price are no use.
def clean(table):
    """Leave them out."""
    return table.dropna()


def large(table):
    return table[table["Größe"] >= least_rooms]


LIMIT = 5
note = """a
  "b" 'c' ä
d"""

df = large(clean(df)); n = len(df)
for weight in weights:
    n += weight * factor
if verbose: print(n)
df
'''
WRITE = """\
Path("../data/interim").mkdir(parents=True, exist_ok=True)
df.assign(note=note, name=name, limit=LIMIT).to_csv("../data/interim/clean ä.csv", index=False)
Path("../metrics").mkdir(exist_ok=True)
with open("../metrics/clean.json", "w", encoding="utf-8") as file:
    json.dump({"n": n}, file)
df.head();
"""
HOUSES = made.notebook(
    IMPORTS,
    (VALUES, "parameters"),
    ("df = pd.read_csv(RAW)", "stage:clean"),
    ("df.plot()\n%matplotlib inline", ""),
    (CLEAN, "stage:clean"),
    (WRITE, "stage:clean"),
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project in which the task runs."""
    folder = made.project(tmp_path / "project")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")  # noqa: PTH120
    return folder


def task(project, document: str, *options: str) -> None:
    (project / "notebooks" / "explore.ipynb").write_text(document, encoding="utf-8")
    assert cli.main(["notebooks/explore.ipynb", *options]) == 0


def refused(project, document: str, *options: str) -> str:
    """The text of a refusal, which changes no file."""
    (project / "notebooks" / "explore.ipynb").write_text(document, encoding="utf-8")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".git" not in path.parts}
    with pytest.raises(SystemExit) as refusal:
        cli.main(["notebooks/explore.ipynb", *options])
    after = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".git" not in path.parts}
    assert before == {path: content for path, content in after.items() if "ruff_cache" not in str(path)}
    text = str(refusal.value)
    assert text.startswith("from-notebook: ") and "\n  fix: " in text
    return text


def repro(project, *stages: str) -> None:
    if not (project / ".dvc").exists():
        subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=project, check=True)
    command = [sys.executable, "-m", "dvc", "repro", *stages]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stage_writes_the_bytes_of_the_notebook(project):
    made.executed(project, HOUSES.replace("%matplotlib inline", "").replace("df.plot()", "df"))
    results = ("data/interim/clean ä.csv", "metrics/clean.json")
    before = [(project / name).read_bytes() for name in results]
    for name in results:
        (project / name).unlink()
    task(project, HOUSES)
    repro(project, "clean")
    assert [(project / name).read_bytes() for name in results] == before
    params = project / "params.yaml"
    params.write_text(params.read_text("utf-8").replace("least_rooms: 4", "least_rooms: 3"), encoding="utf-8")
    repro(project, "clean")
    assert (project / results[0]).read_bytes() != before[0]


def test_the_module_is_what_a_team_would_write(project):
    task(project, HOUSES)
    text = (project / "src" / "houses" / "clean.py").read_text(encoding="utf-8")
    assert text.startswith('"""Stage `clean`: cells 3 and 5 to 6 of notebooks/explore.ipynb."""\n')
    assert 'parser.add_argument("--least-rooms", type=int, default=4' in text
    assert "# Houses without a price are no use.\ndef clean(table):\n" in text
    assert "\nLIMIT = 5\n" in text
    # A function that needs a value of `main` stays there, and nothing is imported that is not used.
    assert "\n    def large(table):\n" in text
    assert "numpy" not in text
    assert "mkdir(exist_ok" not in text and "head()" not in text
    assert "SECRET OUTPUT" not in text
    for command in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, "src"], cwd=project, check=True)


def test_the_pipeline_has_the_stage_and_all_that_it_had(project):
    task(project, HOUSES)
    text = (project / "dvc.yaml").read_text(encoding="utf-8")
    stage = yaml.safe_load(text)["stages"].pop("clean")
    assert stage["deps"] == ["data/raw/houses.csv", "src/houses/clean.py"]
    assert (stage["outs"], stage["params"]) == (["data/interim/clean ä.csv"], ["clean"])
    assert stage["metrics"] == [{"metrics/clean.json": {"cache": False}}]
    lines = text.splitlines()
    assert [line for line in made.PIPELINE.splitlines() if line not in lines] == []
    assert lines.index("  clean:") < lines.index("# Curves.")
    values = (project / "params.yaml").read_text(encoding="utf-8")
    assert values.startswith(made.PARAMS)
    expected = {"least_rooms": 4, "factor": -1e-05, "verbose": False, "name": "Zürich's Häuser"}
    assert yaml.safe_load(values)["clean"] == expected


def test_a_dry_run_shows_and_writes_nothing(project, capsys):
    task(project, HOUSES, "--dry-run")
    said = capsys.readouterr().out
    assert "weights stays in the module" in said
    assert "+  clean:" in said and "SECRET" not in said
    assert "not written, because of --dry-run: src/houses/clean.py, params.yaml, dvc.yaml" in said
    assert not (project / "src/houses/clean.py").exists()
    assert (project / "dvc.yaml").read_text() == made.PIPELINE


def test_a_second_run_changes_nothing_and_another_text_needs_force_and_git(project, capsys):
    task(project, HOUSES)
    params = project / "params.yaml"
    params.write_text(params.read_text("utf-8").replace("least_rooms: 4", "least_rooms: 3"), encoding="utf-8")
    task(project, HOUSES)
    assert "nothing changes" in capsys.readouterr().out
    assert "least_rooms: 3" in params.read_text(encoding="utf-8")
    other = HOUSES.replace("LIMIT = 5", "LIMIT = 6")
    assert "src/houses/clean.py is there already" in refused(project, other)
    assert "git does not have src/houses/clean.py as it is" in refused(project, other, "--force")
    commit(project)
    task(project, other, "--force")
    assert "LIMIT = 6" in (project / "src/houses/clean.py").read_text(encoding="utf-8")
    assert (project / "dvc.yaml").read_text(encoding="utf-8").count("\n  clean:\n") == 1


def test_a_stage_of_another_module_is_not_replaced(project):
    text = made.notebook(("print(1)", "stage:ingest"))
    assert "dvc.yaml has ingest already" in refused(project, text)
    text = made.notebook(("leaf = 3", "parameters"), ("print(leaf)", "stage:train"))
    assert "params.yaml has train already" in refused(project, text)
    text = made.notebook(("open('../data/interim/ingested.parquet', 'w').write('1')", "stage:other"))
    assert "stage other writes data/interim/ingested.parquet, and so does ingest" in refused(project, text)


def test_two_stages_follow_each_other(project):
    first = "text = open('../data/raw/houses.csv', encoding='utf-8').read()\nopen('../data/a.txt', 'w').write(text[:3])"
    second = "from pathlib import Path\nPath('../data/b.txt').write_text(Path('../data/a.txt').read_text() * 2)"
    task(project, made.notebook((first, "stage:one"), (second, "stage:two")))
    repro(project, "two")
    assert (project / "data" / "b.txt").read_text(encoding="utf-8") == "GröGrö"
    stages = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert stages["two"]["deps"] == ["data/a.txt", "src/houses/two.py"]


def test_cells_without_tags_are_listed_or_named(project):
    text = made.notebook("import math\n", "\n\nx = 1\n", "open('../data/x.txt', 'w').write(str(math.pi + x))")
    said = refused(project, text)
    assert "   1  import math\n   2  x = 1\n   3  open(" in said
    assert "needs x, which cell 2 gives a value\n  fix: add cell 2" in refused(
        project, text, "--cells", "3", "--stage", "y"
    )
    task(project, text, "--cells", "2-3", "--stage", "y")
    repro(project, "y")
    assert (project / "data" / "x.txt").read_text() == "4.141592653589793"


def test_options_decide_about_files(project, capsys):
    code = "import pandas as pd\nname = 'houses'\npd.read_csv(f'../data/raw/{name}.csv').to_csv('../build/x.csv')"
    task(project, made.notebook((code, "stage:x")), "--deps", "data/raw/houses.csv", "--metrics", "build/x.csv")
    assert "the path of read_csv is not a text; name it with --deps or --outs" in capsys.readouterr().out
    stage = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["x"]
    assert "data/raw/houses.csv" in stage["deps"]
    assert "outs" not in stage and stage["metrics"] == [{"build/x.csv": {"cache": False}}]


def test_code_that_ruff_warns_of_is_marked_and_named(project, capsys):
    code = "import pickle\nX = pickle.load(open('../data/raw/houses.csv', 'rb'))\nprint(X)"
    task(project, made.notebook((code, "stage:x")))
    assert "S301" in capsys.readouterr().out
    subprocess.run([sys.executable, "-m", "ruff", "check", "src"], cwd=project, check=True)
