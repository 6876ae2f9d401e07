"""What people and tools read at the edge, without a key: ``/``, and for every other path what there is instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from itertools import zip_longest

from producers.ingest.adapters.protocol import Adapter
from producers.ingest.answers import Answer, Refusal, plain_refusal, wrong_method
from producers.ingest.api.routes import Methods
from producers.ingest.request import Message
from producers.ingest.welcome import welcome

Page = Callable[[Message], Answer]
_METHODS = ("GET", "HEAD")
_NEAREST = 4
_PARTS = 10


class Pages:
    """``events`` and ``calls`` list the routes of events and of the API. ``more``: pages by path."""

    def __init__(self, events: Sequence[str], calls: Sequence[str], more: Mapping[str, Page] | None = None) -> None:
        self._pages: dict[str, Page] = {"/": welcome, **(more or {})}
        self._told = list(dict.fromkeys((*events, *calls)))

    def answer(self, path: str, scope: Message) -> Answer:
        """Always one: 404 and 405 say what there is there or near."""
        page = self._pages.get(path)
        if page is None:
            near = ", ".join(_nearest(path, self._told))
            message = f"there is nothing at {path[:200]}; the nearest are {near}; GET /openapi.json has all"
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


def _nearest(path: str, routes: Sequence[str]) -> Sequence[str]:
    """Of routes as ``POST /v1/events``, those that share most of the beginning with the path, a part in braces being
    any; of equal ones the first."""
    parts = path.split("/", _PARTS)[:_PARTS]

    def shared(route: str) -> tuple[int, int]:
        there = route.partition(" ")[2].split("/")
        same = 0
        for ours, given in zip(there, parts, strict=False):
            if ours != given and ours[:1] != "{":
                return same, next(at for at, pair in enumerate(zip_longest(ours, given)) if pair[0] != pair[1])
            same += 1
        return same, 0

    return sorted(routes, key=shared, reverse=True)[:_NEAREST]
