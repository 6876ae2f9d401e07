"""One request: where it goes, under which name, and what the environment has no say in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from offerflow.runtime.errors import ConfigError
from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.webhooks.answer import Answer, retry_after
from offerflow.runtime.webhooks.posting import Poster
from offerflow.runtime.webhooks.resolving import Lookup, Resolver
from tests.offerflow.runtime.webhooks.certificates import self_signed
from tests.receiver import Receiver, answer

LOCAL = {"allow_networks": "127.0.0.0/8", "allow_http": True}


async def post(url: str, lookup: Lookup | None = None, **given: object) -> Answer:
    settings = WebhookSettings.model_validate({**LOCAL, **given})
    poster = Poster(settings, Resolver(settings.networks(), lookup))
    try:
        return await poster.post(url, {"webhook-id": "m-1"}, b"{}")
    finally:
        await poster.close()


def test_certificates_are_verified_for_the_name_of_the_url(tmp_path: Path) -> None:
    """Untrusted: refused. Trusted by the settings: accepted under the names it is for, refused under another, although
    the connection goes to the same address by number."""

    async def lookup(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async def story() -> None:
        context, certificate = self_signed(tmp_path)
        async with Receiver(tls=context) as receiver:
            untrusted = await post(receiver.url)
            assert (untrusted.outcome, untrusted.reason) == ("failed", "tls")
            assert (await post(receiver.url, ca_file=str(certificate))).outcome == "delivered"
            named = f"https://localhost:{receiver.port}/"
            assert (await post(named, lookup, ca_file=str(certificate))).outcome == "delivered"
            other = await post(f"https://crm.example:{receiver.port}/", lookup, ca_file=str(certificate))
            assert (other.outcome, other.reason) == ("failed", "tls")
            assert len(receiver.got) == 2

    asyncio.run(story())


def test_a_certificate_file_that_cannot_be_used_is_told_by_its_variable() -> None:
    """So that the worker says it when it starts."""

    async def story() -> None:
        with pytest.raises(ConfigError, match="OFFERFLOW_WEBHOOKS__CA_FILE=/nowhere"):
            await post("https://crm.example/", ca_file="/nowhere")

    asyncio.run(story())


def test_proxies_and_cookies_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is not used; a cookie that was set is not sent back."""

    async def story() -> None:
        async with Receiver() as proxy, Receiver(answer(200, "Set-Cookie: a=b; Path=/")) as receiver:
            for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            settings = WebhookSettings.model_validate(LOCAL)
            poster = Poster(settings)
            for _ in range(2):
                assert (await poster.post(receiver.url, {"webhook-id": "m-1"}, b"{}")).outcome == "delivered"
            await poster.close()
            assert proxy.got == []
            assert [got.headers.get("cookie") for got in receiver.got] == [None, None]
            assert receiver.connections == 1

    asyncio.run(story())


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    """A name with several addresses is reached while one of them can be."""
    nobody = "127.0.0.2"

    async def lookup(host: str, port: int) -> Sequence[str]:
        return [nobody, "127.0.0.1"]

    async def story() -> None:
        async with Receiver() as receiver:
            assert (await post(f"http://crm.example:{receiver.port}/", lookup)).outcome == "delivered"

    asyncio.run(story())


def test_nobody_listening_and_no_name_are_told_apart() -> None:
    """By the reason, from which follows what to do."""

    async def lookup(host: str, port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    async def story() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            refused = await post(f"http://127.0.0.1:{closed.getsockname()[1]}/")
        assert (refused.reason, refused.status) == ("connect", None)
        assert "refused" in refused.detail
        unknown = await post("http://crm.example/", lookup)
        assert (unknown.reason, unknown.detail) == (
            "name", "the name crm.example cannot be resolved: Name or service not known",
        )  # fmt: skip
        forbidden = await post("http://10.0.0.1/")
        assert forbidden.reason == "url"

    asyncio.run(story())


def test_a_name_server_that_hangs_is_given_up_in_time() -> None:
    """The try fails; the queue of this endpoint alone has waited."""

    async def lookup(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async def story() -> None:
        failed = await post("http://crm.example/", lookup, connect_s=0.1)
        assert (failed.reason, failed.detail) == ("name", "the name server gave no address within 0.1 s")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("120", 120.0), ("0", 0.0), ("999999", 3600.0), ("soon", None), ("-5", None), ("1e400", None),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 60.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_both_forms_and_bounded(value: str | None, seconds: float | None) -> None:
    """Seconds or a date; nonsense says nothing, and more than an hour is an hour."""
    assert retry_after(value, now_ms=60_000) == seconds
