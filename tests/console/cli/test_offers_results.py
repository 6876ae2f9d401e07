"""``offers results`` and ``offers spend`` on a deployment: definitions from the catalog, figures from the store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert

from console.cli.main import main
from offerflow.runtime.settings import load_settings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.outcomes import entries
from offerflow.runtime.store.transactions import writing
from tests.deployment import Deployment

pytestmark = pytest.mark.broker
OFFER = """kind: offer
id: trial
entry: {event: Visited}
completion: {event: Visited, count: {at_least: 2}}
holdout: 20%
variants:
  - {id: plain, reward: {id: r, value: 10 EUR}}
  - {id: bold, completion: {event: Visited}, reward: {id: r, value: 20 EUR}}
"""
EVENT = """{"type": "record", "namespace": "events", "name": "Visited",
 "fields": [{"name": "meta", "type": "events.Meta"}]}"""


def test_spend_is_imported_and_results_are_told(
    deployment: Callable[..., Deployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong file imports nothing, a right one is in the results, another needs a yes; an unknown offer is named."""
    here = deployment()
    here.create_topics()
    (tmp_path / "offer.yaml").write_text(OFFER)
    (tmp_path / "Visited.avsc").write_text(EVENT)
    here.apply(tmp_path)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    for name, value in {**here.environment(), "OFFERFLOW_STORE__URL": url}.items():
        monkeypatch.setenv(name, value)
    store = open_store(load_settings())
    one = {"offer": "trial", "version": "1", "holdout": False, "entered_at": 1, "exit_reason": "completed"}
    with writing(store) as connection:
        rows = [{**one, "instance": f"{n}", "variant": "bold", "user_id": f"u{n}"} for n in range(4)]
        rows += [{**one, "instance": f"p{n}", "variant": "plain", "user_id": f"p{n}"} for n in range(9)]
        rows += [{**one, "instance": f"h{n}", "variant": "holdout", "user_id": f"h{n}", "holdout": True,
                  "exit_reason": None if n > 2 else "completed"} for n in range(10)]  # fmt: skip
        connection.execute(insert(entries), rows)
    store.dispose()

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(main, ["offers", *map(str, arguments)])

    def told(*arguments: str | Path) -> Any:
        done = run(*arguments, "--output", "json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    file = tmp_path / "spend.csv"
    file.write_text("arm,amount,currency\nbold,100,EUR\nblod,1,EUR\n")
    wrong = run("spend", "trial", file)
    assert wrong.exit_code == 1
    assert f"{file}:3: the offer has no arm 'blod'; did you mean 'bold'?" in wrong.stderr
    assert told("spend", "trial")["spend"] == []
    file.write_text("arm,amount,currency\nbold,100,EUR\n")
    imported = told("spend", "trial", file)
    assert imported["spend"] == [{"arm": "bold", "amount": "100.00", "currency": "EUR"}]
    assert told("spend", "trial", file)["before"] == imported["spend"]
    plain, bold, holdout = told("results", "trial")["arms"]
    assert plain["increment"]["difference"] == pytest.approx(0.7)
    assert (holdout["holdout"], holdout["rate"], holdout["increment"]) == (True, 0.3, None)
    assert (bold["completed"], bold["money"][0]["cac"], bold["increment"]) == (4, "25.00", None)
    assert bold["says"] == "too few to judge: 4 entered, 4 completed"
    assert "25.00 EUR" in run("results", "trial").stdout

    file.write_text("arm,amount,currency\nplain,7,USD\n")
    assert run("spend", "trial", file).exit_code == 2
    assert told("spend", "trial")["spend"] == imported["spend"]
    assert told("spend", "trial", file, "--yes")["spend"] == [{"arm": "plain", "amount": "7.00", "currency": "USD"}]
    unknown = run("results", "trail")
    assert unknown.exit_code == 1
    assert "did you mean 'trial'?" in unknown.stderr
