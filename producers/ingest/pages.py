"""What people and tools read at the edge, without a key: ``/``, and for every other path what there is instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from producers.ingest.adapters.protocol import Adapter
from producers.ingest.answers import Answer, Refusal, plain_refusal, wrong_method
from producers.ingest.api.routes import Methods
from producers.ingest.request import Message
from producers.ingest.welcome import welcome

Page = Callable[[Message], Answer]
_METHODS = ("GET", "HEAD")


class Pages:
    """``events`` and ``calls`` list the routes of events and of the API. ``more``: pages by path."""

    def __init__(self, events: Sequence[str], calls: Sequence[str], more: Mapping[str, Page] | None = None) -> None:
        self._pages: dict[str, Page] = {"/": welcome, **(more or {})}
        api = f"; the API for servers: {', '.join(calls)}" if calls else ""
        self._told = f"events go to: {', '.join(events)}{api}"

    def answer(self, path: str, scope: Message) -> Answer:
        """Always one: 404 and 405 say what there is."""
        page = self._pages.get(path)
        if page is None:
            message = f"there is nothing at {path[:200]}; {self._told}"
            return plain_refusal(Refusal(HTTPStatus.NOT_FOUND, "no_such_route", message))
        if scope["method"] not in _METHODS:
            return plain_refusal(wrong_method(path, scope["method"], _METHODS))
        return page(scope)


def described(adapters: Sequence[Adapter], api: Mapping[str, Methods]) -> Page:
    """The OpenAPI document of an edge, which is loaded when somebody first asks."""
    made: list[Page] = []

    def page(scope: Message) -> Answer:
        if not made:
            from producers.ingest.openapi.document import OpenApi

            made.append(OpenApi(adapters, api))
        return made[0](scope)

    return page
