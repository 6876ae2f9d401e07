"""The fold into the store: rows and positions in one transaction, the same whatever order the topics are read in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Column, Connection, Engine, bindparam, insert, select, update

from consumers.history.rows import Row, Rows
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.store import outcomes
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.outcomes import EXPIRED, FULFILLED, REVERSED, SATISFIED, changes, entries, rewards
from offerflow.runtime.store.positions import move, positions_in
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.upsert import insert_new, upsert

_AT_ONCE = 5000
"""Ids in one question; databases bound the number of parameters."""
_OUTCOME = ("state", "fulfilled_at", "by", "reversed_at", "reason")
_ENTRY = ("version", "holdout", "via", "attributes", "evidence", "ruleset", "entered_at", "expires_at")
_EXIT = ("exited_at", "exit_reason")


class HistoryFold:
    """Writes one store. Several may be at work on different partitions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        with writing(engine) as connection:
            outcomes.make_head(connection)

    def positions(self) -> dict[Place, Position]:
        """Everything that was ever read, by full name of the topic and partition."""
        with reading(self._engine) as connection:
            return positions_in(connection, outcomes.positions)

    def batch(self) -> Rows:
        return Rows()

    def write(self, rows: Rows, before: Mapping[Place, Position], after: Mapping[Place, Position]) -> None:
        """Add ``rows``, which lie between the positions ``before`` (none: never read) and ``after``. Raises Disturbed
        having written nothing if somebody else moved one of them: then read on from where they are."""
        with writing(self._engine) as connection:
            first = outcomes.numbers(connection, len(rows.satisfied) + len(rows.changed))
            move(connection, outcomes.positions, before, after)
            upsert(connection, entries, rows.entered, _ENTRY)
            upsert(connection, entries, rows.exited, _EXIT)
            _rewards(connection, rows, first)

    def complete(self) -> bool:
        """Whether the history once held all there was."""
        with reading(self._engine) as connection:
            return outcomes.complete(connection)

    def mark_complete(self, ends: Mapping[Place, int]) -> bool:
        """Whether the history holds everything below ``ends``; kept in the store when it is so."""
        with writing(self._engine) as connection:
            known = positions_in(connection, outcomes.positions)
            if any(place not in known or known[place].next < end for place, end in ends.items()):
                return False
            outcomes.mark_complete(connection)
            return True


def _rewards(connection: Connection, rows: Rows, first: int) -> None:
    """Whatever comes first, a reward or what became of it, the row says what both say together."""
    insert_new(connection, changes, rows.changed)
    new = {row["id"]: row for row in rows.satisfied}
    concerned = dict.fromkeys([*new, *(row["reward_id"] for row in rows.changed)])
    said: dict[str, list[Row]] = {}
    for change in _of(connection, changes.c.reward_id, concerned):
        said.setdefault(change["reward_id"], []).append(change)
    there = {row["id"]: row for row in _of(connection, rewards.c.id, concerned)}
    added, altered = [], []
    for number, reward_id in enumerate(concerned, first):
        outcome = _outcome(said.get(reward_id, ()))
        if reward_id in there:
            if any(there[reward_id][name] != value for name, value in outcome.items()):
                altered.append({"reward_id": reward_id, "seq": number, **outcome})
        elif reward_id in new:
            added.append({**new[reward_id], "seq": number, **outcome})
    if added:
        connection.execute(insert(rewards), added)
    if altered:
        connection.execute(update(rewards).where(rewards.c.id == bindparam("reward_id")), altered)


def _outcome(said: Iterable[Row]) -> Row:
    """State and its reasons. A reward that was taken back stays so, paid out or not."""
    outcome: Row = dict.fromkeys(_OUTCOME)
    outcome["state"] = SATISFIED
    for change in sorted(said, key=lambda change: (change["kind"] == REVERSED, -change["at"], change["id"])):
        if change["kind"] == FULFILLED:
            outcome |= {"state": FULFILLED, "fulfilled_at": change["at"], "by": change["by"]}
        else:
            state = EXPIRED if change["reason"] == "expired" else REVERSED
            outcome |= {"state": state, "reversed_at": change["at"], "reason": change["reason"]}
    return outcome


def _of(connection: Connection, column: Column[str], ids: Iterable[str]) -> Iterator[Row]:
    """Rows of the column's table whose value is among ``ids``."""
    wanted = list(ids)
    for at in range(0, len(wanted), _AT_ONCE):
        found = select(column.table).where(column.in_(wanted[at : at + _AT_ONCE]))
        yield from (dict(row) for row in connection.execute(found).mappings())
