"""Files that are broken, or made to break what reads them, become findings and hide no other finding."""

import os
import subprocess
import sys
import time

import pytest

from copier_mlops.lint.checks.layout import FolderMissing
from copier_mlops.lint.reading import UnreadableError, compose, parse
from tests.package.lint.conftest import found, ids
from tests.platforms import on_posix
from tests.project import run

CI = ".github/workflows/ci.yml"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)
TEXTS = {
    "a bomb of aliases": BOMB,
    "an alias of itself": "a: &a [*a]\n",
    "deep lists": "[" * 20000 + "]" * 20000,
    "deep mappings": "{a: " * 20000 + "}" * 20000,
    "deep blocks": "\n".join(" " * n + "a:" for n in range(1200)),
    "deep dashes": "- " * 5000 + "x",
    "a huge number": f"a: {'9' * 10000}\n",
    "no UTF-8": b"a: \xff\xfe\n",
    "UTF-16": "a: 1\n".encode("utf-16"),
    "control characters": "a: \x01\n",
    "a tab": "a:\n\tb: 1\n",
    "code": "a: !!python/object/apply:os.system [touch started]\n",
    "a key that is a list": "? [1]\n: 2\n",
    "an alias of nothing": "a: *b\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_yaml_ends_the_process_or_takes_long(text):
    content = text if isinstance(text, bytes) else text.encode()
    begin = time.process_time()
    for read in (parse, compose):
        try:
            read(content)
        except UnreadableError as error:
            assert str(error)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("path", ["dvc.yaml", "params.yaml", ".copier-answers.yml", CI, "dvc.lock", "pyproject.toml"])
def test_one_bad_file_hides_no_other_finding(project, path):
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    for text in TEXTS.values():
        (project / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        findings = found(project)
        assert ("docs/x.md", "MLO101") in {(finding.path, finding.check) for finding in findings}
        assert "MLO003" not in {finding.check for finding in findings}
    assert not (project / "started").exists()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dvc.yaml", "[]"),
        ("dvc.yaml", "stages: 1"),
        ("dvc.yaml", "stages: {a: 1, b: {cmd: {x: 1}, deps: [1, {}], params: [1, {x: 1}], foreach: 3, do: 4}}"),
        ("dvc.yaml", "vars: [1, {a: 1}, [x]]\nstages: {a: {matrix: {x: 1}}, b: {foreach: {1: 2}, do: {cmd: 1}}}"),
        ("dvc.lock", "stages: [1]"),
        ("dvc.lock", "stages: {ingest: {cmd: [1], deps: 1, params: [1], outs: [1, {path: 1}]}, train: 3}"),
        ("dvc.lock", "stages: {prepare: {params: {params.yaml: 1, 3: {x: 1}}, deps: [{path: ../../../x, md5: [1]}]}}"),
        ("params.yaml", "- 1"),
        (".copier-answers.yml", "1: 2\n_src_path: [x]\nmaturity_level: high\nserving: {a: 1}\ngit_host: [x]"),
        (".copier-answers.yml", "package_name: ../../x\nreached_level: true\ndata_remote: ''"),
        (CI, "jobs: [run, {run: {run: [1]}}]\non: [x]"),
        (CI, "? {a: 1}\n: {uses: [1], image: [{name: {x: 1}}], services: {a: 1}}"),
        ("poe_tasks.toml", "tasks = 1\ninclude = 3"),
        ("pyproject.toml", "tool = 1"),
        ("pyproject.toml", "project = 1\ndependency-groups = {a = 1, b = [1]}\n[tool.uv]\nsources = [1]"),
        ("pyproject.toml", "[project]\ndependencies = ['copier-mlops']\n[tool.uv.sources]\ncopier-mlops = [1, {}]"),
        ("pyproject.toml", "[tool]\npoe = 1\ncopier-mlops-lint = {}"),
        ("operation/configuration/settings.py", "class Settings(FileSettings):\n    a: int\n    b: x[1] = 3"),
        ("operation/configuration/environment_dev/settings.yaml", "[1]"),
        ("data/raw/german_credit.csv.dvc", "outs: 3"),
        ("notebooks/x.ipynb", '{"cells": [1, {"cell_type": "code"}]}'),
        ("notebooks/y.ipynb", "[" * 100000),
    ],
)
def test_a_file_of_the_wrong_shape_fails_no_check(project, path, value):
    (project / path).write_text(value, encoding="utf-8")
    assert "MLO003" not in ids(project)


