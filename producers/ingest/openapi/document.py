"""Puts the document together: a path per route that the edge has, in the words of the tables beside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from offerflow import __version__
from producers.ingest.adapters.protocol import Adapter
from producers.ingest.answers import Answer
from producers.ingest.api.routes import Methods
from producers.ingest.openapi.clients import ANY, EXCHANGES, NAMED, PROTOCOLS, Exchange, Protocol
from producers.ingest.openapi.schemas import Schema, components, ref
from producers.ingest.openapi.servers import CALLS, SERVERS
from producers.ingest.request import Message

_NAMED = re.compile(r"\{(\w+)\}")
_ERRORS: Mapping[int, str] = {
    400: "The request cannot be read; the answer says where and what was expected. Nothing was taken.",
    401: "The key is missing, mistyped or unknown.",
    408: "The body took too long.",
    413: "Over a limit, which the answer names. Nothing was taken.",
    429: "The key is over its quota: send the same again after `Retry-After` seconds.",
    503: "Kafka is slow or away: send the same again, with the same ids, after `Retry-After` seconds.",
}
_SECURITY: Mapping[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`sk_…`, or `wk_…` where events are sent."},
    "basic": {"type": "http", "scheme": "basic", "description": "The key as user or as password."},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "reteno": {"type": "apiKey", "in": "header", "name": "x-reteno-access-key"},
    "query": {"type": "apiKey", "in": "query", "name": "writeKey"},
}
_ABOUT = """\
Every way an event comes in over HTTP, and the API for servers.

An answer that says an event was taken is given once Kafka has it. Bodies may be gzip (`Content-Encoding: gzip`); \
Content-Type is not looked at, except that it tells CloudEvents apart; a trailing slash does no harm. \
Limits: 4 MiB a body, 64 KiB and 16 levels an event, 2,000 events a request."""


def document(adapters: Iterable[Adapter], api: Mapping[str, Methods]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an edge with these protocols and this table of the API."""
    paths: dict[str, dict[str, Any]] = {}
    tags: list[dict[str, str]] = []
    for adapter in adapters:
        protocol = PROTOCOLS.get(adapter.name) or Protocol(adapter.name, "", ("bearer",))
        if all(tag["name"] != protocol.title for tag in tags):
            tags.append({"name": protocol.title, "description": protocol.told})
        for path, methods in adapter.routes.items():
            for method in methods:
                if method not in ("HEAD", "OPTIONS"):
                    _add(paths, path, method, _operation(path, method, protocol))
    tags.append({"name": SERVERS.title, "description": SERVERS.told})
    for path, endpoints in api.items():
        for method in endpoints:
            _add(paths, path, method, _call(path, method))
    return {
        "openapi": "3.1.0",
        "info": {"title": "offerflow", "version": __version__, "description": _ABOUT,
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}], "tags": tags, "paths": dict(sorted(paths.items())),
        "components": {"schemas": {**components(), **NAMED}, "responses": _shared(),
                       "securitySchemes": dict(_SECURITY)},
    }  # fmt: skip


class OpenApi:
    """``GET /openapi.json``. The document is made when somebody first asks."""

    def __init__(self, adapters: Iterable[Adapter], api: Mapping[str, Methods]) -> None:
        self._adapters = tuple(adapters)
        self._api = api
        self._body = b""

    def __call__(self, scope: Message) -> Answer:
        if not self._body:
            self._body = msgspec.json.encode(document(self._adapters, self._api))
        return Answer(200, self._body, ((b"content-type", b"application/json"),))


def _add(paths: dict[str, dict[str, Any]], path: str, method: str, operation: dict[str, Any]) -> None:
    """A second protocol at a path adds its tag and its keys to what is there."""
    there = paths.setdefault(path, {}).setdefault(method.lower(), operation)
    if there is not operation:
        there["tags"] += [tag for tag in operation["tags"] if tag not in there["tags"]]
        there["security"] += [way for way in operation["security"] if way not in there["security"]]


def _operation(path: str, method: str, protocol: Protocol) -> dict[str, Any]:
    told = EXCHANGES.get(path) if method == "POST" else None
    told = told or Exchange(f"{protocol.title}: {path}", None if method == "GET" else ANY, 200, None)
    headers = [_parameter("header", "Idempotency-Key", {"type": "string", "maxLength": 512})]
    return {
        **_described(path, method, protocol, told.summary),
        "parameters": [
            *_in_path(path), *(_parameter("query", name, schema) for name, schema in told.query.items()),
            *(headers if protocol.title in ("Events", "Past events") else ()),
        ],
        **_body(told.body, told.media, required=True),
        "responses": {
            str(told.status): _response("Kafka has every event of the request." if method == "POST" else "Settings.",
                                        told.answer),
            **({"422": _response("`validate=strict`: a verdict per event, and none was taken.", ref("Verdicts"))}
               if told.query else {}),
            **_refusals(quota=method == "POST"),
        },
    }  # fmt: skip


def _call(path: str, method: str) -> dict[str, Any]:
    told = CALLS[method, path]
    query = [_parameter("query", name, schema) for name, schema in told.query.items()]
    more = {"403": _response("The key may not use the API.", ref("Error"))}
    more |= {str(status): _response(why, ref("Error")) for status, why in told.refusals.items()}
    if method == "POST":
        query.append(_parameter("header", "Idempotency-Key", {"type": "string", "maxLength": 512}))
    return {
        **_described(path, method, SERVERS, told.summary),
        "parameters": [*_in_path(path), *query],
        **_body(told.body, ("application/json",), required=False),
        "responses": {str(told.status): _response(told.summary, told.answer), **more, **_refusals(quota=False)},
    }


def _described(path: str, method: str, protocol: Protocol, summary: str) -> dict[str, Any]:
    name = re.sub(r"\W+", "-", f"{method.lower()}{path}").strip("-")
    # A key in the body is no scheme that the format knows: none is needed in a header then.
    ways: list[dict[str, list[str]]] = [{way: []} for way in protocol.security if way != "body"]
    ways += [{}] if "body" in protocol.security or (method == "GET" and protocol is not SERVERS) else []
    return {"operationId": name, "summary": summary, "tags": [protocol.title], "security": ways}


def _in_path(path: str) -> list[dict[str, Any]]:
    return [{**_parameter("path", name, {"type": "string", "minLength": 1}), "required": True}
            for name in _NAMED.findall(path)]  # fmt: skip


def _parameter(place: str, name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema}


def _body(schema: Schema | None, media: Iterable[str], *, required: bool) -> dict[str, Any]:
    if schema is None:
        return {}
    return {"requestBody": {"required": required, "content": {one: {"schema": schema} for one in media}}}


def _response(told: str, schema: Schema | None) -> dict[str, Any]:
    return {"description": told, **({} if schema is None else {"content": {"application/json": {"schema": schema}}})}


def _refusals(*, quota: bool) -> dict[str, Any]:
    statuses = [str(status) for status in _ERRORS if quota or status != 429] + ["default"]
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _shared() -> dict[str, Any]:
    """The answers that every path may give."""
    told = {str(status): _response(why, None) for status, why in _ERRORS.items()}
    return {**told, "default": _response("Another refusal, in the words of the protocol.", None)}
