"""The contract of a project's records: read it, check records by it, infer it from files.

This module has the names that the rest of the package uses; a library that takes long to import waits for its use.
"""

from copier_mlops.contract.contract import Contract, ContractError, ContractField, Learning, parse, read
from copier_mlops.contract.of_project import beside, of_project

__all__ = ["Contract", "ContractError", "ContractField", "Learning", "beside", "of_project", "parse", "read"]
