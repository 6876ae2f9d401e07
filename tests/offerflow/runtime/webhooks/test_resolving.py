"""Names to addresses: all of them judged, none looked up more often than needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.webhooks.resolving import Forbidden, Resolver, Unresolved
from offerflow.runtime.webhooks.target import Target, parse_target

SETTINGS = WebhookSettings()


class Names:
    """A name server that a test holds in its hand."""

    def __init__(self, **known: Sequence[str]) -> None:
        self.known = {f"{name}.example": addresses for name, addresses in known.items()}
        self.asked: list[str] = []
        self.hangs: set[str] = set()
        self.now = 0.0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host in self.hangs:
            await asyncio.Event().wait()
        if host not in self.known:
            raise OSError(-2, "Name or service not known")
        return self.known[host]

    def resolver(self) -> Resolver:
        return Resolver((), self, lambda: self.now)


def target(name: str) -> Target:
    return parse_target(f"https://{name}.example/", SETTINGS)


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    """The message names the address and why; a name that has only good ones gives them all, in order."""
    names = Names(mixed=["93.184.216.34", "10.0.0.5"], good=["93.184.216.34", "2606:4700::1"], none=[])

    async def story() -> None:
        resolver = names.resolver()
        with pytest.raises(Forbidden, match=r"mixed\.example resolves to 10\.0\.0\.5, which is private"):
            await resolver.addresses(target("mixed"))
        assert await resolver.addresses(target("good")) == ["93.184.216.34", "2606:4700::1"]
        with pytest.raises(Unresolved, match="has no address"):
            await resolver.addresses(target("none"))
        with pytest.raises(Unresolved, match="Name or service not known"):
            await resolver.addresses(target("absent"))

    asyncio.run(story())


def test_a_name_is_asked_for_once_a_second_however_many_want_it() -> None:
    """Also while the first question is open; after a second it is asked anew, so a move is seen."""
    names = Names(crm=["93.184.216.34"])

    async def story() -> None:
        resolver = names.resolver()
        await asyncio.gather(*(resolver.addresses(target("crm")) for _ in range(50)))
        assert names.asked == ["crm.example"]
        names.known["crm.example"] = ["127.0.0.1"]
        names.now = 1.0
        with pytest.raises(Forbidden):
            await resolver.addresses(target("crm"))
        assert len(names.asked) == 2

    asyncio.run(story())


def test_a_name_server_that_hangs_for_one_name_answers_for_the_next() -> None:
    """Whoever waits for the first may give up; nobody else waits."""
    names = Names(crm=["93.184.216.34"])
    names.hangs.add("slow.example")

    async def story() -> None:
        resolver = names.resolver()
        waiting = [asyncio.ensure_future(resolver.addresses(target("slow"))) for _ in range(5)]
        assert await resolver.addresses(target("crm")) == ["93.184.216.34"]
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert names.asked.count("slow.example") == 1

    asyncio.run(story())


def test_the_system_resolves_what_is_not_injected() -> None:
    """localhost is loopback by whatever name server there is, and so it is refused."""

    async def story() -> None:
        resolver = Resolver(())
        with pytest.raises(Forbidden, match="loopback"):
            await resolver.addresses(parse_target("https://localhost/", SETTINGS))
        resolver.close()

    asyncio.run(story())
