"""Headers nobody should send, on records good and bad; and records of strangers on the topic of replays."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from tests.deployment import Headers
from tests.end_to_end.coffee import RAW, Raw
from tests.end_to_end.three_forms import ThreeForms

_NAMES = (
    "ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "ce_subject", "ce_userid", "ce_anonymousid", "ce_",
    "CE_ID", "content-type", "Content-Type", "CONTENT-TYPE", "of-origin-topic", "of-origin-offset", "of-attempts", "",
    "☕", "x" * 3000, "\x00", "traceparent", "of-refused",
)  # fmt: skip
_VALUES = (
    None, b"", b"\xff\xfe", b"1.0", "☕ Brewed".encode(), b"0", b"-1", b"u-1",
    b"application/cloudevents+json", b"application/cloudevents", b"Application/CloudEvents+JSON ; charset=x",
    b"application/cloudevents-batch+json", b"application/json", b"text/plain", b"\x00" * 2000,
    b"2026-03-05T10:00:00Z", b'{"reason": "origin_forbidden", "detail": "", "final": false}',
)  # fmt: skip
_PLACES = (None, b"", b"0", b"7", b"-1", b"1e3", b"99999999999999999999", b"0x1", b"\xff", "٣".encode())


def odd_headers(seed: int, ids: Mapping[tuple[str, int], int], count: int) -> Iterator[Raw]:
    """Records of every form with headers added, doubled, emptied, or by the thousand."""
    draw = random.Random(seed)
    for topic, key, value, headers in ThreeForms(seed, ids).take(count):
        more = [(draw.choice(_NAMES), draw.choice(_VALUES)) for _ in range(draw.choice([0, 1, 2, 5]))]
        if draw.random() < 0.01:
            more += [(f"h{n % 7}", b"v" * (n % 50)) for n in range(4000)]
        mixed: list[tuple[str, bytes | None]] = [*headers, *more]
        if draw.random() < 0.5:
            draw.shuffle(mixed)
        yield topic, draw.choice([key, None, b"", b"\xff"]), value, mixed


def strangers(seed: int, ids: Mapping[tuple[str, int], int], prefix: str, appended: int, count: int) -> Iterator[Raw]:
    """Records on ``raw.replay`` whose origin is told rightly, wrongly, in part, or not at all, as of the time
    ``appended``."""
    draw = random.Random(seed)
    right = [prefix + topic for topic in (*RAW, "journal")]
    wrong = ["raw.backend", prefix + "raw.nowhere", prefix + "raw.replay", ""]
    for _, key, value, headers in ThreeForms(seed, ids).take(count):
        told: dict[str, bytes | None] = {
            "of-origin-topic": draw.choice([*right, *right, *wrong]).encode(),
            "of-origin-partition": b"3", "of-origin-offset": str(draw.randrange(10**9)).encode(),
            "of-origin-timestamp": str(appended).encode(), "of-origin-received-at": str(appended - 5).encode(),
            "of-dead-letter": b"0/17", "of-attempts": str(draw.randrange(1, 9)).encode(),
        }  # fmt: skip
        if draw.random() < 0.3:
            told[draw.choice(list(told)[:5])] = draw.choice(_PLACES)
        yield "raw.replay", key, value, _shuffled(draw, [*headers, *told.items()])


def _shuffled(draw: random.Random, headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    mixed = list(headers)
    draw.shuffle(mixed)
    return mixed
