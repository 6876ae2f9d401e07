"""What a change of the event plan means: whose events are refused or lost from now on, whose offers see it, which
versions can read which.

Avro's compatibility is about readers. Senders are judged by the newest version's whole contract, of which names,
origins, bounds and required fields are invisible to Avro; so they are looked at here, and marked rather than refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from console.workspace.differences import shown
from console.workspace.lines import Effect, Line
from console.workspace.narrowing import narrowed
from console.workspace.state import Content, State, names_of, newest_events, version_of
from console.workspace.traffic import LoadTraffic
from console.workspace.uses import Uses, sources_sending
from schemas.compatibility import can_read, level_of
from schemas.plan import ORIGINS
from schemas.type_names import type_name


@dataclass(frozen=True, slots=True)
class NewestChange:
    """The newest version of an event type before (``old``) and after (``new``) a change, None if there is none.
    ``uses`` are those of the state afterwards."""

    line: Line
    old: Content | None
    new: Content | None
    before: State
    after: State
    uses: Callable[[], Uses]
    traffic: LoadTraffic | None


def event_effects(change: NewestChange) -> Iterator[Effect]:
    """Effects of one line of the diff: of the newest version those on its senders, of all what they touch."""
    line, old, new = change.line, change.old, change.new
    if new is None and old is not None:
        if line.id == f"{old['name']}@{version_of(old)}":
            yield _breaks(change, f"{_quoted(names_of(old))} no longer arrives (unknown_event)")
            yield Effect("note", "its events stay in the journal and stay readable; the schema id is never used again")
        return
    if line.action == "remove":
        yield Effect(
            "note", "Avro producers that still use this version get unknown_schema; the journal stays readable"
        )
    if new is None or line.id != f"{new['name']}@{version_of(new)}" or old == new:
        # The newest may also have become an older one, when this line takes the newest away.
        if line.action == "remove" and old is not None and new is not None and old != new and _is(line, old):
            yield Effect("note", f"{new['name']}@{version_of(new)} is the newest version again")
            yield from _on_senders(change, old, new)
        return
    if old is None:
        yield from _first(change, new)
        return
    yield from _versions(change, new)
    yield from _on_senders(change, old, new)
    yield from _touched(change, old, new)


def _is(line: Line, schema: Content) -> bool:
    return line.id == f"{schema['name']}@{version_of(schema)}"


def _first(change: NewestChange, new: Content) -> Iterator[Effect]:
    senders = sources_sending(change.after, new)
    if senders:
        yield Effect("note", f"may be sent by {', '.join(senders)}", tuple(f"source/{name}" for name in senders))
    waiting = sum(count for (name, _), count in _traffic(change).items() if name in names_of(new))
    if waiting:
        came = f"{waiting:,} event{'s' if waiting > 1 else ''} of this name came in so far"
        text = f"{came}; `offerflow dlq replay` judges again what became a dead letter"
        yield Effect("note", text)


def _versions(change: NewestChange, new: Content) -> Iterator[Effect]:
    """Which versions can read which, of every earlier one that is there."""
    older = sorted((schema for name, schema in change.after.items()
                    if name.startswith(f"event/{new['name']}@") and schema is not new), key=version_of)  # fmt: skip
    mine = version_of(new)
    for schema in older:
        other = version_of(schema)
        if other < mine:
            try:
                backward, forward = can_read(new, schema), can_read(schema, new)
            except ValueError as error:  # applied before this was checked; it stays
                yield Effect("note", f"version {mine} cannot be compared with version {other}: {error}")
                continue
            text = (
                f"version {mine} reads version {other}: {_yes(backward)}; readers of version {other} can read version"
                f" {mine}: {_yes(forward)} ({level_of(new)})"
            )
            yield Effect("reads", text, (f"event/{new['name']}@{other}",))


def _on_senders(change: NewestChange, old: Content, new: Content) -> Iterator[Effect]:
    """What was accepted and no longer is, or is no longer kept."""
    gone = [name for name in names_of(old) if name not in names_of(new)]
    for name in gone:
        owner = next((s["name"] for s in newest_events(change.after).values() if name in names_of(s)), None)
        what = f"becomes an event of {owner}" if owner else "becomes a dead letter (unknown_event)"
        yield _breaks(change, f"{shown(name)} {what}")
    lost = [one for one in old.get("origins", ORIGINS) if one not in new.get("origins", ORIGINS)]
    if lost:
        senders = [content["id"] for name, content in sorted(change.after.items())
                   if name.startswith("source/") and content["origin"] in lost]  # fmt: skip
        who = f" ({', '.join(senders)})" if senders else ""
        text = f"what sources of origin {', '.join(lost)}{who} send becomes dead letters (origin_forbidden)"
        yield Effect("breaks", text, tuple(f"source/{name}" for name in senders))
    for text in narrowed(old, new):
        yield _breaks(change, text)
    if old.get("system", False) and not new.get("system", False):
        yield Effect("note", "sources can no longer switch it off")
    if set(old.get("unique", ())) - set(new.get("unique", ())):
        yield Effect("note", "its unique key is another one: what counted as the same fact may count again")
    if old.get("reverses") != new.get("reverses"):
        yield Effect("note", "refunds from now on are taken by what it reverses; those before stay as they are")
    if old.get("unplanned") == "allow":
        kept = {field["name"] for field in old["fields"]}
        for field in new["fields"]:
            if field["name"] not in kept:
                text = f"{field['name']} was kept whatever it was; now it is {type_name(field['type'])}"
                yield Effect("note", f"{text}, and other values become dead letters (schema_violation)")
    yield from _pii(old, new)


def _pii(old: Content, new: Content) -> Iterator[Effect]:
    was, will = ({field["name"]: bool(field.get("pii")) for field in schema["fields"]} for schema in (old, new))
    for name, pii in will.items():
        if was.get(name) and not pii:
            yield Effect("note", f"{name} is no longer pii: from now on its values stay in the journal")
        elif name in was and pii and not was[name]:
            yield Effect("note", f"{name} is pii from now on: the journal carries null; events written before keep it")


def _touched(change: NewestChange, old: Content, new: Content) -> Iterator[Effect]:
    uses = change.uses()
    changed = {detail.path.partition(".")[0].partition("[")[0] for detail in change.line.details}
    fields = {field["name"] for schema in (old, new) for field in schema["fields"]}
    for field in sorted(changed & fields):
        using = uses.of_event(new["name"], field)
        if using:
            yield _touches(uses, using, f"{field} is read by ")
    using = uses.of_event(new["name"])
    if using:
        yield _touches(uses, using, "the event is counted by ")


def _touches(uses: Uses, using: list[str], what: str) -> Effect:
    offers = uses.offers_of(using)
    conditions = uses.conditions_among(using)
    words = [f"{kind}{'s' if len(ids) > 1 else ''} {', '.join(ids)}"
             for kind, ids in (("condition", conditions), ("offer", offers)) if ids]  # fmt: skip
    names = (*(f"condition/{one}" for one in conditions), *(f"offer/{one}" for one in offers))
    return Effect("touches", what + " and ".join(words), names)


def _breaks(change: NewestChange, text: str) -> Effect:
    """An effect on senders, with who they are: those seen if any traffic is known, else those who may send."""
    schema = change.old or change.new
    assert schema is not None  # noqa: S101 - a line has at least one side
    traffic = _traffic(change)
    if not traffic:
        senders = sources_sending(change.after, schema)
        who = f"; sources that may send it: {', '.join(senders)}" if senders else ""
    else:
        counts: dict[str, int] = {}
        for (name, source), count in traffic.items():
            # Names of planned events are counted under their display name, whichever of them arrived.
            if source and name in names_of(schema):
                counts[source] = counts.get(source, 0) + count
        senders = sorted(counts)
        listed = ", ".join(f"{source} ({counts[source]:,})" for source in senders)
        who = f"; the event came from {listed}" if senders else "; the event has not come from any source yet"
    return Effect("breaks", f"{text}{who}", tuple(f"source/{sender}" for sender in senders))


def _traffic(change: NewestChange) -> dict[tuple[str, str], int]:
    return change.traffic() if change.traffic is not None else {}


def _quoted(names: list[str]) -> str:
    return ", ".join(shown(name) for name in names)


def _yes(value: Any) -> str:
    return "yes" if value else "no"
