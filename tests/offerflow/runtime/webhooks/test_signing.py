"""Signatures, verified by the library that receivers use."""

import base64
import json
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from offerflow.runtime.webhooks.signing import headers, new_secret, signer


def test_a_secret_is_whsec_and_32_random_bytes() -> None:
    """As Standard Webhooks wants it, and never the same."""
    one, two = new_secret(), new_secret()
    assert one != two
    assert one.startswith("whsec_")
    assert len(base64.b64decode(one.removeprefix("whsec_"))) == 32


def test_each_of_two_secrets_verifies_and_a_changed_body_does_not() -> None:
    """One header, two signatures."""
    secrets = [new_secret(), new_secret()]
    body = json.dumps({"type": "reward.satisfied", "data": {"name": "Zoë"}}, ensure_ascii=False)
    signed = headers("m-1", int(time.time() * 1000), body, [signer(one) for one in secrets])
    for secret in secrets:
        assert Webhook(secret).verify(body, signed) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets[0]).verify(body.replace("Zoë", "Zoe"), signed)


def test_a_secret_that_is_none_is_refused_without_repeating_it() -> None:
    """Errors end up in logs."""
    with pytest.raises(ValueError, match="not whsec_ and base64") as error:
        signer("whsec_§§")
    assert "§" not in str(error.value)
