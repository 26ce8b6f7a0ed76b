"""On a CI machine, let the tests of a project leave their results and coverage for the git host.

The results of `pytest operation/tests/unit` are build/test-reports/unit.xml (JUnit), and what all runs covered of `src`
is build/coverage.xml (Cobertura). On a laptop, `CI=1 uv run poe test` writes the same files.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from coverage import Coverage

BUILD = Path("build")
MEASURED = pytest.StashKey["Coverage"]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Ask for the results, and begin to measure before the code of the team is imported."""
    if not _is_wanted(early_config.rootpath):
        return
    known = early_config.known_args_namespace
    if not known.xmlpath:
        args.append(f"--junitxml={early_config.rootpath / BUILD / 'test-reports' / _name(known.file_or_dir)}.xml")
    # A team that measures by itself, with pytest-cov, knows better.
    if not getattr(known, "cov_source", None) and (measured := _coverage(early_config.rootpath)):
        measured.start()
        early_config.stash[MEASURED] = measured


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say that the project has no data yet. Then write what was covered so far, and print the share for a host."""
    if said := _no_data(config.rootpath):
        terminalreporter.write_line(said)
    measured = config.stash.get(MEASURED, None)
    if measured is None:
        return
    from coverage.exceptions import CoverageException

    measured.stop()
    measured.save()
    try:
        share = measured.xml_report(outfile=str(config.rootpath / BUILD / "coverage.xml"), ignore_errors=True)
    except CoverageException as error:
        terminalreporter.write_line(f"Coverage of src was not measured: {error}")
        return
    terminalreporter.write_line(f"Coverage of src: {share:.1f}%")


@pytest.hookimpl
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Let the tests of a project that has no data yet be skipped, and not fail to be imported."""
    if not _no_data(parent.config.rootpath):
        return None
    found: pytest.Module = _Waiting.from_parent(parent, path=module_path)
    return found


class _Waiting(pytest.Module):
    """A module of tests whose imports may need the contract that is not there."""

    def _getobj(self) -> ModuleType:
        try:
            found: ModuleType = super()._getobj()  # type: ignore[no-untyped-call]
            return found
        except SystemExit as error:
            pytest.skip(str(error), allow_module_level=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let a run without a test succeed if the project has no data yet."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and _no_data(session.config.rootpath):
        session.exitstatus = pytest.ExitCode.OK


def _no_data(root: Path) -> str:
    """Return what a project without data needs; empty if it has data, or is not a project."""
    from copier_mlops.project import ANSWERS

    if not (root / ANSWERS).is_file():
        return ""
    from copier_mlops.project import ADOPT, answer, has_contract

    return "" if has_contract(root, str(answer("package_name"))) else f"No data yet. Next: {ADOPT}"


def _is_wanted(root: Path) -> bool:
    """Return whether this is a run of a project's tests on a CI machine, and not a process that runs a part of them."""
    # Imported here and one by one: every run of pytest in an environment with this package loads this module.
    from copier_mlops.release.runner import ci_variable

    if not ci_variable() or "PYTEST_XDIST_WORKER" in os.environ:
        return False
    from copier_mlops.project import ANSWERS

    return (root / ANSWERS).is_file()


def _name(given: list[str]) -> str:
    """Return a name for a run: the folders or files that were given, without the test that `::` names."""
    return "-".join(Path(each.partition("::")[0]).stem for each in given) or "tests"


def _coverage(root: Path) -> Coverage | None:
    """Return what measures `src`, beginning with what earlier runs covered; None if it is not installed."""
    try:
        from coverage import Coverage
        from coverage.exceptions import CoverageException
    except ModuleNotFoundError:
        return None
    (root / BUILD).mkdir(exist_ok=True)
    measured = Coverage(data_file=str(root / BUILD / ".coverage"), source=[str(root / "src")], messages=False)
    measured.set_option("run:relative_files", value=True)
    try:
        measured.load()
    except CoverageException:  # a run was killed while it wrote
        measured.erase()
    return measured
