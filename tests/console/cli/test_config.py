"""What ``offerflow config show`` says of settings."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from console.cli.main import main


def test_every_setting_is_shown_with_its_source_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value from the environment is told from a default, and neither keys nor passwords are printed."""
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "kafka.example:9092")
    monkeypatch.setenv("OFFERFLOW_KAFKA__EXTRA__SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("OFFERFLOW_LOCAL__SERVER_KEY", "sk_secret")
    monkeypatch.setenv("OFFERFLOW_REGISTRY__URL", "https://ana:hunter2@registry.example:8081")
    result = CliRunner().invoke(main, ["config", "show", "--output", "json"])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert shown["OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS"] == {"value": "kafka.example:9092", "source": "environment"}
    assert shown["OFFERFLOW_PARTITIONS"] == {"value": 8, "source": "default"}
    assert shown["OFFERFLOW_REGISTRY__URL"]["value"] == "https://(hidden)@registry.example:8081"
    assert "hunter2" not in result.stdout
    assert "sk_secret" not in result.stdout


def test_a_wrong_setting_is_named_with_what_it_got(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that cannot be is one line that names the variable, and exit code 78."""
    monkeypatch.setenv("OFFERFLOW_PARTITIONS", "many")
    result = CliRunner().invoke(main, ["config", "show"])
    assert result.exit_code == 78
    assert "OFFERFLOW_PARTITIONS" in result.stderr
    assert "many" in result.stderr
