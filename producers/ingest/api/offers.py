"""``/offers/v1``: enter somebody, see what somebody is in and why, and what an offer is."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

import msgspec

from offerflow.rules.nearest import did_you_mean
from producers.ingest.answers import Answer, Refusal, json_answer
from producers.ingest.api import told
from producers.ingest.api.book import Definition, OfferBook
from producers.ingest.api.folded import FoldedOffers
from producers.ingest.api.given import BadCall, Query, body_of, event_id_of, query_of
from producers.ingest.api.routes import Call, Methods, publish
from schemas import asking
from schemas.envelope import MAX_ID

PATH = "/offers/v1/offers"
EXPLANATIONS = "/offers/v1/explanations"
_WHO = {"userId": "u", "anonymousId": "a"}
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]


class Enter(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """What enters somebody: one of ``offer`` and ``code``, and ``key`` where entries are told apart by one."""

    user_id: _Id
    offer: _Id | None = None
    code: _Id | None = None
    key: _Id | None = None


class OffersApi:
    """Definitions come from the catalog, what somebody is in from the rules' state, requests go to the journal."""

    def __init__(self, book: OfferBook, folded: FoldedOffers) -> None:
        self._book = book
        self._folded = folded

    def table(self) -> Mapping[str, Methods]:
        return {
            PATH: {"GET": self.list, "POST": self.enter},
            f"{PATH}/{{id}}": {"GET": self.show},
            EXPLANATIONS: {"GET": self.explain},
        }

    async def list(self, call: Call) -> Answer | Refusal:
        """The offers that somebody is in now."""
        who, entity = _who(query_of(call.request, *_WHO))
        return json_answer(HTTPStatus.OK, {**who, "offers": await self._folded.of(entity)})

    async def explain(self, call: Call) -> Answer | Refusal:
        """Where somebody stands with every offer, or with one, and why."""
        query = query_of(call.request, *_WHO, "offer")
        who, entity = _who(query)
        offer = query.get("offer")
        found = await self._folded.explain(entity, offer)
        if offer is not None and not found:
            raise self._unknown(offer)
        return json_answer(HTTPStatus.OK, {**who, "offers": found})

    async def show(self, call: Call) -> Answer | Refusal:
        query_of(call.request)
        offer_id = call.named["id"]
        definition = self._book.offer(offer_id)
        if definition is None:
            raise self._unknown(offer_id)
        return json_answer(HTTPStatus.OK, told.offer(definition))

    async def enter(self, call: Call) -> Answer | Refusal:
        """Taken as a request: whether the user gets in is decided in the journal, where everything is asked again."""
        query_of(call.request)
        asked = body_of(call.request, Enter)
        event_id = event_id_of(
            call.request,
            asking.ENTER_OFFER,
            asked.user_id,
            asked.offer or "",
            (asked.code or "").upper(),
            asked.key or "",
        )
        self._check(asked)
        return await publish(call, asking.enter_offer(
            asked.user_id, event_id, call.source.id, offer=asked.offer, code=asked.code, key=asked.key,
        ))  # fmt: skip

    def _check(self, asked: Enter) -> None:
        if (asked.offer is None) is (asked.code is None):
            raise BadCall("bad_body", "expected one of offer and code")
        definition = self._named(asked)
        reentry = definition.get("reentry")
        by = reentry["per_key"] if isinstance(reentry, dict) else None
        if by is not None and asked.key is None:
            raise BadCall("bad_body", f"key: expected the {by} of this entry, by which offer {definition['id']} tells"
                          " entries apart")  # fmt: skip
        if by is None and asked.key is not None:
            raise BadCall("bad_body", f"key: offer {definition['id']} does not tell entries apart by a key")

    def _named(self, asked: Enter) -> Definition:
        if asked.offer is None:
            found = self._book.with_code(asked.code or "")
            if found is None:
                message = f"no offer has the code {(asked.code or '')[:100]!r}"
                raise BadCall("unknown_code", message, HTTPStatus.NOT_FOUND)
            return found
        found = self._book.live(asked.offer)
        if found is None:
            raise self._unknown(asked.offer)
        if not found["entry"].get("api"):
            message = f"offer {asked.offer} is not entered by systems; its definition needs entry: {{api: true}}"
            raise BadCall("not_by_api", message, HTTPStatus.CONFLICT)
        return found

    def _unknown(self, offer_id: str) -> BadCall:
        hint = did_you_mean(offer_id[:100], self._book.ids)
        return BadCall("unknown_offer", f"there is no offer {offer_id[:100]!r}{hint}", HTTPStatus.NOT_FOUND)


def _who(query: Query) -> tuple[Query, str]:
    """The one parameter that names somebody, and the entity it stands for. Raises BadCall."""
    named = [(name, query[name]) for name in _WHO if name in query]
    if len(named) != 1 or not 1 <= len(named[0][1]) <= MAX_ID:
        raise BadCall("bad_userId", f"expected ?userId=, or ?anonymousId=, with 1 to {MAX_ID} characters")
    [(name, value)] = named
    return {name: value}, f"{_WHO[name]}:{value}"
