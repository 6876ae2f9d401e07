"""What a client of the registry sent: parameters of the query and a JSON body, read with a limit."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from starlette.requests import ClientDisconnect, Request

from console.web.answers import INVALID_SCHEMA, RegistryError
from schemas.registry import InvalidSchema, parse

MAX_BODY = 1024 * 1024


class Asked(NamedTuple):
    """One request: parts of the path, the query, and the body as parsed JSON (None if there was none to read)."""

    path: dict[str, str]
    query: dict[str, str]
    body: Any = None

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"

    def page(self, found: list[Any]) -> list[Any]:
        """The part of a list that ``offset`` and ``limit`` ask for; a limit below 1 is none."""
        offset, limit = self._number("offset", 0), self._number("limit", -1)
        return found[max(offset, 0) :][: limit if limit > 0 else None]

    def schema(self) -> Any:
        """The parsed Avro schema that the body carries. Raises RegistryError."""
        body = self.body
        if not isinstance(body, dict):
            raise RegistryError(400, 'expected a JSON object such as {"schema": "{\\"type\\": \\"record\\", …}"}')
        kind, text = body.get("schemaType") or "AVRO", body.get("schema")
        if kind != "AVRO":
            raise RegistryError(INVALID_SCHEMA, f"schemaType is {str(kind)[:50]!r}; event schemas here are AVRO")
        if not isinstance(text, str) or not text:
            raise RegistryError(INVALID_SCHEMA, 'expected the schema as a text in the member "schema"')
        try:
            return parse(text)
        except InvalidSchema as error:
            raise RegistryError(INVALID_SCHEMA, f"invalid schema: {error}") from None

    def _number(self, name: str, default: int) -> int:
        text = self.query.get(name, str(default))
        try:
            return int(text)
        except ValueError:
            raise RegistryError(400, f"{name}: expected a whole number, got {text[:50]!r}") from None


async def read(request: Request) -> Asked:
    """The request whole. Raises RegistryError for a body that is too large or no JSON."""
    path, query = dict(request.path_params), dict(request.query_params)
    if request.method != "POST":
        return Asked(path, query)
    size, chunks = 0, []
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MAX_BODY:
                chunks.append(chunk)
            elif size > 4 * MAX_BODY:  # read on for a while, so that the client gets to hear the answer
                break
    except ClientDisconnect:
        raise RegistryError(400, "the connection ended before the request was whole") from None
    if size > MAX_BODY:
        close = {"connection": "close"}
        raise RegistryError(413, f"the body is larger than the limit of {MAX_BODY} bytes", headers=close)
    try:
        return Asked(path, query, msgspec.json.decode(b"".join(chunks)))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RegistryError(400, f"the body is not JSON: {error}") from None
