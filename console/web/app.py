"""The ASGI application: ``GET /`` for people, the registry below ``/registry`` for clients.

Requests are answered on threads, since a "no" may have to wait for the end of the catalog.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from console.web.answers import STORE_AWAY, RegistryError, answer
from console.web.asked import Asked, read
from console.web.facade import APPLY, Facade
from console.web.page import REGISTRY, Page
from console.web.plan_view import PlanView
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.logs import get_logger

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
Question = Callable[[Facade, Asked], Any]

ROUTES: dict[str, dict[str, Question]] = {
    "/": {"GET": Facade.root},
    "/subjects": {"GET": Facade.subjects},
    "/subjects/{subject}": {"POST": Facade.lookup},
    "/subjects/{subject}/metadata": {"GET": Facade.latest_with_metadata},
    "/subjects/{subject}/versions": {"GET": Facade.versions, "POST": Facade.register},
    "/subjects/{subject}/versions/{version}": {"GET": Facade.version},
    "/subjects/{subject}/versions/{version}/schema": {"GET": Facade.text_of_version},
    "/subjects/{subject}/versions/{version}/referencedby": {"GET": Facade.referenced_by},
    "/schemas": {"GET": Facade.schemas},
    "/schemas/types": {"GET": Facade.types},
    "/schemas/ids/{id}": {"GET": Facade.by_id},
    "/schemas/ids/{id}/schema": {"GET": Facade.text_by_id},
    "/schemas/ids/{id}/versions": {"GET": Facade.versions_by_id},
    "/schemas/ids/{id}/subjects": {"GET": Facade.subjects_by_id},
    "/config": {"GET": Facade.level},
    "/config/{subject}": {"GET": Facade.level},
    "/mode": {"GET": Facade.mode},
    "/mode/{subject}": {"GET": Facade.mode},
    "/contexts": {"GET": Facade.contexts},
    "/associations/resources/{namespace}/{name}": {"GET": Facade.associations},
    "/compatibility/subjects/{subject}/versions": {"POST": Facade.compatibility},
    "/compatibility/subjects/{subject}/versions/{version}": {"POST": Facade.compatibility},
}


def application(view: PlanView, page: Page) -> Starlette:
    """The whole of what the program serves."""
    routes = [Route(path, _endpoint(view, questions), methods=METHODS) for path, questions in ROUTES.items()]
    registry = Router([*routes, Route("/{rest:path}", _nothing_here, methods=METHODS)], redirect_slashes=False)
    return Starlette(
        routes=[Route("/", page.answer), Mount(REGISTRY, app=registry)],
        exception_handlers={HTTPException: _elsewhere, RegistryError: _told, Exception: _failed},
    )


def _endpoint(view: PlanView, questions: dict[str, Question]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        question = questions.get("GET" if request.method == "HEAD" else request.method)
        if question is None:
            raise _wrong_method(request.method, questions)
        return answer(await run_in_threadpool(_ask, view, question, await read(request)))

    return endpoint


def _ask(view: PlanView, question: Question, asked: Asked) -> Any:
    """The answer; a "no" only after the catalog was read to its end."""
    facade = view.facade
    try:
        if facade is None:
            raise RegistryError(STORE_AWAY, "the catalog was not read yet; is Kafka running?", 503)
        try:
            return question(facade, asked)
        except RegistryError as error:
            if error.status not in (404, 422):
                raise
        view.up_to_date()
        if view.facade is None:
            raise RegistryError(STORE_AWAY, "the catalog cannot be read", 503)
        return question(view.facade, asked)
    except OfferflowError as error:
        raise RegistryError(STORE_AWAY, f"whether there is such a schema cannot be told: {error}", 503) from None


def _wrong_method(method: str, questions: dict[str, Question]) -> RegistryError:
    allowed = ", ".join(questions)
    return RegistryError(405, f"{method[:20]} is not answered here, {allowed} is; {APPLY}", headers={"allow": allowed})


async def _nothing_here(request: Request) -> Response:
    path = request.url.path[:200]
    raise RegistryError(404, f"there is nothing at {path}; schemas are at {REGISTRY}/subjects and {REGISTRY}/schemas")


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, RegistryError)  # noqa: S101 - as registered above
    return error.response()


async def _elsewhere(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered above
    where = f"{request.method[:20]} {request.url.path[:200]}"
    message = f"{where}: {error.detail}; here are / and the schema registry at {REGISTRY}"
    return RegistryError(error.status_code, message, headers=dict(error.headers or {})).response()


async def _failed(request: Request, error: Exception) -> Response:
    get_logger().error("a request failed", path=request.url.path, exc_info=error)
    return RegistryError(500, "the failure is logged; try again later").response()
