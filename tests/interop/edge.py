"""The edge as clients meet it: a real server with validation behind it, keys of every origin, and what became of
events. The plan is the standard one (schemas/events).

A test uses a user id that nobody else has and asks for that user's events.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, TopicPartition

from tests.deployment import Program, free_port, parse
from tests.waiting import until

if TYPE_CHECKING:
    from tests.interop.conftest import Interop

WORKSPACE = Path(__file__).parent / "workspace_edge"
SOURCES = {"sdk": "web-app", "backend": "shop-server", "integration": "partner-cloud"}
"""The source of each origin."""
RAW = tuple(f"raw.{origin}" for origin in SOURCES)
SECONDS = 60.0


@dataclass(frozen=True)
class Event:
    """One event of the journal. ``kind`` is its schema's name, ``meta`` and ``properties`` are what Avro holds."""

    kind: str
    key: str
    meta: Mapping[str, Any]
    properties: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.meta["event_id"])

    @property
    def user(self) -> str | None:
        found: str | None = self.meta["user_id"]
        return found

    @property
    def anonymous(self) -> str | None:
        found: str | None = self.meta["anonymous_id"]
        return found

    @property
    def ms(self) -> int:
        """The time of the event in milliseconds since 1970."""
        return round(self.meta["time"].timestamp() * 1000)


@dataclass(frozen=True)
class Raw:
    """What the edge wrote to Kafka: the envelope, its bytes, the Kafka key and headers, and when it was appended."""

    topic: str
    key: str
    text: bytes
    headers: dict[str, bytes | None]
    appended: int

    @property
    def envelope(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.text)
        return read


@dataclass
class Edge:
    """``url`` is where clients send to. Everything that was read so far is kept, in the order of each partition."""

    interop: Interop
    program: Program
    url: str
    keys: Mapping[str, str]
    journal: list[Event] = field(default_factory=list)
    dead: list[dict[str, Any]] = field(default_factory=list)
    raw: list[Raw] = field(default_factory=list)

    def __post_init__(self) -> None:
        here = self.interop.here
        self._consumer = Consumer(
            {"bootstrap.servers": here.services.kafka, "group.id": "edge", "isolation.level": "read_committed"}
        )
        topics = ("journal", "dead-letter", *RAW)
        self._consumer.assign([TopicPartition(here.prefix + topic, n, 0)
                               for topic in topics for n in range(here.partitions)])  # fmt: skip

    def key(self, origin: str = "backend") -> str:
        """A key of the source with this origin: wk_… for sdk, sk_… for the others."""
        return self.keys[origin]

    def events(self, user: str, count: int = 1) -> list[Event]:
        """The journal's events of a user id or anonymous id, once there are ``count``, in the order of their times; one
        that came again with its id is there once. Fails as soon as one is a dead letter, or there are more."""

        def look() -> list[Event] | None:
            found = [*{event.id: event for event in self.journal if user in (event.user, event.anonymous)}.values()]
            bad = [f"{letter['reason']}: {letter['detail']}" for letter in self.dead if _of(user, letter)]
            assert not bad, bad
            assert len(found) <= count, f"expected {count} events of {user}, got {found}"
            return sorted(found, key=lambda event: event.ms) if len(found) == count else None

        return self.wait(look, f"{count} events of {user} in the journal")

    def event(self, event_id: str) -> Event:
        """The event with this id, once it is in the journal."""
        return self.wait(
            lambda: next((event for event in self.journal if event.id == event_id), None),
            f"the event {event_id} in the journal",
        )

    def letters(self, user: str, count: int = 1) -> list[dict[str, Any]]:
        """The dead letters of a user, once there are ``count``."""

        def look() -> list[dict[str, Any]] | None:
            found = [letter for letter in self.dead if _of(user, letter)]
            return found if len(found) >= count else None

        return self.wait(look, f"{count} dead letters of {user}")

    def letter(self, event_id: str) -> dict[str, Any]:
        """The dead letter of the raw event with this id, once it is there."""
        mark = json.dumps(event_id, ensure_ascii=False).encode()
        return self.wait(
            lambda: next((letter for letter in self.dead if mark in (letter["value"] or b"")), None),
            f"a dead letter of the event {event_id}",
        )

    def raws(self, user: str, count: int = 1) -> list[Raw]:
        """What the edge wrote of a user, once there are ``count`` records, repeated ones included."""

        def look() -> list[Raw] | None:
            found = [raw for raw in self.raw if raw.key == user]
            return sorted(found, key=lambda raw: raw.appended) if len(found) >= count else None

        return self.wait(look, f"{count} raw records of {user}")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Without the server, until another one takes the same address."""
        self.program.stop()
        try:
            yield
        finally:
            port = self.url.rpartition(":")[2]
            self.program = self.interop.here.start("producers.ingest", "ingest-again", OFFERFLOW_INGEST__PORT=port)
            self.program.wait_ready()

    def close(self) -> None:
        self._consumer.close()
        self.program.stop()

    def wait(self, look: Callable[[], Any], what: str) -> Any:
        """The first true value of ``look``, which is asked again after more was read."""

        def polled() -> Any:
            self._poll()
            return look()

        return until(polled, what, SECONDS, lambda: [*map(_told, self.dead[-5:]), self.program.tail(800)])

    def _poll(self) -> None:
        for message in self._consumer.consume(500, 0.05):
            if message.error() is not None:
                continue
            topic = str(message.topic()).removeprefix(self.interop.here.prefix)
            key, value = (message.key() or b"").decode(), message.value() or b""
            if topic in RAW:
                headers = dict(message.headers() or ())
                self.raw.append(Raw(topic, key, value, headers, message.timestamp()[1]))  # type: ignore[arg-type]
                continue
            read: dict[str, Any] = dict(self.interop.deserialize(topic, value))
            if topic == "dead-letter":
                self.dead.append(read)
            elif "meta" in read:
                self.journal.append(Event(self.interop.kind(value), key, read.pop("meta"), read))


def start_edge(interop: Interop, name: str = "ingest", **environment: str) -> Edge:
    """Applies the sources, makes a key of each, starts the server and waits until it is ready."""
    here = interop.here
    here.apply(WORKSPACE)
    keys = {}
    for origin, source in SOURCES.items():
        write = ("--write",) if origin == "sdk" else ()
        done = here.command("keys", "create", source, *write, "--output", "json")
        keys[origin] = str(parse(done)["key"])
    port = free_port()
    program = here.start("producers.ingest", name, OFFERFLOW_INGEST__PORT=str(port), **environment)
    program.wait_ready()
    return Edge(interop, program, f"http://127.0.0.1:{port}", keys)


def somebody(kind: str = "user") -> str:
    """An id that nobody has had before."""
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def _of(user: str, letter: Mapping[str, Any]) -> bool:
    return (letter["key"] or b"").decode(errors="replace") == user


def _told(letter: Mapping[str, Any]) -> str:
    return f"{letter['reason']}: {letter['detail']}"
