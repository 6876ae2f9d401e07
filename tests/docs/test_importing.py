"""The example of docs/importing.md for the API, run as it stands against an edge."""

from __future__ import annotations

import json
import os
import re
import subprocess

from tests.deployment import ROOT
from tests.producers.ingest.edge import KEY, Edge
from tests.producers.ingest.served import serving

_EXAMPLE = re.compile(r"^```sh\n(curl.*?)^```\n```json\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_example_does_what_the_page_says() -> None:
    """The answer is the one shown, and the event went to the topic of imports."""
    ((command, answer),) = _EXAMPLE.findall((ROOT / "docs" / "importing.md").read_text(encoding="utf-8"))
    with serving(Edge()) as served:
        place = {"INGEST": f"http://{served.address[0]}:{served.address[1]}", "KEY": KEY}
        done = subprocess.run(
            ["bash", "-c", command],
            env={**os.environ, **place},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == json.loads(answer)
        (record,) = served.edge.publisher.records
    assert record.topic == "test.raw.import"
