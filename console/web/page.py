"""``GET /``: what is here, as a plain page for people and as JSON for programs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from jinja2 import Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from console.web.background import Background
from console.web.plan_view import PlanView
from offerflow import __version__
from offerflow.runtime.registry import public_url

REGISTRY = "/registry"
"""Where the schema registry is served."""
_STYLE = """\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
code { font-family: ui-monospace, monospace; }
dt { font-weight: 600; } dd { margin: 0 0 .6rem 0; }
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>offerflow</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<h1>offerflow {{ here.version }}</h1>
<p>{% if not here.ready %}Not ready: {{ here.why }}.{% elif here.serial %}Change {{ here.serial }} of the catalog is in
force here.{% else %}Nothing was applied yet: <code>offerflow apply DIR</code>.{% endif %}</p>
<h2>What is here</h2>
<dl>
<dt>Schema registry, read-only</dt>
<dd><a href="{{ here.registry }}/subjects"><code>{{ here.registry }}</code></a>: the URL for Confluent's
serializers and deserializers. It knows {{ here.schemas }} schemas.{% if here.external_registry %} Ids in raw records
are those of <code>{{ here.external_registry }}</code>.{% endif %}</dd>
</dl>
<h2>In the background</h2>
<dl>
{% for name, why in here.tasks.items() %}<dt>{{ name }}</dt><dd>{{ why or "works" }}</dd>
{% endfor %}</dl>
</main>
</body>
</html>
"""


class Page:
    """``tasks`` are what runs beside; ``external`` is the URL of the user's own registry, shown without password."""

    def __init__(self, view: PlanView, tasks: Sequence[Background], external: str | None = None) -> None:
        self._view = view
        self._tasks = tasks
        self._external = public_url(external) if external else None
        self._template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
        digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
        self._headers = {
            "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'",
            "x-content-type-options": "nosniff",
            "vary": "accept",
        }

    async def answer(self, request: Request) -> Response:
        here = self._here(str(request.base_url).rstrip("/") + REGISTRY)
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(self._template.render(here=here, style=_STYLE), headers=self._headers)
        return Response(msgspec.json.encode(here), media_type="application/json", headers=self._headers)

    def _here(self, registry: str) -> dict[str, Any]:
        facade = self._view.facade
        return {
            "version": __version__,
            "ready": facade is not None,
            "why": None if facade is not None else "the catalog was not read yet",
            "serial": self._view.serial,
            "registry": registry,
            "external_registry": self._external,
            "schemas": facade.count if facade is not None else 0,
            "tasks": {task.name: task.why for task in self._tasks},
        }
