"""``offerflow webhooks test``: one signed message right now, from this machine, and what is wrong if it fails."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import click
import msgspec

from console.cli.options import dir_option, output_option
from console.cli.output import print_json
from console.cli.tables import print_facts
from console.cli.webhooks_store import moment, now_ms, opened
from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.webhooks import endpoints
from offerflow.runtime.webhooks.answer import ADVICE, Answer, error_of
from offerflow.runtime.webhooks.deliveries import log_test
from offerflow.runtime.webhooks.posting import Poster
from offerflow.runtime.webhooks.signing import headers, signer
from offerflow.runtime.webhooks.types import TEST


@click.command(short_help="Send a test message to the endpoint NAME now.")
@click.argument("name")
@output_option
@dir_option
def test(name: str, output: str, directory: Path | None) -> None:
    """Send a message of type offerflow.test to the endpoint NAME now, and print what was sent and what came back.

    It is signed like any other and goes out from this machine, whatever the endpoint's state, its breaker and its
    queue. Exits with 1 if the endpoint does not answer 2xx.
    """
    with opened(directory) as (engine, settings):
        at = now_ms()
        with reading(engine) as connection:
            endpoint = endpoints.find(connection, name, at)
        message_id = f"test-{uuid.uuid4()}"
        payload = {"type": TEST, "timestamp": moment(at), "data": {"endpoint": name}}
        body = msgspec.json.encode(payload).decode()
        signed = headers(message_id, at, body, [signer(secret) for secret in endpoint.secrets])
        answer = asyncio.run(_post(settings, endpoint.url, signed, body))
        error = error_of(answer)
        with writing(engine) as connection:
            log_test(connection, name, message_id, TEST, at, answer, error)
    result = {
        "name": name, "url": endpoint.url, "headers": signed, "body": payload, "outcome": answer.outcome,
        "status": answer.status, "ms": answer.ms, "error": error, "advice": ADVICE[answer.reason],
    }  # fmt: skip
    if output == "json":
        print_json(result)
    else:
        rows = [("request", f"POST {endpoint.url}"), *signed.items(), ("body", body)]
        rows += [("answer", _verdict(answer)), ("time", f"{answer.ms} ms")]
        rows += [(label, text) for label, text in (("what", error), ("do", ADVICE[answer.reason])) if text]
        print_facts(rows)
    if answer.outcome != "delivered":
        raise click.exceptions.Exit(1)


def _verdict(answer: Answer) -> str:
    return f"{answer.status or 'none'}, {'delivered' if answer.outcome == 'delivered' else 'not delivered'}"


async def _post(settings: WebhookSettings, url: str, signed: dict[str, str], body: str) -> Answer:
    poster = Poster(settings)
    try:
        return await poster.post(url, signed, body.encode())
    finally:
        await poster.close()
