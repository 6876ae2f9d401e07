"""Clients that send what SDKs send and as they do: the same ids again until the answer is 2xx, whatever happens."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from urllib.parse import urlsplit

BATCH = 5
_AGAIN_SECONDS = 0.1
_BETWEEN_SECONDS = 0.05
"""A load that the judge has read in seconds."""


@dataclass
class Senders:
    """``number`` clients at once, each with a connection of its own. Every batch has one event of each of five users;
    every other batch repeats the users of the one before with new events, so a user has one event or two."""

    url: str
    key: str
    number: int = 6
    taken: list[str] = field(default_factory=list)
    """Ids of events whose request was answered 2xx."""
    begun: dict[str, str] = field(default_factory=dict)
    """User by event id, of all that were ever sent."""
    again: int = 0
    """Requests that had to be sent again."""
    refused: set[int] = field(default_factory=set)
    """Statuses seen besides 2xx."""

    def batches(self, client: int) -> Iterator[list[dict[str, object]]]:
        number = 0
        while True:
            users = [f"u-{client}-{number // 2}-{n}" for n in range(BATCH)]
            yield [
                {
                    "event": "Purchase Completed", "event_id": f"e-{client}-{number}-{n}", "user_id": user,
                    "properties": {"order_id": f"o-{client}-{number}-{n}", "amount": 9.5, "currency": "EUR"},
                }
                for n, user in enumerate(users)
            ]  # fmt: skip
            number += 1

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Load until the end of the block, which waits until every batch that was begun has been taken."""
        stop, failed = Event(), list[BaseException]()

        def run(client: int) -> None:
            try:
                self._send_all(client, stop)
            except BaseException as error:
                failed.append(error)

        threads = [Thread(target=run, args=(client,), name=f"sender-{client}") for client in range(self.number)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(120)
        assert not failed, failed
        assert not any(thread.is_alive() for thread in threads)

    def _send_all(self, client: int, stop: Event) -> None:
        never = Event()
        connection = self._connection()
        for batch in self.batches(client):
            if stop.is_set():
                break
            self.begun |= {str(event["event_id"]): str(event["user_id"]) for event in batch}
            never.wait(_BETWEEN_SECONDS)
            while not self._taken(connection, batch):
                self.again += 1
                connection.close()
                never.wait(_AGAIN_SECONDS)
                connection = self._connection()
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)

    def _taken(self, connection: http.client.HTTPConnection, batch: list[dict[str, object]]) -> bool:
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            connection.request("POST", "/v1/events", json.dumps(batch), headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        if answer.status == 202:
            self.taken.extend(json.loads(body)["ids"])
            return True
        self.refused.add(answer.status)
        assert answer.status == 503, body
        assert answer.headers["retry-after"]
        return False
