"""Take images from a request: whole ones in JSON, and files of a form, which become the same JSON.

Only a service whose contract has images has any of this.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from copier_mlops import images
from copier_mlops.serving.limits import refusal

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from copier_mlops.contract import Contract, ContractField

# Of all images of a request: each is unpacked, which takes a second for so many.
MOST_PIXELS = 4 * images.MOST_PIXELS
PATH = "/predict"


def check(records: list[dict[str, Any]], names: list[str], is_list: bool) -> None:
    """Refuse images that are damaged, or too large together; their headers were looked at.

    Args:
        records: n records of a request.
        names: The fields that are images.
        is_list: The request has a list of records, and not one record.

    Raises:
        RequestValidationError: A record has such an image; it names the field.
    """
    left = MOST_PIXELS
    for row, record in enumerate(records):
        place = ("body", "many", row) if is_list else ("body", "one")
        for name in names:
            if (text := record[name]) is None:
                continue
            found = images.content(text)
            width, height = images.opened(found).size
            left -= width * height
            try:
                if left < 0:
                    raise images.ImageError(f"at most {MOST_PIXELS:,} pixels in all images of a request")
                images.rgb(found)
            except images.ImageError as error:
                problem = {"type": "image", "loc": (*place, name), "msg": f"Value error, expected {error}"}
                raise RequestValidationError([problem]) from None


def require() -> None:
    """Check that the libraries for images and forms are installed.

    Raises:
        SystemExit: One is not; the text has the command.
    """
    images.require()
    try:
        import python_multipart  # noqa: F401
    except ImportError:
        raise SystemExit(f"serve: python-multipart is not installed\n  fix: {images.command()}") from None


def form_of(contract: Contract, record: dict[str, Any]) -> dict[str, Any]:
    """Return what the documentation of a route says of a form with the fields of a contract.

    Args:
        contract: What the records are.
        record: The JSON schema of a record.
    """
    names = {field.name for field in contract.images}
    file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    properties = {
        name: file if name in names else {"type": "string", "title": name} for name in record.get("properties", {})
    }
    schema = {"type": "object", "properties": properties, "required": record.get("required", [])}
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}}}


class Forms:
    """Turn a form with files, `multipart/form-data`, into the JSON of its records before the service sees it.

    A field that is there n times has the values of n records, in their order.
    """

    def __init__(self, app: ASGIApp, contract: Contract, most_records: int) -> None:
        self.app = app
        self.fields = {field.name: field for field in contract.inputs}
        self.most = most_records * len(self.fields)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = dict(scope.get("headers", ())).get(b"content-type", b"")
        is_form = kind.split(b";")[0].strip().lower() == b"multipart/form-data"
        if scope["type"] != "http" or scope["path"] != PATH or not is_form:
            await self.app(scope, receive, send)
            return
        try:
            body = json.dumps(await self._records(scope, receive)).encode()
        except FormError as error:
            problem = {"type": "form", "loc": ["body", *error.args[1:]], "msg": error.args[0]}
            answer = JSONResponse(refusal([problem]).model_dump(), status_code=422)
            await answer(scope, receive, send)
            return
        headers = [each for each in scope["headers"] if each[0] not in (b"content-type", b"content-length")]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        # Not a copy: the metrics read the route from this scope.
        scope["headers"] = headers
        await self.app(scope, replay, send)

    async def _records(self, scope: Scope, receive: Receive) -> Any:
        """Return the record of a form, or the list of its records."""
        form = await _parsed(scope, receive, self.most)
        columns = {name: [await self._value(name, each) for each in form.getlist(name)] for name in form}
        counts = {len(values) for values in columns.values()}
        if len(counts) > 1:
            name = min(columns, key=lambda name: len(columns[name]))
            raise FormError(f"is there {len(columns[name])} times, and another field {max(counts)} times", name)
        records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return records[0] if len(records) == 1 else records

    async def _value(self, name: str, value: Any) -> Any:
        field = self.fields.get(name)
        if isinstance(value, str):
            return value if field is None else _typed(value, field)
        if field is None or not field.is_image:
            raise FormError("is a file, and the contract has no image of this name", name)
        return images.as_text(await value.read())


class FormError(Exception):
    """A form that cannot be read: the sentence, and the field if it is of one."""


async def _parsed(scope: Scope, receive: Receive, most: int) -> FormData:
    from python_multipart.exceptions import FormParserError
    from starlette.formparsers import MultiPartException, MultiPartParser
    from starlette.requests import Request

    class InMemory(MultiPartParser):
        # The body is in memory, and an image of the service may have no place for temporary files.
        spool_max_size = images.MOST_BYTES * 100

    request = Request(scope, receive)
    try:
        parser = InMemory(
            request.headers, request.stream(), max_files=most, max_fields=most, max_part_size=images.MOST_BYTES
        )
        return await parser.parse()
    except (MultiPartException, FormParserError) as error:
        said = error.message if isinstance(error, MultiPartException) else "is not a form with files"
        raise FormError(said) from None


def _typed(text: str, field: ContractField) -> Any:
    """Return a text of a form as JSON has it; one that does not fit stays, so that the verdict names it."""
    if field.type == "boolean":
        return {**dict.fromkeys(field.true_values, True), **dict.fromkeys(field.false_values, False)}.get(text, text)
    if field.type not in ("integer", "number"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
