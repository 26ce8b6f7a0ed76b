"""The files of template/ that renderers write are up to date, and say for all answers what their renderer says."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

from extensions import render
from extensions.hosts import variants
from extensions.hosts.flows import Answers, flows_of
from tests.project import copy_template, registry

WORDS = {
    "heavy_runner": "gpu",
    "cloud_audience": "somebody",
    "python_version": "3.12",
    "template_server": "https://x.org",
}


def test_the_template_has_what_the_renderers_write(capsys):
    assert render.main(["--check"]) == 0, capsys.readouterr().out


def render_flows(checkout: Path, *options: str) -> tuple[int, list[str]]:
    """Run `uv run poe render-flows` in a checkout, and return its exit code and the lines that it prints."""
    command = [sys.executable, "-m", "extensions.render", *options]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.returncode, done.stdout.splitlines()


def test_what_is_missing_changed_or_left_over_is_named_and_written(tmp_path):
    template = copy_template(tmp_path) / "template"
    changed = template / "{{ on_gitlab }}" / ".gitlab-ci.yml.jinja"
    changed.write_text("stages: []\n", encoding="utf-8")
    left_over = template / "{{ on_github }}" / ".github" / "workflows" / "old.yml"
    left_over.write_text("name: Old\n", encoding="utf-8")
    missing = template / "{{ on_bitbucket }}" / "bitbucket-pipelines.yml.jinja"
    missing.unlink()
    names = ["{{ on_bitbucket }}/bitbucket-pipelines.yml.jinja", "{{ on_gitlab }}/.gitlab-ci.yml.jinja"]
    old = "{{ on_github }}/.github/workflows/old.yml"
    code, printed = render_flows(tmp_path, "--check")
    assert (code, sorted(printed)) == (1, [f"would delete {old}", *(f"would write {name}" for name in names)])
    code, printed = render_flows(tmp_path)
    assert (code, sorted(printed)[1:]) == (0, [f"deleted {old}", *(f"wrote {name}" for name in names)])
    assert not left_over.exists() and missing.is_file()
    assert "include:" in changed.read_text(encoding="utf-8")


@pytest.mark.parametrize("host", registry("hosts"))
def test_a_template_says_for_all_answers_what_its_renderer_says(host):
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 (YAML)
    )
    templates = {
        path.partition("/")[2].removesuffix(".jinja"): environment.from_string(text)
        if path.endswith(".jinja")
        else text
        for path, text in render.host_files(host).items()
    }
    for answers in variants.all_answers():
        names = {name: holds(answers) for name, holds in variants.CONDITIONS.items()}
        names |= {name: word for name, word in WORDS.items() if names.get(name, True)}
        names |= {name: ["ONE", "TWO"] if names[name] else [] for name in ("data_secrets", "tracking_secrets")}
        for path, text in importlib.import_module(f"extensions.hosts.{host}").files(answers).items():
            template = templates[path]
            rendered = template if isinstance(template, str) else template.render(names)
            expected = variants.ANSWER.sub(lambda found, names=names: str(names[found[1]]), repeated(text, names))
            assert rendered == expected, (path, answers)


def repeated(text: str, names: dict[str, list[str]]) -> str:
    """A text with each line about a list for each of its names."""
    lines = []
    for line in text.splitlines(keepends=True):
        found = re.search("‹each of ([a-z_]+)›", line)
        lines += [line.replace(found[0], name) for name in names[found[1]]] if found else [line]
    return "".join(lines)


def test_a_line_about_a_list_is_repeated_for_each_of_its_names():
    line = "  ‹each of data_secrets›: ${{ secrets.‹each of data_secrets› }}\n"
    written = variants.template({Answers(3): "env:\n" + line})
    assert written == (
        'env:\n{% for name in data_secrets %}\n  {{ name }}: {{ "${{ secrets." ~ name ~ " }}" }}\n{% endfor %}\n'
    )


def test_a_condition_stands_around_what_only_some_answers_have():
    low, high, cloud = Answers(2), Answers(3), Answers(3, cloud=True)
    texts = {
        low: "a\nonly low\nz\n",
        high: "a\nhigh\n  b\nz\n",
        cloud: "a\nhigh\n  cloud ${{ x }}\n  b\nz\n",
    }
    assert variants.template(texts).splitlines() == [
        "a",
        "{% if from_level_3 %}",
        "high",
        "{% if logs_in_to_cloud %}",
        "  cloud {% raw %}${{ x }}{% endraw +%}",
        "{% endif %}",
        "  b",
        "{% else %}",
        "only low",
        "{% endif %}",
        "z",
    ]


def test_what_no_condition_describes_is_refused():
    odd = {
        Answers(2): "a\n",
        Answers(3): "a\nb\n",
        Answers(3, cloud=True): "a\n",
        Answers(4): "a\nb\n",
        Answers(4, True): "a\nb\n",
    }
    with pytest.raises(ValueError, match="no condition says"):
        variants.template(odd)


def test_a_flow_has_the_steps_of_its_level_and_its_cloud():
    runs = {
        answers: [step.run for step in flows_of(answers)["ci"].jobs["ci"].steps] for answers in (Answers(1), Answers(2))
    }
    assert "smoke" not in runs[Answers(1)]
    assert "smoke" in runs[Answers(2)]
    assert "login" not in [step.run for step in flows_of(Answers(3))["cd"].jobs["train"].steps]
    steps = [step.run for step in flows_of(Answers(3, cloud=True))["cd"].jobs["train"].steps]
    assert steps == [
        "deploy --check",
        "login",
        "train --no-track",
        "login",
        "track",
        "push",
    ]  # tokens expire while it trains
    assert "report" not in flows_of(Answers(2))["ci"].jobs
