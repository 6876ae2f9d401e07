"""Where a batch ends must not matter, nor when a timer is looked at: random journals against a ruleset of all sorts."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offerflow.rules.decide import ask, decide, fire, next_due
from offerflow.rules.live import LiveRules, activate
from offerflow.rules.outcomes import Decision, OfferExited, RewardReversed, RewardSatisfied
from offerflow.rules.requests import EnterOffer
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import EntityState, PartitionState, pack, unpack_entity
from tests.offerflow.rules.samples import DAY, NOON, TYPES, an_event, offer, ruleset

A, B, C, D = ({"event": name} for name in "ABCD")
BOUGHT = {"event": "Bought"}
VOUCHER = {"id": "r", "value": "10 EUR", "pending": "1d", "expires_after": "3d"}
RULES: Ruleset = ruleset(
    offer("a", {**A, "count": {"at_least": 2}, "within": "2d"}, B, reentry="after_completion", expires_after="2d"),
    offer("b", {"sequence": ["A", "B"], "within": "2d"}, {**BOUGHT, "sum": {"of": "amount", "at_least": 3}},
          reward=VOUCHER, expires_after="3d", exit=D),
    offer("c", {"absent": B, "after": A, "within": "1d"}, {**C, "count": {"at_least": 2}}, reentry="after_expiry",
          expires_after="1d", cooldown="1d", count_entry_event=True),
    offer("d", BOUGHT, "immediate", reward=VOUCHER, reentry={"per_key": "order_id"}),  # type: ignore[arg-type]
    offer("e", {"any": [{"in_offer": "a"}, {"completed_offer": "b"}]}, {"all": [C, {"profile": 'plan == "pro"'}]}),
    offer("f", {"event": "*", "gap": {"at_least": "2d"}}, BOUGHT, audience={"none": [D]}, reentry="after_completion"),
    offer("g", {"any": [{**A, "days": {"at_least": 3}}, {**C, "distinct": {"of": "key", "at_least": 2}}], },
          D, holdout="50%", exclusive={"group": "g"}),
    offer("h", {"api": True}, A, exclusive={"group": "g"}, reentry="after_completion"),
    {"kind": "settings", "id": "rules", "allowed_lateness": "2d"},
)  # fmt: skip
LIVE = LiveRules(activate(PartitionState(), RULES), lambda _: RULES)

records = st.lists(
    st.tuples(
        st.sampled_from([*"AABBCCD", "Bought", "Bought", "Refunded", "Identified", "tick", "ask"]),
        st.integers(0, 12), st.sampled_from([0, 0, 0, 1, 3, 5]), st.sampled_from(["k", "l"]),
    ),
    min_size=4, max_size=24,
)  # fmt: skip
"""What, quarters of a day that pass before it, quarters of a day that it comes late, and a key."""
Journal = list[tuple[str, int, int, str]]


class Played:
    """A journal folded: every decision, the state's bytes after each record, and T."""

    def __init__(self, journal: Journal, repack: bool) -> None:
        self.state, self.repack, self.now = EntityState(), repack, 0
        self.decisions: list[Decision] = []
        self.bytes: list[bytes] = []
        at = NOON
        for offset, (what, passes, late, key) in enumerate(journal):
            at += passes * DAY // 4
            if what == "tick":
                self.tick(at, offset)
            elif what == "ask":
                request = EnterOffer(
                    event_id=f"e{offset}", user_id="ann", anonymous_id=None, time=at, received_at=at, source="shop",
                    content_hash=0, partition=3, offset=offset, offer="h",
                )  # fmt: skip
                self.keep(ask(LIVE, "u:ann", self.state, request, self.now))
            else:
                self.take(what, at, at - late * DAY // 4, offset, key)

    def take(self, what: str, at: int, time: int, offset: int, key: str) -> None:
        given: dict[str, Any] = {"order_id": key, "amount": 2} if what in ("Bought", "Refunded") else {"key": key}
        if what == "Identified":
            given = {"plan": "pro" if key == "k" else "free"}
        event = an_event(what, offset, time=time, received_at=at, **given)
        self.keep(decide(LIVE, "u:ann", self.state, event, TYPES[what], self.now))

    def tick(self, at: int, offset: int) -> None:
        self.now = at
        while (due := next_due(self.state, self.now)) is not None:
            decision = fire(LIVE, "u:ann", self.state, 3, offset, self.now)
            assert decision is not None, due
            self.keep(decision)
        assert fire(LIVE, "u:ann", self.state, 3, offset, self.now) is None

    def keep(self, decision: Decision) -> None:
        self.decisions.append(decision)
        packed = pack(self.state)
        self.bytes.append(packed)
        if self.repack:
            self.state = unpack_entity(packed)


@settings(deadline=None, max_examples=60)
@given(records)
def test_where_a_batch_ends_does_not_matter(journal: Journal) -> None:
    """Packing and unpacking the state after every record gives the same decisions and the same bytes as never."""
    whole, split = Played(journal, False), Played(journal, True)
    assert split.decisions == whole.decisions
    assert split.bytes == whole.bytes


@settings(deadline=None, max_examples=40)
@given(records)
def test_nothing_is_announced_twice(journal: Journal) -> None:
    """Whatever happens in whatever order: each id once, and no reward is reversed that was not announced before."""
    played = Played(journal, False)
    played.tick(NOON + 400 * DAY, 1000)
    outputs = [output for decision in played.decisions for output in decision.outputs]
    ids = [output.id for output in outputs]
    assert len(set(ids)) == len(ids)
    satisfied = set()
    for output in outputs:
        if isinstance(output, RewardSatisfied):
            satisfied.add(output.id)
        assert not isinstance(output, RewardReversed) or output.reward_id in satisfied


@settings(deadline=None, max_examples=40)
@given(records)
def test_timers_fire_when_they_say(journal: Journal) -> None:
    """Nothing fires before the time that the state names as its first, something does then, and it ends."""
    state = Played(journal, True).state
    dues, now = [], 0
    while (first := next_due(state)) is not None:
        fire_at, due = first
        assert fire_at > now or next_due(state, now) is not None
        assert fire(LIVE, "u:ann", unpack_entity(pack(state)), 3, 1000, max(fire_at - 1, now)) is None or fire_at <= now
        now = max(now, fire_at)
        assert next_due(state, now) is not None
        decision = fire(LIVE, "u:ann", state, 3, 1000, now)
        assert decision is not None
        dues.append(due)
        for output in decision.outputs:
            assert not isinstance(output, OfferExited) or output.reason != "expired" or output.exited_at <= now
    assert next_due(state) is None
    assert len(dues) <= 200
