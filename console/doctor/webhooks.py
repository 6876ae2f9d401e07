"""Endpoints of webhooks: which are not sent to, which fail, and what waits for them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from console.doctor.finding import Check, Finding, Verdict, days
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.looking import open_to_look, require
from offerflow.runtime.store.transactions import reading
from offerflow.runtime.store.webhooks import DISABLED, PAUSED
from offerflow.runtime.store.webhooks import endpoints as table
from offerflow.runtime.webhooks import endpoints
from offerflow.runtime.webhooks.deliveries import Count, counts
from offerflow.runtime.webhooks.endpoints import Endpoint

AREA = "webhooks"
HOUR_MS = 3600 * 1000

STATES = Check("webhooks-endpoints", AREA, "every endpoint active, none that fails")
QUEUES = Check("webhooks-queues", AREA, "nothing has waited for longer than an hour, nothing was given up")
CHECKS = (STATES, QUEUES)


def look_webhooks(settings: Settings) -> Iterator[Finding]:
    now, engine = int(time.time() * 1000), open_to_look(settings)
    try:
        with reading(engine) as connection:
            require(connection, table)
            known, waiting = endpoints.every(connection, now), counts(connection, now)
    finally:
        engine.dispose()
    yield judge_states(known, now)
    yield judge_queues(waiting)


def judge_states(known: Sequence[Endpoint], now: int) -> Finding:
    wrong: list[tuple[Verdict, str]] = []
    for one in known:
        since = one.breaker.failing_since
        if one.state == DISABLED:
            wrong.append(("bad", f"{one.name} is disabled ({one.why})"))
        elif one.state == PAUSED:
            wrong.append(("warn", f"{one.name} is paused"))
        elif one.breaker.state(now) != "closed" and since is not None:
            wrong.append(("bad" if now - since > HOUR_MS else "warn", f"{one.name} fails for {days(now - since)} now"))
    do = "`offerflow webhooks show NAME` has its last answers; once it is mended `offerflow webhooks resume NAME`"
    return STATES.worst(wrong, f"{len(known)} active" if known else "no endpoint", do)


def judge_queues(waiting: Mapping[str, Count]) -> Finding:
    wrong: list[tuple[Verdict, str]] = []
    for name, count in waiting.items():
        if count.parked:
            wrong.append(("warn", f"{count.parked:,} messages for {name} were given up"))
        if count.oldest_ms > HOUR_MS:
            wrong.append(("warn", f"{count.waiting:,} wait for {name}, one for {days(count.oldest_ms)}"))
    total = sum(count.waiting for count in waiting.values())
    do = "mend the endpoint, then `offerflow webhooks replay NAME` sends what was given up"
    return QUEUES.worst(wrong, f"{total:,} wait" if total else "nothing waits", do)
