"""One dead letter as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

import click

from console.cli.output import print_json
from console.cli.tables import visible, wrapped
from console.dead_letters.document import Unreadable, read_document
from console.dead_letters.handled import HandledLetters
from console.dead_letters.hiding import hidden_document, hiding, known_schema
from console.dead_letters.judging import Judge
from console.dead_letters.masking import HIDDEN, NOTHING, Personal, mask_headers, mask_letter, personal_in
from offerflow.runtime.settings import Settings
from schemas.announce import rfc3339
from schemas.dead_letter import StoredLetter
from schemas.dead_letter_state import Coordinates, Handled, show

Chain = list[tuple[Handled, Coordinates | None]]


def row_of(letter: StoredLetter, handled: HandledLetters) -> dict[str, Any]:
    """Everything but key, value and headers."""
    return {
        "at": show(letter.at),
        "since": rfc3339(letter.appended_ms),
        "handled": "replayed" if letter.at in handled.replayed else "purged" if letter.at in handled.purged else None,
        "reason": letter.reason,
        "event": letter.event,
        "source": letter.source,
        "field": letter.field,
        "detail": letter.detail,
        "expected": letter.expected,
        "got": letter.got,
        "schema_id": letter.schema_id,
        "attempts": letter.attempts,
        "component": letter.component,
        "version": letter.version,
        "failed_at": rfc3339(letter.failed_at),
        "id": letter.id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": rfc3339(letter.timestamp),
    }


def print_letter(
    settings: Settings, letter: StoredLetter, earlier: list[Coordinates], later: Chain, *, show_pii: bool, output: str
) -> None:
    """``earlier``: the dead letters it was replayed from. ``later``: what was done with it, and what came of that."""
    judge = Judge(settings)
    hidden = NOTHING if show_pii else personal_in(judge.plan)
    form, value = _value(judge, letter, hidden, show_pii)
    letter = mask_letter(letter, hidden)
    headers = [
        (name, None if content is None else _text(content)) for name, content in mask_headers(letter.headers, hidden)
    ]
    if output == "json":
        row = row_of(letter, HandledLetters(settings))
        del row["handled"]
        print_json({
            **row,
            "original": {"key": None if letter.key is None else _text(letter.key), "headers": headers, "form": form,
                         "value": value},
            "replayed_from": [show(at) for at in earlier],
            "handled": [
                {"status": done.status, "at": rfc3339(done.at), "by": done.by, "patched": done.patched,
                 "topic": done.topic, "partition": done.partition, "offset": done.offset,
                 "dead_again": show(dead) if dead else None}
                for done, dead in later
            ],
        })  # fmt: skip
        return
    facts: list[tuple[str, object]] = [
        ("dead letter", f"{show(letter.at)}, id {letter.id}"),
        ("reason", letter.reason), ("detail", letter.detail), ("field", letter.field), ("expected", letter.expected),
        ("got", letter.got), ("event", letter.event), ("source", letter.source), ("schema id", letter.schema_id),
        ("judged", f"{rfc3339(letter.failed_at)} by {letter.component} {letter.version}, attempt {letter.attempts}"),
        ("original", f"{letter.topic} {letter.partition}/{letter.offset}, appended {rfc3339(letter.timestamp)}"),
        ("key", None if letter.key is None else _text(letter.key)),
        *((f"header {name}", "(null)" if content is None else content) for name, content in headers),
        *(("replayed from", show(at)) for at in earlier),
        *((done.status, _told(done, dead)) for done, dead in later),
    ]  # fmt: skip
    for name, fact in facts:
        if fact is not None:
            label = f"{visible(name):<14} "
            first, *more = wrapped(visible(str(fact)), len(label))
            click.echo(label + first)
            for line in more:
                click.echo(" " * len(label) + line)
    if letter.value is None:
        click.echo(f"\nvalue: {visible(form)}")
        return
    click.echo(f"\nvalue, {visible(form)}:")
    lines = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    for line in lines.splitlines():
        click.echo(visible(line))


def _told(done: Handled, dead: Coordinates | None) -> str:
    when = f"{rfc3339(done.at)} by {done.by}"
    if done.status == "purged":
        return when
    patched = ", patched" if done.patched else ""
    came = f"; dead again as {show(dead)}" if dead else "; not dead again"
    return f"{when}{patched}, to {done.topic} {done.partition}/{done.offset}{came}"


def _value(judge: Judge, letter: StoredLetter, hidden: Personal, show_pii: bool) -> tuple[str, Any]:
    """What to call the value, and the value: a JSON document, or text that says what the bytes are."""
    try:
        document = read_document(letter.value, letter.headers, judge.plan, judge.schema_ids(letter))
    except Unreadable as error:
        return f"it {error}", None if letter.value is None else _bytes(letter.value, show_pii)
    form = {"json": "JSON", "cloudevent": "a binary CloudEvent, written as a structured one"}.get(document.form, "Avro")
    if document.schema is not None:
        form += f", decoded as {document.schema.name} version {document.schema.version}"
    schema = None if letter.reason == "undecodable" else known_schema(judge.plan, letter.event)
    hide = hiding(hidden, judge.plan, schema)
    masked = hidden_document(document.body, hidden, hide, framed=document.form == "avro")
    return form + (f"; {HIDDEN} shows with --show-pii" if masked != document.body else ""), masked


def _bytes(value: bytes, show_pii: bool) -> str:
    """No event plan can be laid upon them: personal data may be anywhere in them, so only their number is shown."""
    if show_pii:
        return _text(value)
    return f"({len(value)} byte{'s' * (len(value) != 1)}, hidden; --show-pii shows what cannot be read)"


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.hex(" ")
