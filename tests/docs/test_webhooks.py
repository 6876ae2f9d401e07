"""The receiver that the page on webhooks shows, run as it stands."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import httpx
import pytest

from offerflow.runtime.webhooks.breaker import FIRST_MS, LONGEST_MS, THRESHOLD
from offerflow.runtime.webhooks.signing import headers, new_secret, signer
from offerflow.runtime.webhooks.types import TEST, TYPES

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_the_receiver_of_the_page_takes_each_message_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message that is signed is taken, the same again is answered 2xx and not taken, a forged one is refused."""
    secret = new_secret()
    monkeypatch.setenv("OFFERFLOW_SECRET", secret)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    page: dict[str, object] = {}
    exec(compile(code, "webhooks.md", "exec"), page)  # noqa: S102 - it is our own page

    async def post(body: str, signed: dict[str, str]) -> int:
        transport = httpx.ASGITransport(app=page["app"])  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.post("/hooks", content=body, headers=signed)).status_code

    body = '{"type":"reward.satisfied","data":{"id":"m-1"}}'
    now = int(time.time() * 1000)
    signed = headers("m-1", now, body, [signer(secret)])
    forged = headers("m-1", now, body, [signer(new_secret())])
    assert [asyncio.run(post(body, one)) for one in (signed, signed, forged)] == [204, 204, 401]
    assert capsys.readouterr().out == "reward.satisfied {'id': 'm-1'}\n"


def test_the_page_names_all_types_and_the_breakers_figures() -> None:
    """What users rely on is what the code does."""
    assert re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE) == [*TYPES, TEST]
    assert (THRESHOLD, FIRST_MS, LONGEST_MS) == (10, 5_000, 300_000)
    assert "After ten failures in a row" in PAGE
