"""The kinds of people there are, and how many of each. A life is a function that fills a Journey."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from itertools import accumulate
from random import Random

from offerflow.rules.ids import fraction
from producers.simulator.journey import DAY, HOUR, Journey
from producers.simulator.moments import (
    PRICES,
    abandon_cart,
    cancel,
    close_app,
    enter_code,
    goal,
    install_app,
    lessons,
    open_app,
    purchase,
    purchases,
    push,
    renew,
    sign_up,
    subscribe,
)

SPREAD = 3 * DAY
"""People arrive within so many milliseconds."""

LONGEST = 120 * DAY
"""No journey ends later than so many milliseconds after the start."""


def _plan(person: Journey) -> str:
    return person.random.choice(tuple(PRICES))


def _learner(person: Journey) -> None:
    sign_up(person)
    lessons(person, person.number(1, 7))
    if person.chance(0.2):
        purchase(person, smallest=15)
    if person.chance(0.4):
        goal(person)
    if person.chance(0.35):
        renew(person, subscribe(person, plan := _plan(person)), plan, person.number(0, 2))


def _shopper(person: Journey) -> None:
    sign_up(person)
    if person.chance(0.5):
        person.app("Search Performed", query="gift card", results=person.number(1, 20))
    if person.chance(0.2):
        enter_code(person)
    purchases(person, person.number(1, 5))
    if person.chance(0.25):
        subscribe(person, _plan(person))
    elif person.chance(0.2):
        abandon_cart(person)


def _subscriber(person: Journey) -> None:
    sign_up(person)
    plan = _plan(person)
    subscription = subscribe(person, plan)
    person.server("User Activated", moment="subscription", days_since_signup=0)
    renew(person, subscription, plan, person.number(0, 2))
    if person.chance(0.4):
        upgrade = _plan(person)
        if upgrade != plan:
            person.server(
                "Subscription Updated", source="billing",
                subscription_id=subscription, change="other", plan=upgrade, previous_plan=plan,
            )  # fmt: skip
            plan = upgrade
    if person.chance(0.5):
        cancel(person, subscription, plan)
        if person.chance(0.6):
            person.wait(DAY, 9 * DAY)
            subscribe(person, _plan(person))


def _lurker(person: Journey) -> None:
    sign_up(person)
    install_app(person)
    for _ in range(person.number(1, 3)):
        open_app(person)
        close_app(person)
        person.wait(5 * HOUR, 60 * HOUR)
    if person.chance(0.4):
        push(person)


def _returner(person: Journey) -> None:
    """Is silent for weeks. Some of the time somebody says that the user is back, and some of the time nobody does."""
    sign_up(person)
    open_app(person)
    person.wait(20 * DAY, 60 * DAY)
    days = person.number(20, 60)
    if person.chance(0.5):
        lessons(person, person.number(1, 2))
    elif person.chance(0.5):
        person.app("Reactivated", days_away=days)
        lessons(person, person.number(0, 1))
    else:
        person.server("Reactivated", days_away=days)
        purchases(person, person.number(0, 2))


def _friend(person: Journey) -> None:
    advocate = person.random.choice(("ANNA", "BOB", "CHIDI", "DANA"))
    code = f"{advocate}-{person.number(1000, 9999)}"
    sign_up(person, referral_code=code)
    person.server("Referral Invite Accepted", code=code, advocate_id=advocate.lower(), channel="link")
    purchases(person, person.number(0, 2), smallest=15)


def _visitor(person: Journey) -> None:
    """Has no account: only an anonymous id, on the web shop."""
    person.call("page", source="shop-web", path="/", title="Shop")
    for _ in range(person.number(0, 3)):
        person.app("Search Performed", source="shop-web", query="running shoes", results=person.number(0, 30))
    if person.chance(0.5):
        person.app("Lesson Started", source="shop-web", lesson_id="trial-01", course_id="trial")


def _by_analytics(person: Journey) -> None:
    """Known through the analytics product alone, under the other names of the events."""
    person.analytics("Signed Up", country="DE", campaign="spring")
    if person.chance(0.5):
        person.analytics("LessonCompleted", lesson_id="yoga-01", course_id="yoga", score=person.number(35, 100))
    if person.chance(0.7):
        person.analytics("Order Completed", order_id=person.new_id("o"), amount=person.number(5, 90), currency="EUR")


def _team_member(person: Journey) -> None:
    """Was a visitor first: identifies, gets an alias, joins a group."""
    sign_up(person)
    person.server("User Updated", city="Berlin", timezone="Europe/Berlin")
    person.call("identify", plan="team", city="Berlin")
    person.call("alias", previous_id=f"visitor-of-{person.user_id}")
    person.call("group", group_id=person.new_id("team"), group_type="company")
    lessons(person, 1)
    purchase(person)


_LIVES: tuple[tuple[int, Callable[[Journey], None]], ...] = (
    (28, _learner), (22, _shopper), (14, _subscriber), (10, _visitor), (9, _lurker), (6, _returner), (5, _friend),
    (4, _by_analytics), (2, _team_member),
)  # fmt: skip
_BOUNDS = list(accumulate(weight for weight, _ in _LIVES))


# Of those who sign up so many never do anything again, depending on what they are promised for their activation: the
# arms of the demo's `activation-test`, and its holdout. Else an A/B test of made-up people would show nothing.
_TEST, _HELD_OUT, _ARMS = "activation-test", 0.1, ("learn", "learn", "buy", "subscribe")
_LOST = {"holdout": 0.4, "learn": 0.15, "buy": 0.05, "subscribe": 0.25}


def arm_of(user_id: str) -> str:
    """The arm of the demo's test between activations that a user falls into, as docs/formats.md computes it."""
    entity = f"u:{user_id}"
    if fraction("holdout", _TEST, entity) < _HELD_OUT * 2**64:
        return "holdout"
    return _ARMS[fraction("variant", _TEST, entity) * len(_ARMS) >> 64]


def live(seed: int, number: int, start: int) -> Journey:
    """The whole journey of person ``number``: the same for the same arguments, whoever else there is."""
    random = Random(f"{seed}:{number}")  # noqa: S311 - made-up people, not secrets
    life = _LIVES[bisect(_BOUNDS, random.random() * _BOUNDS[-1])][1]
    name = f"{seed}-{number:06d}"
    person = Journey(random, start + int(random.random() * SPREAD), f"u-{name}")
    if life is _visitor:
        person.user_id, person.anonymous_id = None, f"visitor-{name}"
    elif random.random() < 0.1:
        person.anonymous_id = f"device-{name}"
    if life is not _visitor and random.random() < _LOST[arm_of(f"u-{name}")]:
        life = _lurker
    life(person)
    return person
