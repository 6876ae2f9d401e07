"""Dead letters held against the records they must preserve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.oracle import wire
from tests.oracle.compare import Report
from tests.oracle.identity import identifier
from tests.oracle.model import Dead, Record
from tests.oracle.replayed import attempts


def check_dead_letters(
    report: Report,
    letters: list[Record],
    deads: dict[tuple[str, int, int], Dead],
    originals: dict[tuple[str, int, int], Record],
    prefix: str,
) -> None:
    schemas = wire.output_schemas()
    seen: dict[tuple[str, int, int], str] = {}
    for record in letters:
        schema_id, body = wire.unframe(record.value, record.where)
        letter = wire.decode(body, schemas[schema_id], record.where)
        at = (letter["topic"], letter["partition"], letter["offset"])
        if at in seen:
            report.doubled.append(f"dead letter of {at} at {seen[at]} and {record.where}")
        elif at not in deads:
            why = f"{letter['reason']}, {letter['detail']}"
            report.wrong.append(f"dead letter {record.where} of {at} was not due: {why}")
        else:
            differences = judge_letter(letter, record, deads[at], originals[at], prefix)
            report.wrong += [f"dead letter {record.where} of {at}: {line}" for line in differences]
        seen[at] = record.where
    for at, dead in deads.items():
        if at not in seen:
            value = f"{originals[at].value!r:.200}"
            report.missing.append(f"dead letter of {at}: {dead.reason} ({dead.why}), value {value}")


def judge_letter(letter: dict[str, Any], record: Record, dead: Dead, original: Record, prefix: str) -> Iterable[str]:
    """What a decoded dead letter has wrong, ``record`` being where it lies."""
    if letter["reason"] != dead.reason:
        yield f"{letter['reason']} ({letter['detail']}), expected {dead.reason} ({dead.why}): {original.value!r:.200}"
    for name in ("timestamp", "key", "value"):
        if letter[name] != getattr(original, name):
            yield f"{name} is {letter[name]!r:.100}, the original's is {getattr(original, name)!r:.100}"
    if [(one["key"], one["value"]) for one in letter["headers"]] != list(original.headers):
        yield f"headers {letter['headers']}, the original's are {original.headers}"
    if letter["id"] != identifier("DeadLetter", original.topic, str(original.partition), str(original.offset)):
        yield f"id {letter['id']}"
    if record.key != original.key:
        yield f"key {record.key!r}, the original's is {original.key!r}"
    if letter["attempts"] != attempts(original, prefix):
        yield f"attempts {letter['attempts']}, expected {attempts(original, prefix)}"
    told = {name: letter[name] for name in ("detail", "component", "version", "failed_at")}
    if not all(told.values()):
        yield f"does not say all of {told}"
