"""Scenarios played: every step, every expectation, and what is told where things go another way."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.scenarios.names import unknown_names
from console.scenarios.reading import read_scenarios
from console.scenarios.running import Result, run
from console.scenarios.workspace import Workspace
from console.workspace.problems import Problem
from tests.console.scenarios.conftest import Play

BUY = "event: Purchase Completed, with: {order_id: o-1, amount: 30, currency: EUR}"


def differences(result: Result) -> list[tuple[str, str]]:
    return [(miss.wanted, miss.got) for failure in result.failures for miss in failure.misses]


def line(result: Result) -> int:
    (failure,) = result.failures
    return int(failure.place.rpartition(":")[2])


PASSES = {
    "entry, progress, reward by arm": """\
arms: {upgrade: bold}
defaults: {Purchase Completed: {amount: 30, currency: EUR}}
steps:
  - {event: Account Created, expect: {entered: {upgrade: {variant: bold, via: event, attributes: {headline: Save 20},
     entered_at: day 1 09:00, expires_at: day 15 09:00}}, status: {upgrade: in}}}
  - {event: Purchase Completed, with: {order_id: "o-{n}"}, times: 2, expect: {progress: {upgrade: 2 of 3}}}
  - {event: Purchase Completed, with: {order_id: o-3}, expect: {satisfied: {voucher: {value: 20 EUR, variant: bold,
     offer: upgrade, late: false}}, status: {upgrade: completed}}}
""",
    "expiry by waiting, and a late event that completes all the same": """\
defaults: {Purchase Completed: {amount: 30, currency: EUR}}
steps:
  - {event: Account Created, expect: {entered: upgrade}}
  - {event: Purchase Completed, with: {order_id: "o-{n}"}, times: 2}
  - {wait: day 15 09:09, expect: nothing}
  - {wait: 1m, expect: {exited: {upgrade: {reason: expired, exited_at: day 15 09:00}}, status: {upgrade: expired}}}
  - {event: Purchase Completed, at: day 15 08:00, arrives: day 16, with: {order_id: o-3},
     expect: {satisfied: {voucher: {late: true}}}}
""",
    "exit by an event": """\
  - {event: Account Created, expect: {entered: upgrade}}
  - {event: Subscription Canceled, with: {subscription_id: s}, expect: {exited: {upgrade: exit_condition}}}
""",
    "refusals, and nobody else's offers": """\
  - {event: Subscription Started, with: {subscription_id: s, plan: pro}, expect: nothing}
  - {event: Account Created, expect: {refused: {upgrade: not_in_audience}, status: {upgrade: refused}}}
""",
    "requests": """\
  - {code: spring, expect: {entered: {spring: {via: code}}}}
  - {enter: spring, expect: {refused: {spring: already_in}}}
  - {code: SUMMER, expect: {refused: {SUMMER: unknown_code}}}
  - {event: Purchase Completed, with: {order_id: o-1, amount: 60, currency: EUR},
     expect: {progress: {spring: 60 of 100}}}
  - {event: Purchase Completed, with: {order_id: o-2, amount: 60, currency: EUR}, expect: {satisfied: {badge: none}}}
  - {fulfil: badge, by: shop, expect: {fulfilled: {badge: shop}}}
  - {reverse: badge, expect: {reversed: {badge: manual}}}
""",
    "pending, expiry of a reward, per key": """\
defaults: {Purchase Completed: {amount: 1000, currency: EUR}}
steps:
  - {event: Purchase Completed, with: {order_id: o-1}, expect: {entered: cashback, completed: cashback}}
  - {event: Purchase Completed, with: {order_id: o-2}, expect: {entered: cashback, completed: cashback}}
  - {wait: 15d, expect: {satisfied: [cashback, cashback]}}
  - {fulfil: cashback, expect: {fulfilled: cashback}}
  - {wait: 31d, expect: {reversed: {cashback: {reason: expired, offer: cashback}}}}
""",
    "lists of names with and without more": """\
defaults: {Purchase Completed: {amount: 1000, currency: EUR}}
steps:
  - {event: Purchase Completed, with: {order_id: "o-{n}"}, times: 3,
     expect: {entered: [{cashback: default}, cashback, {cashback: {via: event}}],
     completed: [cashback, cashback, cashback]}}
  - {wait: 15d, expect: {satisfied: [{cashback: 50 EUR}, {cashback: 50.0 EUR}, cashback]}}
""",
    "ways in that there are not, where that is expected": """\
  - {code: NOPE, expect: {refused: {NOPE: unknown_code}}}
  - {enter: nope, expect: {refused: {nope: unknown_offer}}}
  - {enter: upgrade, expect: {refused: {upgrade: unknown_offer}}}
