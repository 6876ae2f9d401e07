"""``?validate=strict``: events judged against the event plan before any of the request is taken.

The verdict is that of the validation stage, by the same step, under the plan as the edge knows it, which may be a
second old. What can only be told from the journal, such as a repeated id with other content, is not asked here.
Properties that the plan leaves out are no fault; which they are is told with either answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from offerflow.catalog.view import LOCAL_SERVER, Catalog
from offerflow.runtime.topics import CHANNELS
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal, json_answer
from producers.ingest.keyring import Source
from producers.ingest.permits import marks
from producers.ingest.request import Request
from schemas.refused import REFUSED

if TYPE_CHECKING:
    from schemas.step import Outcome

Judge = Callable[["_Posted"], tuple["Outcome", tuple[str, ...]]]
"""The verdict, and the properties that will be left out."""
PATHS = ("/v1/events", "/v1/events/import")
_AT_ONCE = 200


class Strict:
    """Belongs to one event loop. The plan is compiled when the first request asks for it, then once per change."""

    def __init__(self) -> None:
        self._catalog = Catalog()
        self._compiled: tuple[Catalog, Judge] | None = None

    def replace(self, catalog: Catalog) -> None:
        """``catalog`` is what events are judged by from here on. Any thread may call it."""
        self._catalog = catalog

    async def judged(
        self, request: Request, source: Source, events: Sequence[RawEvent]
    ) -> Sequence[RawEvent] | Answer | Refusal:
        """422 with a verdict per event if one of them would become a dead letter; else the events, with what will be
        left out of them, or as they are if the request does not ask to be judged."""
        if b"validate" not in request.query:
            return events
        wanted = parse_qs(request.query.decode("latin-1"), keep_blank_values=True).get("validate")
        if wanted is None:
            return events
        if request.path not in PATHS:
            if wanted != ["strict"]:
                return events  # whatever it means to the clients of this protocol
            message = f"only {' and '.join(PATHS)} know validate=strict; nothing was taken"
            return Refusal(HTTPStatus.BAD_REQUEST, "bad_query", message, count=len(events))
        if wanted != ["strict"]:
            message = f"validate is {', '.join(wanted)[:100]!r}, expected `validate=strict` or none"
            return Refusal(HTTPStatus.BAD_REQUEST, "bad_query", message, count=len(events))
        judge = await self._judge()
        why = marks(events, source) or [None] * len(events)
        posted = [_Posted(event, mark, source.channel, request.received_at)
                  for event, mark in zip(events, why, strict=True)]  # fmt: skip
        verdicts: list[dict[str, Any]] = []
        for at in range(0, len(posted), _AT_ONCE):
            verdicts += [_verdict(*judge(one), one.event) for one in posted[at : at + _AT_ONCE]]
            await asyncio.sleep(0)  # two thousand events would keep other requests waiting
        return _refused(verdicts) or [
            event._replace(stripped=verdict.get("stripped", ()))
            for event, verdict in zip(events, verdicts, strict=True)
        ]

    async def _judge(self) -> Judge:
        catalog, compiled = self._catalog, self._compiled
        if compiled is None or compiled[0] is not catalog:
            compiled = self._compiled = (catalog, await asyncio.to_thread(_compile, catalog))
        return compiled[1]


class _Posted(NamedTuple):
    """An event as the validation stage would read it from its channel."""

    event: RawEvent
    mark: bytes | None
    channel: str
    received_at: int

    def topic(self) -> str:
        return self.channel

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def key(self) -> bytes:
        return self.event.key.encode()

    def value(self) -> bytes:
        return self.event.value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None if self.mark is None else [(REFUSED, self.mark)]

    def timestamp(self) -> tuple[int, int]:
        return (2, self.received_at)  # 2: append time


def _compile(catalog: Catalog) -> Judge:
    # Here, since few ask for it and it would make every start of the edge slower.
    from schemas.catalog import plan_of
    from schemas.channels import Channel
    from schemas.raw import read
    from schemas.step import Emit, Step

    plan = plan_of(catalog)
    channels = {name: Channel(name, "", origin, None) for name, origin in CHANNELS.items()}
    told: list[str] = []
    sources = {LOCAL_SERVER.id: LOCAL_SERVER, **catalog.sources}
    step = Step(plan, sources, channels, stripped=lambda event, _: told.append(event))

    def judge(posted: _Posted) -> tuple[Outcome, tuple[str, ...]]:
        told.clear()
        outcome = step(posted)
        if not told or not isinstance(outcome, Emit):
            return outcome, ()
        properties = read(posted.event.value, None).properties or {}
        return outcome, tuple(sorted(properties.keys() - plan.by_name[outcome.event].known))

    return judge


def _verdict(outcome: Outcome, stripped: tuple[str, ...], event: RawEvent) -> dict[str, Any]:
    reason = getattr(outcome, "reason", None)
    told: dict[str, Any] = {"id": event.id, "verdict": "dead" if reason else "valid", "event": outcome.event}
    if stripped:
        told["stripped"] = stripped
    if reason is None:
        return told if hasattr(outcome, "value") else {**told, "verdict": "dropped"}
    letter: Any = outcome
    blame = {"field": letter.field, "expected": letter.expected, "got": letter.got}
    return {**told, "reason": reason, "message": letter.detail,
            **{name: value for name, value in blame.items() if value is not None}}  # fmt: skip


def _refused(verdicts: list[dict[str, Any]]) -> Answer | None:
    dead = sum(verdict["verdict"] == "dead" for verdict in verdicts)
    if not dead:
        return None
    return json_answer(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        {
            "error": "not_valid",
            "message": f"{dead} of {len(verdicts)} events would become dead letters, so none was taken; `events` says"
            " what to mend",
            "events": [{"index": index, **verdict} for index, verdict in enumerate(verdicts)],
        },
    )
