"""What a batch adds to metrics and logs once it is published."""

from __future__ import annotations

from structlog.testing import capture_logs

from consumers.rules.counts import count
from offerflow.rules.outcomes import Refusal
from offerflow.runtime import metrics
from schemas.folding.book import CatalogBook
from schemas.folding.partition import Partition, Work
from tests.consumers.rules.world import Journalled, Outcome, activation, catalog_of, happened, offer

PAID = offer("o", {"event": "A", "code": "C"})


def told(*records: Journalled) -> tuple[Work, list[dict[str, object]]]:
    """The work of a batch after the activation of PAID, and what is logged of it."""
    partition = Partition(3, 0, 0, None, {}, CatalogBook(catalog_of([[PAID]])))  # type: ignore[arg-type]
    batch = [activation(0, 0), *records]
    work = partition.fold(batch, Outcome().load(partition.entities(batch), None), None, len(batch))
    with capture_logs() as logs:
        count(work, partition.offers)
    return work, [dict(line) for line in logs]


def refused(label: str, reason: str) -> float:
    return metrics.offer_refusals.labels(label, reason)._value.get()


def test_a_name_that_the_ruleset_does_not_know_is_no_label() -> None:
    """Whoever may ask could fill the metrics with names; the reason is counted all the same."""
    book = CatalogBook(catalog_of([[PAID]]))
    ask = {"name": "offerflow.EnterOffer", "properties": {"offer": "made-up"}}
    before = refused("", "unknown_offer"), refused("o", "unknown_offer")
    known = {"name": "offerflow.EnterOffer", "properties": {"offer": "o"}}  # not entered by systems
    work, _ = told(happened(1, book, "u:ann", ask), happened(2, book, "u:ann", known))
    assert [one.offer for one in work.refusals if isinstance(one, Refusal)] == ["", "o"]
    assert (refused("", "unknown_offer"), refused("o", "unknown_offer")) == (before[0] + 1, before[1] + 1)
    names = {sample.labels.get("offer") for metric in metrics.offer_refusals.collect() for sample in metric.samples}
    assert "made-up" not in names


def test_failures_are_told_once_a_batch_and_of_nobody() -> None:
    """Where the first was and how many there were; neither whose they were nor what was in them."""
    garbage = b"\x00\x00\x00\x03\xe8garbage"
    work, logs = told(*(Journalled(at, garbage, b"u:ann") for at in range(1, 5)))
    assert len(work.dead_letters) == 4
    assert [{key: line[key] for key in line if key != "event"} for line in logs] == [
        {"log_level": "error", "partition": 3, "offset": 1, "records": 4}
    ]
