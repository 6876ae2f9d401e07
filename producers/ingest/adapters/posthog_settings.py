"""What PostHog's SDKs ask for before they send: feature flags, of which there are none, and what to do by themselves,
which is nothing: no recordings, no surveys, no autocapture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from producers.ingest.adapters.posthog import key_in, parts_of, refused
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal, json_answer
from producers.ingest.keyring import Source, first_key
from producers.ingest.limits import Limits
from producers.ingest.request import Request

_CONFIG: Mapping[str, Any] = {
    "supportedCompression": ["gzip", "gzip-js"],
    "analytics": {"endpoint": "/i/v0/e/"},
    "hasFeatureFlags": False,
    "autocapture_opt_out": True,
    "autocaptureExceptions": False,
    "captureDeadClicks": False,
    "capturePerformance": False,
    "elementsChainAsString": True,
    "heatmaps": False,
    "sessionRecording": False,
    "surveys": False,
    "defaultIdentifiedOnly": True,
    "isAuthenticated": False,
    "siteApps": [],
    "toolbarParams": {},
}
_FLAGS: Mapping[str, Any] = {
    "flags": {}, "featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": False,
}  # fmt: skip
_DEFINITIONS: Mapping[str, Any] = {"flags": [], "group_type_mapping": {}, "cohorts": {}}
_SCRIPT = (
    "(function() {{ window._POSTHOG_REMOTE_CONFIG = window._POSTHOG_REMOTE_CONFIG || {{}};"
    " window._POSTHOG_REMOTE_CONFIG[{key}] = {{ config: {config}, siteApps: [] }}; }})();\n"
)


class PostHogSettings:
    """Takes no events."""

    name = "posthog"
    routes: Mapping[str, tuple[str, ...]] = {
        "/flags": ("POST",),
        "/decide": ("POST",),
        "/flags/definitions": ("GET",),
        "/array/{key}/config": ("GET",),
        "/array/{key}/config.js": ("GET",),
    }

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        if request.path.startswith("/array/"):
            return request.path.split("/")[2]
        inside = None
        if request.method == "POST":
            body = parts_of(request, self._limits)
            inside = None if isinstance(body, Refusal) else key_in(*body)
        return first_key(request.headers, "the write key as `api_key` or `token` in the body", body=lambda: inside,
                         query=request.query, query_names=("token", "api_key"))  # fmt: skip

    def read(self, request: Request, source: Source) -> Answer:
        if request.path == "/flags/definitions":
            return json_answer(HTTPStatus.OK, _DEFINITIONS)
        if not request.path.startswith("/array/"):
            return json_answer(HTTPStatus.OK, {**_FLAGS, **_CONFIG, "config": {"enable_collect_everything": False}})
        key = request.path.split("/")[2]
        config = {"token": key, **_CONFIG}
        if not request.path.endswith(".js"):
            return json_answer(HTTPStatus.OK, config)
        script = _SCRIPT.format(key=_literal(key), config=_literal(config))
        return Answer(HTTPStatus.OK, script.encode(), ((b"content-type", b"application/javascript"),))

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        return json_answer(HTTPStatus.OK, {"status": "Ok"})

    def refused(self, refusal: Refusal) -> Answer:
        return refused(refusal)


def _literal(value: Any) -> str:
    """JSON that may stand in a script."""
    return msgspec.json.encode(value).decode().replace("<", "\\u003c")
