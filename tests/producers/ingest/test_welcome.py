"""The welcome page: text for curl, HTML for browsers, a snippet alone, and the address of whoever asks in each."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from producers.ingest.welcome import welcome
from producers.ingest.welcome.sdks import GROUPS, SNIPPETS, Place
from tests.deployment import ROOT
from tests.producers.ingest.edge import Edge

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "host": "events.example:8443"}
FOLDER = ROOT / "producers" / "ingest" / "welcome" / "snippets"


def get(path: str = "/", **headers: str) -> httpx.Response:
    return Edge().request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_every_snippet_has_its_file_and_every_file_is_shown() -> None:
    """No file is forgotten, none is missing, and no name is there twice."""
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(SNIPPETS)
    assert len(SNIPPETS) == sum(len(group.snippets) for group in GROUPS)


def test_people_with_curl_get_text_with_their_address() -> None:
    """Each client's setting with the address that was asked, and how to get the code."""
    answer = get(host="events.example:8443")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "http://events.example:8443/v1/events" in answer.text
    for name in SNIPPETS:
        assert name in answer.text
    assert "{{" not in answer.text


def test_browsers_get_a_page_that_runs_and_loads_nothing() -> None:
    """Every snippet is on it; no script, no foreign address, and a policy that allows none."""
    answer = get(**BROWSER)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|src=|javascript:", answer.text)
    shown = html.unescape(answer.text)
    for snippet in SNIPPETS.values():
        assert snippet.text(Place("http", "events.example:8443")).strip() in shown


@pytest.mark.parametrize("name", sorted(SNIPPETS))
def test_a_snippet_alone(name: str) -> None:
    """Ready to copy: the address is in it, the key's place is plain, and nothing is left to be filled in."""
    text = get(f"/?show={name}", host="events.example").text
    assert "{{" not in text
    assert "sk_..." in text or "wk_..." in text or name == "kafka"
    assert "events.example" in text or name == "kafka"


def test_a_mistyped_name_is_told_the_nearest() -> None:
    """404 with the name that was meant."""
    answer = get("/?show=python-segmnt")
    assert (answer.status_code, answer.json()["error"]) == (404, "no_such_snippet")
    assert "python-segment" in answer.json()["message"]


def test_a_proxy_with_tls_is_believed() -> None:
    """Whoever came by https is shown https."""
    assert "https://events.example/v1/events" in get(host="events.example", x_forwarded_proto="https").text


@pytest.mark.parametrize("host", [b"<script>alert(1)</script>", b"a b", b"", b'x"y', b"x" * 300])
def test_an_address_that_is_none_is_not_shown(host: bytes) -> None:
    """The address that the server listens at stands in its place."""
    scope = {"headers": [(b"host", host)], "scheme": "http", "server": ("10.0.0.1", 8080), "query_string": b""}
    text = welcome(scope).body.decode()
    assert "http://10.0.0.1:8080/v1/events" in text
    assert "<script>" not in text
