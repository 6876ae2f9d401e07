"""What a stack tells of its programs."""

from __future__ import annotations

from pathlib import Path

from console.stack.files import Identity, StackFiles
from console.stack.roster import Roster
from offerflow.runtime.settings import RegistrySettings, Settings


def test_a_registry_is_told_without_its_password(tmp_path: Path) -> None:
    """What `up` prints and the state file keeps is the address alone; without one of the user's own, the console's."""
    identity = Identity("sk", {"console": 8080})

    def told(registry: RegistrySettings) -> str | None:
        return Roster(StackFiles(tmp_path), identity, Settings(registry=registry)).registry_url()

    assert told(RegistrySettings(url="https://ana:hunter2@registry:8081/sr")) == "https://registry:8081/sr"
    assert told(RegistrySettings()) == "http://127.0.0.1:8080/registry"
