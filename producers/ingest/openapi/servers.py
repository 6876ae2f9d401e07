"""The API of offers and rewards in the document: what each call takes and tells. docs/offers-api.md explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from offerflow.runtime.store.outcomes import STATES
from producers.ingest.api.offers import EXPLANATIONS
from producers.ingest.api.offers import PATH as OFFERS
from producers.ingest.api.rewards import MOST
from producers.ingest.api.rewards import PATH as REWARDS
from producers.ingest.openapi.clients import Protocol
from producers.ingest.openapi.schemas import TEXT, Schema, ref

SERVERS = Protocol("Offers and rewards", "For servers: a server key of a source of origin backend.", ("bearer",))

_WHO: Mapping[str, Schema] = {
    "userId": {**TEXT, "minLength": 1, "maxLength": 512},
    "anonymousId": {**TEXT, "minLength": 1, "maxLength": 512},
}
_NO_REWARD = {404: "There is no such reward."}
_STATE = {404: "There is no such reward.", 409: "The reward is in another state, which the answer tells."}


class Call(NamedTuple):
    """One endpoint. ``refusals``: what it may answer beside what every endpoint may."""

    summary: str
    answer: Schema
    body: Schema | None = None
    status: int = 200
    query: Mapping[str, Schema] = {}
    refusals: Mapping[int, str] = {}


CALLS: Mapping[tuple[str, str], Call] = {
    ("GET", OFFERS): Call("The offers that somebody is in now.", ref("OpenOffers"), query=_WHO),
    ("POST", OFFERS): Call(
        "Enter a user into an offer, by its id or by the code they typed.", ref("Asked"), ref("EnterOffer"), 202,
        refusals={404: "There is no such offer or code.", 409: "The offer takes no entries by systems."},
    ),
    ("GET", f"{OFFERS}/{{id}}"): Call("What an offer is.", ref("Offer"), refusals={404: "There is no such offer."}),
    ("GET", EXPLANATIONS): Call(
        "Where somebody stands with every offer, or with one, and why.", ref("OpenOffers"),
        query={**_WHO, "offer": TEXT}, refusals={404: "There is no such offer."},
    ),
    ("GET", REWARDS): Call(
        "Rewards in the order in which they became what they are.", ref("Rewards"), query={
            "state": {"enum": list(STATES)}, "after": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST}, "userId": TEXT, "offer": TEXT,
        },
    ),
    ("GET", f"{REWARDS}/{{id}}"): Call("One reward.", ref("Reward"), refusals=_NO_REWARD),
    ("POST", f"{REWARDS}/{{id}}/fulfil"): Call(
        "A reward was paid out.", ref("Asked"), ref("FulfilReward"), 202, refusals=_STATE
    ),
    ("POST", f"{REWARDS}/{{id}}/reverse"): Call(
        "Take a reward back.", ref("Asked"), ref("Nothing"), 202, refusals=_STATE
    ),
}  # fmt: skip
"""By method and path."""
