"""The examples of docs/clients that are written for curl and Python, run as they stand against an edge."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.deployment import ROOT
from tests.interop.node import installed
from tests.producers.ingest.edge import KEY, Edge
from tests.producers.ingest.served import Served, serving

PAGES = ("amplitude", "cloudevents", "resonance", "reteno", "posthog")
_BLOCK = re.compile(r"^```(sh|python|js)\n(.*?)^```(?:\n```json\n(.*?)^```)?", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(Edge()) as edge:
        yield edge


def examples() -> list[tuple[str, str, str, str]]:
    """Page, language, text and the answer shown right below it, if one is."""
    return [
        (page, *found.groups(default=""))  # type: ignore[misc]
        for page in PAGES
        for found in _BLOCK.finditer((ROOT / "docs" / "clients" / f"{page}.md").read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(
    ("page", "language", "text", "answer"),
    examples(),
    ids=[f"{page}-{language}-{at}" for at, (page, language, *_) in enumerate(examples())],
)
def test_every_example_does_what_the_page_says(
    served: Served, page: str, language: str, text: str, answer: str
) -> None:
    """It ends well, the answer is the one shown, and one event went to Kafka."""
    before = len(served.taken())
    place = {"INGEST": f"http://{served.address[0]}:{served.address[1]}", "KEY": KEY}
    if language == "js":
        says = "".join(f"process.env.{name} = {json.dumps(value)};\n" for name, value in place.items())
        done = installed().run(says + text)
    else:
        command = ["bash", "-c", text] if language == "sh" else [sys.executable, "-c", text]
        environment = {**os.environ, **place}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not answer or json.loads(done.stdout) == json.loads(answer)
    assert len(served.taken()) == before + 1, done.stdout


def test_there_are_examples() -> None:
    """The pages are found and read: none is silently left out."""
    assert {page for page, *_ in examples()} == set(PAGES)
