"""What is against what should be: every difference as one readable line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.model import Output

TOPIC_OF = {
    "OfferEntered": "offer-entry", "OfferExited": "offer-exit", "RewardSatisfied": "reward-satisfied",
    "RewardReversed": "reward-reversed", "RewardFulfilled": "reward-fulfilled",
}  # fmt: skip
MOST_EVIDENCE = 100


@dataclass
class Report:
    """Differences by kind. True in a boolean context when there are any."""

    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.doubled or self.wrong)

    def counts(self) -> dict[str, int]:
        return {"missing": len(self.missing), "doubled": len(self.doubled), "wrong": len(self.wrong)}

    def __str__(self) -> str:
        if not self:
            return "as expected"
        first = [f"{kind}: {lines[0]}" for kind, lines in vars(self).items() if lines]
        return f"{self.counts()}; first of each\n  " + "\n  ".join(first)

    def texts(self, what: str, actual: Iterable[tuple[str, str]], expected: Iterable[str]) -> None:
        """Compare two multisets of texts. ``actual`` pairs each text with where it lies."""
        due = Counter(expected)
        for text, where in actual:
            if due[text] > 0:
                due[text] -= 1
            elif text in due:
                self.doubled.append(f"{what} {where}: {text}")
            else:
                self.wrong.append(f"{what} {where} was not due: {text}")
        self.missing += [f"{what}: {text}" for text in due.elements()]


@dataclass(frozen=True)
class Written:
    """An output as it lies in its topic."""

    record: str
    key: str | None
    fields: Mapping[str, Any]
    headers: Mapping[str, str]
    where: str


def outputs(report: Report, actual: list[Written], expected: list[Output]) -> None:
    """``actual`` is in topic order."""
    due = {output.id: output for output in expected}
    if len(due) != len(expected):
        raise AssertionError("the oracle expects one id twice")
    seen: dict[str, Written] = {}
    for written in actual:
        made = written.fields["id"]
        if made in seen:
            report.doubled.append(f"{written.record} {made} at {seen[made].where} and {written.where}")
        elif made not in due:
            report.wrong.append(f"{written.record} at {written.where} was not due: {dict(written.fields)}")
        else:
            report.wrong += [f"{written.where}: {line}" for line in judge_output(written, due[made])]
        seen[made] = written
    for made, output in due.items():
        if made not in seen:
            report.missing.append(f"{output.record} {made} for {output.key}: {dict(output.fields)}")
    report.wrong += out_of_order(actual, due)


def judge_output(written: Written, output: Output) -> Iterable[str]:
    """What an output has wrong, a line each."""
    if written.record != output.record:
        yield f"{output.id} is a {written.record}, not a {output.record}"
        return
    if written.key != output.key:
        yield f"key {written.key!r}, expected {output.key!r}"
    for name, value in output.fields.items():
        if written.fields[name] != value:
            yield f"{output.record} {output.id}: {name} is {written.fields[name]!r}, expected {value!r}"
    if written.fields.get("ruleset", output.ruleset) != output.ruleset:
        yield f"ruleset {written.fields['ruleset']}, but {output.ruleset} was in force"
    if written.headers.get("ce_id") != output.id:
        yield f"ce_id {written.headers.get('ce_id')!r}, expected {output.id!r}"
    for header in ("ce_type", "ce_source", "ce_time"):
        if not written.headers.get(header):
            yield f"header {header} is missing"
    if written.headers.get("ce_subject") != output.key:
        yield f"ce_subject {written.headers.get('ce_subject')!r}, expected {output.key!r}"
    if "evidence" in written.fields:
        yield from judge_evidence(written.fields["evidence"], written.fields.get("evidence_count"), output)


def judge_evidence(evidence: list[dict[str, Any]], count: int | None, output: Output) -> Iterable[str]:
    """In journal order, the deciding event included, nothing that no leaf counts, and enough of it."""
    ids = [item["event_id"] for item in evidence]
    offsets = [item["journal_offset"] for item in evidence]
    if len(evidence) > MOST_EVIDENCE:
        yield f"{len(evidence)} items of evidence"
    if output.deciding is not None and output.deciding not in evidence:
        yield f"evidence {ids} lacks the deciding event {output.deciding}"
    if offsets != sorted(set(offsets)):
        yield f"evidence is not in journal order: {offsets}"
    for item in evidence:
        if item != output.hits.get(item["event_id"]):
            yield f"evidence {item}, expected {output.hits.get(item['event_id'], 'none of it: no leaf counts it')}"
    if count is not None and count < len(ids):
        yield f"evidence_count {count} for {len(ids)} items"
    if len(evidence) < MOST_EVIDENCE and not output.proves(frozenset(ids)):
        yield f"the evidence {ids} does not make the condition true"


def out_of_order(actual: Iterable[Written], due: Mapping[str, Output]) -> Iterable[str]:
    """Within a topic and key, outputs stand in the order of the journal records that decided them."""
    offsets: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for written in actual:
        output = due.get(written.fields["id"])
        if output is not None:
            offsets[written.record, written.key].append(output.offset)
    for (record, key), found in offsets.items():
        if found != sorted(found):
            yield f"{TOPIC_OF[record]} of {key} is out of order: journal offsets {found}"
