"""AWS: a role that trusts the git host as an identity provider.

`boto3`, and every library based on it, reads the variables and calls AssumeRoleWithWebIdentity of STS.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from copier_mlops.identity.federated import Federated

NAME = "AWS"
LOGIN = "aws sso login, or AWS_PROFILE"


class Identity(Federated):
    """The role that trusts the run."""

    role_arn: Annotated[str, Field(pattern="^(arn:.*:role/.+)?$", description="arn:aws:iam::ACCOUNT:role/NAME")]
    region: Annotated[str, Field(pattern="^[a-z0-9-]*$", description="for example eu-central-1")]

    def wanted_audience(self, of_host: str) -> str:
        """Return the audience that is set, else the host's own, else the one that AWS documents."""
        return self.audience or of_host or "sts.amazonaws.com"


def variables(identity: Identity, token: Path, write: Callable[[str, str], Path]) -> dict[str, str]:
    """Return the variables that AWS's libraries read; `write` creates files beside the token."""
    return {
        "AWS_ROLE_ARN": identity.role_arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_REGION": identity.region,
        # boto3 reads the region only from this name.
        "AWS_DEFAULT_REGION": identity.region,
    }
