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
    monkeypatch.setenv("OFFERFLOW_REGISTRY__URL", "https://ana:hunter2@registry.example:8081/?token=hunter2")
    monkeypatch.setenv("OFFERFLOW_REDIS__URL", "redis://redis.example/0?password=hunter2")
    result = CliRunner().invoke(main, ["config", "show", "--output", "json"])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert shown["OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS"] == {"value": "kafka.example:9092", "source": "environment"}
    assert shown["OFFERFLOW_PARTITIONS"] == {"value": 8, "source": "default"}
    assert shown["OFFERFLOW_REGISTRY__URL"]["value"] == "https://(hidden)@registry.example:8081/?(hidden)"
    assert shown["OFFERFLOW_REDIS__URL"]["value"] == "redis://redis.example/0?(hidden)"
    assert "hunter2" not in result.stdout
    assert "sk_secret" not in result.stdout


def test_a_wrong_setting_is_named_with_what_it_got(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that cannot be is one line that names the variable, and exit code 78."""
    monkeypatch.setenv("OFFERFLOW_PARTITIONS", "many")
    result = CliRunner().invoke(main, ["config", "show"])
    assert result.exit_code == 78
    assert "OFFERFLOW_PARTITIONS" in result.stderr
    assert "many" in result.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OFFERFLOW_REDIS__URL", ""),
        ("OFFERFLOW_REDIS__URL", "hunter2"),
        ("OFFERFLOW_REDIS__URL", "http://:hunter2@redis.example"),
        ("OFFERFLOW_REDIS__URL", "redis://redis.example:hunter2"),
        ("OFFERFLOW_REDIS__URL", "redis://:hunter2@[::1"),
        ("OFFERFLOW_REDIS__URL", "redis://:hunter2/more@redis.example:6379/0"),
        ("OFFERFLOW_REDIS__URL", "redis://:12/hunter2@redis.example:6379/0"),
        ("OFFERFLOW_REDIS__PASSWORD", "hunter2"),
        ("OFFERFLOW_WEBHOOKS__SECRET", "hunter2"),
    ],
)
def test_a_wrong_setting_that_may_be_a_secret_is_not_repeated(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is named and what was expected, and nothing of the value, in whatever way a URL is wrong."""
    monkeypatch.setenv(variable, value)
    result = CliRunner().invoke(main, ["config", "show"])
    assert result.exit_code == 78
    assert f"{variable}: " in result.stderr
    assert "hunter2" not in result.output
    assert len(result.stderr.splitlines()) == 1


def test_a_group_of_settings_that_is_no_json_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the group, and exit code 78."""
    monkeypatch.setenv("OFFERFLOW_REDIS", "redis://:hunter2@redis.example")
    result = CliRunner().invoke(main, ["config", "show"])
    assert result.exit_code == 78
    assert '"redis"' in result.stderr
    assert "hunter2" not in result.output
