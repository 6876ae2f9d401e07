"""``offerflow user`` beside workers that run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from console.cli.main import main
from offerflow.runtime.partitions import partition_of
from tests.deployment import ROOT, Deployment
from tests.waiting import until

DEFINITIONS = """\
kind: offer
id: upgrade
entry: {event: Account Created}
completion: {event: Purchase Completed, where: amount >= 10, count: {at_least: 3}}
expires_after: 36500d
reward: {id: voucher, value: 10 EUR}
---
kind: offer
id: spring
entry: {event: Lesson Completed, count: {at_least: 2}}
---
- {id: shop, origin: backend, topics: [raw.backend]}
"""
HOSTILE = "an\x1b[31mna"
NOW = 1_780_000_000_000


def event(name: str, number: int, **more: object) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    envelope = {"event": name, "event_id": f"e-{number}", "time": NOW + number, **more}
    return None, json.dumps(envelope).encode(), []


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("", "expected an id of 1 to 512 characters, got none"),
        ("a:", "expected an id of 1 to 512 characters, got none"),
        ("x" * 513, "expected an id of 1 to 512 characters, got 513 characters"),
        ("an\udcffna", "'an\\udcffna' is not UTF-8"),
    ],
)
@pytest.mark.parametrize("command", ["show", "explain"])
def test_who_nobody_can_be_called(command: str, who: str, words: str, tmp_path: Path) -> None:
    """An id that no event can have is wrong usage, told before anything is asked."""
    environment = {"OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    wrong = CliRunner().invoke(main, ["user", command, who, "--dir", str(tmp_path)], env=environment)
    assert wrong.exit_code == 2
    assert words in wrong.stderr


@pytest.mark.broker
def test_a_user_is_shown_and_explained_beside_running_workers(
    deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    """What the rules know of a user, of a visitor and of somebody with an id that tries to paint the terminal: offers,
    progress with its events, what is missing; an unknown offer names the nearest, an unknown user is told; nothing is
    behind at rest, and what waits is told."""
    (tmp_path / "definitions.yaml").write_text(DEFINITIONS)
    here = deployment()
    here.create_topics()
    here.apply(ROOT / "schemas" / "events", tmp_path)
    programs = [here.validation(), here.rules()]
    for program in programs:
        program.wait_ready()
    buy = {"order_id": "o", "amount": 30, "currency": "EUR"}
    records = []
    for n, who in enumerate([{"user_id": "anna"}, {"anonymous_id": "v-1"}, {"user_id": HOSTILE}]):
        records.append(event("Account Created", 10 * n, **who))
        records += [event("Purchase Completed", 10 * n + at, properties={**buy, "order_id": f"o-{at}"}, **who)
                    for at in (1, 2)]  # fmt: skip
    here.produce("raw.backend", records)
    here.wait_idle(["raw.backend"])

    def user(*arguments: str) -> Result:
        # In this process: to start one takes longer than what it does.
        return CliRunner().invoke(main, ["user", *arguments], env=here.environment())

    told = json.loads(user("explain", "anna", "upgrade", "--output", "json").stdout)
    (offer,) = told["offers"]
    assert (told["user"], told["behind"], offer["status"]) == ("u:anna", 0, "in")
    completion = offer["instances"][0]["completion"]
    assert (completion["progress"], completion["evidence"]) == ("2 of 3", ["e-1", "e-2"])
    assert offer["missing"][0].startswith("1 more: ")

    text = user("explain", "anna").stdout
    assert "upgrade: anna is in" in text
    assert ": 2 of 3  (e-2, e-1)" in text
    assert "spring: anna is not in" in text
    assert "a:v-1" in user("show", "a:v-1").stdout

    shown = json.loads(user("show", "anna", "--output", "json").stdout)
    assert shown["partition"] == partition_of(b"u:anna", here.partitions)
    assert (shown["clock"], shown["events_remembered"], shown["known"]) == (NOW + 2, 3, True)
    assert [(one["offer"], one["status"]) for one in shown["offers"]] == [("upgrade", "in")]
    assert shown["bytes"] < 1000
    assert shown["next_timer"] > NOW

    for command in ("show", "explain"):
        hostile = user(command, HOSTILE).stdout
        assert "\x1b" not in hostile
        assert "an\\x1b[31mna" in hostile
    assert "know nothing of" in user("show", "nobody").stdout
    assert json.loads(user("show", "a:v-1", "--output", "json").stdout)["user"] == "a:v-1"
    wrong = user("explain", "anna", "upgrad")
    assert wrong.exit_code == 2
    assert "there is no offer 'upgrad'; did you mean 'upgrade'?" in wrong.stderr

    programs[1].stop()
    here.produce("raw.backend", [event("Purchase Completed", 3, user_id="anna", properties={**buy, "order_id": "o-3"})])
    behind = until(lambda: user("show", "anna").stderr, "the lag to be told", 30)
    assert "offsets behind in partition" in behind
