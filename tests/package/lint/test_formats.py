"""The same findings as text, JSON, SARIF and annotations."""

import json
import re

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from copier_mlops.lint.config import Config
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.formats import FORMATS, as_github, as_json, as_sarif, as_text
from copier_mlops.lint.registry import checks
from copier_mlops.lint.run import Result

FINDINGS = [Finding(f"docs/{id}.md", number, id, f"said by {id}") for number, id in enumerate(checks())]
ODD = Finding("docs/a:b,c%\n::warning::d ü.md", 3, "MLO101", "100 %\r\n::error::x, y: z")


def result(*findings: Finding, **settings: object) -> Result:
    return Result(list(findings), Config(**settings))


def test_text_says_where_what_and_how_to_mend_it_once():
    waiting = next(each for each in FINDINGS if each.check == "MLO804")
    said = as_text(result(FINDINGS[3], FINDINGS[3], waiting)).splitlines()
    assert said[0] == said[1] == "docs/MLO101.md:3: MLO101 said by MLO101"
    assert said[2] == f"docs/MLO804.md:{waiting.line}: MLO804 warning: said by MLO804"
    assert [line for line in said if line.startswith("MLO101 conflict-marker: ")] == [said[4]]
    assert said[-1] == "mlops lint: 2 errors, 1 warning"
    assert as_text(result()) == "mlops lint: 0 errors, 0 warnings"
    assert as_text(result(Finding("", 0, "MLO202", "none"))).startswith(".: MLO202 none\n")


def test_json_has_everything():
    read = json.loads(as_json(result(FINDINGS[3], Finding("", 0, "MLO202", "none"), warn=("MLO2",))))
    assert read["counts"] == {"error": 1, "warning": 1}
    first, second = read["findings"]
    assert first["path"] == "docs/MLO101.md" and first["line"] == 3 and first["name"] == "conflict-marker"
    assert second["path"] is None and second["line"] is None and second["severity"] == "warning"
    assert first["fix"] and first["fixes_itself"] is False


@pytest.mark.parametrize("findings", [[], FINDINGS, [ODD]], ids=["none", "each check", "odd"])
def test_sarif_is_valid_and_complete(findings):
    read = json.loads(as_sarif(result(*findings), "in/side/"))
    Sarif.model_validate(read)
    assert read["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = read["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({finding.check for finding in findings})
    for finding, each in zip(findings, run["results"], strict=True):
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"] == finding.check
        place = each["locations"][0]["physicalLocation"]
        assert re.fullmatch(r"in/side/[\w./%-]+", place["artifactLocation"]["uri"])
        assert place["region"]["startLine"] >= 1


def test_the_model_of_sarif_would_refuse_something():
    read = json.loads(as_sarif(result(FINDINGS[3])))
    read["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(ValueError, match="level"):
        Sarif.model_validate(read)


def test_annotations_are_one_line_each_and_nothing_breaks_out():
    said = as_github(result(ODD, Finding("", 0, "MLO804", "waits")), "sub/")
    first, second = said.splitlines()
    where = "file=sub/docs/a%3Ab%2Cc%25%0A%3A%3Awarning%3A%3Ad ü.md,line=3,title=MLO101 conflict-marker"
    assert first.startswith(f"::error {where}::100 %25%0D%0A::error::x, y: z. ")
    assert second.startswith("::warning title=MLO804 update-waiting::waits. ")


def test_text_shows_control_characters_instead_of_obeying_them():
    assert (
        as_text(result(ODD)).splitlines()[0].startswith("docs/a:b,c%\\x0a::warning::d ü.md:3: MLO101 100 %\\x0d\\x0a::")
    )


def test_every_format_of_the_command(project, lint):
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    for name in FORMATS:
        code, said, _ = lint(project, "--format", name)
        assert code == 1 and "MLO101" in said
    (project / "docs" / "x.md").unlink()
    for name in FORMATS:
        assert lint(project, "--format", name)[0] == 0
