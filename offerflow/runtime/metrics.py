"""Every Prometheus metric, declared once.

Labels are closed sets or names from the event plan, never what a user sent. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from prometheus_client import Counter, Gauge, Histogram

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

ingest_requests = Counter(
    "offerflow_ingest_requests_total",
    "Requests answered; source is empty without a known key",
    ["protocol", "code", "source"],
)
ingest_connections_refused = Counter(
    "offerflow_ingest_connections_refused_total", "Connections ended by the edge, by reason", ["why"]
)
ingest_wrong_keys = Counter(
    "offerflow_ingest_wrong_keys_total", "Requests whose key is malformed, unknown or has ended", ["why"]
)
ingest_quota_refusals = Counter(
    "offerflow_ingest_quota_refusals_total", "Requests refused since their key is over its quota", ["source"]
)
ingest_request_seconds = Histogram("offerflow_ingest_request_seconds", "Time to answer", buckets=LATENCY)

events = Counter("offerflow_events_total", "Raw records judged", ["channel", "event", "outcome"])
dead_letters = Counter("offerflow_dead_letters_total", "Dead letters written", ["reason", "event", "channel"])
dead_letters_unhandled = Gauge(
    "offerflow_dead_letters_unhandled", "Dead letters neither replayed nor purged", ["reason"]
)
dead_letter_oldest_seconds = Gauge(
    "offerflow_dead_letter_oldest_seconds", "Age of the oldest dead letter neither replayed nor purged; 0 without any"
)
first_seen = Counter(
    "offerflow_first_seen_total", "Dead-letter reasons, and schema ids nobody registered, never met before", ["kind"]
)
unplanned_properties = Counter("offerflow_unplanned_properties_total", "Unplanned properties stripped", ["event"])

lag_records = Gauge("offerflow_lag_records", "Offsets behind the end of the input", ["stage", "partition"])
lag_seconds = Gauge("offerflow_lag_seconds", "Age of the newest record of the last batch when it was done", ["stage"])
batch_seconds = Histogram("offerflow_batch_seconds", "Time per batch and step", ["stage", "step"], buckets=LATENCY)
batch_records = Histogram(
    "offerflow_batch_records", "Records per batch", ["stage"], buckets=(1, 10, 100, 500, 1000, 2500, 5000, 10000)
)
commit_seconds = Histogram("offerflow_commit_seconds", "Time to commit a transaction", ["stage"], buckets=LATENCY)

offer_entries = Counter("offerflow_offer_entries_total", "Entries announced", ["offer", "variant"])
offer_refusals = Counter("offerflow_offer_refusals_total", "Entries refused", ["offer", "reason"])
rewards = Counter("offerflow_rewards_total", "Rewards by state reached", ["reward", "state"])
unreadable_outputs = Counter(
    "offerflow_unreadable_outputs_total", "Records in topics of outputs that are none; passed by", ["stage"]
)
duplicates = Counter("offerflow_duplicates_total", "Repeated events dropped by the fold", ["event"])
late_events = Counter(
    "offerflow_late_events_total", "Events that counted although their entity's clock was past them", ["event"]
)
too_late_events = Counter("offerflow_too_late_events_total", "Events too far behind their entity's clock", ["event"])
ticks = Counter("offerflow_ticks_total", "Ticks folded")
timers_pending = Gauge("offerflow_timers_pending", "Entities that wait for a timer", ["partition"])
stream_time_lag_seconds = Gauge(
    "offerflow_stream_time_lag_seconds", "How long the first timer of a partition has been due", ["partition"]
)

claims = Counter(
    "offerflow_claims_total", "Claims of a partition, or of several that came to nothing", ["stage", "outcome"]
)
claim_seconds = Histogram(
    "offerflow_claim_seconds", "Time for a claim, of all partitions gained at once", ["stage"], buckets=LATENCY
)
refusals = Counter("offerflow_refusals_total", "Claims that a guard refused", ["stage", "reason"])
partitions = Gauge(
    "offerflow_partitions", "Partitions of a stage's input; each should be in offerflow_lag_records", ["stage", "topic"]
)
redis_errors = Counter("offerflow_redis_errors_total", "Calls that Redis did not answer, or refused", ["why"])
redis_memory_bytes = Gauge("offerflow_redis_memory_bytes", "What Redis uses, as the rules workers see it")
redis_memory_limit_bytes = Gauge("offerflow_redis_memory_limit_bytes", "Its maxmemory, beyond which it takes no writes")
consistency_mismatches = Counter(
    "offerflow_consistency_mismatches_total", "Differences that the last verification found", ["check", "kind"]
)
consistency_verified = Gauge(
    "offerflow_consistency_verified_timestamp_seconds", "When the last verification ended", ["check"]
)
apply_rejections = Counter("offerflow_apply_rejections_total", "Batches Redis refused because its position moved")
replayed_records = Counter("offerflow_replayed_records_total", "Records folded again below the committed offset")
suppressed_outputs = Counter("offerflow_suppressed_outputs_total", "Outputs computed again and thrown away")
producer_recreations = Counter("offerflow_producer_recreations_total", "Transactional producers re-created", ["stage"])
refusing = Gauge("offerflow_refusing", "1 while a worker refuses to go on", ["reason"])
console_task_failing = Gauge(
    "offerflow_console_task_failing", "1 while a task in the background of the console process fails", ["task"]
)
catalog_position = Gauge("offerflow_catalog_position", "Next offset of the catalog this program has read")

webhook_deliveries = Counter(
    "offerflow_webhook_deliveries_total", "Tries of deliveries by what came of them", ["endpoint", "outcome"]
)
webhook_queue = Gauge(
    "offerflow_webhook_queue", "Deliveries that wait, and those that are parked", ["endpoint", "state"]
)
webhook_oldest_seconds = Gauge("offerflow_webhook_oldest_seconds", "Age of the oldest that waits", ["endpoint"])
webhook_breaker = Gauge("offerflow_webhook_breaker", "0 closed, 1 half open, 2 open", ["endpoint"])


class LagGauge:
    """The lag of one stage's partitions. A partition that is no longer ours is no longer shown by us, nor is what an
    earlier session of this program had."""

    _shown: ClassVar[dict[str, set[str]]] = {}

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self.show({})

    def show(self, behind: Mapping[tuple[str, int], int]) -> None:
        """``behind``: (topic, partition) to offsets."""
        shown = {f"{topic}/{partition}": offsets for (topic, partition), offsets in behind.items()}
        for label in self._shown.get(self._stage, set()) - shown.keys():
            lag_records.remove(self._stage, label)
        for label, offsets in shown.items():
            lag_records.labels(self._stage, label).set(offsets)
        self._shown[self._stage] = set(shown)


class PartitionsGauge:
    """How many partitions the inputs of one stage have, whoever owns them. An input that is none any more is no longer
    shown."""

    _shown: ClassVar[dict[str, set[str]]] = {}

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def show(self, numbers: Mapping[str, int]) -> None:
        """``numbers``: by the full name of the topic."""
        for topic in self._shown.get(self._stage, set()) - numbers.keys():
            partitions.remove(self._stage, topic)
        for topic, number in numbers.items():
            partitions.labels(self._stage, topic).set(number)
        self._shown[self._stage] = set(numbers)


class TimeGauge:
    """The timers of the partitions that are ours, as Redis has them; not those of an earlier session."""

    _shown: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        self.show({}, 0)

    def show(self, timers: Mapping[int, tuple[int | None, int]], now: int) -> None:
        """``timers``: partition to when its first timer fires, if there is one, and how many entities have some."""
        shown = {str(partition): found for partition, found in timers.items()}
        for label in self._shown - shown.keys():
            timers_pending.remove(label)
            stream_time_lag_seconds.remove(label)
        for label, (first, number) in shown.items():
            timers_pending.labels(label).set(number)
            stream_time_lag_seconds.labels(label).set(0 if first is None else max(0, now - first) / 1000)
        TimeGauge._shown = set(shown)
