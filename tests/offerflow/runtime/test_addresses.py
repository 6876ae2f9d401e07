"""What of the address of a service is told."""

from __future__ import annotations

import pytest

from offerflow.runtime.addresses import UNREADABLE, public_address, split


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://ana:secret@redis.example:6380/1?password=secret#secret", "rediss://redis.example:6380/1"),
        ("redis://:sec%2Fret%40@[::1]:6379", "redis://[::1]:6379"),
        ("redis://:a@secret@redis.example/0", "redis://redis.example/0"),
        ("unix://ana:secret@/run/redis.sock?db=1&password=secret", "unix:///run/redis.sock"),
        ("https://registry.example/api?token=secret", "https://registry.example/api"),
        ("sqlite:////srv/a@b/store.db", "sqlite:////srv/a@b/store.db"),
        ("postgresql+psycopg://ana:secret@db.example/offerflow?password=secret", "postgresql+psycopg://db.example/offerflow"),
        ("redis://redis.example:secret/0", f"redis://{UNREADABLE}"),
        ("redis://:12/secret@redis.example/0", f"redis://{UNREADABLE}"),
        ("redis://:12?secret@redis.example/0", f"redis://{UNREADABLE}"),
        ("redis://:12#secret@redis.example/0", f"redis://{UNREADABLE}"),
        ("redis://:secret@[::1", f"redis://{UNREADABLE}"),
        ("secret@redis.example://", UNREADABLE),
        ("redis:secret", UNREADABLE),
        ("secret", UNREADABLE),
        ("", UNREADABLE),
    ],
)  # fmt: skip
def test_an_address_is_told_without_what_may_be_secret(url: str, told: str) -> None:
    """Scheme, host, port and path; of a URL that cannot be read no more than its scheme."""
    assert public_address(url) == told
    assert (split(url) is None) == (UNREADABLE in told)
