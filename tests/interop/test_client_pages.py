"""The examples of docs/clients/segment.md and rudderstack.md do what they say, with the address and a key as their only
settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.deployment import ROOT
from tests.interop import node
from tests.interop.browser import Browser, bundle
from tests.interop.edge import Edge, Event
from tests.interop.node import Node

pytestmark = pytest.mark.broker
PAGES = ("segment", "rudderstack")


def block(page: str, language: str) -> str:
    """The first example in a language."""
    text = (ROOT / "docs" / "clients" / f"{page}.md").read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found, f"docs/clients/{page}.md has no example in {language}"
    return found[1]


def purchased(edge: Edge, text: str) -> Event:
    """The purchase with the id that the example gives it."""
    given = re.search(r"purchase-o-\d", text)
    assert given
    event = edge.event(given[0])
    assert (event.kind, event.user, event.properties["order_id"]) == ("PurchaseCompleted", "u-42", given[0][9:])
    return event


def environment(edge: Edge) -> dict[str, str]:
    return {**os.environ, "INGEST": edge.url, "KEY": edge.key("backend")}


@pytest.mark.parametrize("page", PAGES)
def test_python(edge: Edge, page: str) -> None:
    """The library for Python, as installed."""
    text = block(page, "python")
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment(edge), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    purchased(edge, text)


@pytest.mark.parametrize("page", PAGES)
def test_node(edge: Edge, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library for Node.js, as installed."""
    text = block(page, "js")
    monkeypatch.setenv("INGEST", edge.url)
    monkeypatch.setenv("KEY", edge.key("backend"))
    installed: Node = node.installed()
    done = installed.run(text)
    assert done.returncode == 0, done.stdout + done.stderr
    purchased(edge, text)


@pytest.mark.parametrize("page", PAGES)
def test_browser(edge: Edge, browser: Browser, page: str) -> None:
    """The library for browsers, bundled, with placeholders filled in; a page view comes of it."""
    text = block(page, "javascript").replace("wk_...", edge.key("sdk")).replace("https://YOUR-EDGE", edge.url)
    assert edge.url in text
    with browser.open(bundle(f"{text}\nwindow.analytics = analytics;")) as opened:
        opened.run(f"await analytics.page({{ title: 'by {page}' }})")

        def shown() -> list[Event]:
            return [event for event in edge.journal if event.properties.get("title") == f"by {page}"]

        edge.wait(shown, f"a page view by {page}")
        assert opened.failed == []


def test_curl(edge: Edge) -> None:
    """As typed into a shell; the answer is the one on the page."""
    text = block("segment", "sh")
    done = subprocess.run(
        ["sh", "-c", text], env=environment(edge), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip().replace(":", ": ") == block("segment", "json").strip()
    purchased(edge, text)
