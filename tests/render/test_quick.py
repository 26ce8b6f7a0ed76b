"""The shortcuts that make the tests quick change no file."""

import subprocess
import sys

from tests.project import files


def test_copier_without_shortcuts_renders_the_same(template, render, tmp_path):
    answers = {"maturity_level": 4, "cloud": "aws"}
    data = [f"--data={name}={value}" for name, value in answers.items()]
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--quiet", *data, template, tmp_path / "project"]
    subprocess.run(command, check=True)
    assert files(tmp_path / "project") == files(render(**answers))
