"""The comparison must see what it is for: each kind of damage done to topics that were right before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import fastavro
import pytest
from xxhash import xxh3_64_digest

from tests.oracle import wire
from tests.oracle.identity import identifier, partition_of
from tests.oracle.model import Record
from tests.oracle.samples import NOON, PREFIX, bought, plan, record
from tests.oracle.verdict import judge_all
from tests.oracle.workspace import Workspace, with_meta

PARTITION = partition_of(b"u:u1", 8)
Topics = dict[str, list[Record]]


def _framed(schema_id: int, schema: Any, value: dict[str, Any]) -> bytes:
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(wire.plain(schema)), value)
    return b"\x00" + schema_id.to_bytes(4, "big") + body.getvalue()


def _output(name: str, **fields: Any) -> bytes:
    schema = json.loads((wire.SCHEMAS / "outputs" / f"{name}.avsc").read_text())
    return _framed(schema["id"], schema, fields)


def _lies(topic: str, offset: int, value: bytes, key: bytes, headers: tuple[Any, ...] = ()) -> Record:
    return Record(PREFIX + topic, "ID", PARTITION, offset, NOON, key, value, headers)


def _journal(workspace: Workspace, offset: int, event_id: str, order: str, more: int = 0) -> Record:
    schema = workspace.types["Bought"].schema
    properties = {"order": order, "amount": 10.0, "code": None, "email": None}
    bare = _framed(1000, {**schema, "fields": schema["fields"][1:]}, properties)[1:]
    meta = {
        "event_id": event_id, "user_id": "u1", "anonymous_id": None, "time": NOON, "received_at": NOON,
        "source": "shop", "origin": "backend", "lateness": "normal",
        "content_hash": int.from_bytes(xxh3_64_digest(bare), "big", signed=True) + more,
    }  # fmt: skip
    return _lies("journal", offset, _framed(1000, with_meta(schema), {"meta": meta, **properties}), b"u:u1")


def _workspace() -> Workspace:
    offer = {"id": "o", "entry": {"event": "Bought"}, "completion": {"event": "Bought"}, "reward": {"id": "r"}}
    return plan(offers={"o": offer})


def _right() -> Topics:
    """Two purchases and one broken record, everything in place."""
    workspace = _workspace()
    activated = json.loads((wire.SCHEMAS / "internal" / "RulesetActivated.avsc").read_text())
    raws = [
        record(bought()),
        record(bought(event_id="e2", properties={"order": "o-2"}), offset=8),
        record(b"?", offset=9, key=b"k", headers=(("h", b"1"), ("h", None))),
    ]
    letter = _output(
        "DeadLetter", id=identifier("DeadLetter", PREFIX + "raw.backend", "0", "9"), topic=PREFIX + "raw.backend",
        partition=0, offset=9, timestamp=NOON, key=b"k", value=b"?", reason="undecodable", detail="not JSON",
        headers=[{"key": "h", "value": b"1"}, {"key": "h", "value": None}], attempts=1, component="validation",
        version="1", failed_at=NOON,
    )  # fmt: skip
    return {
        "raw.backend": raws,
        "catalog": [_lies("catalog", 0, b'{"schema_id": 1000}', b"event/Bought@1")],
        "journal": [
            *(
                replace(_lies("journal", 0, _framed(2, activated, {"ruleset": "R"}), b"ruleset"), partition=n)
                for n in range(8)
            ),
            _journal(workspace, 1, "e1", "o-1"),
            _journal(workspace, 2, "e2", "o-2"),
        ],
        "dead-letter": [_lies("dead-letter", 0, letter, b"k")],
        **_outputs(),
    }


def _outputs() -> Topics:
    instance = identifier("o", "u:u1", "e1")
    ids = {
        name: identifier(name, instance, reward, side, "0")
        for name, reward, side in (("OfferEntered", "", ""), ("OfferExited", "", ""), ("RewardSatisfied", "r", "user"))
    }
    shared = {"user_id": "u1", "offer": "o", "instance": instance, "variant": "default"}
    first, second = (
        {"event_id": f"e{n}", "event": "Bought", "time": NOON, "journal_partition": PARTITION, "journal_offset": n}
        for n in (1, 2)
    )
    entered = _output(
        "OfferEntered", id=ids["OfferEntered"], offer_version="V", holdout=False, attributes={}, entered_at=NOON,
        via="event", ruleset="R", evidence=[first], **shared,
    )  # fmt: skip
    exited = _output("OfferExited", id=ids["OfferExited"], reason="completed", exited_at=NOON, **shared)
    reward = _output(
        "RewardSatisfied", id=ids["RewardSatisfied"], reward="r", side="user", attributes={}, satisfied_at=NOON,
        late=False, ruleset="R", evidence=[second], evidence_count=1, **shared,
    )  # fmt: skip
    lying = {"offer-entry": entered, "offer-exit": exited, "reward-satisfied": reward}
    names = {"offer-entry": "OfferEntered", "offer-exit": "OfferExited", "reward-satisfied": "RewardSatisfied"}
    return {topic: [_lies(topic, 0, value, b"u1", _headers(ids[names[topic]]))] for topic, value in lying.items()} | {
        "reward-reversed": [],
        "reward-fulfilled": [],
    }


def _headers(made: str) -> tuple[tuple[str, bytes], ...]:
    told = {"ce_id": made, "ce_type": "T", "ce_source": "S", "ce_time": "now", "ce_subject": "u1"}
    return tuple((name, value.encode()) for name, value in told.items())


def test_what_is_right_is_found_right() -> None:
    """No difference, and totals as the demo prints them."""
    examined = judge_all(_right(), [_workspace()], PREFIX)
    assert not examined.report, str(examined.report)
    assert examined.totals == {"events": 3, "dead_letters": {"undecodable": 1}, "entries": 1, "rewards": 1}


def _lose(topic: str) -> Callable[[Topics], None]:
    return lambda lying: lying[topic].pop()


def _double(topic: str) -> Callable[[Topics], None]:
    return lambda lying: lying[topic].append(replace(lying[topic][-1], offset=99))


def _swap_journal(lying: Topics) -> None:
    first, second = lying["journal"][-2:]
    lying["journal"][-2:] = [replace(second, offset=1), replace(first, offset=2)]


def _rekey(topic: str) -> Callable[[Topics], None]:
    def change(lying: Topics) -> None:
        lying[topic][-1] = replace(lying[topic][-1], key=b"u:u2")

    return change


def _alter(topic: str, old: bytes, new: bytes) -> Callable[[Topics], None]:
    def change(lying: Topics) -> None:
        value = lying[topic][-1].value or b""
        assert old in value
        lying[topic][-1] = replace(lying[topic][-1], value=value.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("damage", "counts"),
    [
        (_lose("offer-entry"), {"missing": 1, "doubled": 0, "wrong": 0}),
        (_lose("reward-satisfied"), {"missing": 1, "doubled": 0, "wrong": 0}),
        (_lose("dead-letter"), {"missing": 1, "doubled": 0, "wrong": 0}),
        (_double("offer-exit"), {"missing": 0, "doubled": 1, "wrong": 0}),
        (_double("reward-satisfied"), {"missing": 0, "doubled": 1, "wrong": 0}),
        (_double("dead-letter"), {"missing": 0, "doubled": 1, "wrong": 0}),
        (_double("journal"), {"missing": 0, "doubled": 1, "wrong": 0}),
        (_rekey("journal"), {"missing": 0, "doubled": 0, "wrong": 1}),
        (_rekey("reward-satisfied"), {"missing": 0, "doubled": 0, "wrong": 1}),
        (_alter("offer-entry", b"default", b"defauld"), {"missing": 0, "doubled": 0, "wrong": 1}),
        (_alter("reward-satisfied", b"\x04e2", b"\x04e1"), {"missing": 0, "doubled": 0, "wrong": 3}),
        (_alter("dead-letter", b"\x02?", b"\x02!"), {"missing": 0, "doubled": 0, "wrong": 1}),
    ],
)
def test_damage_is_seen(damage: Callable[[Topics], None], counts: dict[str, int]) -> None:
    """Lost, doubled and altered records are each counted once and under their own name."""
    lying = _right()
    damage(lying)
    report = judge_all(lying, [_workspace()], PREFIX).report
    assert report.counts() == counts, str(report)


def test_a_lost_journal_record_is_missing_and_its_outputs_are_not_due() -> None:
    """The fold goes by the journal, so the reward written from the lost record counts as wrong."""
    lying = _right()
    lying["journal"].pop()
    report = judge_all(lying, [_workspace()], PREFIX).report
    assert report.counts() == {"missing": 1, "doubled": 0, "wrong": 2}


def test_journal_order_is_judged() -> None:
    """One user's events that came by one raw partition must not change places."""
    lying = _right()
    _swap_journal(lying)
    report = judge_all(lying, [_workspace()], PREFIX).report
    assert any("out of order" in line for line in report.wrong)


def test_content_hashes_are_computed_anew() -> None:
    """A hash that does not stand for the bytes after meta is wrong, though the event is right."""
    lying = _right()
    lying["journal"][-1] = _journal(_workspace(), 2, "e2", "o-2", more=1)
    assert judge_all(lying, [_workspace()], PREFIX).report.counts() == {"missing": 0, "doubled": 0, "wrong": 1}
