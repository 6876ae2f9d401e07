"""Standing still for a fault of our own: not ready, with a reason for people and one for alarms, until it is mended."""

from __future__ import annotations

from offerflow.runtime import metrics, outside
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.kafka.transactional import Output, Unwritable
from offerflow.runtime.logs import get_logger
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings

RETRY_S = 3.0
_REASONS = {"dead-letter": "dead_letter", "journal": "journal", "events-seen": "events_seen"}
"""Short names of the topics that are written to, and what the alarm calls it when that is not possible."""


class Hold:
    """``on`` while nothing may be worked on. After ``retry`` work goes on to see whether all is well again; the
    alarm ends with ``over``, once it was."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._why: str | None = None
        self._tried = 0.0
        self.reason: str | None = None
        self.on = False

    def begin(self, reason: str, why: str) -> None:
        """``reason`` is the closed label of ``offerflow_refusing``."""
        if self.reason != reason:
            self.over()
        if (self.reason, self._why) != (reason, why):
            get_logger().error("holding", reason=reason, why=why)
        self.reason, self._why, self.on, self._tried = reason, why, True, outside.monotonic()
        metrics.refusing.labels(reason).set(1)
        self.show()

    def show(self) -> None:
        self._program.health.not_ready(f"holding: {self._why}")

    def worth_a_try(self) -> bool:
        return outside.monotonic() - self._tried >= RETRY_S

    def retry(self) -> None:
        self.on = False

    def over(self) -> None:
        if self.reason is not None:
            metrics.refusing.labels(self.reason).set(0)
            get_logger().info("no longer holding", reason=self.reason)
        self.reason, self._why, self.on = None, None, False


class Gone(Disturbed):
    """A topic to write to does not exist."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"topic {topic} is gone; run `offerflow topics create`, or restore it from a backup")
        self.reason = reason


def check_topics(settings: Settings, admin: Admin) -> None:
    """Raises Gone. A client would try for a long time to write to a topic that is not there."""
    names = {settings.topic(name): reason for name, reason in _REASONS.items()}
    there = admin.topics(names)
    for topic, reason in names.items():
        if topic not in there:
            raise Gone(topic, reason)


def blame(settings: Settings, error: Unwritable) -> tuple[str, str]:
    """Reason and words for what the broker does not take."""
    topic = error.output.topic
    reason = _REASONS[topic.removeprefix(settings.topic_prefix)]
    what = _described(error.output)
    return reason, (
        f"{what} cannot be written to {topic} ({len(error.output.value or b'')} bytes; the broker says: {error.why}),"
        " and nothing is dropped. Raise max.message.bytes of the topic if the record is too large for it, check the"
        " access rights, or run `offerflow topics create` if the topic is gone; work goes on by itself then"
    )


def _described(output: Output) -> str:
    """Which raw record a dead letter is about, as its headers say."""
    headers = {name: str(value) for name, value in output.headers or ()}
    place = [headers.get(f"__connect.errors.{name}") for name in ("topic", "partition", "offset")]
    return "a record" if None in place else "the dead letter of {}/{}@{}".format(*place)
