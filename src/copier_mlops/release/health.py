"""Whether a service answers, and with which model."""

import time
from collections.abc import Callable
from typing import Any

import requests


def answer_at(url: str) -> tuple[dict[str, Any] | None, str]:
    """Return what `/health` of a service says, None if it is not such a service, and what was seen in words."""
    try:
        answer = requests.get(f"{url}/health", timeout=5)
        found = dict(answer.json())
        version = found["model_version"] = str(found["model_version"])
    except requests.JSONDecodeError:
        return None, f"it answers {answer.status_code}, and not as this service does"
    except requests.RequestException as error:
        return None, f"it does not answer ({type(error).__name__})"
    except (KeyError, TypeError, ValueError):
        return None, "what answers there is another service"
    return found, f"version {version} answers"


def wait(url: str, version: str, seconds: float, is_over: Callable[[], bool] = lambda: False) -> str:
    """Wait until `version` answers at `url`.

    Args:
        is_over: Whether waiting has become pointless.

    Returns:
        Nothing once it answers, else what was seen last.
    """
    end = time.monotonic() + seconds
    told = time.monotonic()
    while True:
        found, seen = answer_at(url)
        if found and found["model_version"] == version and not is_over():
            return ""
        if is_over() or time.monotonic() > end:
            return seen
        if time.monotonic() - told > 5:
            told = time.monotonic()
            print(f"  … waiting for version {version} at {url}: {seen}", flush=True)
        time.sleep(0.2)
