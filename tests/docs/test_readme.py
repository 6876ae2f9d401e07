"""The README's commands, run as they stand on a stack of their own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import OFFERFLOW, ROOT, parse
from tests.end_to_end.cli import Stack
from tests.receiver import Receiver, serving
from tests.waiting import until

pytestmark = pytest.mark.broker


def commands(stack: Stack, workspace: Path) -> list[str]:
    """The shell blocks of the example, in order, with the paths of a stack and a workspace that a test may change."""
    example = (ROOT / "README.md").read_text(encoding="utf-8").partition("## An example")[2]
    places = {
        ".venv/bin/offerflow": str(OFFERFLOW),
        ".venv/bin/python": sys.executable,
        "--dir .offerflow/demo": f"--dir {stack.directory}",
        "deploy/demo": str(workspace),
    }
    pattern = re.compile("|".join(map(re.escape, places)))
    blocks = re.findall(r"^```sh\n(.*?)^```", example, re.DOTALL | re.MULTILINE)
    return [pattern.sub(lambda match: places[match[0]], block) for block in blocks]


def shell(*lines: str) -> str:
    """What the commands print on stdout; fails unless every one of them succeeds."""
    script = "\n".join(("set -e", *lines))
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_edit_one_reward_apply_one_curl_see_the_reward(cli: Callable[..., Stack], tmp_path: Path) -> None:
    """A newcomer who follows the README gets the reward with the value they wrote, once; so does the webhook receiver
    of whoever pays it out, under a signature that the Standard Webhooks library verifies."""
    workspace = tmp_path / "demo"
    shutil.copytree(ROOT / "deploy" / "demo", workspace)
    stack = cli(own=True)
    stack.up()
    stack.apply(ROOT / "schemas" / "events", workspace)
    edit_and_apply, send, see, look = commands(stack, workspace)
    with serving(Receiver()) as payer:
        only = ("--event", "reward.satisfied", "--output", "json")
        secret = str(parse(stack.run("webhooks", "add", "payer", payer.url, *only))["secret"])

        assert "~ offer invited-friend" in shell(edit_and_apply)
        asked, _, curl = send.partition("\n\n")
        assert json.loads(shell(asked, curl))["accepted"] == 2

        reward = json.loads(until(lambda: shell(asked, see), "Anna's reward", 60, stack.status))
        assert (reward["user_id"], reward["reward"]) == ("anna", "friend")
        assert (reward["value"], reward["currency"]) == ("12.0000", "EUR")

        shell(asked, curl)
        stack.wait_idle()
        assert [json.loads(line) for line in shell(asked, see).splitlines()] == [reward]
        table, programs, end = look.splitlines()
        assert "12.00 EUR  friend" in shell(table)
        assert "rules-1" in shell(programs)
        assert " down " in end

        until(lambda: "friend" in _rewards(payer, secret), "the reward at the receiver", 60, lambda: payer.got)
        assert _rewards(payer, secret)["friend"] == {"user_id": "anna", "value": "12.00", "currency": "EUR"}
        assert len(set(payer.ids)) == len(payer.ids) == len(_rewards(payer, secret))


def _rewards(payer: Receiver, secret: str) -> dict[str, dict[str, str]]:
    """What the receiver was told to pay, by reward; each message verified."""
    told = [got.verify(secret)["data"] for got in list(payer.got)]
    return {one["reward"]: {name: one[name] for name in ("user_id", "value", "currency")} for one in told}
