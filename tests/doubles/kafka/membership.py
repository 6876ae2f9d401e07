"""The client's side of a consumer group: what librdkafka's background thread does, with the cooperative protocol.

Every rebalance ends with a callback of assignment, be it with no partition at all. Partitions to give up are revoked
first; then follows the assignment, and then the member joins again. A member that was forgotten by the broker tells of
its partitions as lost and joins as a new one. Callbacks wait until ``consume`` serves them, and until they are served
the member takes part in no further rebalance.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from tests.doubles.kafka.groups import Group, GroupMetadata
from tests.doubles.kafka.log import Place

if TYPE_CHECKING:
    from tests.doubles.kafka.consumer import Consumer


NEVER = 1e12
"""A moment of a poll that is never too long ago."""


class Phase(Enum):
    OUT = "no member"
    JOINING = "asked to join, waits for the generation"
    SYNCING = "waits for its assignment"
    IN = "member"


class Change(Enum):
    ASSIGN = "assign"
    REVOKE = "revoke"
    LOST = "lost"


class Membership:
    def __init__(self, consumer: Consumer, group: Group) -> None:
        self.name = consumer.name
        self.group = group
        self.topics: frozenset[str] = frozenset()
        self.owned: set[Place] = set()
        """What the group gave us, as far as callbacks were told of it."""
        self.changes: deque[tuple[Change, list[Place], bool]] = deque()
        """Callbacks to serve; the last item says whether to join again afterwards."""
        self.serving = False
        self.member = ""
        self.generation = -1
        self.phase = Phase.OUT
        self.polled = consumer.cluster.now()
        self._consumer = consumer
        self._cluster = consumer.cluster
        setting = consumer.config.get
        self._session_s = float(setting("session.timeout.ms", 45_000)) / 1000
        self._heartbeat_s = float(setting("heartbeat.interval.ms", 3_000)) / 1000
        self._poll_s = float(setting("max.poll.interval.ms", 300_000)) / 1000
        self._round = 0
        self._missed: list[str] = []
        self._again = False
        """To join again after what is being served, since the subscription changed."""
        self._known: dict[str, int] = {}
        """Partitions of the topics when it joined last."""

    @property
    def metadata(self) -> GroupMetadata:
        return GroupMetadata(self.group.name, self.generation, self.member)

    def subscribe(self, topics: frozenset[str]) -> None:
        before, self.topics = self.topics, topics
        if not before:
            self._round += 1
            self.polled = self._cluster.now()
            self._cluster.agenda.at(self.polled + self._heartbeat_s, partial(self._beat, self._round))
            self._count_polls(self._round)
            self._join()
            return
        dropped = sorted(place for place in self._will_own() if place[0] not in topics)
        if dropped:
            # For topics that are new to it librdkafka asks for metadata first, and then takes those that are not
            # subscribed any more for gone.
            change = Change.LOST if topics - before else Change.REVOKE
            self.changes.append((change, dropped, True))
        elif self.busy:
            self._again = True
        else:
            self._join()

    def leave(self) -> None:
        self._round += 1
        self.topics = frozenset()
        if self.member and self._cluster.up:
            self.group.leave(self.member)
        self.member, self.generation, self.phase = "", -1, Phase.OUT

    @property
    def busy(self) -> bool:
        """Callbacks wait, or one is being served: until that is over we take part in no further rebalance."""
        return self.serving or bool(self.changes)

    def served(self, rejoin: bool) -> None:
        """A callback was served."""
        self.serving = False
        self._again |= rejoin
        if self._again and not self.changes and self.topics:
            self._join()

    # -- told by the broker -------------------------------------------------------------------------------------------

    def joined(self, generation: int) -> None:
        if not self._consumer.awake:
            self._missed.append("joined")
            return
        self.generation = generation
        self.phase = Phase.SYNCING
        code = self.group.sync(self.member, generation)
        if code == KafkaError.REBALANCE_IN_PROGRESS:
            self._join()
        elif code:
            self._forgotten(code)

    def synced(self, places: set[Place]) -> None:
        if not self._consumer.awake:
            self._missed.append("synced")
            return
        self.phase = Phase.IN
        had = self._will_own()
        gained, given_up = sorted(places - had), sorted(had - places)
        if given_up:
            self.changes.append((Change.REVOKE, given_up, False))
        self.changes.append((Change.ASSIGN, gained, bool(given_up)))

    def rejoin(self) -> None:
        if self._consumer.awake:
            self._join()
        else:
            self._missed.append("rejoin")

    def thaw(self) -> None:
        """What would have been heard meanwhile is heard now."""
        missed, self._missed = self._missed, []
        if self.phase is Phase.OUT:
            return
        code = self.group.heartbeat(self.member, self.generation)
        if not missed:
            self._judge(code)
        elif self.member not in self.group.members:
            self._forgotten(int(KafkaError.UNKNOWN_MEMBER_ID))
        elif missed[-1] == "rejoin":
            self._join()
        elif "joined" in missed:
            self.joined(self.group.generation)
        else:
            self.synced(set(self.group.members[self.member].assignment))

    def _will_own(self) -> set[Place]:
        """What it has once all that waits was served."""
        owned = set(self.owned)
        for change, places, _ in self.changes:
            (owned.update if change is Change.ASSIGN else owned.difference_update)(places)
        return owned

    # -- by itself ----------------------------------------------------------------------------------------------------

    def _join(self) -> None:
        self._again = False
        if not self._cluster.up:
            self.phase = Phase.OUT  # the next heartbeat tries again
            return
        self.phase = Phase.JOINING
        known = self.group.members.get(self.member)
        if not self.member or known is None:
            if self.member:
                self._forgotten(int(KafkaError.UNKNOWN_MEMBER_ID))
                return
            self.member = self.group.announce(self.name)
        self._known = self._topics_now()
        self.group.join(self, self.member, self.topics, frozenset(self.owned), self._session_s, self._poll_s)

    def _beat(self, this: int) -> None:
        if self._round != this or self._consumer.dead:
            return
        if self._consumer.awake and self._cluster.up:
            if self.phase is Phase.IN:
                self._judge(self.group.heartbeat(self.member, self.generation))
                if self.phase is Phase.IN and not self.busy and self._known != self._topics_now():
                    self._join()  # topics were made meanwhile
            elif self.phase is Phase.OUT and not self.busy:
                self._join()
            elif self.phase is not Phase.OUT and self.member not in self.group.members:
                self._forgotten(int(KafkaError.UNKNOWN_MEMBER_ID))
        self._cluster.agenda.at(self._cluster.now() + self._heartbeat_s, partial(self._beat, this))

    def _topics_now(self) -> dict[str, int]:
        return {topic: len(self._cluster.places(topic)) for topic in sorted(self.topics)}

    def _judge(self, code: int) -> None:
        if code == KafkaError.REBALANCE_IN_PROGRESS:
            if not self.busy:
                self._join()
        elif code:
            self._forgotten(code)

    def _forgotten(self, code: int) -> None:
        """The broker has expelled us, or a generation went by without us. librdkafka resets one of the two only, so
        that what it says of its membership is still refused."""
        if code == KafkaError.UNKNOWN_MEMBER_ID:
            self.member = ""
        else:
            self.generation = -1
        if self.busy:
            # Served first; then the next heartbeat finds out again. A member that is to join again after what it
            # serves does so here without having been told LOST. That is harsher than librdkafka 2.16, which was seen to
            # tell it first: workers must hold without it.
            return
        self.phase = Phase.OUT
        if self.owned:
            self.changes.append((Change.LOST, sorted(self.owned), True))
        else:
            self._join()

    def _count_polls(self, this: int) -> None:
        if self._round != this or self._consumer.dead:
            return
        now = self._cluster.now()
        if self.polled + self._poll_s > now or not self._consumer.awake:
            again = max(self.polled + self._poll_s, now + 0.1) if self.polled < NEVER else now + 1.0
            self._cluster.agenda.at(again, partial(self._count_polls, this))
            return
        if self.phase is not Phase.OUT:
            self._consumer.fail(KafkaError(KafkaError._MAX_POLL_EXCEEDED, "Application maximum poll interval exceeded"))
            if self.member and self._cluster.up:
                self.group.leave(self.member)
            self.member, self.phase = "", Phase.OUT
            lost = sorted(self._will_own())
            if lost:
                self.changes.append((Change.LOST, lost, True))
        self.polled = NEVER  # told once, until it polls again
        self._cluster.agenda.at(now + 1.0, partial(self._count_polls, this))