""",
    "absence": """\
  - {event: Lesson Started, with: {lesson_id: l}, expect: nothing}
  - {wait: 7d, expect: nothing}
  - {wait: 10m, expect: {entered: {win-back: {entered_at: day 8 09:00}}}}
""",
    "the holdout is measured": """\
arms: {measured: holdout}
steps:
  - {event: Goal Set, with: {goal_id: run}, expect: {entered: {measured: holdout}, status: {measured: held out}}}
  - {event: Goal Achieved, with: {goal_id: run}, expect: {completed: measured}}
""",
    "visitors and several users": """\
steps:
  - {event: Account Created, anonymous: v-1, expect: {entered: {upgrade: {user: v-1 (anonymous)}}}}
  - {event: Account Created, user: ben, expect: {entered: {upgrade: {user: ben}}}}
  - {wait: 15d, expect: {exited: {upgrade: [{user: v-1 (anonymous)}, {user: ben, reason: expired}]}}}
""",
    "what the plan and the rules leave out": """\
  - {event: Purchase Completed, with: {order_id: o, amount: lots, currency: EUR},
     expect: {dead_letter: schema_violation}}
  - {event: Purchase Completd, expect: {dead_letter: unknown_event}}
  - {event: Purchase Completed, source: app, expect: {dead_letter: origin_forbidden}}
  - {event: Purchase Completed, source: ap, expect: {dead_letter: unknown_source}}
  - {event: Account Created, id: e-1, expect: {entered: upgrade}}
  - {event: Account Created, id: e-1, expect: {ignored: duplicate}}
  - {event: Account Created, id: e-1, with: {plan: pro}, expect: {dead_letter: duplicate_conflict}}
  - {event: Search Performed, with: {query: tea}, expect: {ignored: unread}}
  - {event: Account Created, at: day 20, expect: {exited: {upgrade: expired}}}
  - {event: Account Created, at: day 10, arrives: day 20, expect: {ignored: too_late}}
""",
    "other things may happen where that is allowed": """\
allow_other: true
steps:
  - {event: Account Created}
  - {wait: 15d, expect: nothing}
  - {wait: 1d, expect: {status: {upgrade: expired}}}
""",
}


@pytest.mark.parametrize("text", PASSES.values(), ids=PASSES)
def test_what_happens_as_expected_passes(play: Play, text: str) -> None:
    """Each of these scenarios holds, and says everything that happens to the offers it names."""
    result = play(text)
    assert differences(result) == []
    assert result.passed, [failure.hint for failure in result.failures]


def test_what_differs_is_told_with_what_is_missing(play: Play) -> None:
    """Another value, another variant: side by side, at the line of the expectation, with the offer explained."""
    result = play(f"""\
arms: {{upgrade: plain}}
steps:
  - event: Account Created
    expect:
      entered: {{upgrade: bold}}
  - {{{BUY}}}
""")
    assert differences(result) == [("entered upgrade: variant bold", "entered upgrade: variant plain")]
    assert line(result) == 7
    (explained,) = result.failures[0].explained
    assert (explained.offer, explained.status) == ("upgrade", "in")
    assert explained.missing[0].startswith("3 more: at least 3 Purchase Completed where amount >= 10")


def test_what_happens_unexpected_is_told_at_its_step(play: Play) -> None:
    """A step that expects nothing, and one that says nothing, may not let an offer pass that the scenario names."""
    result = play("""\
  - {event: Account Created}
  - {wait: 15d, expect: {status: {upgrade: expired}}}
