"""The outputs of one journal partition: what a fold says, one by one, against what the topics hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from console.verify.bounds import OUTPUT_TOPICS
from console.verify.collecting import Name, Spot, name_and_fingerprint, plain_headers
from console.verify.findings import OUTPUTS, Bytes, Difference, Findings, cause_of
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.partitions import partition_of
from offerflow.runtime.settings import Settings
from schemas.folding.announced import Announced, sources
from schemas.folding.partition import Work

SKEW_MS = 60_000
"""How much the clocks of two brokers may differ."""


class Retention:
    """Which outputs may have been deleted with their topic's oldest segments. ``starts``: first offset of each place,
    ``first_ms``: append time of the record there, if there is any.

    An output is appended after its journal record. So one that is missing can only be expired if its journal record is
    no younger than what the topic still has.
    """

    def __init__(self, starts: Mapping[Place, int], first_ms: Mapping[Place, int]) -> None:
        self._partitions: dict[str, int] = {}
        self._first: dict[Place, int | None] = {}
        for place, start in starts.items():
            topic, partition = place
            self._partitions[topic] = max(self._partitions.get(topic, 0), partition + 1)
            if start:
                self._first[place] = first_ms.get(place)

    def may_have_taken(self, output: Output, source: Record) -> bool:
        if not self._first or output.topic not in self._partitions:
            return False
        if output.key is None:
            # Keyless records are spread at random.
            places = [place for place in self._first if place[0] == output.topic]
        else:
            places = [(output.topic, partition_of(output.key, self._partitions[output.topic]))]
        appended = source.timestamp()[1]
        return any(
            place in self._first and ((first := self._first[place]) is None or appended <= first + SKEW_MS)
            for place in places
        )


class Earlier:
    """Which outputs may have been decided before the record with which a fold on from a copy began. Tell it the first
    ones that were ``decided`` since, in order. ``applied``: when the copy's position was last moved, in ms since 1970.

    What lies below that position had been published by then. And the outputs of one journal partition lie in each
    partition of their topics in the order in which they were decided, so what was decided before lies in front of the
    first that was decided since.
    """

    def __init__(self, applied: int | None) -> None:
        self._until = math.inf if applied is None else applied + SKEW_MS
        self._begins: dict[tuple[int, int], int] = {}

    def decided(self, spot: Spot) -> None:
        self._begins.setdefault((spot.topic, spot.partition), spot.offset)
        self._until = min(self._until, spot.appended + SKEW_MS)

    def may_have(self, spot: Spot) -> bool:
        begins = self._begins.get((spot.topic, spot.partition), math.inf)
        return spot.offset < begins and spot.appended <= self._until


class OutputCheck:
    """Takes the Works of one partition in order, then ``rest``. ``certain``: what was decided below it must be there,
    what comes after it may be. ``earlier``: given if the Works do not begin with the first record of the journal; it
    tells what the topics may have from before."""

    def __init__(
        self, settings: Settings, partition: int, certain: int, found: Iterable[tuple[Name, Spot]],
        retention: Retention, findings: Findings, earlier: Earlier | None = None,
    ) -> None:  # fmt: skip
        self._announced = Announced(settings)
        self._short = {settings.topic(name): name for name in OUTPUT_TOPICS}
        self._number = {name: number for number, name in enumerate(OUTPUT_TOPICS)}
        self._partition = partition
        self._certain = certain
        self._retention = retention
        self._findings = findings
        self._found: dict[Name, Spot | list[Spot]] = {}
        self.compared = 0
        self.expired = 0
        self.running = 0
        self.earlier = 0
        self._earlier = earlier
        for name, spot in found:
            known = self._found.setdefault(name, spot)
            if known is not spot:
                self._found[name] = [*known, spot] if isinstance(known, list) else [known, spot]

    def work(self, work: Work) -> None:
        """Compare what these records came to."""
        if not work.outputs and not work.dead_letters:
            return
        for source, output in zip(sources(work), self._announced(work, 0), strict=True):
            self._compare(source, output)

    def rest(self) -> None:
        """What the topics have and nothing was decided that says so."""
        for (number, output_id), found in self._found.items():
            spots, before = _all(found), 0
            if self._earlier is not None:
                before = sum(self._earlier.may_have(spot) for spot in spots)
                self.earlier += min(before, 1)
            # Once decided before, it was published once; what nobody decided is unexpected wherever it lies.
            kind = "duplicated" if before else "unexpected"
            for _ in spots[min(before, 1) :]:
                if not self._findings.counted(OUTPUTS, kind):
                    self._tell(kind, OUTPUT_TOPICS[number], output_id, spots, None, None)
        self._found.clear()

    def _compare(self, source: Record, output: Output) -> None:
        topic, headers = self._short[output.topic], plain_headers(output.headers)
        output_id, fingerprint = name_and_fingerprint(topic, output.key, output.value, headers)
        spots = _all(self._found.pop((self._number[topic], output_id), []))
        certain = source.offset() < self._certain
        if certain:
            self.compared += 1
        else:
            self.running += 1
        if not spots:
            if not certain:
                return
            if self._retention.may_have_taken(output, source):
                self.expired += 1
                self.compared -= 1
            elif not self._findings.counted(OUTPUTS, "missing"):
                self._tell("missing", topic, output_id, spots, source, output)
            return
        if self._earlier is not None:
            # Of a duplicate the last one, so that nothing from before is blamed for it.
            self._earlier.decided(spots[-1])
        if len(spots) > 1:
            for _ in spots[1:]:
                if not self._findings.counted(OUTPUTS, "duplicated"):
                    self._tell("duplicated", topic, output_id, spots, source, output)
        for spot in spots:
            if spot.fingerprint != fingerprint and not self._findings.counted(OUTPUTS, "wrong"):
                self._tell("wrong", topic, output_id, [spot], source, output)

    def _tell(
        self, kind: str, topic: str, output_id: bytes, spots: list[Spot], source: Record | None, output: Output | None
    ) -> None:
        expected = None
        if output is not None:
            expected = Bytes(output.key, output.value, plain_headers(output.headers))
        self._findings.add(
            Difference(
                check=OUTPUTS, kind=kind, partition=self._partition, subject=topic, id=output_id.hex(),
                cause=None if source is None else cause_of(source), expected=expected,
                places=tuple((OUTPUT_TOPICS[spot.topic], spot.partition, spot.offset) for spot in spots),
            )
        )  # fmt: skip


def _all(spots: Spot | list[Spot]) -> list[Spot]:
    return [spots] if isinstance(spots, Spot) else spots
