"""The border to librdkafka: its errors in our words, its logs in ours, the deployment's properties in every client."""

from __future__ import annotations

import pytest
import structlog
from confluent_kafka import KafkaError, KafkaException

from offerflow.runtime.errors import ConfigError, Disturbed, Fenced, KafkaDown, OfferflowError
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.settings import load_settings

SETTINGS = load_settings(kafka={"bootstrap_servers": "kafka.example:9092", "extra": {"SECURITY_PROTOCOL": "SSL"}})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._ALL_BROKERS_DOWN, KafkaDown),
        (KafkaError._MSG_TIMED_OUT, KafkaDown),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaDown),
        (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaDown),
        (KafkaError._FENCED, Fenced),
        (KafkaError.INVALID_PRODUCER_EPOCH, Fenced),
        (KafkaError.ILLEGAL_GENERATION, Disturbed),
        (KafkaError.CONCURRENT_TRANSACTIONS, Disturbed),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ConfigError),
        (KafkaError._AUTHENTICATION, ConfigError),
        (KafkaError.INVALID_RECORD, OfferflowError),
    ],
)
def test_errors_get_a_type_of_ours_and_one_line_with_the_address(code: int, kind: type[OfferflowError]) -> None:
    """What to do about an error follows from its type; the line names the address and what was being done."""
    for error in (KafkaError(code), KafkaException(KafkaError(code))):
        ours = translate(error, "publishing", SETTINGS)
        assert type(ours) is kind
        assert "kafka.example:9092" in str(ours)
        assert "publishing" in str(ours)
        assert "\n" not in str(ours)


def test_an_error_that_ends_a_transaction_is_a_disturbance_whatever_its_code() -> None:
    """A time-out within a transaction leaves its outcome open, so it is no mere outage."""
    error = KafkaError(KafkaError._TIMED_OUT, "timed out", txn_requires_abort=True)
    assert type(translate(error, "committing", SETTINGS)) is Disturbed


def test_every_client_gets_the_deployments_properties() -> None:
    """Address, name and the extra properties, whose names come with underscores from the environment."""
    config = base_config(SETTINGS, "rules-1")
    assert config["bootstrap.servers"] == "kafka.example:9092"
    assert config["client.id"] == "rules-1"
    assert config["security.protocol"] == "SSL"


def test_only_news_is_logged_as_a_warning() -> None:
    """A lost connection is told by our own errors and so is for debugging; what else goes wrong is a warning."""
    log = base_config(SETTINGS, "x")["logger"].log
    structlog.reset_defaults()
    structlog.configure()
    try:
        with structlog.testing.capture_logs() as lines:
            log(40, "%s [%s] %s", "FAIL", "x", "connection refused")
            log(30, "%s [%s] %s", "CONFWARN", "x", "odd property")
            log(20, "%s [%s] %s", "MOCK", "x", "hello")
    finally:
        structlog.reset_defaults()
    assert [(line["log_level"], line["facility"]) for line in lines] == [
        ("debug", "FAIL"), ("warning", "CONFWARN"), ("debug", "MOCK"),
    ]  # fmt: skip


def test_a_command_that_configured_no_logs_hears_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """structlog's default would write to stdout, between the data."""
    structlog.reset_defaults()
    base_config(SETTINGS, "x")["logger"].log(30, "%s [%s] %s", "CONFWARN", "x", "odd property")
    assert capsys.readouterr() == ("", "")
