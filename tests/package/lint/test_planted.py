"""Each check finds the fault that it is there for, and no other check does; the clean counterpart passes."""

from pathlib import Path

import pytest

from copier_mlops.lint.registry import checks
from tests.package.lint.conftest import found
from tests.package.lint.faults import FAULTS, Fault
from tests.project import run

# Faults that are no files: test_git.py, test_hostile.py, test_starts.py and test_template.py plant them.
ELSEWHERE = {"MLO002", "MLO003", "MLO210", "MLO211", "MLO801", "MLO802", "MLO803", "MLO804", "MLO805", "MLO806"}
NAMES = [f"{fault.check}-{number}" for number, fault in enumerate(FAULTS)]


def plant(project: Path, changes: dict) -> None:
    """Spoil a project and put it into git's index, whatever its .gitignore says."""
    for name, text in changes.items():
        path = project / name
        if text is None:
            path.unlink(missing_ok=True)
            continue
        if isinstance(text, tuple):
            before = path.read_text(encoding="utf-8")
            assert text[0] in before, f"{name} does not say {text[0]!r}"
            text = before.replace(*text, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for name in (".gitignore", ".dvc/.gitignore"):
        (project / name).write_text("", encoding="utf-8")
    run(project, "git", "add", "--all")


@pytest.fixture
def project(project):
    """A copy of the default project whose ignored data is gone, since nothing is ignored here."""
    (project / "data" / "raw" / "german_credit.csv").unlink()
    return project


def test_every_check_has_a_fault_and_a_clean_counterpart():
    assert {fault.check for fault in FAULTS} | ELSEWHERE == checks().keys()
    assert not {fault.check for fault in FAULTS} & ELSEWHERE


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_a_planted_fault_is_found(project, fault: Fault, lint):
    plant(project, fault.spoil)
    all_found = found(project)
    assert fault.check in {finding.check for finding in all_found}
    assert {finding.check for finding in all_found} <= {fault.check, *fault.also}, all_found
    assert fault.path in {finding.path for finding in all_found if finding.check == fault.check}
    for finding in all_found:
        assert not finding.line or finding.line <= len((project / finding.path).read_bytes().splitlines())
    if fault.hidden:
        for form in ("text", "json", "sarif", "github"):
            _, said, _ = lint(project, "--format", form)
            assert fault.hidden not in said


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_its_clean_counterpart_is_not(project, fault: Fault):
    plant(project, fault.clean)
    assert found(project) == []


@pytest.mark.parametrize("id", sorted({fault.check for fault in FAULTS}))
def test_a_check_that_is_left_out_finds_nothing(project, id):
    fault = next(fault for fault in FAULTS if fault.check == id)
    plant(project, fault.spoil)
    assert id not in {finding.check for finding in found(project, ignore=(id,))}
    assert {finding.check for finding in found(project, select=(id,))} == {id}