@on_posix
def test_what_is_no_regular_file_is_not_opened(project):
    os.mkfifo(project / "docs" / "pipe.yaml")
    (project / "docs" / "loop.yaml").symlink_to("loop.yaml")
    (project / "docs" / "up").symlink_to("..", target_is_directory=True)
    (project / "docs" / "null.md").symlink_to(os.devnull)
    (project / "docs" / "gone.yaml").symlink_to("nothing")
    run(project, "git", "add", "--all")
    assert found(project) == []


def test_a_file_that_may_not_be_read(project, monkeypatch):
    if os.name == "nt" or not os.getuid():
        opened = open

        def refuse(path, *arguments, **options):
            if str(path).endswith("ci.yml"):
                raise PermissionError(13, "Permission denied")
            return opened(path, *arguments, **options)

        monkeypatch.setattr("builtins.open", refuse)
    else:
        (project / CI).chmod(0)
    assert [(finding.path, finding.check) for finding in found(project)] == [(CI, "MLO001")]


def test_a_gigabyte_is_not_read(project):
    with (project / "docs" / "huge.yaml").open("wb") as file:
        file.truncate(1_000_000_000)
    run(project, "git", "update-index", "--add", "--cacheinfo", f"100644,{'e' * 40},docs/huge.yaml")
    begin = time.process_time()
    assert ids(project) == ["MLO503"]
    assert time.process_time() - begin < 2


LONG = 1_000_000
SLOW = {
    "docs/dots.yaml": "a: b://" + "a." * LONG,
    "docs/spaces.yaml": "token: x" + " " * LONG + "y",
    "docs/indent.yaml": " " * LONG + "token: x",
    "docs/query.toml": "a = 'https://b/?" + "a-" * LONG + "'",
    "docs/many.yaml": "?&;" * LONG + "://",
    "docs/key.pem": "-----BEGIN " + "A " * LONG,
    "docs/Dockerfile": "\n" * LONG + "FROM " + "a" * LONG,
    "docs/compose.yaml": "a: {image: '" + "a:1." * LONG + "'}",
    CI: "run: uv run " + "--a " * LONG,
    ".dvc/config": "a = " + "a://" * LONG,
    "docs/open.py": "from operation.execution import (" * (LONG // 10),
    "docs/opened.py": "from operation.execution import (\n" * (LONG // 10),
    "docs/words.py": ("from operation.execution import " + "a," * 900 + "\n") * 2500,
    "docs/blank.py": "operation\n" + (" " * 1990 + "x\n") * 2400,
    "docs/named.yaml": "operation." * (LONG // 3),
    "docs/markers.md": "<<<<<<<\n" * LONG,
    "README.md.rej": "@@ -1 +1 @@\n" + "+a\n" * LONG,
    "operation/configuration/environment_dev/settings.yaml": "\n" * LONG + "prot: 1\n",
    "operation/execution/ours.py": "x = 1\n" * 500_000,
}


@pytest.mark.parametrize("path", SLOW)
def test_nothing_takes_long(project, path):
    (project / path).write_text(SLOW[path], encoding="utf-8")
    run(project, "git", "add", "--all", "--force")
    begin = time.process_time()
    assert "MLO003" not in ids(project)
    assert time.process_time() - begin < 5


@on_posix
def test_odd_names_of_files(project, lint):
    for name in ("ä ö.md", "a\nb::error::c.md", "100%,x:y.md", "$(touch started).md"):
        (project / "docs" / name).write_text("<" * 7 + " a\n", encoding="utf-8")
    for form in ("text", "json", "sarif", "github"):
        _, said, _ = lint(project, "--format", form)
        assert said.count("conflict marker of a merge") == 4
        assert "\n::error::c" not in said and "\nb::" not in said
    assert not (project / "started").exists()


def test_a_name_that_is_no_text(project):
    name = os.fsencode(project / "docs") + b"/\xff.md"
    try:
        with open(name, "w", encoding="utf-8") as file:  # noqa: PTH123 (bytes)
            file.write("<" * 7 + " a\n")
    except OSError:
        pytest.skip("this file system has no such names")
    command = [sys.executable, "-m", "copier_mlops", "lint", "--project", str(project)]
    for form in ("text", "json", "sarif", "github"):
        done = subprocess.run([*command, "--format", form], capture_output=True, check=False)
        assert done.returncode == 1, done.stderr
        assert b"MLO101" in done.stdout


def test_a_check_that_fails_is_said_and_the_others_are_heard(project, monkeypatch, lint):
    def fail(self, project):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(FolderMissing, "look", fail)
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    assert ids(project) == ["MLO003", "MLO101"]
    code, said, _ = lint(project, "--ignore", "MLO003,MLO1")
    assert code == 2
    assert "MLO301 failed: ZeroDivisionError: ours" in said
