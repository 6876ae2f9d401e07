"""Explanations and users as lines for people."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from console.explained.text import node_lines, offer_lines, when
from console.explained.user import user_json, user_lines
from offerflow.rules.explained import (
    InstanceExplained,
    NodeExplained,
    OfferExplained,
    RefusalExplained,
    RewardExplained,
    Status,
)
from offerflow.rules.live import LiveRules
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import (
    EntityState,
    Instance,
    OfferState,
    PartitionState,
    Refused,
    RewardState,
    RewardStatus,
)
from offerflow.rules.state import Status as Run
from schemas.user_state import UserState, entity_of

NOW = 1_790_000_000_000
LEAF = NodeExplained(
    "event", False, "at least 9 Purchase Completed", "5 of 9", 5, "4 more", ["e1", "e2", "e3", "e4", "\x1b[2J"], 5
)
RUN = InstanceExplained(
    id="i", version="v", status=Status.IN, variant="bold", holdout=False, attributes={}, entered_at=NOW,
    expires_at=NOW + 60_000, ended_at=None, key="o\x07-1", completion=LEAF, exit=LEAF,
)  # fmt: skip
OFFER = OfferExplained(
    offer="upgrade", version="v", status=Status.NOT_IN, ways=["event", "code", "api"], entry=LEAF, audience=LEAF,
    refusal="capped", missing=["4 more"], instances=[],
    refusals=[RefusalExplained("capped", NOW, "e1"), RefusalExplained("capped", NOW + 60_000, "e\x1b2")],
)  # fmt: skip


def test_an_offer_the_user_is_not_in() -> None:
    """Ways in, the trees, what is missing, and each reason of refusal with its last time and event."""
    assert list(offer_lines(OFFER, "an\x1bna", when)) == [
        "upgrade: an\\x1bna is not in (definition v)",
        "  an entry now would be refused: capped",
        "  ways in besides events: code, api",
        "  to enter:",
        "    [ ] at least 9 Purchase Completed: 5 of 9  (\\x1b[2J, e4, e3, 2 more)",
        "  audience:",
        "    [ ] at least 9 Purchase Completed: 5 of 9  (\\x1b[2J, e4, e3, 2 more)",
        "  missing: 4 more",
        "  refused: capped, last at 2026-09-21 14:14:20Z on e\\x1b2, 2 times",
    ]


def test_an_offer_the_user_is_in_and_was_in() -> None:
    """Open runs with their trees and expiry, ended ones with their end and reward; no word of entering."""
    reward = RewardExplained("r-1", "voucher", "pending", Decimal("10.00"), "EUR", NOW + 60_000)
    badge = RewardExplained("r-2", "badge", "satisfied", None, None, None)
    ended = msgspec.structs.replace(
        RUN, status=Status.COMPLETED, ended_at=NOW, key=None, completion=None, exit=None, rewards=[reward, badge]
    )
    told = msgspec.structs.replace(OFFER, status=Status.IN, instances=[ended, RUN], refusals=[], missing=[])
    assert list(offer_lines(told, "anna", when)) == [
        "upgrade: anna is in (definition v)",
        "  completed since 2026-09-21 14:13:20Z, variant bold, ended 2026-09-21 14:13:20Z",
        "    reward voucher 10.00 EUR: pending, announced 2026-09-21 14:14:20Z",
        "    reward badge: satisfied",
        "  in since 2026-09-21 14:13:20Z, variant bold, key o\\x07-1, expires 2026-09-21 14:14:20Z",
        "    to complete:",
        "      [ ] at least 9 Purchase Completed: 5 of 9  (\\x1b[2J, e4, e3, 2 more)",
        "    to exit:",
        "      [ ] at least 9 Purchase Completed: 5 of 9  (\\x1b[2J, e4, e3, 2 more)",
    ]


def test_what_the_rules_forgot_is_referred_to_the_history() -> None:
    """How many runs are gone; of a reward that was taken back where to read when and why, if there is a history."""
    back = RewardExplained("r-1", "voucher", "reversed", Decimal("10.00"), "EUR", None)
    ended = msgspec.structs.replace(RUN, status=Status.COMPLETED, ended_at=NOW, key=None, rewards=[back])
    told = msgspec.structs.replace(OFFER, status=Status.COMPLETED, instances=[ended], refusals=[], forgotten=2)
    lines = list(offer_lines(told, "anna", when, recorded=True))
    assert lines[2:4] == [
        "    reward voucher 10.00 EUR: reversed; when and why: offerflow rewards show r-1",
        "  2 earlier runs are over and no longer kept here",
    ]
    assert list(offer_lines(told, "anna", when))[2] == "    reward voucher 10.00 EUR: reversed"
    closed = Instance(b"\x01" * 16, "upgrade", "v", "bold", NOW, 1, 0, Run.COMPLETED, ended_at=NOW)
    closed.reward = RewardState("badge", RewardStatus.REVERSED, None, None, NOW, NOW)
    state = EntityState(instances=[closed], offers={"upgrade": OfferState(entries=2), "spring": OfferState()})
    rules = LiveRules(PartitionState(), lambda name: Ruleset(name))
    shown = UserState("u:anna", 3, 17, NOW, 99, state, rules, "r")
    last, gone = list(user_lines(shown))[-2:]
    assert last.startswith("    reward badge: reversed, earned ")
    assert "; when and why: offerflow rewards show " in last
    assert gone == "  offer upgrade: 1 earlier run is over and no longer kept here"
    assert user_json(shown, 0)["forgotten"] == {"upgrade": 1}


def test_groups_are_named_and_indented() -> None:
    """A tree reads from the top."""
    leaf = NodeExplained("in_offer", True, "in offer x")
    tree = NodeExplained("all", False, nodes=[NodeExplained("none", False, nodes=[leaf])])
    assert list(node_lines(tree)) == ["[ ] all of", "  [ ] none of", "    [x] in offer x"]


def test_a_user_with_everything() -> None:
    """Offers with key, end and reward, traits, refusals and the numbers; nothing a terminal obeys."""
    reward = RewardState("voucher", RewardStatus.SATISFIED, Decimal("10.50"), "EUR", NOW, NOW)
    closed = Instance(b"\x01" * 16, "upgrade", "v", "bold", NOW, 1, 0, Run.COMPLETED, key="o-1", ended_at=NOW)
    closed.reward = reward
    state = EntityState(
        clock=NOW, timer=NOW, ids=b"x" * 28, facts=b"x" * 12, instances=[closed], traits={"plan": "p\x1bro"},
        refusals=[Refused("upgrade", "capped", NOW, "e1")],
    )  # fmt: skip
    found = UserState("u:an\x1bna", 3, 17, NOW, 99, state, LiveRules(PartitionState(), lambda name: Ruleset(name)), "r")
    assert list(user_lines(found)) == [
        "u:an\\x1bna in partition 3, 99 bytes",
        "  last event read by a rule: 2026-09-21 14:13:20Z",
        "  next timer: 2026-09-21 14:13:20Z",
        "  remembered: 2 event ids, 1 facts, 0 hits, 0 absences waited for",
        "  trait plan: p\\x1bro",
        "  offer upgrade (key o-1): completed since 2026-09-21 14:13:20Z, variant bold, ended 2026-09-21 14:13:20Z",
        "    reward voucher 10.50 EUR: satisfied, earned 2026-09-21 14:13:20Z",
        "  refused upgrade: capped, 2026-09-21 14:13:20Z, e1",
    ]
    told = user_json(found, 4)
    assert (told["user"], told["behind"], told["position"]) == ("u:an\x1bna", 4, 17)
    paid = told["offers"][0]["reward"]
    assert (paid["reward"], paid["value"], paid["currency"]) == ("voucher", "10.50", "EUR")
    nobody = UserState("u:b", 3, 17, 0, 0, None, found.rules, "")
    assert list(user_lines(nobody)) == ["u:b: the rules know nothing of this user yet (partition 3)"]
    assert user_json(nobody, 0)["known"] is False


def test_whom_a_name_means() -> None:
    """Users by their id, visitors by a:, and u: for ids that begin like these."""
    assert [entity_of(name) for name in ("anna", "a:v-1", "u:a:b")] == ["u:anna", "a:v-1", "u:a:b"]
