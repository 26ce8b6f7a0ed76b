"""Call a host's REST API: with limits of time and size, retries, and the token for the API's own address only."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from copier_mlops.address import LOOPBACK
from copier_mlops.hosts.interface import HostError
from copier_mlops.hosts.refusals import cause, check

TIMEOUT = (5, 30)
LARGEST = 10_000_000
MOST_PAGES = 50
MOST_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
CHUNK = 1 << 18
Document = dict[str, Any]  # of JSON


class HostRetry(Retry):
    """Retries after a lost connection, a rate limit or a server error, four times within seconds.

    A POST is retried only if the host cannot have done it: no connection, or 429.
    """

    LONGEST = 5.0

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Return whether to retry; a rate limit refuses every method before it has an effect."""
        return status_code == 429 or (status_code >= 500 and self._is_method_retryable(method))

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the seconds that the host requests, but at most as long as a person would wait."""
        seconds = super().get_retry_after(response)
        return None if seconds is None else min(seconds, self.LONGEST)


RETRY = HostRetry(
    total=4,
    backoff_factor=0.3,
    allowed_methods={"GET", "PUT", "PATCH"},
    raise_on_status=False,
    respect_retry_after_header=True,
)


class Answer:
    """An answer of the host."""

    def __init__(self, status: int, headers: Mapping[str, str], document: Any) -> None:
        self.status, self.headers, self.document = status, headers, document


class Api:
    """A client of one API, at one address and with one token."""

    def __init__(self, name: str, base: str, headers: Mapping[str, str]) -> None:
        """Check the address, but send nothing yet.

        Raises:
            HostError: The address is not an https URL. Only loopback addresses may use http.
        """
        self.name, self.base = name, base.rstrip("/") + "/"
        parts = urlsplit(self.base)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise HostError(f"the token is not sent to {base!r}, which is not an https address", "api in host.yaml")
        if parts.username or parts.password:
            raise HostError("the address of the API has credentials", "take them out of api in host.yaml")
        self._secrets = [headers[name] for name in ("Authorization", "PRIVATE-TOKEN") if name in headers]
        self._headers = {"Accept": "application/json", "User-Agent": "poe-host", **headers}
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=RETRY))

    def get(self, path: str, right: str, optional: bool = False, **query: Any) -> Any:
        """Return the document at a path, or None if it is missing and `optional` is set.

        Raises:
            HostError: The host refused, could not be reached, or its answer is not JSON.
        """
        answer = self.ask("GET", path, right, query=query, optional=optional)
        return answer.document

    def pages(self, path: str, right: str, key: str = "", **query: Any) -> Iterator[Any]:
        """Yield every entry of a list, page by page, by `Link` headers, `next` links or continuation tokens.

        `key` names the entries if the document has other keys as well, for example `value`.

        Raises:
            HostError: As `get`; or a page links to another host, or there are too many pages.
        """
        for _ in range(MOST_PAGES):
            answer = self.ask("GET", path, right, query=query)
            entries = answer.document
            if isinstance(entries, dict):
                entries = entries.get(key) if key else entries.get("values", entries.get("value"))
            if not isinstance(entries, list):
                raise HostError(f"{self.name} answered {path} with something that is not a list", "try again later")
            yield from entries
            following = requests.utils.parse_header_links(answer.headers.get("link", ""))
            after = next((link["url"] for link in following if link.get("rel") == "next"), None)
            if after is None and isinstance(answer.document, dict):
                after = answer.document.get("next")
            if after:
                path, query = after, {}
            elif token := answer.headers.get("x-ms-continuationtoken"):
                query = {**query, "continuationToken": token}
            else:
                return
        raise HostError(
            f"{self.name} has more than {MOST_PAGES} pages of {path}", "delete entries that you no longer need"
        )

    def send(self, method: str, path: str, right: str, body: object, **query: Any) -> Any:
        """Send a document and return the host's answer.

        Raises:
            HostError: As `get`.
        """
        answer = self.ask(method, path, right, body=body, query=query)
        return answer.document

    def ask(
        self,
        method: str,
        path: str,
        right: str,
        body: object = None,
        query: Mapping[str, Any] | None = None,
        optional: bool = False,
    ) -> Answer:
        """Send one request and return its answer, without a document if it is `optional` and missing.

        A refusal names `right`, the permission that the token needs.
        """
        url = self._within(path)
        try:
            with self._session.request(
                method,
                url,
                params=dict(query or {}),
                data=None if body is None else json.dumps(body).encode(),
                auth=self._sign(body),
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                content = answer.raw.read(LARGEST + 1, decode_content=True)
        except requests.RequestException as error:
            raise HostError(f"{self.name} at {self.base} does not answer: {cause(error)}", "try again later") from None
        except Exception as error:  # urllib3's, while the answer is read
            raise HostError(f"{self.name} broke off its answer: {cause(error)}", "try again later") from None
        if len(content) > LARGEST:
            raise HostError(f"{self.name} answered {path} with more than {LARGEST} bytes", "look at it by hand")
        if answer.status_code == 404 and optional:
            return Answer(404, {}, None)
        check(self.name, answer, self._without_token(content), path, right)
        return Answer(answer.status_code, answer.headers, self._parse(content, path))

    def download(self, path: str, right: str, file: BinaryIO, most: int, progress: Callable[[int], None]) -> None:
        """Download a path, or another address, to a file.

        Another address, or a redirect to one, gets no token: such an address has its own signature.

        Args:
            path: A path below the API's address, or a URL.
            right: The permission that the token needs, for the text of a refusal.
            file: The file to write.
            most: The largest number of bytes.
            progress: Called with the number of bytes so far.

        Raises:
            HostError: As `get`; or the file is larger than `most`, or the connection broke.
        """
        url = urljoin(self.base, path)
        for _ in range(MOST_REDIRECTS):
            try:
                with self._open(url) as answer:
                    location = answer.headers.get("location", "")
                    if answer.status_code in REDIRECTS and location and "signin" not in location.lower():
                        url = urljoin(url, location)
                        continue
                    self._check_download(answer, path, right)
                    self._save(answer, file, most, progress)
                    return
            except (requests.RequestException, ValueError) as error:
                raise HostError(f"{self.name} broke off a download: {cause(error)}", "try again later") from None
        raise HostError(f"{self.name} sends a download on without an end", "look at it by hand")

    def _is_own(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.base)[:2]

    def _open(self, url: str) -> requests.Response:
        """Start a GET, with the token only for the API's own address."""
        parts = urlsplit(url)
        is_loopback = parts.hostname in LOOPBACK and urlsplit(self.base).hostname in LOOPBACK
        if parts.scheme != "https" and not is_loopback:
            raise HostError(f"{self.name} names {parts.hostname}, which is not an https address", "look at it by hand")
        sign = self._sign(None) if self._is_own(url) else _anonymous
        return self._session.get(url, auth=sign, timeout=TIMEOUT, allow_redirects=False, stream=True)

    def _check_download(self, answer: requests.Response, path: str, right: str) -> None:
        if answer.status_code == 200:
            return
        if not self._is_own(answer.url):  # the path is secret as well: it may hold a signature
            text = f"{self.name} sends to {urlsplit(answer.url).hostname}, which answers {answer.status_code}"
            raise HostError(text, "try again: such an address is valid for minutes")
        content = answer.raw.read(LARGEST, decode_content=True)
        check(self.name, answer, self._without_token(content), path, right)
        raise HostError(f"{self.name} answers {path} with {answer.status_code}", "look at it by hand")

    def _save(self, answer: requests.Response, file: BinaryIO, most: int, progress: Callable[[int], None]) -> None:
        announced = answer.headers.get("content-length", "")
        count = int(announced) if announced.isdigit() else 0
        text = f"{self.name} has more than {most / 1e9:g} GB of it"
        if count > most:
            raise HostError(text, "download it by hand")
        count = 0
        for piece in answer.iter_content(CHUNK):
            count += len(piece)
            if count > most:
                raise HostError(text, "download it by hand")
            file.write(piece)
            progress(count)

    def _within(self, path: str) -> str:
        """Return the URL of a path; refuse the URL of another host."""
        url = urljoin(self.base, path)
        if not self._is_own(url):
            raise HostError(f"{self.name} names a page at another host, {urlsplit(url).hostname}", "look at it by hand")
        return url

    def _sign(self, body: object) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
        # As `auth`: requests would replace a header by a password of ~/.netrc.
        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update(self._headers)
            if body is not None:
                request.headers["Content-Type"] = "application/json"
            return request

        return sign

    def _without_token(self, content: bytes) -> bytes:
        # Some servers repeat the request, token included, in a refusal.
        for value in self._secrets:
            content = content.replace(value.rpartition(" ")[2].encode(), b"***")
        return content

    def _parse(self, content: bytes, path: str) -> Any:
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except ValueError:
            text = f"{self.name} answered {path} with something that is not JSON"
            raise HostError(text, f"is {self.base} its API? See api in host.yaml") from None


def _anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # As `auth`, for the same reason as `_sign`.
    request.headers["User-Agent"] = "poe-host"
    return request
