"""Secrets and headers of Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """``whsec_`` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signer(secret: str) -> Webhook:
    """What signs with a secret; worth keeping. Raises ValueError that does not repeat the secret."""
    try:
        return Webhook(secret)
    except Exception:
        raise ValueError("the secret is not whsec_ and base64") from None


def headers(message_id: str, at_ms: int, body: str, signers: Sequence[Webhook]) -> dict[str, str]:
    """The three headers for a body sent at ``at_ms``: one signature for each secret that is valid now."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_ms // 1000),
        "webhook-signature": " ".join(one.sign(msg_id=message_id, timestamp=at, data=body) for one in signers),
    }
