"""The webhook commands on a store of their own: no Kafka is asked."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert

from console.cli import tables
from console.cli.main import main
from offerflow.runtime.settings import load_settings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.transactions import writing
from offerflow.runtime.store.webhooks import PARKED, deliveries
from offerflow.runtime.webhooks import endpoints
from tests.receiver import Receiver, answer, serving


class Cli:
    """``offerflow webhooks …`` with a store in a directory."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        for name, value in {
            "OFFERFLOW_STORE__URL": f"sqlite:///{directory / 'store.db'}",
            "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "OFFERFLOW_WEBHOOKS__ALLOW_NETWORKS": "127.0.0.0/8",
            "OFFERFLOW_WEBHOOKS__ALLOW_HTTP": "true",
        }.items():
            monkeypatch.setenv(name, value)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["webhooks", *arguments, "--dir", str(self.directory)])

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--output", "json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def refused(self, *arguments: str, code: int = 1) -> str:
        done = self.run(*arguments)
        assert done.exit_code == code, done.output
        return " ".join(done.stderr.split())


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, monkeypatch)


def park(name: str, *ids: str) -> None:
    """Messages that were given up."""
    engine = open_store(load_settings())
    with writing(engine) as connection:
        for one in ids:
            connection.execute(insert(deliveries).values(
                endpoint=name, message_id=one, type="reward.satisfied", body="{}", state=PARKED, created_at=1, due=1,
                attempts=30, done_at=2, error="answered 500",
            ))  # fmt: skip
    engine.dispose()


def test_an_endpoint_from_its_making_to_its_removal(cli: Cli) -> None:
    """Each command tells what it did in JSON; the secret is printed when it is made and on demand, and nowhere else."""
    made = cli.json("add", "crm", "http://127.0.0.1:9/hook", "--event", "reward.satisfied")
    assert made["types"] == ["reward.satisfied"]
    assert made["secret"].startswith("whsec_")
    for command in (("list",), ("show", "crm"), ("log", "crm"), ("parked",)):
        for output in ("table", "json"):
            assert "whsec_" not in cli.run(*command, "--output", output).output
    assert cli.json("show", "crm", "--reveal")["secret"] == made["secret"]

    changed = cli.json("change", "crm", "--url", "http://127.0.0.1:9/other", "--event", "offer.exited")
    assert (changed["url"], changed["types"]) == ("http://127.0.0.1:9/other", ["offer.exited"])
    rotated = cli.json("rotate", "crm")
    shown = cli.json("show", "crm", "--reveal")
    assert (shown["secret"], shown["older_secrets"]) == (rotated["secret"], [made["secret"]])
    assert shown["rotation_ends"] == rotated["old_ends"]
    assert "rotation is under way" in cli.refused("rotate", "crm")
    assert "add --yes" in cli.refused("rotate", "crm", "--overlap", "0s", code=2)
    assert cli.json("rotate", "crm", "--overlap", "0s", "--yes")["old_ends"] is None
    assert cli.json("rotate", "crm", "--overlap", "1d12h")["old_ends"] is not None
    assert cli.json("rotate", "crm", "--overlap", "0s", "--yes")["old_ends"] is None
    assert cli.json("show", "crm")["secrets"] == 1

    assert cli.json("pause", "crm")["state"] == "paused"
    park("crm", "r-1", "r-2")
    (listed,) = cli.json("list")
    assert (listed["state"], listed["parked"], listed["breaker"]) == ("paused", 2, "closed")
    assert [one["message_id"] for one in cli.json("parked", "crm")] == ["r-1", "r-2"]
    assert "add --yes" in cli.refused("replay", "crm", code=2)
    assert cli.json("replay", "crm", "r-1", "--yes") == {"name": "crm", "queued": 1}
    assert "so they wait" in cli.run("replay", "crm", "--yes").stdout
    assert cli.json("list")[0]["waiting"] == 2
    assert cli.json("resume", "crm")["state"] == "active"
    assert "add --yes" in cli.refused("remove", "crm", code=2)
    assert cli.json("remove", "crm", "--yes") == {"name": "crm", "dropped": 2}
    assert cli.json("list") == []


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("add", "CRM!", "http://127.0.0.1:9/"), "small letters, digits", 1),
        (("add", "crm", "https://10.0.0.4/"), "10.0.0.4 is private", 2),
        (("add", "crm", "https://ana:pw@crm.example/"), "name or password", 2),
        (("add", "crm", "crm.example"), "expected https://HOST/PATH", 2),
        (("add", "crm", "http://127.0.0.1:9/", "--event", "reward.satisfed"), "did you mean 'reward.satisfied'", 2),
        (("show", "cmr"), "there is no webhook endpoint 'cmr'", 1),
        (("change", "crm"), "nothing to change", 2),
        (("add", "crm", "notaurl"), "'notaurl' is not a whole URL; expected https://HOST/PATH", 2),
        (("rotate", "crm", "--overlap", "soon"), "'soon' is not a duration", 2),
        (("rotate", "crm", "--overlap", "90"), "'90' is not a duration", 2),
        (("rotate", "crm", "--overlap", "90"), "write 90s for seconds", 2),
    ],
)
def test_mistakes_are_answered_with_what_is_wrong_and_what_would_be_right(
    cli: Cli, arguments: tuple[str, ...], said: str, code: int
) -> None:
    """Nothing is made by any of them."""
    assert said in cli.refused(*arguments, code=code)
    assert cli.json("list") == []


