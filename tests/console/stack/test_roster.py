"""What a stack tells of its programs."""

from __future__ import annotations

from pathlib import Path

from console.stack.files import Identity, StackFiles, Wanted
from console.stack.roster import Roster
from console.stack.settings import local_store
from offerflow.runtime.settings import RegistrySettings, Settings, load_settings


def test_a_registry_is_told_without_its_password(tmp_path: Path) -> None:
    """What `up` prints and the state file keeps is the address alone; without one of the user's own, the console's."""
    identity = Identity("sk", {"console": 8080})

    def told(registry: RegistrySettings) -> str | None:
        return Roster(StackFiles(tmp_path), identity, Settings(registry=registry)).registry_url()

    assert told(RegistrySettings(url="https://ana:hunter2@registry:8081/sr")) == "https://registry:8081/sr"
    assert told(RegistrySettings()) == "http://127.0.0.1:8080/registry"


def test_every_program_has_the_store_and_may_reach_what_the_stack_may(tmp_path: Path) -> None:
    """Whoever reads or writes the store finds the same one, and the worker judges addresses as commands do."""
    settings = load_settings(**local_store(StackFiles(tmp_path), Settings()))
    made = Roster(StackFiles(tmp_path), Identity("sk"), settings).programs(Wanted(1), frozenset())
    assert [program.name for program in made] == ["validation-1", "rules-1", "history", "webhooks", "ingest", "console"]
    for program in made:
        assert program.environment["OFFERFLOW_STORE__URL"] == f"sqlite:///{tmp_path}/store.db"
        assert program.environment["OFFERFLOW_WEBHOOKS__ALLOW_NETWORKS"] == "127.0.0.0/8,::1/128"
        assert program.environment["OFFERFLOW_WEBHOOKS__ALLOW_HTTP"] == "true"
