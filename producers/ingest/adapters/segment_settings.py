"""What clients of Segment and RudderStack ask for before they send: settings that name no destination but this."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from producers.ingest.answers import Answer, json_answer
from producers.ingest.keyring import Source
from producers.ingest.request import Request

_HEADERS = ((b"cache-control", b"private, max-age=300"),)


def segment_settings(request: Request, key: str) -> Answer:
    """For analytics.js and the mobile libraries: send to the address these were asked of, with the key asked about."""
    content = {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{_host(request)}/v1",
                "protocol": _scheme(request),
                "type": "destination",
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
                "bundlingStatus": "bundled",
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
            }
        },
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}, "identify": {}, "group": {}},
        "edgeFunction": {},
        "middlewareSettings": {"routingRules": []},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }
    return json_answer(HTTPStatus.OK, content, _HEADERS)


def rudderstack_config(source: Source, key: str) -> Answer:
    """For every client of RudderStack that asks for the configuration of its source. Those for Kotlin and Swift take no
    configuration without the key that they asked with."""
    off = {"enabled": False}
    about: dict[str, Any] = {
        "id": source.id,
        "name": source.id,
        "writeKey": key,
        "workspaceId": "offerflow",
        "enabled": True,
        "config": {"statsCollection": {"errors": off, "metrics": off}},
        "destinations": [],
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "dataplanes": {},
    }
    return json_answer(HTTPStatus.OK, {"isHosted": False, "source": about}, _HEADERS)


def _host(request: Request) -> str:
    host = request.headers.get(b"x-forwarded-host") or request.headers.get(b"host") or b"127.0.0.1"
    return host.decode("latin-1").partition(",")[0].strip()[:255]


def _scheme(request: Request) -> str:
    """How this server is reached from outside: as a proxy says, else as pages on https must reach it."""
    forwarded = request.headers.get(b"x-forwarded-proto", b"").partition(b",")[0].strip().lower()
    if forwarded in (b"http", b"https"):
        return forwarded.decode()
    return "https" if request.headers.get(b"origin", b"").startswith(b"https://") else "http"
