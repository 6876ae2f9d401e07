"""Composition root of the simulator: ``python -m producers.simulator --users 1000 --broken 2% --repeated 3%``.

Progress goes to stderr when it is a terminal; the summary of what was sent goes to stdout.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from offerflow.runtime.errors import KafkaDown, OfferflowError
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.kafka.publisher import Bounds, Publisher
from offerflow.runtime.logs import configure_logs, get_logger
from offerflow.runtime.settings import Settings, load_settings
from producers.simulator.broken import KINDS
from producers.simulator.event import BACKEND, INTEGRATION, SDK, Sent, rfc3339
from producers.simulator.lives import LONGEST
from producers.simulator.options import SECONDS, SHARE, TIME
from producers.simulator.sending import BulkSender, Outbox, Pace, PatientSender, settle
from producers.simulator.stream import COHORT, Options, Stream

CHANNELS = (SDK, BACKEND, INTEGRATION)
_TRICKLE_RATE = 5.0
_TRICKLE_COHORT = 20


@click.command(context_settings={"show_default": True})
@click.option("--users", type=click.IntRange(1), default=200, help="How many people; with --trickle there is no end.")
@click.option("--seed", type=int, help="Same seed and start time, same records. [default: 1; with --trickle the time]")
@click.option("--broken", type=SHARE, default="0%", help="Share of records that are wrong on purpose, such as 2%.")
@click.option("--repeated", type=SHARE, default="0%", help="Share of records that are sent a second time.")
@click.option("--rate", type=click.FloatRange(0), help="Records per second, 0 for no limit. [default: 0; --trickle: 5]")
@click.option("--duration", type=SECONDS, help="Stop after so long, such as 30s or 5m.")
@click.option("--trickle", is_flag=True, help="Keep a little traffic flowing until stopped; events happen now.")
@click.option("--start-time", type=TIME, help="When the first people arrive, RFC 3339. [default: 120 days ago]")
@click.option("--settle", "settled", is_flag=True, help="Let validation finish between a person's channels.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", help="Form of the summary.")
def main(
    users: int,
    seed: int | None,
    broken: float,
    repeated: float,
    rate: float | None,
    duration: float | None,
    trickle: bool,
    start_time: int | None,
    settled: bool,
    output: str,
) -> None:
    """Send made-up journeys of users to the raw topics, straight to Kafka.

    Signup, lessons, purchases and refunds, carts left behind, codes, subscriptions, win-backs: what the offers in
    deploy/demo are about. A person's events keep their order per channel; with --settle also across channels, so that
    the decisions are the same every time.
    """
    if broken + repeated > 0.9:
        raise click.UsageError("--broken and --repeated may be 90% together: broken records are made from good ones")
    now = int(time.time()) * 1000
    if trickle:
        rate = _TRICKLE_RATE if rate is None else rate
        first = now if start_time is None else start_time
        step = 1000 / rate if rate else 0
        options = Options(
            None, now // 1000 if seed is None else seed, first, broken, repeated, _TRICKLE_COHORT,
            clock=lambda number: first + int(number * step),
        )  # fmt: skip
    else:
        first = now - LONGEST if start_time is None else start_time
        options = Options(users, 1 if seed is None else seed, first, broken, repeated, COHORT)
    try:
        settings = load_settings()
        configure_logs(settings.log, settings.worker or "simulator")
        summary = _run(settings, options, rate or 0.0, duration, patient=trickle, settled=settled)
    except OfferflowError as error:
        click.echo(f"simulator: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    click.echo(json.dumps(summary) if output == "json" else _table(summary))


def _run(
    settings: Settings, options: Options, rate: float, duration: float | None, *, patient: bool, settled: bool
) -> dict[str, Any]:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if duration is not None:
        timer = threading.Timer(duration, stop.set)
        timer.daemon = True
        timer.start()
    name = settings.worker or "simulator"
    publisher = Publisher(settings, name, Bounds(delivery_ms=30_000))
    admin = Admin(settings, name) if settled else None
    started = time.monotonic()
    try:
        _await_topics(lambda: publisher.check(map(settings.topic, CHANNELS)), stop, patient=patient)
        sender = PatientSender(publisher, stop) if patient else BulkSender(publisher)
        outbox = Outbox(settings, sender, Pace(rate, stop))
        for wave in _shown(Stream(options).waves(), outbox):
            outbox.send(wave)
            if admin is not None:
                sender.finish()
                settle(settings, admin, CHANNELS, stop)
            if stop.is_set():
                break
        sender.finish()
    finally:
        publisher.close()
    return _summary(options, outbox, time.monotonic() - started)


def _await_topics(check: Callable[[], None], stop: threading.Event, *, patient: bool) -> None:
    while not stop.is_set():
        try:
            return check()
        except KafkaDown as error:
            if not patient:
                raise
            get_logger().warning("waiting for Kafka", why=str(error))
            stop.wait(2.0)
    return None


def _shown(waves: Iterable[list[Sent]], outbox: Outbox) -> Iterator[list[Sent]]:
    """The waves, with a line of progress on a terminal."""
    if not sys.stderr.isatty():
        yield from waves
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} records sent"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("sending", total=None)
        for wave in waves:
            yield wave
            progress.update(task, completed=outbox.by_what.total())


def _summary(options: Options, outbox: Outbox, seconds: float) -> dict[str, Any]:
    counts = outbox.by_what
    expected: Counter[str] = Counter()
    for kind in KINDS:
        expected[kind.reason] += counts[kind.name]
    return {
        "seed": options.seed,
        "start_time": rfc3339(options.start),
        "users": options.users,
        "records": counts.total(),
        "by_channel": dict(sorted(outbox.by_channel.items())),
        "good": counts["good"],
        "repeated": counts["repeated"],
        "broken": {kind.name: counts[kind.name] for kind in KINDS if counts[kind.name]},
        "expected_dead_letters": {reason: count for reason, count in sorted(expected.items()) if count},
        "seconds": round(seconds, 3),
    }


def _table(summary: dict[str, Any]) -> str:
    lines = []
    for name, value in summary.items():
        text = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
        lines.append(f"{name.replace('_', ' '):22} {'-' if text in (None, '') else text}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
