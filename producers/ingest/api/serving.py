"""Serves the API: who may ask, which endpoint answers, and what is said when what it reads is away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from offerflow.runtime.errors import DependencyDown, TryAgain
from offerflow.runtime.keys import SERVER
from offerflow.runtime.logs import get_logger
from producers.ingest.answers import Answer, Refusal, plain_refusal, unavailable
from producers.ingest.api.given import BadCall
from producers.ingest.api.routes import Call, Methods, Publish, Routes
from producers.ingest.keyring import Source
from producers.ingest.request import Request

ORIGIN = "backend"
_PREFIXES = ("/offers/", "/rewards/", "/referrals/")


class Api:
    """One table of routes, for servers alone."""

    def __init__(self, table: Mapping[str, Methods]) -> None:
        self.table = table
        self._routes = Routes(table)
        self.name = self._routes.name
        self.told = [f"{'|'.join(methods)} {path}" for path, methods in table.items()]
        """What there is, for whoever asks for something else."""

    def find(self, path: str) -> tuple[Methods, dict[str, str]] | None:
        return self._routes.find(path)

    async def answer(
        self, methods: Methods, named: Mapping[str, str], request: Request, source: Source, publish: Publish
    ) -> Answer:
        """``methods`` has the request's."""
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        try:
            found = await endpoint(Call(request, source, named, publish))
        except BadCall as error:
            return error.answer
        except (DependencyDown, TryAgain) as error:
            get_logger().warning("a question could not be answered", path=request.path[:200], why=str(error))
            found = unavailable("what answers this is away or busy; nothing was done, ask again", 2)
        return plain_refusal(found) if isinstance(found, Refusal) else found


class NotYet(Api):
    """The API while what it needs is being loaded: a second at most, for which calls wait. ``over`` is set then."""

    def __init__(self, patience_s: float = 10.0) -> None:
        super().__init__({})
        self.over = asyncio.Event()
        self._patience_s = patience_s

    async def wait(self) -> None:
        """Until it is over, or for as long as a caller may be kept waiting."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self.over.wait()
        except TimeoutError:
            return

    def find(self, path: str) -> tuple[Methods, dict[str, str]] | None:
        return (dict.fromkeys(("GET", "POST"), _starting), {}) if path.startswith(_PREFIXES) else None


async def _starting(_: Call) -> Refusal:
    return unavailable("this has just started; nothing was done, ask again", 1)


def allowed(methods: Methods) -> tuple[str, ...]:
    """Whoever may GET may HEAD."""
    return (*methods, "HEAD") if "GET" in methods else tuple(methods)


def not_for(key: str | Refusal, source: Source) -> Refusal | None:
    """Why ``key``, which opens ``source``, may not use the API; None if it may."""
    if isinstance(key, Refusal):
        return key
    if not key.startswith(SERVER):
        return Refusal(HTTPStatus.FORBIDDEN, "forbidden", "this key may only send events; expected a server key, sk_…")
    if source.origin != ORIGIN:
        message = (
            f"source {source.id} is of origin {source.origin}; expected a server key of a source of origin backend"
        )
        return Refusal(HTTPStatus.FORBIDDEN, "forbidden", message)
    return None
