"""AWS: a role that trusts the git host as an identity provider.

`boto3` and all that is built on it read the variables and ask STS with AssumeRoleWithWebIdentity.
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
    region: Annotated[str, Field(pattern="^[a-z0-9-]*$", description="eu-central-1, for example")]

    def wanted_audience(self, of_host: str) -> str:
        """Return the host's own, or the one that AWS's documentation uses, unless another is set."""
        return self.audience or of_host or "sts.amazonaws.com"


def variables(identity: Identity, token: Path, write: Callable[[str, str], Path]) -> dict[str, str]:
    """Return what the libraries read; `write` is for files beside the token."""
    return {
        "AWS_ROLE_ARN": identity.role_arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_REGION": identity.region,
        # Python's library knows the region only by this name.
        "AWS_DEFAULT_REGION": identity.region,
    }
