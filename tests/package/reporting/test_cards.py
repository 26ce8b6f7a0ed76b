"""The cards: what their templates get, what stays of them, and the error of a template that is wrong."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from copier_mlops.contract import parse
from copier_mlops.contract.tables import read_table
from copier_mlops.reporting import facts, report
from tests.package.reporting import runs
from tests.package.reporting.runs import contract_of, put, write
from tests.project import TEMPLATE, commit

CARD = "docs/cards/model_card.md.j2"


def test_a_report_that_is_committed_leaves_the_next_one_as_it_was(root):
    commit(root, "Results")
    first = write(root)
    assert "changed since" not in first["model_card.md"]
    commit(root, "Report")
    assert write(root) == first
    (root / "params.yaml").write_text("costs: {missed: 1, refused: 1}\n")
    assert "changed since" in write(root)["model_card.md"]


def test_the_notes_of_the_team_stay(root):
    first = write(root)["model_card.md"]
    path = root / "docs" / "model_card.md"
    notes = "\n\nAsk Zoë before you {{ deploy }} | <i>this</i>.\n\n"
    before, _, after = report.between(first, report.NOTES)
    path.write_text(before + notes + after, encoding="utf-8")
    lock = root / "dvc.lock"
    lock.write_text(lock.read_text().replace("missed: 4", "missed: 1"))
    second = write(root)["model_card.md"]
    assert report.between(second, report.NOTES)[1] == notes
    assert "**0.500**" in second


def test_a_card_without_its_markers_is_left_alone(root, capsys):
    card = root / "docs" / "data_card.md"
    card.write_text("Our own card")
    assert "data_card.md" not in write(root)
    assert card.read_text() == "Our own card"
    assert "docs/data_card.md is left alone" in capsys.readouterr().out


def test_the_cards_are_those_of_the_project(root):
    (root / CARD).write_text("{#- Ours. -#}\n# Our card of {{ candidate | text }}\n{{ notes }}\n", encoding="utf-8")
    text = write(root)["model_card.md"]
    assert text.startswith("# Our card of &lt;b&gt;")
    assert "Ours." not in text


def test_the_header_of_a_template_is_not_in_the_card(root):
    for name, text in write(root).items():
        assert "{#" not in text and "#}" not in text, name
        assert text.startswith("<!-- `uv run poe report` writes" if name.endswith(".md") else "<!doctype html>"), name


def test_a_card_without_a_template_is_named_and_the_rest_is_written(root, capsys):
    shutil.rmtree(root / "docs" / "cards")
    found = write(root)
    assert list(found) == ["index.html"]
    assert "<a href" not in found["index.html"]
    assert capsys.readouterr().out.splitlines() == [
        f"report: docs/{name}.md is left out: there is no docs/cards/{name}.md.j2"
        for name in ("model_card", "data_card")
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("# Card\n\n{{ no_such_value }}\n", 3, "'no_such_value' is undefined"),
        ("# Card\n{% for row in columns %}\n", 2, "Unexpected end of template"),
        ("# Card\n{{ metrics.no_such_metric }}\n", 2, "no attribute 'no_such_metric'"),
        ("{{ 1 / 0 }}\n", 1, "division by zero"),
        ("\n\n\n{{ notes.__class__.__mro__ }}\n", 4, "access to attribute '__class__' of 'str' object is unsafe"),
        ("{% include 'part.j2' %}\n", 1, "'part.j2' not found"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(tmp_path, text, line, reason):
    template = card(tmp_path, text)
    with pytest.raises(SystemExit) as end:
        report.fill(template, tmp_path, {"notes": "", "columns": [], "metrics": {}})
    said, fix = str(end.value).splitlines()
    assert said.startswith(f"report: {CARD}, line {line}: ")
    assert reason in said
    assert fix == f"  fix: correct {CARD}, then: uv run poe report"


def card(folder: Path, text: str, name: str = CARD) -> Path:
    """Write a template of a card."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_wrong_part_of_a_template_is_named_itself(tmp_path):
    card(tmp_path, "\n{{ 1 / 0 }}\n", "docs/cards/part.j2")
    with pytest.raises(SystemExit, match=r"^report: docs/cards/part\.j2, line 2: division by zero"):
        report.fill(card(tmp_path, "{% include 'part.j2' %}\n"), tmp_path, {})


def test_a_template_that_is_not_text_is_named(tmp_path):
    card(tmp_path, "").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SystemExit, match=rf"^report: {CARD}: .*decode"):
        report.fill(tmp_path / CARD, tmp_path, {})


def test_with_a_wrong_template_nothing_is_written(root):
    (root / CARD).write_text("{{ no_such_value }}", encoding="utf-8")
    with pytest.raises(SystemExit, match="'no_such_value' is undefined"):
        write(root)
    assert not (root / report.PAGE).exists()
    assert not (root / "docs" / "data_card.md").exists()


