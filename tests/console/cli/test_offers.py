"""``offerflow offers`` on a real broker, as an operator types it, and requests by hand to the topic they go to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from console.cli import offers_act
from console.cli.main import main
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.store.reward_list import Wanted, list_rewards
from offerflow.runtime.store.transactions import reading
from tests.consumers.history.said import Kept, entered, exited, satisfied
from tests.deployment import Deployment

# What waits for the workers asks for a group's members by a call that the client deprecates; its successor crashes.
pytestmark = pytest.mark.filterwarnings("ignore:list_groups:DeprecationWarning")

OFFER = """\
kind: offer
id: {id}
entry: {{event: Purchase Completed, api: true}}
---
"""


class Desk:
    """A deployment, its history, and somebody who types."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.kept = Kept(deployment.directory)
        self.kept.complete()
        self._environment = {
            **deployment.environment(), "OFFERFLOW_STORE__URL": str(self.kept.engine.url),
            "OFFERFLOW_LOCAL__SERVER_KEY": "sk_local",
        }  # fmt: skip

    def __call__(self, *arguments: str | Path, code: int = 0, given: str | None = None) -> Result:
        done = CliRunner(env=self._environment).invoke(main, list(map(str, arguments)), input=given)
        assert done.exit_code == code, (arguments, done.output, done.exception)
        return done

    def json(self, *arguments: str | Path, given: str | None = None) -> Any:
        return json.loads(self(*arguments, "--output", "json", given=given).stdout)

    def asked(self) -> list[dict[str, Any]]:
        """The requests on the backend channel."""
        return [json.loads(record.value or b"") for record in self.deployment.read("raw.backend")]


