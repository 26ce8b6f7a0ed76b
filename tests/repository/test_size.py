"""`poe bench size` counts what a reader would count: stops to a file, and the files that name a host."""

import pytest

from tests.benchmarks import measure, size
from tests.project import TEMPLATE, copy_template, registry, replace


@pytest.mark.parametrize("host", registry("hosts"))
def test_a_file_of_a_host_is_two_stops_from_the_question(host):
    assert size.stops(TEMPLATE, host) == 2


def test_each_file_that_a_ci_file_includes_is_another_stop(tmp_path):
    template = copy_template(tmp_path / "template")
    file = template / "template" / "{{ on_gitlab }}" / ".gitlab-ci.yml.jinja"
    (template / "extensions" / "first.jinja").write_text("{% include pathjoin('extensions', 'second.jinja') %}")
    (template / "extensions" / "second.jinja").write_text("")
    file.write_text("{% include pathjoin('extensions', 'first.jinja') %}" + file.read_text(encoding="utf-8"))
    assert size.stops(template, "gitlab") == 4


def test_a_folder_that_another_answer_decides_is_refused(tmp_path):
    template = copy_template(tmp_path / "template")
    replace(template / "copier.yml", "git_host == 'gitlab'", "license == 'MIT'")
    with pytest.raises(measure.BenchmarkError, match=r"copier\.yml decides on_gitlab by something other than git_host"):
        size.stops(template, "gitlab")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("hosts: [github, gitlab]", True),
        ("A job of GitHub Actions", True),
        ("uses: https://github.com/actions/checkout", False),
        ("edit .github/workflows/ci.yml", False),
        ("the fixture github_clone", False),
    ],
)
def test_an_address_or_a_folder_does_not_name_the_host(text, named):
    assert bool(size.files_that_name({"a.yml": text}, "github|GitHub", size.NOT_THE_HOST)) == named


def test_a_value_has_to_lie_between_the_bounds_of_its_goal():
    states = [measure.Goal("words", 60, value, 9).state for value in (8, 9, 60, 61, None)]
    assert states == ["missed", "met", "met", "missed", "not measured"]