def test_the_cards_of_the_example_keep_its_facts(root):
    contract_of(root).write_text(runs.EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    contract = parse(contract_of(root).read_text(encoding="utf-8"), "contract.yaml")
    table = read_table(TEMPLATE / "template" / "operation" / "tests" / "sample.csv", contract)
    for path in (facts.TEST, facts.VALIDATED):
        put(root, path, table)
    label = ["bad" if place % 3 else "good" for place in range(len(table))]
    actual = table["credit_risk"].map({1: "good", 2: "bad"})
    put(root, "build/predictions.csv", pd.DataFrame({"label": label, "probability": 0.4, "actual": actual}))
    for name in ("about_data.md", "about_model.md"):
        source = (runs.CARDS / f"{name}.jinja").read_text(encoding="utf-8")
        put(root, f"docs/cards/{name}", source.partition("{% else %}\n")[2].removesuffix("{% endif %}\n"))
    found = write(root)
    for field in contract.fields:
        assert f"\n| `{field.name}` |" in found["data_card.md"]
    for fact in ("10.24432/C5NC77", "CC BY 4.0", "1973 to 1975", "Grömping", "`A91` man, divorced or separated"):
        assert fact in found["data_card.md"], fact
    facts_of_model = (
        "Regulation (EU) 2024/1689",
        "Deutsche Mark",
        "unlawful in lending",
        "| up to 25 |",
        "man, single",
    )
    for fact in (*facts_of_model, "A bad record that is labelled good costs 4"):
        assert fact in found["model_card.md"], fact
    page = " ".join(found["index.html"].split())
    assert "False positive rate: good predicted bad" in page


SCHEMA = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Category:
    name: str
    meaning: str
    codes: dict

@dataclass(frozen=True)
class Number:
    name: str
    meaning: str
    low: int
    high: int

FEATURES = (
    Number("age", "Age of the visitor", 1, 120),
    Category("region", "Region", {"N": "North", "S": "South", "W": "West"}),
)
COLUMNS, TARGET, LABELS, POSITIVE = ["age", "region"], "result", {0: "stayed", 1: "left"}, "left"
PROTECTED = {"age": [25, 60], "region": []}
"""
# What the cards of 0.3.0 take from the run; they are the team's, so that they stay as they are.
OLD_CARD = """
{% macro share(value) %}{{ "-" if value is none else "%.0f%%" | format(100 * value) }}{% endmacro %}
{{ project | text }} {{ candidate | text }} {{ version | text }} {{ code.commit }} {{ code.dirty }} {{ records }}
{{ data.records }} {{ data.duplicates }} {{ share(data.share_left) }} {{ columns | length }} columns {{ outdated }}
{% for path, md5 in hashes.items() %}{{ path }} {{ md5 }}{% endfor %}
{% for row in columns %}
{{ row.name }} {{ row.kind }} {{ row.meaning | text }}
{%- if row.kind == "number" %} {{ row.low }} to {{ row.high }} {{ "%g, %g, %g" | format(*row.observed) }}
{% else %} {% for code, meaning in row.codes.items() %}{{ code }} {{ meaning }} {% endfor %}{{ row.top }}
{{- share(row.share) }} {{ row.absent }}
{% endif %}
{% endfor %}
{% for row in groups %}
{{ row.column }} {{ row.name }} {{ row.records }} {{ share(row.positive_rate) }} {{ share(row.false_positive_rate) }}
{{- share(row.false_negative_rate) }}
{% endfor %}
{% for name, value in metrics.items() %}{{ name }} {{ "%.4f" | format(value) }}{% endfor %}
{% for name, found in candidates.items() %}{{ found.roc_auc }} {{ found.roc_auc_spread }}{% endfor %}
{{ "%.3f" | format(threshold) }} {{ costs.missed }} {{ costs.refused }} {{ share(rates.true_positive_rate) }}
{{ share(rates.false_positive_rate) }} {{ positive }} {{ negative }}
{% for name, value in params.items() %}{{ name }} {{ value }}{% endfor %}
{{ notes }}
"""


def test_a_project_of_0_3_0_keeps_its_cards(root):
    package = contract_of(root).parent
    contract_of(root).unlink()
    put(package, "schema.py", SCHEMA)
    for path in ("metrics/baseline.json", "docs/cards/about_model.md", "docs/cards/about_data.md"):
        (root / path).unlink()
    for name in ("model_card", "data_card"):
        put(root, f"docs/cards/{name}.md.j2", OLD_CARD)
    text = write(root)["model_card.md"]
    for fact in (
        "age number Age of the visitor 1 to 120 20, 39.5, 69\n",
        "\nregion category Region N North S South W West S66% ['W']\n",
        "\nage up to 25 12 50% 33%33%\n",
        "\nage over 60 9 100% 100%0%\n",
        "0.200 4 1 89%\n76% left stayed\n",
        "2 columns",
    ):
        assert fact in text, fact
    assert write(root)["index.html"].count("<svg") == len(runs.plots_yaml("binary"))
