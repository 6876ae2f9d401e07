"""The broker's side of consumer groups: members and generations (classic protocol), and committed offsets.

The rules of who may commit are those of ``ClassicGroup.validateOffsetCommit`` in Apache Kafka 4; those of offsets in
open transactions are its ``OffsetMetadataManager``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from confluent_kafka import KafkaError

from tests.doubles.kafka.assignor import assign
from tests.doubles.kafka.log import Place, Transaction

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster


class GroupMetadata(NamedTuple):
    """What a consumer says of its membership in a commit. Generation -1: it is no member."""

    group: str
    generation: int
    member: str


class Offset(NamedTuple):
    """``at`` is its place among all offsets that were ever sent: of two, the one sent later holds."""

    offset: int
    metadata: str
    at: int


class State(Enum):
    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class Remote(Protocol):
    """The client behind a member. It hears of a new generation when its process is awake."""

    name: str

    def joined(self, generation: int) -> None: ...
    def synced(self, places: set[Place]) -> None: ...
    def rejoin(self) -> None: ...


@dataclass
class Member:
    id: str
    remote: Remote
    topics: frozenset[str]
    owned: frozenset[Place]
    session_s: float
    patience_s: float
    heard: float
    joined: bool = False
    """It waits for the next generation."""
    synced: bool = False
    """It waits for its assignment, or has it."""
    gone: bool = False
    """It left, or its session expired."""
    assignment: set[Place] = field(default_factory=set)


class Group:
    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.generation = 0
        self.state = State.EMPTY
        self.members: dict[str, Member] = {}
        self.offsets: dict[Place, Offset] = {}
        self.pending: dict[Transaction, dict[Place, Offset]] = {}
        """Offsets sent in transactions that are not ended here yet."""
        self._cluster = cluster
        self._leader = ""
        self._round = 0

    # -- membership -------------------------------------------------------------------------------------------------

    def announce(self, client_id: str) -> str:
        """The id for a new member, which has to join with it."""
        return f"{client_id}-{self._cluster.number():06}"

    def join(
        self, remote: Remote, member_id: str, topics: frozenset[str], owned: frozenset[Place],
        session_s: float, patience_s: float,
    ) -> None:  # fmt: skip
        """Wait for the next generation, which is told by ``joined``."""
        now = self._cluster.now()
        if member_id not in self.members:
            self.members[member_id] = Member(member_id, remote, topics, owned, session_s, patience_s, now)
            self._watch(self.members[member_id])
        member = self.members[member_id]
        member.topics, member.owned, member.heard = topics, owned, now
        if self.state is not State.PREPARING:
            self.prepare()
        member.joined = True
        self._complete_if_all_joined()

    def leave(self, member_id: str) -> None:
        member = self.members.pop(member_id, None)
        if member is None:
            return
        member.gone = True
        if self.state is State.PREPARING:
            self._complete_if_all_joined()
        else:
            self.prepare()

    def heartbeat(self, member_id: str, generation: int) -> int:
        """0, or the code of the error that the member is told."""
        member = self.members.get(member_id)
        if member is None:
            return int(KafkaError.UNKNOWN_MEMBER_ID)
        if generation != self.generation:
            return int(KafkaError.ILLEGAL_GENERATION)
        member.heard = self._cluster.now()
        return int(KafkaError.REBALANCE_IN_PROGRESS) if self.state is State.PREPARING else 0

    def sync(self, member_id: str, generation: int) -> int:
        """0, or the code of the error. The assignment comes by ``synced`` once the leader has made it."""
        member = self.members.get(member_id)
        if member is None:
            return int(KafkaError.UNKNOWN_MEMBER_ID)
        if generation != self.generation:
            return int(KafkaError.ILLEGAL_GENERATION)
        if self.state is State.PREPARING:
            return int(KafkaError.REBALANCE_IN_PROGRESS)
        member.heard = self._cluster.now()
        member.synced = True
        if self.state is State.COMPLETING and member_id == self._leader:
            self._lead()
        elif self.state is State.STABLE:
            member.remote.synced(set(member.assignment))
        return 0

    def prepare(self) -> None:
        """Begin a rebalance: members hear of it with their next heartbeat, and have their patience to join again."""
        waiting = [member for member in self.members.values() if member.synced and self.state is State.COMPLETING]
        self.state = State.PREPARING
        self._round += 1
        for member in self.members.values():
            member.joined = member.synced = False
        this = self._round
        patience = max((member.patience_s for member in self.members.values()), default=0.0)
        self._cluster.agenda.at(self._cluster.now() + patience, lambda: self._give_up(this))
        for member in waiting:
            member.remote.rejoin()
        self._complete_if_all_joined()

    def _give_up(self, this: int) -> None:
        if self.state is State.PREPARING and self._round == this:
            for member in [member for member in self.members.values() if not member.joined]:
                del self.members[member.id]
                member.gone = True
            self._complete_if_all_joined()

    def _complete_if_all_joined(self) -> None:
        if self.state is not State.PREPARING or not all(member.joined for member in self.members.values()):
            return
        self.generation += 1
        if not self.members:
            self.state = State.EMPTY
            return
        self.state = State.COMPLETING
        if self._leader not in self.members:
            self._leader = next(iter(self.members))
        generation = self.generation
        for member in list(self.members.values()):
            member.joined, member.synced, member.heard = False, False, self._cluster.now()
        for member in list(self.members.values()):
            if self.generation == generation:
                member.remote.joined(generation)

    def _lead(self) -> None:
        """What the leader's client computes and sends."""
        subscribed = {member.id: member.topics for member in self.members.values()}
        topics = sorted({topic for found in subscribed.values() for topic in found})
        places = [place for topic in topics for place in self._cluster.places(topic)]
        found = assign(places, subscribed, {member.id: member.owned for member in self.members.values()})
        self.state = State.STABLE
        for member in self.members.values():
            member.assignment = found[member.id]
        for member in list(self.members.values()):
            if member.synced:
                member.remote.synced(set(member.assignment))

    def _watch(self, member: Member) -> None:
        def look() -> None:
            now = self._cluster.now()
            if member.gone:
                return
            waits = member.joined or (member.synced and self.state is State.COMPLETING)
            if not self._cluster.up or waits:
                member.heard = now
            if member.heard + member.session_s <= now:
                self.leave(member.id)
            else:
                self._cluster.agenda.at(member.heard + member.session_s, look)

        self._cluster.agenda.at(member.heard + member.session_s, look)

    # -- offsets ----------------------------------------------------------------------------------------------------

    def may_commit(self, who: GroupMetadata, transactional: bool) -> int:
        """0, or the code of the error. A transactional commit that names no member is taken at any time."""
        if who.generation < 0 and self.state is State.EMPTY:
            return 0
        if who.generation >= 0 or who.member:
            if who.member not in self.members:
                return int(KafkaError.UNKNOWN_MEMBER_ID)
            if who.generation != self.generation:
                return int(KafkaError.ILLEGAL_GENERATION)
        elif not transactional and self.state is not State.EMPTY:
            return int(KafkaError.UNKNOWN_MEMBER_ID)
        if not transactional and self.state is State.COMPLETING:
            return int(KafkaError.REBALANCE_IN_PROGRESS)
        return 0

    def store(self, offsets: Mapping[Place, tuple[int, str]], within: Transaction | None = None) -> None:
        at = self._cluster.number()
        kept = self.offsets if within is None else self.pending.setdefault(within, {})
        kept.update({place: Offset(offset, metadata, at) for place, (offset, metadata) in offsets.items()})

    def mark(self, ended: Transaction) -> None:
        """The marker of a transaction in the offsets topic: its offsets hold from now on, or never did."""
        for place, offset in self.pending.pop(ended, {}).items():
            if ended.outcome and (place not in self.offsets or self.offsets[place].at < offset.at):
                self.offsets[place] = offset

    def unstable(self, place: Place) -> bool:
        return any(place in offsets for offsets in self.pending.values())
