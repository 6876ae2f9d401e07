"""What a caller gave: query and body, each read strictly, so that a mistyped name is told and not passed over."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from offerflow.rules.ids import make_id
from offerflow.rules.nearest import did_you_mean
from producers.envelope import mint_id, misfit
from producers.ingest.answers import json_answer
from producers.ingest.request import Request
from schemas.envelope import MAX_ID

T = TypeVar("T", bound=msgspec.Struct)
Query = dict[str, str]

MAX_BODY = 16 * 1024
_MOST_PARAMETERS = 50
_UNKNOWN = re.compile(r"unknown field `(.*?)`(?: - at `(.*)`)?$", re.DOTALL)
_LENGTH = re.compile(r"Expected `str` of length (<=|>=) (\d+)")


class BadCall(Exception):
    """The call cannot be served as it is; ``answer`` says why. ``more`` goes into it as well."""

    def __init__(self, error: str, message: str, status: int = HTTPStatus.BAD_REQUEST, **more: object) -> None:
        super().__init__(message)
        self.answer = json_answer(status, {"error": error, "message": message, **more})


def query_of(request: Request, *names: str) -> Query:
    """The parameters, all of which must be among ``names``. Raises BadCall."""
    try:
        pairs = parse_qsl(
            request.query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise BadCall("bad_query", "the query cannot be read: expected name=value&…, percent-encoded UTF-8") from None
    found: Query = {}
    for name, value in pairs:
        if name not in names:
            hint = did_you_mean(name[:100], names) or f"; expected {', '.join(names) if names else 'none'}"
            raise BadCall("unknown_parameter", f"there is no parameter {name[:100]!r}{hint}")
        if name in found:
            raise BadCall("bad_query", f"{name} is given twice")
        found[name] = value
    return found


def whole(query: Query, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query. Raises BadCall."""
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise BadCall(f"bad_{name}", f"{name} is {text[:40]!r}, expected a whole number from {least} to {most}")
    return int(text)


def body_of(request: Request, kind: type[T]) -> T:
    """The JSON object of the body; an empty body is an empty object. Raises BadCall."""
    if len(request.body) > MAX_BODY:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise BadCall("body_too_large", f"the body is larger than the limit of {MAX_BODY} bytes", status)
    try:
        request.body.decode()
        return msgspec.json.decode(request.body.strip() or b"{}", type=kind)
    except UnicodeDecodeError as error:
        raise BadCall("malformed_json", f"the body is not UTF-8 (byte {error.start})") from None
    except msgspec.ValidationError as error:
        raise BadCall("bad_body", _misfit(error, kind)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadCall("malformed_json", f"the body is not JSON: {error}") from None


def event_id_of(request: Request, *resource: str) -> str:
    """Made of the caller's Idempotency-Key and of what is asked for (``resource``, the kind of request first), so that
    one key may go with many calls; a new id without a key. Raises BadCall."""
    given = request.headers.get(b"idempotency-key")
    if not given:
        return mint_id()
    try:
        key = given.decode()
    except UnicodeDecodeError:
        key = given.decode("latin-1")
    if len(key) > MAX_ID:
        raise BadCall("bad_idempotency_key", f"Idempotency-Key is longer than {MAX_ID} characters")
    return make_id(*resource, key)


def _misfit(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> str:
    names = kind.__struct_encode_fields__
    unknown = _UNKNOWN.search(str(error))
    if unknown is not None:
        return f"there is no member {unknown[1][:100]!r}{did_you_mean(unknown[1][:100], names) or _expected(names)}"
    problem = misfit(error)
    length = _LENGTH.match(str(error))
    if length is not None:
        bound = "at most" if length[1] == "<=" else "at least"
        return f"{problem.field}: expected {bound} {length[2]} character{'s' if length[2] != '1' else ''}"
    if not problem.field:
        return f"the body is JSON of another form: {problem.message}{_expected(names)}"
    return f"{problem.field}: {problem.message}"


def _expected(names: Any) -> str:
    return f"; expected an object with {', '.join(names)}" if names else "; expected an empty object"
