"""The page itself: HTML for browsers, text for everybody else, one snippet alone for ``/?show=NAME``."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from offerflow.rules.nearest import did_you_mean
from producers.ingest.answers import Answer, Refusal, plain_refusal
from producers.ingest.request import Message
from producers.ingest.welcome.sdks import GROUPS, SNIPPETS, Place

if TYPE_CHECKING:
    from jinja2 import Template

_HERE = Path(__file__).parent
_HOST = re.compile(r"[A-Za-z0-9.\-_]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


def welcome(scope: Message) -> Answer:
    """What is told depends on the headers ``host``, ``x-forwarded-proto`` and ``accept``."""
    headers = dict(scope.get("headers") or ())
    place = _place(scope, headers)
    show = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("show")
    if show:
        return _snippet(show[0], place)
    if b"text/html" in headers.get(b"accept", b""):
        return _html(place)
    return _text(_plain(place))


def _snippet(name: str, place: Place) -> Answer:
    snippet = SNIPPETS.get(name)
    if snippet is not None:
        return _text(snippet.text(place))
    hint = did_you_mean(name[:100], SNIPPETS) or f"; there are {', '.join(SNIPPETS)}"
    return plain_refusal(Refusal(HTTPStatus.NOT_FOUND, "no_such_snippet", f"there is no snippet {name[:100]!r}{hint}"))


def _place(scope: Message, headers: dict[bytes, bytes]) -> Place:
    """What the client asked for, if it can be an address; else where the server listens."""
    scheme = "https" if headers.get(b"x-forwarded-proto") == b"https" else str(scope.get("scheme") or "http")
    host = headers.get(b"host", b"").decode("latin-1")
    if not _HOST.fullmatch(host):
        name, port = scope.get("server") or ("127.0.0.1", 80)
        host = f"{name}:{port}"
    return Place(scheme, host)


def _plain(place: Place) -> str:
    lines = [
        "offerflow takes events here. A first one:", "",
        *(f"  {line}" for line in SNIPPETS["curl"].text(place).splitlines()), "",
        "The answer is 202 with the ids of the events once Kafka has all of them.",
        "See it arrive, and what validation says: `offerflow events tail --verdicts`. An event that is not in the",
        "event plan is set aside: `offerflow apply schemas/events` puts the standard plan in force.", "",
        "`offerflow keys create SOURCE` makes a key (--write: one for apps and browsers);",
        "`offerflow up --output json` prints that of a local stack as api_key.", "",
        "Clients that people have already, and what to set in each:", "",
    ]  # fmt: skip
    for group in GROUPS[1:]:
        lines.append(group.title)
        lines += [f"  {one.name:<23} {one.told(place)}" for one in group.snippets]
    lines += [
        "",
        f"Code to copy:            curl '{place.url}/?show=python-segment', or any name above",
        f"Every route (OpenAPI):   {place.url}/openapi.json",
        "Documentation:           docs/ingest.md, docs/formats.md, docs/offers-api.md",
    ]
    return "\n".join(lines) + "\n"


def _html(place: Place) -> Answer:
    template, style = _template()
    body = template.render(place=place, groups=GROUPS[1:], style=style, curl=SNIPPETS["curl"])
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return _told(body, b"text/html; charset=utf-8", (b"content-security-policy", policy.encode()))


@cache
def _template() -> tuple[Template, str]:
    # Here, since a start of the edge must not wait for a template engine.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string((_HERE / "page.html").read_text(encoding="utf-8"))
    return page, (_HERE / "page.css").read_text(encoding="utf-8")


def _text(text: str) -> Answer:
    return _told(text, b"text/plain; charset=utf-8")


def _told(text: str, media: bytes, *more: tuple[bytes, bytes]) -> Answer:
    # The address in it is that of whoever asked.
    headers = ((b"content-type", media), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
    return Answer(HTTPStatus.OK, text.encode(), (*headers, *more))
