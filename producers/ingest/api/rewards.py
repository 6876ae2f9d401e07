"""``/rewards/v1/rewards``: the list to pull, single rewards, and the requests to fulfil and to reverse one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

import msgspec

from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.store.outcomes import FULFILLED, SATISFIED, STATES
from offerflow.runtime.store.reward_list import Incomplete, Page, Reward, Wanted, find_reward, list_rewards
from producers.ingest.answers import Answer, Refusal, json_answer, unavailable
from producers.ingest.api import told
from producers.ingest.api.asked import AskedStore
from producers.ingest.api.given import BadCall, body_of, event_id_of, query_of, whole
from producers.ingest.api.routes import Call, Methods, publish
from schemas import asking
from schemas.envelope import MAX_ID

PATH = "/rewards/v1/rewards"
MOST = 1000
_LAST = 2**63 - 1


class Fulfil(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of a call that says that a reward was paid out. ``by``: who did."""

    by: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)] | None = None


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of calls that take no more than what the path names."""


class RewardsApi:
    """Lists come from the history, requests go to the journal."""

    def __init__(self, store: AskedStore) -> None:
        self._store = store

    def table(self) -> Mapping[str, Methods]:
        return {
            PATH: {"GET": self.list},
            f"{PATH}/{{id}}": {"GET": self.show},
            f"{PATH}/{{id}}/fulfil": {"POST": self.fulfil},
            f"{PATH}/{{id}}/reverse": {"POST": self.reverse},
        }

    async def list(self, call: Call) -> Answer | Refusal:
        """Rewards in the order in which they became what they are, without those of offers on hold. ``next`` is the
        ``after`` with which to ask for what comes then."""
        query = query_of(call.request, "state", "after", "limit", "userId", "offer")
        state = query.get("state")
        if state is not None and state not in STATES:
            hint = did_you_mean(state[:40], STATES) or f"; expected one of {', '.join(STATES)}"
            raise BadCall("bad_state", f"there is no state {state[:40]!r}{hint}")
        wanted = Wanted(
            state, query.get("userId"), query.get("offer"), whole(query, "after", 0, 0, _LAST),
            whole(query, "limit", 100, 1, MOST),
        )  # fmt: skip
        try:
            # Made into JSON over there as well: a thousand rewards would keep events waiting.
            return await self._store.ask(lambda connection: _told(list_rewards(connection, wanted)))
        except Incomplete:
            return unavailable("the list is being built from the log; nothing is missing from it, ask again", 5)

    async def show(self, call: Call) -> Answer | Refusal:
        query_of(call.request)
        return json_answer(HTTPStatus.OK, told.reward(await self._reward(call)))

    async def fulfil(self, call: Call) -> Answer | Refusal:
        """Only what is satisfied can be paid out."""
        query_of(call.request)
        by = body_of(call.request, Fulfil).by or call.source.id
        event_id = event_id_of(call.request, asking.FULFIL_REWARD, call.named["id"])
        row = await self._reward(call, SATISFIED)
        return await publish(call, asking.fulfil_reward(row["user_id"], event_id, call.source.id, row["id"], by))

    async def reverse(self, call: Call) -> Answer | Refusal:
        """What is satisfied or fulfilled can be taken back."""
        query_of(call.request)
        body_of(call.request, Nothing)
        event_id = event_id_of(call.request, asking.REVERSE_REWARD, call.named["id"])
        row = await self._reward(call, SATISFIED, FULFILLED)
        return await publish(call, asking.reverse_reward(row["user_id"], event_id, call.source.id, row["id"]))

    async def _reward(self, call: Call, *states: str) -> Reward:
        """The reward that the path names. Raises BadCall if there is none, or if it is in none of ``states``."""
        reward_id = call.named["id"]
        row = await self._store.ask(lambda connection: find_reward(connection, reward_id))
        if row is None:
            message = f"there is no reward {reward_id[:100]!r}; one that was announced just now may take a moment"
            raise BadCall("unknown_reward", message, HTTPStatus.NOT_FOUND)
        if states and row["state"] not in states:
            message = f"the reward is {row['state']}, expected {' or '.join(states)}; nothing was asked for"
            raise BadCall(
                "wrong_state", message, HTTPStatus.CONFLICT, state=row["state"], reward=told.reward(row)
            )  # fmt: skip
        return row


def _told(page: Page) -> Answer:
    rewards = [told.reward(row) for row in page.rewards]
    return json_answer(HTTPStatus.OK, {"rewards": rewards, "next": str(page.next), "more": page.more})
