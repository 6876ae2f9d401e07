"""What came of one request: the verdict, and enough words for a person to mend the cause.

delivered   2xx, and the answer ended, or went on longer than anybody wants to read
gone        410: the receiver asks for no more (Standard Webhooks)
failed      everything else; ``reason`` says of what kind
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

Outcome = Literal["delivered", "gone", "failed"]
Reason = Literal[
    "", "url", "name", "forbidden", "connect", "tls", "timeout", "broken", "protocol", "redirect", "status"
]
GONE = 410
LONGEST_RETRY_AFTER_S = 3600.0
_SHOWN = 300

ADVICE: dict[Reason, str] = {
    "": "",
    "url": "Give the endpoint a URL that can be posted to: `offerflow webhooks change NAME --url URL`.",
    "name": "Check the host name, and the name server of the machine that sends.",
    "forbidden": "Use a public address, or allow the network by OFFERFLOW_WEBHOOKS__ALLOW_NETWORKS if it is meant.",
    "connect": "Check that the receiver runs, the port, and the firewalls between.",
    "tls": "The certificate must fit the host and come from a trusted root; OFFERFLOW_WEBHOOKS__CA_FILE adds one.",
    "timeout": "Answer 2xx as soon as the message is stored, and work on it afterwards.",
    "broken": "The receiver or a proxy before it closes the connection without a whole answer; its log knows why.",
    "protocol": "What answers is no HTTP server, or https and http are mixed up.",
    "redirect": "Redirects are never followed: use the final address as the URL.",
    "status": "Answer 2xx. 401 or 403 is often a wrong secret, 404 or 405 a wrong path, 5xx a fault in the receiver.",
}
"""What to do, by reason."""


class Answer(msgspec.Struct, frozen=True):
    """``status`` is None if no answer began; ``retry_after_s`` what the receiver asked for, within bounds."""

    outcome: Outcome
    ms: int
    status: int | None = None
    reason: Reason = ""
    detail: str = ""
    retry_after_s: float | None = None


def excerpt(body: bytes) -> str:
    """The beginning of an answer's body on one line, for a log; what is not printable is replaced."""
    text = body[: _SHOWN * 4].decode("utf-8", "replace")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:_SHOWN]


def retry_after(value: str | None, now_ms: int) -> float | None:
    """Seconds of a Retry-After header in either form, at most LONGEST_RETRY_AFTER_S; None if it says nothing."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else parsedate_to_datetime(value).timestamp() - now_ms / 1000
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def error_of(answer: Answer) -> str:
    """What the log says of a try."""
    if answer.status is None or answer.outcome == "delivered" or answer.reason in ("broken", "redirect"):
        return answer.detail
    return f"answered {answer.status}" + (f": {answer.detail}" if answer.detail else "")
