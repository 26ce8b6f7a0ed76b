"""The project that the package's tests share; what they do with it is in shared.py."""

from tests.package.shared import copied, inside, table, team_project

__all__ = ["copied", "inside", "table", "team_project"]
