"""Serve the model in an image, without a registry and without MLflow."""

import json
import sys
from pathlib import Path

from copier_mlops.project import answer, root
from copier_mlops.serving import Predictor, load
from copier_mlops.settings import Settings, load_settings


def predictor(settings: Settings, folder: Path | None = None) -> Predictor:
    """Return the model in a folder (default: `model` of the project), after a check of its SHA-256.

    Raises:
        SystemExit: The model or a file beside it is missing, damaged or not trusted.
    """
    place = folder or root() / "model"
    try:
        about = json.loads((place / "model.json").read_text(encoding="utf-8"))
        return load(place / "model.skops", about["version"], about["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"model.json has no {error}" if isinstance(error, KeyError) else error
        raise SystemExit(
            f"service: the packaged {settings.model_name} cannot be used: {reason}\n  fix: uv run poe package"
        ) from None


def main(arguments: list[str] | None = None) -> None:
    """Serve in the project's serving mode; with --check, load everything, print a line and exit."""
    words = sys.argv[1:] if arguments is None else arguments
    if "online" in answer("serving", []):
        from copier_mlops.serving import online

        settings = load_settings()
        found = predictor(settings)
        if "--check" in words:
            title = online.project_app(found, settings).title
            print(f"service: {title} is ready with version {found.version}")
            return
        online.serve(found, settings)
        return
    from copier_mlops.serving import batch

    if "--check" in words:
        print(f"service: batch scoring is ready with version {predictor(load_settings()).version}")
        return
    batch.main(words, predictor)


if __name__ == "__main__":
    main()
