"""A search for better parameters of the pipeline: `poe tune`."""

from importlib.util import find_spec

from copier_mlops.pipeline import PipelineError


class TuneError(PipelineError):
    """A search that cannot begin or go on; the text says why, and the fix."""


def require(library: str, extra: str) -> None:
    """Check that a library is installed that only a search needs, so no project has it before its first search.

    Args:
        library: The module, for example `optuna`.
        extra: The extra of this package that says which versions were tested.

    Raises:
        TuneError: It is not; the text has the command that installs it.
    """
    if find_spec(library) is None:
        raise TuneError(f"{library} is not installed\n  fix: uv add --dev {_requirement(library, extra)}")


def _requirement(library: str, extra: str) -> str:
    """Return a requirement of an extra as a shell takes it, for example `"optuna>=5,<6"`."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

    try:
        found = [Requirement(each) for each in requires("copier-mlops") or ()]
    except PackageNotFoundError:  # an image has the code only
        found = []
    for each in found:
        if each.name == library and each.marker and each.marker.evaluate({"extra": extra}):
            extras = f"[{','.join(sorted(each.extras))}]" if each.extras else ""
            bounds = ",".join(sorted(str(each.specifier).split(","), reverse=True))
            return f'"{library}{extras}{bounds}"'
    return library
