"""Google Cloud: a workload identity pool that trusts the git host.

`google.auth` reads the file of kind `external_account` as application default credentials.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from copier_mlops.identity.federated import Federated

NAME = "Google Cloud"
LOGIN = "gcloud auth application-default login"
PROVIDER = r"^(projects/\d+/locations/global/workloadIdentityPools/[\w-]+/providers/[\w-]+)?$"


class Identity(Federated):
    """The provider that trusts the run, and the account that it becomes."""

    provider: Annotated[str, Field(pattern=PROVIDER, description="projects/…/workloadIdentityPools/…/providers/…")]
    service_account: Annotated[str, Field(pattern="^[^/@]*(@[^/@]+)?$", description="its e-mail address")]

    def wanted_audience(self, of_host: str) -> str:
        """Return the audience that is set, else the host's own, else the provider's."""
        return self.audience or of_host or f"https://iam.googleapis.com/{self.provider}"


def variables(identity: Identity, token: Path, write: Callable[[str, str], Path]) -> dict[str, str]:
    """Return the variables that Google's libraries read; `write` creates files beside the token."""
    become = f"projects/-/serviceAccounts/{identity.service_account}:generateAccessToken"
    document = {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{identity.provider}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": f"https://iamcredentials.googleapis.com/v1/{become}",
        "credential_source": {"file": str(token), "format": {"type": "text"}},
    }
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(write("google.json", json.dumps(document, indent=2) + "\n"))}