def test_lists_can_be_copied_from(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, times and the body that was signed are each whole on one line, in a narrow terminal and where there is none;
    what is empty has no column; a command that is named reaches the same stack."""
    monkeypatch.setenv("COLUMNS", "80")
    added = cli.run("add", "crm", "http://127.0.0.1:9/hook")
    assert f"webhooks test crm --dir {cli.directory}\n" in added.stderr
    with serving(Receiver()) as receiver:
        cli.json("change", "crm", "--url", receiver.url)
        tested = cli.run("test", "crm").stdout
        (got,) = receiver.got
    assert f"  {got.body.decode()}\n" in tested
    ids = [f"{n:032x}" for n in range(3)]
    park("crm", *ids)
    for narrow in (False, True):
        monkeypatch.setattr(tables, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda wide=narrow: wide)))
        logged, parked = cli.run("log", "crm").stdout, cli.run("parked").stdout
        assert [f"{one}  crm       1970-01-01T00:00:00Z" in parked for one in ids] == [True] * 3
        assert (f"{got.id}  20" in logged, "error" in logged) == (True, False)
        assert ("type" in logged, "answered 500" in parked) == (not narrow, True)
        assert not narrow or max(map(len, (logged + parked).splitlines())) <= 80
    assert "secrets         1\n" in cli.run("show", "crm").stdout


def test_names_that_are_taken_near_or_unknown(cli: Cli) -> None:
    """A second endpoint of one name, a name with a slip, messages that are not there, a disabled endpoint."""
    cli.json("add", "payments", "http://127.0.0.1:9/")
    assert "there is an endpoint payments already" in cli.refused("add", "payments", "http://127.0.0.1:9/")
    assert "did you mean 'payments'" in cli.refused("pause", "payment")
    assert "has no message r-9; nothing was sent again" in cli.refused("replay", "payments", "r-9", "--yes")
    engine = open_store(load_settings())
    with writing(engine) as connection:
        endpoints.disable(connection, "payments", "the receiver answered 410 Gone")
    engine.dispose()
    assert f"`offerflow webhooks resume payments --dir {cli.directory}` first" in cli.refused(
        "replay", "payments", "--yes"
    )


def test_a_name_that_does_not_resolve_here_is_taken_with_a_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker may have another name server; a name that leads to a private address is refused."""

    def ask(host: str, port: int, **_: object) -> Any:
        if host == "inside.example":
            return [(2, 1, 6, "", ("10.0.0.7", port))]
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    assert "inside.example resolves to 10.0.0.7" in cli.refused("add", "in", "https://inside.example/", code=2)
    done = cli.run("add", "out", "https://outside.example/")
    assert done.exit_code == 0
    assert "messages wait until it can" in done.stderr


def test_a_test_message_tells_what_was_sent_what_came_back_and_what_to_do(cli: Cli) -> None:
    """Signed like any other; in the log; exit 1 unless it was answered 2xx."""
    with serving(Receiver()) as receiver:
        secret = cli.json("add", "crm", receiver.url)["secret"]
        told = cli.json("test", "crm")
        assert (told["outcome"], told["status"], told["advice"]) == ("delivered", 200, "")
        (got,) = receiver.got
        assert got.verify(secret) == told["body"]
        assert told["headers"]["webhook-id"] == got.id
        receiver.behave = answer(302, "Location: https://elsewhere.example/")
        failed = cli.run("test", "crm")
        assert failed.exit_code == 1
        assert "redirects to https://elsewhere.example/" in " ".join(failed.stdout.split())
        assert "use the final address" in " ".join(failed.stdout.split())
    assert "refused" in " ".join(cli.run("test", "crm").stdout.split())
    logged = cli.json("log", "crm")
    assert [one["outcome"] for one in logged] == ["delivered", "failed", "failed"]
    assert cli.json("log", "crm", "--message", got.id) == logged[:1]