@pytest.mark.broker
def test_an_operators_day(deployment: Callable[..., Deployment]) -> None:
    """List and show; pause and resume by way of the catalog; hold and release; users from a file, and once only;
    rewards paid out and taken back by hand. What is only looked at writes nothing."""
    here = deployment(partitions=2)
    here.create_topics()
    desk = Desk(here)
    workspace = here.directory / "mine"
    workspace.mkdir()
    schema = Path(__file__).parents[3] / "schemas" / "events" / "PurchaseCompleted.avsc"
    (workspace / "purchase.avsc").write_bytes(schema.read_bytes())
    (workspace / "offers.yaml").write_text(OFFER.format(id="shop") + OFFER.format(id="gym").replace(", api: true", ""))
    desk("apply", workspace, "--yes")
    desk.kept.take(entered(), entered("i-2", offer="gone"), exited(), satisfied("w-1"), satisfied("w-2"))

    listed = {one["id"]: one for one in desk.json("offers", "list")}
    assert list(listed) == ["gone", "gym", "shop"]
    assert [listed["shop"][name] for name in ("status", "entry", "entered", "inside", "completed")] == [
        "live", ["event", "api"], 1, 0, 1,
    ]  # fmt: skip
    assert (listed["gone"]["status"], listed["gone"]["inside"]) == ("gone", 1)
    assert "event: Purchase Completed" in desk("offers", "show", "shop").stdout
    assert "did you mean 'shop'" in desk("offers", "show", "shp", code=1).stderr

    before = here.ends("catalog"), here.ends("journal")
    assert desk.json("offers", "pause", "shop", "--dry-run")["summary"] == {"add": 0, "change": 1, "remove": 0}
    desk("offers", "pause", "shop", code=2)  # nobody to ask
    assert (here.ends("catalog"), here.ends("journal")) == before
    assert desk.json("offers", "pause", "shop", "gym", "--yes")["applied"]
    assert "Nothing to change" in desk("offers", "pause", "shop", "--yes").stdout
    assert "paused" in desk("offers", "list").stdout
    assert "nobody would get in" in desk("offers", "enter", "shop", "--user", "anna", "--yes", code=1).stderr
    assert desk.json("offers", "resume", "shop", "--yes")["changes"][0]["id"] == "shop"
    assert "status" not in desk("offers", "show", "shop").stdout
    desk("offers", "resume", "gym", "--yes")
    assert "Nothing to change" in desk("apply", workspace, "--yes").stdout

    assert desk.json("offers", "hold", "shop") == {"offer": "shop", "on_hold": True, "changed": True}
    with reading(desk.kept.engine) as connection:
        assert list_rewards(connection, Wanted()).rewards == []
    assert "already" in desk("offers", "hold", "shop").stdout
    refused = desk("offers", "hold", "shpo", code=1).stderr
    assert ("did you mean 'shop'?" in refused, "On hold now: shop" in refused) == (True, True)
    assert "On hold now: shop" in desk("offers", "release", "nope", "--yes", code=1).stderr
    assert "on hold since" in desk("offers", "show", "shop").stdout
    desk("offers", "release", "shop", code=2)
    assert desk.json("offers", "release", "shop", "--yes")["changed"]
    assert "is not on hold. Nothing is on hold now" in desk("offers", "release", "shop", "--yes", code=1).stderr

    users = here.directory / "march.csv"
    users.write_text("user_id\nanna\nben\nanna\n")
    assert desk.json("offers", "enter", "shop", "--file", users, "--dry-run") == {
        "offer": "shop", "list": "march", "users": 2, "repeated": 1, "asked": 0,
    }  # fmt: skip
    assert "entry: {api: true}" in desk("offers", "enter", "gym", "--user", "anna", code=1).stderr
    assert (
        "there is no source 'ios'" in desk("offers", "enter", "shop", "--user", "a", "--source", "ios", code=2).stderr
    )
    assert desk.json("offers", "enter", "shop", "--file", users, "--yes")["asked"] == 2
    users.write_text("user_id\nanna\nben\ncleo\n")
    assert desk.json("offers", "enter", "shop", "--file", users, "--yes", "--from-line", "3")["asked"] == 2
    given = '{"user_id": "anna"}\n'
    assert desk.json("offers", "enter", "shop", "--file", "-", "--name", "april", "--yes", given=given)["asked"] == 1
    asked = sorted(desk.asked(), key=lambda one: str(one["user_id"]))
    assert [one["user_id"] for one in asked] == ["anna", "anna", "ben", "ben", "cleo"]
    assert asked[0]["event_id"] != asked[1]["event_id"]
    assert asked[2] == asked[3] == {
        "event": "offerflow.EnterOffer", "user_id": "ben", "event_id": asked[2]["event_id"], "source": "local-server",
        "properties": {"offer": "shop"},
    }  # fmt: skip
    users.write_text("user_id\nanna\n\x1b[2J\n" + "u" * 600 + "\n")
    refused = desk("offers", "enter", "shop", "--file", users, "--yes", code=1).stderr
    assert (f"{users}:4: user_id: expected at most 512" in refused, "\x1b" in refused) == (True, False)

    desk("rewards", "fulfil", "w-1", code=2)
    told = desk.json("rewards", "fulfil", "w-1", "--by", "treasury", "--yes")
    assert told == desk.json("rewards", "fulfil", "w-1", "--by", "treasury", "--yes")
    assert "asked for 1 reward" in desk("rewards", "reverse", "w-2", "--yes").stdout
    last = {one["event_id"]: one for one in desk.asked() if one["event"] != "offerflow.EnterOffer"}
    assert last[told[0]["event_id"]]["properties"] == {"reward_id": "w-1", "by": "treasury"}
    assert sorted(one["event"] for one in last.values()) == ["offerflow.FulfilReward", "offerflow.ReverseReward"]
    desk.kept.engine.dispose()


def test_an_offer_can_be_held_while_kafka_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was entered is known to the store; of any other --force must say that it is meant."""

    def away(_: object) -> None:
        raise KafkaDown("Kafka at 127.0.0.1:1 does not answer")

    monkeypatch.setattr(offers_act, "read_catalog", away)
    kept = Kept(tmp_path)
    kept.take(entered())
    environment = {
        "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "OFFERFLOW_STORE__URL": str(kept.engine.url),
    }  # fmt: skip

    def run(*arguments: str) -> Result:
        return CliRunner(env=environment).invoke(main, ["offers", *arguments])

    assert run("hold", "shop").exit_code == 0
    unsure = run("hold", "other")
    assert (unsure.exit_code, "--force" in unsure.stderr) == (69, True)
    assert run("hold", "other", "--force").exit_code == 0
    assert run("release", "other", "--yes").exit_code == 0
    kept.engine.dispose()
