"""Explanations: every kind of leaf and group by hand, and agreement with what is decided next."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from offerflow.rules.compiling import RulesetProblems, compile_ruleset
from offerflow.rules.decide import ask
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition, SettingsDefinition
from offerflow.rules.events import Event
from offerflow.rules.explain import explain
from offerflow.rules.explained import NodeExplained, OfferExplained, Status
from offerflow.rules.fold import Failure, Fold
from offerflow.rules.outcomes import Decision, OfferEntered, Refusal
from offerflow.rules.requests import EnterOffer
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import PartitionState, pack
from offerflow.rules.states import MemoryStates, pass_time
from schemas.plan import Plan, parse_event_schema
from tests.oracle.pairs.engine import Engine
from tests.oracle.pairs.pair import of_seed
from tests.oracle.pairs.plan import SCHEMAS

DAY = 86_400_000
NOW = 1_790_000_000_000
PLAN = Plan(parse_event_schema(one, 1000 + number) for number, one in enumerate(SCHEMAS))
TYPES = {one.name: one for one in PLAN.event_types()}


def compiled(name: str, definitions: list[dict[str, Any]]) -> Ruleset:
    conditions = [ConditionDefinition.model_validate(one) for one in definitions if one["kind"] == "condition"]
    offers = [OfferDefinition.model_validate(one) for one in definitions if one["kind"] == "offer"]
    rules = [SettingsDefinition.model_validate(one) for one in definitions if one["kind"] == "settings"]
    by_id = {one.id: one for one in conditions}, {one.id: one for one in offers}
    return compile_ruleset(name, *by_id, PLAN.event_types(), next(iter(rules), None))


class User:
    """One user and one ruleset; every event a second after the one before, unless it says when."""

    def __init__(self, definitions: str, name: str = "u:ann") -> None:
        self.name = name
        self.states = MemoryStates()
        self._rulesets: dict[str, Ruleset] = {}
        self.fold = Fold(0, PartitionState(), self._rulesets.__getitem__, self.states)
        self.offset = 0
        self.now = NOW
        self.activate(definitions)

    def activate(self, definitions: str) -> None:
        name = f"r{len(self._rulesets)}"
        self._rulesets[name] = compiled(name, list(YAML(typ="safe", pure=True).load_all(definitions)))
        self.fold.activate(name)

    def sends(self, event: str, days: float = 0, **properties: Any) -> Decision:
        """``days`` after NOW, or a second after what came before."""
        self.now = NOW + int(days * DAY) if days else self.now + 1000
        self.offset += 1
        given = Event(
            type=event, event_id=f"e{self.offset}", user_id=self.name[2:], anonymous_id=None, time=self.now,
            received_at=self.now, source="shop", origin="backend", content_hash=self.offset,
            properties=properties, partition=0, offset=self.offset,
        )  # fmt: skip
        told = self.fold.event(self.name, given, TYPES[event])
        assert isinstance(told, Decision), told
        self.fold.settle()
        return told

    def waits(self, days: float) -> None:
        self.now = NOW + int(days * DAY)
        for _ in pass_time(self.fold, self.states, self.now, self.offset):
            pass

    def explained(self, offer: str = "o") -> OfferExplained:
        state = self.states.get(self.name)
        before = pack(state)
        (found,) = explain(self.fold.rules, state, offer, self.now)
        assert pack(state) == before
        return found

    def entry(self) -> NodeExplained:
        entry = self.explained().entry
        assert entry is not None
        return entry


def of_entry(leaf: str) -> User:
    return User(f"kind: offer\nid: o\nentry: {leaf}\n")


def progress(node: NodeExplained) -> tuple[bool, str | None, str | None]:
    return node.holds, node.progress, node.missing


BUY: dict[str, Any] = {"order": "o1", "no": 1}


def test_a_count_says_how_many_of_how_many() -> None:
    """With the events that count, newest last, what is missing, and the window they lie in."""
    user = of_entry("{event: Bought, where: amount >= 5, count: {at_least: 3}, within: 30d}")
    assert progress(user.entry())[:2] == (False, "0 of 3")
    user.sends("Bought", amount=10.0, **BUY)
    user.sends("Bought", amount=1.0, **BUY)
    user.sends("Bought", 20, amount=10.0, **BUY)
    entry = user.entry()
    assert (entry.progress, entry.value, entry.evidence, entry.evidence_count) == ("2 of 3", 2, ["e1", "e3"], 2)
    assert entry.missing == f"1 more: {entry.text}"
    assert "at least 3 Bought where amount >= 5" in entry.text
    assert user.explained().missing == [entry.missing]
    user.waits(31)
    assert user.entry().progress == "1 of 3"


@pytest.mark.parametrize(
    ("leaf", "amounts", "expected"),
    [
        ("sum: {of: amount, at_least: 500}", (100.0, 20.5), (False, "120.5 of 500", "379.5 more")),
        ("sum: {of: amount, more_than: 100}", (100.0,), (False, "100, asked more than 100", "more than 0 more")),
        ("min: {of: amount, at_least: 5}", (), (False, "no event yet", "an event")),
        ("min: {of: amount, at_least: 5}", (3.0, 9.0), (False, "3 of 5", "another number than 3")),
        ("max: {of: amount, at_least: 5}", (3.0, 9.0), (True, "9 of 5", None)),
        ("average: {of: amount, less_than: 4}", (3.0, 3.0, 7.0),
         (False, "4.333333, asked less than 4", "another number than 4.333333")),
        ("distinct: {of: amount, at_least: 3}", (1.0, 2.0, 1.0), (False, "2 of 3", "1 more different")),
        ("count: {exactly: 2}", (1.0,), (False, "1 of exactly 2", "1 more")),
        ("count: {exactly: 2}", (1.0, 1.0, 1.0), (False, "3 of exactly 2", "another number than 3")),
        ("count: {at_least: 1, at_most: 2}", (1.0, 1.0, 1.0),
         (False, "3, asked at least 1 and at most 2", "another number than 3")),
    ],
)  # fmt: skip
def test_other_measures_say_their_number(leaf: str, amounts: tuple[float, ...], expected: tuple[Any, ...]) -> None:
    """The measured number against what is asked, and what would change it."""
    user = of_entry(f"{{event: Bought, {leaf}}}")
    for amount in amounts:
        user.sends("Bought", amount=amount, **BUY)
    holds, said, missing = progress(user.entry())
    assert (holds, said, missing and missing.partition(": ")[0]) == expected


def test_days_and_streaks_are_counted_in_days() -> None:
    """Two days of three; a streak that was broken begins anew."""
    user = of_entry("{event: Opened, days: {at_least: 3}}")
    for day in (1, 1.1, 5):
        user.sends("Opened", day)
    assert progress(user.entry())[:2] == (False, "2 of 3")
    assert user.entry().missing == f"1 more days: {user.entry().text}"
    user = of_entry("{event: Opened, streak: {at_least: 3}}")
    for day in (1, 2, 4):
        user.sends("Opened", day)
    assert progress(user.entry())[:2] == (False, "1 of 3")
    user.waits(6)
    assert progress(user.entry())[:2] == (False, "0 of 3")


def test_a_gap_wants_a_silence() -> None:
    """None yet, then the event that ended one."""
    user = of_entry('{event: "*", gap: {at_least: 30d}}')
    user.sends("Opened", 1)
    assert progress(user.entry())[:2] == (False, "none yet")
    assert (user.entry().missing or "").startswith("an event after a silence: ")
    user.sends("Closed", 32)
    assert progress(user.entry())[:2] == (True, "1 of 1")
    assert user.entry().evidence == ["e2"]


def test_a_sequence_says_its_step() -> None:
    """How many steps are there, which comes next, and the events of the longest chain."""
    user = of_entry("{sequence: [{event: Opened}, {event: Closed}, {event: Bought}], within: 2d}")
    assert progress(user.entry())[:2] == (False, "step 0 of 3")
    assert user.entry().missing == "Opened (step 1 of 3)"
    user.sends("Opened", 1)
    user.sends("Closed", 1.5)
    entry = user.entry()
    assert (entry.progress, entry.value, entry.evidence) == ("step 2 of 3", 2, ["e1", "e2"])
    assert entry.missing == "Bought (step 3 of 3) within 2d of the first step"
    user.sends("Bought", 2, amount=1.0, **BUY)
    assert progress(user.entry()) == (True, "step 3 of 3", None)


def test_an_absence_says_when_its_window_closes() -> None:
    """Not waiting, waiting until, closed; with the event whose silence it is."""
    user = of_entry("{absent: {event: Bought}, after: {event: Opened}, within: 7d}")
    assert progress(user.entry()) == (False, "not waiting", "Opened, and then no Bought for 7d")
    user.sends("Opened", 1)
    assert progress(user.entry()) == (
        False, "window closes at 2026-09-29T14:13:20Z", "no Bought until 2026-09-29T14:13:20Z",
    )  # fmt: skip
    assert user.entry().evidence == ["e1"]
    user.waits(9)
    assert progress(user.entry()) == (True, "window closed at 2026-09-29T14:13:20Z", None)
    assert (user.explained().status, user.entry().evidence) == (Status.IN, ["e1"])


def test_traits_are_shown_as_they_are() -> None:
    """What the profile is asked of, also where it is not set."""
    user = of_entry('{all: [{event: Opened}, {profile: "plan == \\"pro\\" && score > 2"}]}')
    profile = user.entry().nodes[1]
    assert progress(profile)[:2] == (False, "plan is not set, score is not set")
    user.sends("Identified", plan="free", score=5)
    profile = user.entry().nodes[1]
    assert profile.progress == "plan is free, score is 5"
    assert profile.missing == f"traits for which {profile.text.removeprefix('profile ')}"


def test_groups_join_what_their_members_miss() -> None:
    """``all`` wants each, ``any`` one, ``none`` that something were not."""
    user = of_entry("{all: [{event: Opened}, {any: [{event: Closed}, {event: Paid}]}, {none: [{event: Bought}]}]}")
    user.sends("Bought", amount=1.0, **BUY)
    entry = user.entry()
    assert (entry.kind, entry.holds, entry.progress) == ("all", False, None)
    opened, either, none = entry.nodes
    assert either.missing == f"{either.nodes[0].missing} or {either.nodes[1].missing}"
    assert none.missing == f"not: {none.nodes[0].text}"
    assert entry.missing == f"{opened.missing}; {either.missing}; {none.missing}"


OFFERS = """\
kind: offer
id: first
entry: {event: Opened}
completion: {event: Bought, count: {at_least: 2}}
exit: {event: Closed}
expires_after: 10d
reward: {id: voucher, value: 10 EUR, pending: 5d, expires_after: 7d}
---
kind: offer
id: second
entry: {all: [{event: Paid}, {in_offer: first}]}
audience: {completed_offer: first}
---
kind: offer
id: keyed
entry: {event: Bought, count: {at_least: 2}}
reentry: {per_key: order}
completion: {event: Paid}
---
kind: offer
id: spring
entry: {code: SPRING, api: true}
starts: "2030-01-01"
"""


def test_an_offer_tells_where_the_user_stands() -> None:
    """Not in, in with what is missing and until when, completed with its reward; nothing is missing of it then."""
    user = User(OFFERS)
    told = user.explained("first")
    assert (told.status, told.ways, told.refusal, told.instances) == (Status.NOT_IN, ["event"], None, [])
    user.sends("Opened", 1)
    user.sends("Bought", 2, amount=1.0, **BUY)
    told = user.explained("first")
    (run,) = told.instances
    assert (told.status, run.status, run.variant, run.holdout) == (Status.IN, Status.IN, "default", False)
    assert (run.entered_at, run.expires_at) == (NOW + DAY, NOW + 11 * DAY)
    assert run.completion is not None
    assert (run.completion.progress, run.completion.evidence) == ("1 of 2", ["e2"])
    assert told.missing == [f"{run.completion.missing}, by 2026-10-02T14:13:20Z"]
    assert run.exit is not None
    assert progress(run.exit)[:2] == (False, "0 of 1")
    assert told.refusal == "already_in"

    user.sends("Bought", 3, amount=1.0, **BUY)
    told = user.explained("first")
    (run,) = told.instances
    (reward,) = run.rewards
    assert (told.status, run.ended_at, run.completion) == (Status.COMPLETED, NOW + 3 * DAY, None)
    assert (reward.reward, reward.state, str(reward.value), reward.currency) == ("voucher", "pending", "10.00", "EUR")
    assert reward.next_at == NOW + 8 * DAY
    assert told.missing == ["an entry is refused now: already_in"]
    user.waits(9)
    (reward,) = user.explained("first").instances[0].rewards
    assert (reward.state, reward.next_at) == ("satisfied", NOW + 15 * DAY)
    user.waits(16)
    assert [one.state for one in user.explained("first").instances[0].rewards] == ["expired"]


def test_exits_and_expiries_are_told() -> None:
    """Who left and who ran out of time."""
    user = User(OFFERS)
    user.sends("Opened", 1)
    user.sends("Closed", 2)
    assert user.explained("first").status == Status.EXITED
    user = User(OFFERS)
    user.sends("Opened", 1)
    user.waits(12)
    assert user.explained("first").status == Status.EXPIRED


def test_refusals_are_kept_with_reason_time_and_event() -> None:
    """A refused user is told so, with the audience that they are not in and the offers that are named."""
    user = User(OFFERS)
    user.sends("Paid", 1, key="k1", amount=1.0)
    second = user.explained("second")
    assert second.entry is not None
    assert progress(second.entry.nodes[1]) == (False, None, "to be in the offer first")
    user.sends("Opened", 2)
    told = user.explained("second")
    assert told.status == Status.REFUSED
    (refusal,) = told.refusals
    assert (refusal.reason, refusal.at, refusal.event_id) == ("not_in_audience", NOW + 2 * DAY, "e2")
    assert told.refusal == "not_in_audience"
    assert told.missing == ["the audience: to complete the offer first"]


def test_a_keyed_offer_is_explained_for_the_last_key() -> None:
    """Two orders, one of each: no two of one; then the second of the last."""
    user = User(OFFERS)
    user.sends("Bought", 1, amount=1.0, order="o1", no=1)
    user.sends("Bought", 2, amount=1.0, order="o2", no=2)
    keyed = user.explained("keyed")
    assert keyed.entry is not None
    assert (keyed.entry.progress, keyed.entry.evidence) == ("1 of 2", ["e2"])
    user.sends("Bought", 3, amount=1.0, order="o2", no=3)
    (run,) = user.explained("keyed").instances
    assert run.key == "o2"
    keyed = user.explained("keyed")
    assert keyed.missing[0].endswith(" (key o2)")
    assert keyed.refusal is None


CASHBACK = """\
kind: offer
id: o
entry: {event: Bought}
reentry: {per_key: order}
completion: immediate
reward: {id: cashback, value: 1.5 EUR}
"""


def test_a_keyed_offer_refuses_keys_and_not_users() -> None:
    """After an entry the next key enters, so nothing is refused; what is, is what a new key would be refused for."""
    user = User(CASHBACK)
    user.sends("Bought", 1, amount=1.0, order="o1", no=1)
    told = user.explained()
    assert (told.status, told.refusal) == (Status.COMPLETED, None)
    assert told.missing[-1] == "a new order: a key that was used before is refused; a new one enters"
    user.activate(CASHBACK + "caps: {per_user: 1}\n")
    told = user.explained()
    assert told.refusal == "capped"
    assert told.missing[-1] == "an entry is refused now: capped"


def test_runs_that_left_nothing_are_counted() -> None:
    """A run that is over and whose reward was taken back is forgotten once there is a newer one; how many, is told."""
    user = User(CASHBACK)
    user.sends("Bought", 1, amount=1.0, order="o1", no=1)
    user.sends("Refunded", 2, order="o1")
    (run,) = user.explained().instances
    assert [reward.state for reward in run.rewards] == ["reversed"]
    assert user.explained().forgotten == 0
    user.sends("Bought", 3, amount=1.0, order="o2", no=2)
    told = user.explained()
    assert (len(told.instances), told.forgotten) == (1, 1)
    user.activate("kind: offer\nid: new\nentry: {event: Opened}\n")
    assert user.explained("o").forgotten == 1


def test_ways_in_and_offers_that_are_gone() -> None:
    """An offer without a condition says its ways; one that was taken away is told to whom was in it; others are not."""
    user = User(OFFERS)
    spring = user.explained("spring")
    assert (spring.ways, spring.entry, spring.refusal) == (["code", "api"], None, "not_started")
    assert spring.missing == ["an entry is refused now: not_started"]
    user.sends("Opened", 1)
    user.activate("kind: offer\nid: new\nentry: {event: Opened}\n")
    gone = user.explained("first")
    assert (gone.status, gone.refusal, gone.entry) == (Status.IN, "unknown_offer", None)
    assert gone.instances[0].completion is not None
    state = user.states.get(user.name)
    assert explain(user.fold.rules, state, "spring", user.now) == []
    assert [one.offer for one in explain(user.fold.rules, state, None, user.now)] == ["first", "new"]
    assert explain(user.fold.rules, state, "new", user.now)[0].entry is not None


def test_who_is_held_out_is_told() -> None:
    """In, but measured and never rewarded."""
    user = User("kind: offer\nid: o\nentry: {event: Opened}\nholdout: 50%\ncompletion: {event: Paid}\n"
                "reward: {id: r}\n", next(f"u:{n}" for n in range(99) if _held_out(f"u:{n}")))  # fmt: skip
    user.sends("Opened")
    told = user.explained()
    assert (told.status, told.instances[0].holdout) == (Status.HELD_OUT, True)
    assert told.missing[-1] == "a reward: this user is in the holdout, which is measured and never rewarded"


def _held_out(name: str) -> bool:
    made = compiled("r", [{"kind": "offer", "id": "o", "entry": {"event": "Opened"}, "holdout": "50%"}])
    return made.offers["o"].variant_of(name) == "holdout"


class Watched(Engine):
    """Explains every offer before and after each record, and holds the explanations to what is decided."""

    def event(self, entity: str, given: dict[str, Any], kind: Any) -> Decision | Failure:
        before = self._explained(entity, given["time"])
        told = super().event(entity, given, kind)
        if isinstance(told, Decision) and self._alone(told):
            for output in told.outputs:
                if isinstance(output, OfferEntered) and output.entered_at == given["time"] and not told.late:
                    entry = before[output.offer].entry if output.offer in before else None
                    keyed = self._fold.rules.active[output.offer].offer.key is not None
                    assert entry is None or keyed or not entry.holds, "an entry that held already was entered"
        self._agrees(entity)
        return told

    def _alone(self, told: Decision) -> bool:
        """Whether no timer fired before the event."""
        return all(getattr(one, "entered_at", None) is not None for one in told.outputs)

    def _explained(self, entity: str, at: int) -> dict[str, OfferExplained]:
        state = self._fold.states.get(entity)
        self._fold.settle()
        packed = pack(state)
        found = {one.offer: one for one in explain(self._fold.rules, state, None, at)}
        assert pack(state) == packed
        for one in found.values():
            for tree in (one.entry, one.audience, *(t for run in one.instances for t in (run.completion, run.exit))):
                if tree is not None:
                    consistent(tree)
        return found

    def _agrees(self, entity: str) -> None:
        """What an entry asked for now comes to is what the explanation says of it."""
        self._fold.settle()
        state = self._fold.states.get(entity)
        for offer, told in self._explained(entity, state.clock).items():
            prepared = self._fold.rules.active.get(offer)
            if prepared is None or not prepared.offer.entry.api or not state.ids:
                continue
            key = None if prepared.offer.key is None else "never used"
            request = EnterOffer(
                event_id="asked", user_id=entity[2:], anonymous_id=None, time=state.clock, received_at=state.clock,
                source="shop", content_hash=1, partition=0, offset=10**6, offer=offer, key=key,
            )  # fmt: skip
            answer = ask(self._fold.rules, entity, self._fold.states.get(entity), request, 0)
            refused = [one.reason for one in answer.refusals if one == Refusal(offer, one.reason)]
            assert refused == ([] if told.refusal is None else [told.refusal])


def consistent(node: NodeExplained) -> None:
    """A tree says of groups what it says of their members, and misses something exactly where it does not hold."""
    held = [child.holds for child in node.nodes]
    if node.kind in ("all", "any", "none"):
        assert node.holds == {"all": all(held), "any": any(held), "none": not any(held)}[node.kind]
    assert node.holds == (node.missing is None), node
    for child in node.nodes:
        consistent(child)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_explanations_agree_with_what_is_decided_next(seed: int) -> None:
    """On made-up rulesets and journals: no entry that an explanation calls true is entered by the next event, a request
    to enter is refused with the reason that was told, trees are consistent, and looking changes nothing."""
    pair = of_seed(7, seed)
    try:
        rulesets = {f"r{n}": compiled(f"r{n}", one) for n, one in enumerate(pair.rulesets)}
    except RulesetProblems:
        return
    engine = Watched(rulesets, Random(seed))
    for entry in pair.journal:
        if entry.what == "activate":
            engine.activate(f"r{entry.ruleset}")
        elif entry.what == "tick":
            engine.tick(entry.time, entry.offset)
        else:
            given_ = {"event_id": entry.id, "time": entry.time, "received_at": entry.received_at,
                      "offset": entry.offset, "exempt": entry.exempt, "properties": dict(entry.properties)}  # fmt: skip
            if entry.what == "event":
                engine.event(entry.entity, given_, PLAN.by_name[entry.name])
            elif entry.name == "EnterOffer":
                engine.request(entry.entity, entry.name, given_)


@settings(max_examples=25, deadline=None)
@given(asked=st.integers(1, 8), sent=st.integers(0, 7), amount=st.sampled_from([0.1, 2.5, 10.0]))
def test_what_is_missing_is_what_it_takes(asked: int, sent: int, amount: float) -> None:
    """So many more events as the explanation says, and not one less, make the user enter; sums likewise."""
    total = f"{Decimal(str(amount)) * asked}"
    for leaf in (f"count: {{at_least: {asked}}}", f"sum: {{of: amount, at_least: {total}}}"):
        user = of_entry(f"{{event: Bought, {leaf}}}")
        for _ in range(min(sent, asked - 1)):
            assert user.sends("Bought", amount=amount, **BUY).outputs == ()
        said = Decimal((user.entry().missing or "").split()[0])
        more = said if leaf.startswith("count") else said / Decimal(str(amount))
        for left in range(int(more), 0, -1):
            outputs = user.sends("Bought", amount=amount, **BUY).outputs
            assert [type(one) for one in outputs] == ([OfferEntered] if left == 1 else [])
        assert user.entry().missing is None
