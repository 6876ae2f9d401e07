"""The snippets of the welcome page, run as they are copied: each one's event reaches the journal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from producers.ingest.welcome.sdks import SNIPPETS
from tests.interop import java, node
from tests.interop.browser import Browser, bundle
from tests.interop.edge import Edge, Event, somebody
from tests.waiting import until

pytestmark = pytest.mark.broker

SHELL = ("curl", "resonance", "reteno")
PYTHON = ("python-segment", "python-rudderstack", "python-amplitude", "python-posthog", "python-cloudevents", "kafka")
NODE = ("node-segment", "node-rudderstack", "node-amplitude", "node-posthog", "node-cloudevents")
BROWSER = ("browser-segment", "browser-rudderstack", "browser-amplitude")


def copied(edge: Edge, name: str, user: str) -> str:
    """The snippet as the edge gives it out, with a key and a user in the places that are for them."""
    text = httpx.get(f"{edge.url}/", params={"show": name}, timeout=30).text
    here = edge.interop.here
    for placeholder, value in (
        ("sk_...", edge.key("backend")), ("wk_...", edge.key("sdk")), ("u-1", user), ("order-4711", f"{user}-o"),
        ("signup-4711", f"{user}-s"), ("127.0.0.1:9092", here.services.kafka), ("offerflow.raw", f"{here.prefix}raw"),
    ):  # fmt: skip
        text = text.replace(placeholder, value)
    return text


def arrived(edge: Edge, user: str, name: str) -> Event:
    """The user's event of this name, from the journal."""

    def look() -> str | None:
        return next((raw.envelope["event_id"] for raw in edge.raws(user) if raw.envelope.get("event") == name), None)

    event = edge.event(until(look, f"a raw {name} of {user}"))
    assert event.user == user
    return event


def done(process: subprocess.CompletedProcess[str]) -> None:
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("name", SHELL)
def test_shell(edge: Edge, name: str) -> None:
    """A line for a terminal."""
    user = somebody()
    script = copied(edge, name, user)
    done(subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=60, check=False))
    assert arrived(edge, user, "Account Created").properties["country"] == "DE"


@pytest.mark.parametrize("name", PYTHON)
def test_python(edge: Edge, name: str, tmp_path: Path) -> None:
    """A program of its own."""
    user = somebody()
    script = tmp_path / "main.py"
    script.write_text(copied(edge, name, user))
    done(subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False))
    assert arrived(edge, user, "Account Created").properties["country"] == "DE"


@pytest.mark.parametrize("name", NODE)
def test_node(edge: Edge, name: str) -> None:
    """An ES module that ends by itself."""
    user = somebody()
    done(node.installed().run(copied(edge, name, user)))
    assert arrived(edge, user, "Account Created").properties["country"] == "DE"


def test_java(edge: Edge, tmp_path: Path) -> None:
    """A class that is compiled and run."""
    user = somebody()
    done(java.run(copied(edge, "java-segment", user), tmp_path))
    assert arrived(edge, user, "Account Created").properties["country"] == "DE"


@pytest.mark.parametrize("name", BROWSER)
def test_browser(edge: Edge, browser: Browser, name: str) -> None:
    """A script of a page of another origin, bundled as people do."""
    user = somebody()
    with browser.open(bundle(copied(edge, name, user))) as page:
        assert arrived(edge, user, "Lesson Started").properties["lesson_id"] == "l-1"
        assert page.failed == []


def test_the_others_are_for_phones_and_for_go() -> None:
    """What is not run here needs a compiler or a device that the tests do not have, or is typed into Amplitude."""
    left = set(SNIPPETS) - {*SHELL, *PYTHON, *NODE, *BROWSER, "java-segment"}
    assert {name.split("-")[0] for name in left} == {"go", "swift", "kotlin", "react", "flutter", "amplitude"}
