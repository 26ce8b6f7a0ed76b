"""What every cloud must know to trust a run of the git host."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.project import FileSettings


class Federated(FileSettings):
    """Values of identity.yaml; none is secret."""

    model_config = SettingsConfigDict(env_prefix="IDENTITY_", extra="forbid", frozen=True)

    audience: Annotated[str, Field(description="whom the token is for; empty: what host and cloud agree on")] = ""
    service_connection: Annotated[str, Field(description="only Azure DevOps: number of the service connection")] = ""

    def wanted_audience(self, of_host: str) -> str:
        """Return whom the token is for; `of_host` is what the host gives every token, if it does."""
        raise NotImplementedError

    def missing(self) -> list[str]:
        """Return the names of values that nobody has filled in yet."""
        own = [name for name in type(self).model_fields if name not in Federated.model_fields]
        return [name for name in own if not getattr(self, name)]
