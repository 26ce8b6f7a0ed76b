"""Limit requests over HTTP: the time that they take to arrive, their size, and the size of a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from copier_mlops.serving.records import shown

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Refusals are small: without these limits, 3 KB of empty records get an answer of 2 MB.
PROBLEMS, NAMES, NAME, SENTENCE = 5, 10, 64, 200
# A client reads a refusal after it has sent all of its body. So much of a body that is too large is thrown away first.
THROWN_AWAY = 10


class Problem(BaseModel):
    """One value that was refused; the value itself is not repeated."""

    type: str
    loc: Annotated[list[str | int], Field(description="where the value is: the last is the name of the field")]
    msg: str


class Refusal(BaseModel):
    """Why a request was refused."""

    detail: Annotated[list[Problem], Field(description=f"the first {PROBLEMS} problems")]
    more: Annotated[int, Field(description="how many other problems there are")]


def refusal(problems: Iterable[Any]) -> Refusal:
    """Return what a client hears of the problems that pydantic found: the first few, without its input.

    Example:
        `{"detail": [{"type": "int_type", "loc": ["body", "one", "age"], "msg": "Input should be …"}], "more": 0}`
    """
    found = list(problems)
    detail = []
    for each in found[:PROBLEMS]:
        # Names of unknown fields are the client's own, of any length and with any character.
        loc = [part if isinstance(part, int) else shown(str(part), NAME) for part in each["loc"][-NAMES:]]
        reason = f": {each['ctx']['error']}" if each["type"] == "json_invalid" else ""
        detail.append(Problem(type=each["type"], loc=loc, msg=shown(each["msg"] + reason, SENTENCE)))
    return Refusal(detail=detail, more=len(found) - len(detail))


def refuse(_: Request, error: Exception) -> JSONResponse:
    """Answer a request whose values are wrong, on every route of the service."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse(refusal(problems).model_dump(), status_code=422)


class BodyLimit:
    """Read a body, chunked ones too, before the service sees it, and refuse one that is too large or too slow."""

    def __init__(self, app: ASGIApp, most: int, seconds: float) -> None:
        self.app = app
        self.most = most
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def answer(status: int, text: str) -> None:
            # The rest of the body may still arrive, so that the connection cannot be used again.
            response = JSONResponse({"detail": text}, status_code=status, headers={"Connection": "close"})
            await response(scope, receive, send)

        body, size, more = bytearray(), 0, True
        try:
            async with asyncio.timeout(self.seconds):
                while more and size <= self.most * THROWN_AWAY:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        # Nobody reads this answer. Without one, middleware around this would report an error.
                        await answer(499, "the client hung up")
                        return
                    part = message.get("body", b"")
                    size += len(part)
                    if size <= self.most:
                        body += part
                    more = message.get("more_body", False)
        except TimeoutError:
            await answer(408, f"the body did not arrive within {self.seconds:g} seconds")
            return
        if size > self.most:
            await answer(413, f"the body is larger than {self.most} bytes")
            return
        waiting = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self.app(scope, replay, send)


def timed_protocol(seconds: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with a time limit for the header of a request, which uvicorn itself does not have.

    uvicorn ends an idle connection only after an answer: one that was opened and never sent a header stays for ever.
    """
    # uvicorn's own types say only that it is a protocol; it is one of two classes, whose names here are the same.
    base: Any = AutoHTTPProtocol

    class TimedProtocol(base):  # type: ignore[misc]
        waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            # A new cycle is made when a header is complete.
            if self.cycle is None or self.cycle.response_complete:
                self._wait()
            else:
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait(self) -> None:
            # Not started anew by each byte: a header that trickles in is what the limit is for.
            if self.waiting is None:
                self.waiting = self.loop.call_later(seconds, self.transport.abort)

        def _stop_waiting(self) -> None:
            if self.waiting is not None:
                self.waiting.cancel()
                self.waiting = None

    return TimedProtocol
