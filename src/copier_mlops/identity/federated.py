"""The settings that every cloud needs to trust a run of the git host."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.settings import FileSettings


class Federated(FileSettings):
    """Values of identity.yaml; none is secret."""

    model_config = SettingsConfigDict(env_prefix="IDENTITY_", extra="forbid", frozen=True)

    audience: Annotated[str, Field(description="audience of the token; empty: the default of host and cloud")] = ""
    service_connection: Annotated[str, Field(description="only on Azure DevOps: id of the service connection")] = ""

    def wanted_audience(self, of_host: str) -> str:
        """Return the audience of the token; `of_host` is the host's fixed audience, if it has one."""
        raise NotImplementedError

    def missing(self) -> list[str]:
        """Return the names of values that are still empty."""
        own = [name for name in type(self).model_fields if name not in Federated.model_fields]
        return [name for name in own if not getattr(self, name)]
