"""What release.yaml may name as `target`, and the module that runs a package there. Managed by the template."""

from types import ModuleType

from operation.execution.release.targets import compose, kubernetes, local

# Each has start(order), is_running(settings, client) and stop(settings, client).
TARGETS: dict[str, ModuleType] = {"local": local, "compose": compose, "kubernetes": kubernetes}
