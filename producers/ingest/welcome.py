"""``GET /``: how to send a first event, for whoever opens the address in a browser or by curl."""

from __future__ import annotations

from http import HTTPStatus

from producers.ingest.answers import Answer
from producers.ingest.request import Message

_TEXT = """\
offerflow takes events here. A first one:

  curl -i {url}/v1/events \\
    -H 'Authorization: Bearer sk_...' \\
    -d '{{"event": "Account Created", "user_id": "u-1", "properties": {{"country": "DE"}}}}'

The answer is 202 with the ids of the events once Kafka has all of them.
Also taken: an array of events, or {{"events": [ ... ]}}; gzip; the header Idempotency-Key.
The key: `offerflow up --output json` prints that of a local stack as api_key.
All of it: docs/ingest.md. The format of an event: docs/formats.md.
Offers and rewards, for servers: docs/offers-api.md.
"""


def welcome(scope: Message) -> Answer:
    host, port = scope.get("server") or ("127.0.0.1", 80)
    text = _TEXT.format(url=f"{scope.get('scheme', 'http')}://{host}:{port}")
    return Answer(HTTPStatus.OK, text.encode(), ((b"content-type", b"text/plain; charset=utf-8"),))