""")
    entered, exited = result.failures
    assert [one.place.rpartition(":")[2] for one in (entered, exited)] == ["4", "5"]
    (came, went) = entered.misses + exited.misses
    assert (came.wanted, went.wanted) == ("", "")
    assert came.got.startswith("entered upgrade: variant ")
    assert went.got.startswith("exited upgrade: reason expired, variant ")


REQUIRED = "order_id: expected a value, since the property is required, got nothing"
NO_EVENT = "the event plan has no event 'Purchase Complete'; did you mean 'Purchase Completed'?"


@pytest.mark.parametrize(
    ("step", "miss"),
    [
        ("{event: Account Created, expect: {progress: {upgrade: 1 of 3}}, user: eve}",
         ("progress upgrade: 1 of 3", "progress upgrade: 0 of 3")),
        ("{event: Account Created, expect: {entered: upgrade, status: {upgrade: completed}}}",
         ("status upgrade: completed", "status upgrade: in")),
        ("{event: Account Created, expect: {refused: upgrade}}", ("refused upgrade", "")),
        ("{event: Purchase Completed, expect: {satisfied: badge}}",
         ("satisfied badge", f"dead letter schema_violation ({REQUIRED})")),
        ("{event: Purchase Complete, expect: nothing}", ("", f"dead letter unknown_event ({NO_EVENT})")),
        ("{fulfil: badge, expect: {fulfilled: badge}}",
         ("fulfilled badge", "dead letter unknown_reward (user was given no reward 'badge' so far)")),
    ],
)  # fmt: skip
def test_each_way_to_miss(play: Play, step: str, miss: tuple[str, str]) -> None:
    """What was wanted, and what there was instead: the reason of a dead letter with its detail."""
    assert miss in differences(play(f"  - {step}\n"))


def test_a_timer_that_is_still_to_fire_is_told(play: Play) -> None:
    """Who waits too little is told when the timer fires: after its grace."""
    result = play("""\
  - {event: Account Created, expect: {entered: upgrade}}
  - {wait: 14d, expect: {exited: {upgrade: expired}}}
""")
    (failure,) = result.failures
    assert failure.hint == "it is day 15 09:00; the next timer of user fires at day 15 09:10"


def test_arms_that_cannot_be_are_told(play: Play) -> None:
    """Nobody can be in the holdout of an offer that has none of their kind: told at the arms."""
    result = play("arms: {upgrade: holdout}\nsteps:\n  - {event: Account Created}\n")
    assert line(result) == 3
    assert "none is in these arms at once: upgrade: holdout" in result.failures[0].hint


def test_names_that_nothing_has(workspace: Workspace, tmp_path: Path) -> None:
    """Offers, arms, rewards and events of the defaults are looked up before anything is played; drafts are told."""
    (tmp_path / "one.yaml").write_text("""\
kind: scenario
name: one
arms: {upgrad: bold, upgrade: bald, measured: holdout}
offers: [later]
defaults: {Purchase Complete: {}}
steps:
  - event: Account Created
    expect: {entered: cashbak, satisfied: vouchr, progress: {wnback: 1 of 1}}
""")
    problems: list[Problem] = []
    found = unknown_names(workspace, read_scenarios([tmp_path], problems))
    assert problems == []
    assert [(problem.line, problem.message.partition("; ")[0]) for problem in found] == [
        (4, "offer 'later' is a draft, so nothing becomes of it"),
        (3, "there is no offer 'upgrad'"),
        (3, "there is no arm of upgrade 'bald'"),
        (5, "there is no event in the plan 'Purchase Complete'"),
        (8, "there is no offer 'cashbak'"),
        (8, "there is no reward 'vouchr'"),
        (8, "there is no offer 'wnback'"),
    ]
    assert "did you mean 'cashback'?" in found[4].message


def test_typos_that_would_pass_in_silence(workspace: Workspace, tmp_path: Path) -> None:
    """A code nobody has, an offer nobody enters by the API, and properties that the plan leaves out."""
    (tmp_path / "one.yaml").write_text("""\
kind: scenario
name: one
defaults: {Purchase Completed: {order_id: o, amount: 3, currency: EUR, cupon: X}}
steps:
  - code: SPRNG
  - enter: upgrade
  - enter: upgrad
  - {event: Purchase Completed, with: {amont: 3}}
  - {code: NOPE, expect: {refused: {NOPE: not_in_audience}}}
  - {code: spring}
""")
    problems: list[Problem] = []
    found = unknown_names(workspace, read_scenarios([tmp_path], problems))
    assert problems == []
    told = [(problem.line, problem.message) for problem in found]
    assert [(line, message.partition("; ")[0]) for line, message in told] == [
        (3, "Purchase Completed has no property 'cupon', so it would be left out"),
        (5, "there is no code 'SPRNG'"),
        (6, "offer 'upgrade' is not entered by systems"),
        (7, "there is no offer 'upgrad'"),
        (8, "Purchase Completed has no property 'amont', so it would be left out"),
        (9, "there is no code 'NOPE'"),
        (9, "there is no offer 'NOPE'"),
    ]
    assert [message.partition("; ")[2] for _, message in told][:2] == [
        "did you mean 'coupon'?",
        "did you mean 'SPRING'?",
    ]


def test_the_same_scenario_goes_the_same_way(workspace: Workspace, play: Play) -> None:
    """Playing it again changes nothing, since every run has a world of its own."""
    result = play(PASSES["entry, progress, reward by arm"])
    again = [run(workspace, result.scenario) for _ in range(100)]
    assert all(one.passed for one in again)
