"""Run the checks. If one of them fails, the others still run, and no finding is lost."""

from collections.abc import Iterable
from dataclasses import dataclass

from copier_mlops.lint.check import WARNING
from copier_mlops.lint.config import Config
from copier_mlops.lint.finding import Finding, LintError
from copier_mlops.lint.project import Project
from copier_mlops.lint.registry import checks


@dataclass(frozen=True)
class Result:
    """The findings and the settings that decide how much each counts."""

    findings: list[Finding]
    config: Config
    fixed: int = 0

    def severity(self, finding: Finding) -> str:
        """Return `error` or `warning`, from the check and the settings."""
        is_warned = self.config.warn and finding.check.startswith(self.config.warn)
        return WARNING if is_warned else checks()[finding.check].severity

    @property
    def code(self) -> int:
        """The exit code: 2 if a check failed, otherwise 1 if there is an error, otherwise 0."""
        if any(finding.check == "MLO003" for finding in self.findings):
            return 2
        return int(any(self.severity(finding) != WARNING for finding in self.findings))


def run(project: Project, options: Iterable[str] = (), only: set[str] | None = None) -> list[Finding]:
    """Return the findings of the checks that settings and options choose; if `only` is given, those in its files."""
    config = project.config
    found: list[Finding] = []
    for check in checks().values():
        if config.wants(check) and (not check.needs or check.needs in options):
            try:
                found.extend(check.look(project))
            except LintError:
                raise
            except Exception as error:  # a fault of the check: it is reported as MLO003
                said = f"{check.id} failed: {type(error).__name__}: {error}"
                found.append(Finding("", 0, "MLO003", said.splitlines()[0]))
    if config.wants(checks()["MLO001"]):
        found.extend(project.problems.values())
    found = [each for each in found if each.check == "MLO003" or only is None or each.path in only]
    return sorted(_not_ignored(found, config))


def _not_ignored(found: list[Finding], config: Config) -> list[Finding]:
    """Return the findings that no pattern of per-file-ignores silences."""
    if not config.per_file_ignores:
        return found
    from pathspec import GitIgnoreSpec

    specs = [(GitIgnoreSpec.from_lines([pattern]), ids) for pattern, ids in config.per_file_ignores.items()]

    def is_silenced(finding: Finding) -> bool:
        return any(ids and finding.check.startswith(ids) and spec.match_file(finding.path) for spec, ids in specs)

    return [each for each in found if not each.path or not is_silenced(each)]


def lint(project: Project, options: Iterable[str], only: set[str] | None, fix: bool) -> Result:
    """Run the checks; with `fix`, fix what is safe and run them again."""
    found = run(project, options, only)
    fixed, failed = 0, []
    for finding in found if fix else ():
        if finding.fix:
            try:
                fixed += finding.fix()
            except OSError as error:
                said = f"could not be fixed: {error.strerror or error}"
                failed.append(Finding(finding.path, 0, "MLO001", said))
    if fixed:
        found = run(Project(project.root, project.config), options, only)
    return Result(sorted(found + failed), project.config, fixed)
