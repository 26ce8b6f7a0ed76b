"""Check whether a service answers, and with which model version."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests

from copier_mlops.address import LOOPBACK


def session(url: str) -> requests.Session:
    """Return a session for the service at `url`; if it is on this machine, no proxy of the environment is asked."""
    found = requests.Session()
    found.trust_env = urlsplit(url).hostname not in LOOPBACK
    return found


def answer_at(url: str) -> tuple[dict[str, Any] | None, str]:
    """Return the answer of a service's `/health`, or None if it is not such a service, and a description in words."""
    try:
        answer = session(url).get(f"{url}/health", timeout=5)
        found = dict(answer.json())
        version = found["model_version"] = str(found["model_version"])
    except requests.JSONDecodeError:
        return None, f"it answers {answer.status_code}, and not as this service does"
    except requests.RequestException as error:
        return None, f"it does not answer ({type(error).__name__})"
    except (KeyError, TypeError, ValueError):
        return None, "another service answers there"
    return found, f"version {version} answers"


def wait(url: str, version: str, seconds: float, is_over: Callable[[], bool] = lambda: False) -> str:
    """Wait until `version` answers at `url`.

    Args:
        is_over: Returns whether there is no reason to wait any longer, for example because the process ended.

    Returns:
        An empty text if it answers, else a description of the last answer.
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
