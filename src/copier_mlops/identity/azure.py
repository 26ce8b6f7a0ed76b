"""Azure: a federated credential of an application or a managed identity.

`azure.identity` reads the variables in WorkloadIdentityCredential, which is part of DefaultAzureCredential.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from copier_mlops.identity.federated import Federated

NAME = "Azure"
LOGIN = "az login"


class Identity(Federated):
    """The application that trusts the run."""

    client_id: Annotated[str, Field(description="id of the application or the managed identity")]
    tenant_id: Annotated[str, Field(description="id of its directory (tenant)")]

    def wanted_audience(self, of_host: str) -> str:
        """Return the audience that is set, else the host's own, else the one that Microsoft Entra recommends."""
        return self.audience or of_host or "api://AzureADTokenExchange"


def variables(identity: Identity, token: Path, write: Callable[[str, str], Path]) -> dict[str, str]:
    """Return the variables that Azure's libraries read; `write` creates files beside the token."""
    return {
        "AZURE_CLIENT_ID": identity.client_id,
        "AZURE_TENANT_ID": identity.tenant_id,
        "AZURE_FEDERATED_TOKEN_FILE": str(token),
    }
