"""Adopting what a worker refuses, after a person has judged it: the one override of the guards of a claim.

What is adopted is a position up to which everything counts as published (the committed offset), and for the rules what
the states in Redis belong to and how far they are folded. Nothing is computed: the plan says what it takes for granted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from console.state.standing import CLIENT, LAYOUT, RULES, Stage, Standing
from offerflow.runtime import guards
from offerflow.runtime.errors import OfferflowError, TryAgain
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.judged import commit_judged
from offerflow.runtime.redis.mending import MendingStore
from offerflow.runtime.redis.store import Meta
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import commit_metadata

WORDS = ("committed", "redis", "start", "end")
"""Positions with a name; any other is a number."""


class NotAdoptable(OfferflowError):
    """What is wrong with a partition, or the position that was chosen, cannot be adopted. Says what to do instead."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What becomes of one partition. ``position``: the offset to commit, None where the committed one stays. ``meta``:
    fields to set in Redis. ``drop``: its states are dropped. ``means``: what is taken for granted by it, in words."""

    standing: Standing
    position: int | None
    meta: dict[str, str | int] = field(default_factory=dict)
    drop: bool = False
    means: tuple[str, ...] = ()


def plan_adoption(standing: Standing, chosen: str | None = None, *, anew: bool = False) -> Adoption | None:
    """How to make a worker go on with this partition; None if one would by itself. ``chosen``: one of WORDS, or an
    offset in digits. ``anew``: drop the states, so that they are folded from the beginning."""
    if standing.refusal is None:
        return None
    if standing.meta is None:
        at = _position(standing, chosen, _validated(standing))
        return Adoption(standing, at, means=_means_for_raw(standing, at))
    meta = _kept(standing, anew)
    same_log = meta.topic_id in (None, standing.topic.id)
    folded = min(max(meta.next, standing.start), standing.end) if same_log or not meta.next else None
    at = _position(standing, chosen, _published(standing, folded, meta))
    if folded is None:
        folded = at
    if folded > at:
        raise NotAdoptable(
            f"{standing.where}: the position {at} lies below {folded}, up to which Redis has folded, and states cannot"
            " be taken back. Choose one at or above it, or add --anew to fold the states from the beginning"
        )
    changed: dict[str, str | int] = {}
    if not anew and (meta.next or folded):
        changed |= {name: value for name, value in standing.identity.items() if getattr(meta, name) != value}
        changed |= {"next": folded} if folded != meta.next else {}
    trusted = standing.offset_refusal is None and standing.committed is not None and standing.committed.offset == at
    means = (*_means_for_state(standing, meta, folded, anew=anew), *_means_for_outputs(standing, at, folded))
    return Adoption(standing, None if trusted else at, changed, anew, means)


def adopt(settings: Settings, stage: Stage, adoptions: Sequence[Adoption]) -> None:
    """Carry out what was planned: Redis first, then the commits of all partitions at once. Between the two a worker
    refuses as it did before, and another adoption goes on from there.

    Raises TryAgain where the group has members, or a partition is not as it was looked at any more.
    """
    if stage.members:
        raise TryAgain(_working(stage))
    admin = Admin(settings, CLIENT)
    _unmoved(admin, stage, adoptions)
    if stage.name == RULES:
        store = MendingStore(settings)
        try:
            for one in adoptions:
                seen, number = one.standing.meta, one.standing.place[1]
                assert seen is not None  # noqa: S101 - the rules stage has it
                if store.meta(number) != seen:
                    raise _moved(one)
                if not (store.drop_seen(number, seen) if one.drop else store.adopt(number, seen, one.meta)):
                    raise _moved(one)
        finally:
            store.close()
        _unmoved(admin, stage, adoptions)
    commits: dict[Place, tuple[int, str]] = {
        one.standing.place: (one.position, commit_metadata(one.standing.topic.id, one.position))
        for one in adoptions
        if one.position is not None
    }
    commit_judged(settings, stage.group, commits)


def _unmoved(admin: Admin, stage: Stage, adoptions: Sequence[Adoption]) -> None:
    """Raises TryAgain where the group has moved since it was looked at. Workers that refuse come back every few
    seconds and work off what is well, so a group that looks empty need not be at rest."""
    now = admin.committed(stage.group, [one.standing.place for one in adoptions])
    for one in adoptions:
        if now.get(one.standing.place) != one.standing.committed:
            raise _moved(one)
    members = admin.members(stage.group)
    if members:
        raise TryAgain(_working(replace(stage, members=members)))


def _moved(one: Adoption) -> TryAgain:
    return TryAgain(
        f"{one.standing.where} has moved since it was looked at: workers still come and go, though they refuse. Stop"
        " them, and look again"
    )


def _working(stage: Stage) -> str:
    return (
        f"group {stage.group} has members ({', '.join(stage.members)}): stop the {stage.name} workers first, wait until"
        " they have left (6 s after a kill), and repeat"
    )


def _kept(standing: Standing, anew: bool) -> Meta:
    """What Redis has of a partition, as far as it is to be kept."""
    meta = standing.meta
    assert meta is not None  # noqa: S101 - asked of the rules stage only
    if anew:
        if standing.start:
            raise NotAdoptable(
                f"{standing.where}: the journal starts at {standing.start}, so states cannot be folded from the"
                " beginning; restore a backup of Redis that reaches the journal (docs/backups.md)"
            )
        return Meta(**dict.fromkeys(Meta.__slots__) | {"next": 0})  # type: ignore[arg-type]
    if guards.half_written(meta):
        raise NotAdoptable(
            f"{standing.where}: an apply died half-way, so nobody knows what its states are; "
            + ("restore a backup of Redis (docs/backups.md)" if standing.start else "add --anew to fold them again")
        )
    if meta.partitions not in (None, standing.identity["partitions"]):
        raise NotAdoptable(
            f"{standing.where}: its states were folded from a journal of {meta.partitions} partitions, this one has"
            f" {standing.identity['partitions']}, so the records of its users lie elsewhere now. Restore the journal"
            + ("" if standing.start else ", or add --anew to fold the states from this one")
        )
    if guards.of_another_layout(meta, LAYOUT):
        raise NotAdoptable(
            f"{standing.where}: its states have the layout {meta.layout}, this version of offerflow reads {LAYOUT}; "
            + ("run the version that wrote them" if standing.start else "add --anew to fold them again")
        )
    return meta


def _position(standing: Standing, chosen: str | None, default: int | None) -> int:
    """The position that was chosen, within the log."""
    log = f"the log goes from {standing.start} to {standing.end}"
    if chosen is None:
        if default is None:
            raise NotAdoptable(
                f"{standing.where}: nothing here tells up to where its records were worked off; {log}. Choose with"
                f" --position: an offset, or {', '.join(_words(standing))}"
            )
        return default
    at = _words(standing)[chosen] if chosen in _words(standing) else int(chosen) if chosen.isdigit() else None
    if at is None:
        raise NotAdoptable(f"{standing.where}: there is no position {chosen!r} here; {log}")
    if not standing.start <= at <= standing.end:
        raise NotAdoptable(f"{standing.where}: the position {at} lies outside; {log}")
    return at


def _words(standing: Standing) -> dict[str, int]:
    found = {"start": standing.start, "end": standing.end}
    if standing.committed is not None:
        found["committed"] = standing.committed.offset
    if standing.meta is not None and standing.meta.next:
        found["redis"] = standing.meta.next
    return found


def _validated(standing: Standing) -> int | None:
    """An offset of ours that the log does not reach any more tells enough; any other needs a person."""
    refusal, committed = standing.offset_refusal, standing.committed
    if refusal is None or committed is None or refusal.reason != "offset_outside":
        return None
    return min(max(committed.offset, standing.start), standing.end)


def _published(standing: Standing, folded: int | None, meta: Meta) -> int | None:
    """Without a choice: the committed offset where it can be trusted, else how far Redis has folded, since that never
    leads what was published."""
    committed, refusal = standing.committed, standing.offset_refusal
    if committed is not None and refusal is None:
        return committed.offset if folded is None else max(committed.offset, folded)
    if refusal is not None and refusal.reason == "offset_outside" and committed is not None and folded is not None:
        return max(folded, min(max(committed.offset, standing.start), standing.end))
    return folded if meta.next and folded is not None else None


def _means_for_raw(standing: Standing, at: int) -> tuple[str, ...]:
    committed = standing.committed
    found = "no offset is committed" if committed is None else f"the offset found is {committed.offset}"
    said = (
        f"records below {at} count as validated, those from it on are validated ({found}): what was validated already"
        " comes into the journal once more, where the rules drop what has a known event id; what was not, and lies"
        " below, is lost"
    )
    return (said,)


def _means_for_state(standing: Standing, meta: Meta, folded: int, *, anew: bool) -> list[str]:
    if anew:
        return ["its states in Redis are dropped and folded from the beginning of the journal"]
    said = []
    if meta.next and meta.topic_id not in (None, standing.topic.id):
        said.append(
            f"the journal is another topic ({standing.topic.id}) than the one its states came of ({meta.topic_id}):"
            f" they count as folded up to {folded} of this one. If this journal does not hold those records, folding"
            " from the beginning will never give these states again, so keep backups of Redis"
        )
    for name, what in (("cluster_id", "cluster"), ("group", "group")):
        if getattr(meta, name) not in (None, standing.identity[name]):
            said.append(
                f"its states came of {what} {getattr(meta, name)}, this is {standing.identity[name]}: make sure that"
                " no other deployment uses this Redis"
            )
    if meta.next < standing.start == folded and meta.topic_id in (None, standing.topic.id):
        said.append(
            f"its states lack the records from {meta.next} to {standing.start}, which the journal has lost: what users"
            " did there never counts"
        )
    if meta.next > standing.end and folded == standing.end:
        said.append(
            f"its states hold {meta.next - standing.end} offsets that the journal has lost at its end: what users did"
            " there counts still, but folding anew will not give it again"
        )
    return said


def _means_for_outputs(standing: Standing, at: int, folded: int) -> list[str]:
    committed = standing.committed
    trusted = committed is not None and standing.offset_refusal is None
    said = []
    if trusted and committed is not None and at > committed.offset:
        said.append(
            f"records from {committed.offset} to {at} count as published: what they should have announced and did not"
            " is lost. If Redis is what is wrong, rebuild it instead"
        )
    elif not trusted:
        said.append(
            f"records below {at} count as published, those from it on are decided and announced: what was announced"
            f" above {at} is announced again with the same ids, what was not and lies below is lost"
        )
    if folded < at:
        said.append(f"records from {folded} to {at} are folded again without announcing anything")
    return said
