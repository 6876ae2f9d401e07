"""What releases decided once is decided so for ever: their journals, folded by the code as it is."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from offerflow import __version__
from offerflow.rules import rewards
from offerflow.rules.offers import Reward
from offerflow.rules.record import Record
from offerflow.rules.state import LAYOUT
from tests.golden import release
from tests.oracle.pairs.reached import LEAST

RELEASES = release.releases()


def _unchanged(name: str, sizes: release.Sizes | None = None) -> None:
    outputs, states = release.folded(release.catalog(name), release.journal(name), sizes)
    told = release.differences(release.read(name, "outputs"), outputs)
    if release.about(name)["layout"] == LAYOUT:
        told += release.differences(release.read(name, "states"), states)
    assert not told, f"release {name} decided otherwise; see tests/golden/README.md:\n" + "\n".join(told)


def test_this_release_is_recorded() -> None:
    """The version of this checkout has its golden journal, so that the next one is held to it."""
    assert __version__ in RELEASES, "record it: python -m tests.golden record"


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_folds_as_it_was_decided(name: str) -> None:
    """Outputs, dead letters and states are those of the release, byte for byte, each partition in one batch."""
    _unchanged(name)


@pytest.mark.parametrize("name", RELEASES)
def test_batches_do_not_matter(name: str) -> None:
    """The same in batches of every size, as workers, replays and rebuilding make them."""
    random = Random(name)
    _unchanged(name, lambda: random.choice((1, 1, 2, 3, 5, 8, 20)))


@pytest.mark.parametrize("name", RELEASES)
def test_everything_happens_in_it(name: str) -> None:
    """A journal in which something never happens says nothing about it."""
    reached = release.about(name)["reached"]
    assert not [what for what in reached if not reached[what]]
    if name == __version__:
        assert reached.keys() == LEAST.keys()
    letters = [row["fields"]["reason"] for row in release.read(name, "outputs") if row["type"] == "DeadLetter"]
    assert {"rule_error", "duplicate_conflict"} <= set(letters)


def test_a_change_of_meaning_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reward worth a cent more is told by partition, offset and field, in the outputs and in the states."""
    value = rewards._value

    def generous(record: Record, reward: Reward) -> Decimal | None:
        found = value(record, reward)
        return None if found is None else found + Decimal("0.01")

    monkeypatch.setattr(rewards, "_value", generous)
    name = __version__
    outputs, states = release.folded(release.catalog(name), release.journal(name))
    recorded = release.read(name, "outputs")
    told = release.differences(recorded, outputs)
    first = next(row for row in recorded if row["type"] == "RewardSatisfied" and row["fields"]["value"])
    place = (first["partition"], first["offset"], first["topic"], None)
    assert told[0].startswith(f"{place}: fields.value was {first['fields']['value']!r}, is ")
    assert any("state[" in words for words in release.differences(release.read(name, "states"), states))
