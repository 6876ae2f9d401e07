"""How large the broker is."""

from __future__ import annotations

import pytest

from console.stack.settings import jvm_options
from offerflow.runtime.errors import ConfigError
from offerflow.runtime.settings import load_settings


@pytest.mark.parametrize(
    ("heap", "jvm"),
    [
        (None, ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC"]),
        ("256m", ["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC"]),
        ("1g", ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"]),
        ("2048m", ["-Xms2048m", "-Xmx2048m", "-XX:+UseG1GC"]),
    ],
)
def test_the_collector_follows_the_heap(heap: str | None, jvm: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Small heaps get the serial collector, those for benchmarks G1 with the whole heap from the start."""
    monkeypatch.delenv("OFFERFLOW_STACK__BROKER_HEAP", raising=False)
    if heap is not None:
        monkeypatch.setenv("OFFERFLOW_STACK__BROKER_HEAP", heap)
    assert jvm_options(load_settings().stack.broker_heap) == jvm


@pytest.mark.parametrize(("name", "value"), [("BROKER_HEAP", "much"), ("BROKER_HEAP", "12"), ("BROKER_HEEP", "1g")])
def test_a_wrong_setting_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is no size and a name that does not exist are both refused with the variable's name."""
    monkeypatch.setenv(f"OFFERFLOW_STACK__{name}", value)
    with pytest.raises(ConfigError, match=f"OFFERFLOW_STACK__{name}"):
        load_settings()
