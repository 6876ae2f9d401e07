"""What people do in one sitting. Names and properties are those of the standard event plan (schemas/events)."""

from __future__ import annotations

from typing import Any

from producers.simulator.journey import DAY, HOUR, MINUTE, Journey

PRICES = {"basic": 4.99, "plus": 9.99, "pro": 19.99}
_COUNTRIES = ("DE", "DE", "DE", "AT", "CH", "FR", "UA", "PL", "ES", "US")
_QUERIES = ("yoga for beginners", "running shoes", "spanish a1", "sleep better", "gift card", "guitar chords")
_SCREENS = ("Home", "Course", "Lesson", "Profile", "Shop", "Cart")
_COUPONS = ("SPRING-26", "WELCOME10", "FRIEND-5")


def sign_up(person: Journey, **properties: str) -> None:
    country = person.random.choice(_COUNTRIES)
    person.server(
        "Account Created",
        method=person.random.choice(("email", "google", "apple")),
        country=country,
        email=f"{person.user_id}@example.com",
        marketing_consent=person.chance(0.6),
        **properties,
    )


def install_app(person: Journey) -> None:
    person.app("Application Installed", version="4.1.0", campaign="spring")
    person.app("Push Permission Changed", granted=person.chance(0.6))
    person.app("Push Token Updated", provider=person.random.choice(("apns", "fcm")))
    if person.chance(0.3):
        person.app("Application Updated", version="4.2.0", previous_version="4.1.0")


def open_app(person: Journey) -> None:
    session = person.new_id("session")
    if person.chance(0.3):
        person.app("Application Opened", version="4.2.0", from_background=person.chance(0.5))
    person.app("Session Started", session_id=session)
    if person.chance(0.5):
        person.call("screen", name=person.random.choice(_SCREENS))
    if person.chance(0.15):
        person.call("identify", plan="free", country=person.random.choice(_COUNTRIES), language="de")


def close_app(person: Journey) -> None:
    person.app("Session Ended", duration_seconds=person.number(30, 3600))
    if person.chance(0.3):
        person.app("Application Backgrounded")


def lesson(person: Journey, course: str, number: int) -> None:
    name = f"{course}-{number:02d}"
    person.app("Lesson Started", lesson_id=name, course_id=course)
    person.wait(3 * MINUTE, 25 * MINUTE)
    if person.chance(0.9):
        person.app(
            "Lesson Completed",
            lesson_id=name, course_id=course, score=person.number(35, 100), duration_seconds=person.number(180, 1500),
        )  # fmt: skip


def lessons(person: Journey, count: int) -> None:
    """A few lessons of one course over some days, with what an app notices on the way."""
    course = person.random.choice(("yoga", "spanish", "guitar", "running"))
    for number in range(1, count + 1):
        open_app(person)
        lesson(person, course, number)
        if person.chance(0.2):
            person.app("Search Performed", query=person.random.choice(_QUERIES), results=person.number(0, 40))
        if person.chance(0.15):
            person.app("Health Metrics Recorded", steps=person.number(900, 18_000), device="watch")
        if person.chance(0.1):
            person.app("Sleep Tracked", duration_minutes=person.number(280, 560), quality=person.number(40, 95))
        if person.chance(0.1):
            push(person)
        close_app(person)
        person.wait(4 * HOUR, 30 * HOUR)


def push(person: Journey) -> None:
    message = person.new_id("push")
    person.app("Push Notification Received", message_id=message, campaign="comeback")
    if person.chance(0.4):
        person.app("Push Notification Opened", message_id=message, campaign="comeback")
    else:
        person.app("Push Notification Dismissed", message_id=message, campaign="comeback")


def goal(person: Journey) -> None:
    goal_id = person.new_id("goal")
    person.app("Goal Set", goal_id=goal_id, kind="lessons_per_week", target=person.number(2, 7))
    person.wait(DAY, 5 * DAY)
    if person.chance(0.6):
        person.app("Goal Achieved", goal_id=goal_id, kind="lessons_per_week", value=person.number(2, 7))


def purchase(person: Journey, smallest: int = 5) -> None:
    """An order, often seen from the checkout on, now and then paid back. Sometimes the analytics product reports the
    same order again under the same order id."""
    order = _order(person, smallest)
    if person.chance(0.4):
        person.server("Checkout Started", **_basket(order))
    optional: dict[str, Any] = {}
    if person.chance(0.2):
        optional["coupon"] = person.random.choice(_COUPONS)
    if person.chance(0.3):
        optional["email"] = f"{person.user_id}@example.com"
    person.server("Purchase Completed", **order, **optional)
    if person.chance(0.6):
        person.server(
            "Payment Completed",
            source="billing",
            payment_id=person.new_id("pay"), amount=order["amount"], currency=order["currency"],
            order_id=order["order_id"],
        )  # fmt: skip
    if person.chance(0.08):
        person.analytics("Order Completed", **order)
    if person.chance(0.12):
        person.wait(DAY, 12 * DAY)
        reason = person.random.choice(("damaged", "too late", "changed my mind"))
        person.server("Purchase Refunded", order_id=order["order_id"], reason=reason)


def abandon_cart(person: Journey) -> None:
    """Goes to the cash desk and is not seen there again, at least for a day."""
    person.server("Checkout Started", **_basket(_order(person, 20)))
    person.wait(26 * HOUR, 60 * HOUR)


def enter_code(person: Journey) -> None:
    """Types a code in: mostly the one on the flyer of the offer `spring-code`, in letters of any case."""
    code = person.random.choice(("SPRING26", "spring26", "Spring26", "SPRING-26"))
    person.server("offerflow.EnterOffer", code=code)


def _order(person: Journey, smallest: int) -> dict[str, Any]:
    return {
        "order_id": person.new_id("o"),
        "amount": person.number(smallest * 100, 12_000) / 100,
        "currency": "EUR" if person.chance(0.9) else "USD",
        "item_count": person.number(1, 4),
        "product_ids": [f"p-{person.number(1, 40)}" for _ in range(person.number(1, 3))],
    }


def _basket(order: dict[str, Any]) -> dict[str, Any]:
    return {name: order[name] for name in ("order_id", "amount", "currency")}


def purchases(person: Journey, count: int, smallest: int = 5) -> None:
    for _ in range(count):
        if person.chance(0.15):
            abandon_cart(person)
        purchase(person, smallest)
        person.wait(6 * HOUR, 6 * DAY)


def subscribe(person: Journey, plan: str) -> str:
    """Returns the id of the subscription."""
    subscription = person.new_id("sub")
    if person.chance(0.3):
        person.server("Payment Method Updated", source="billing", method="card", first=True)
    person.server(
        "Subscription Started",
        source="billing",
        subscription_id=subscription, plan=plan, amount=PRICES[plan], currency="EUR", interval="month",
    )  # fmt: skip
    _pay(person, subscription, plan)
    return subscription


def renew(person: Journey, subscription: str, plan: str, times: int) -> None:
    for renewal in range(1, times + 1):
        person.wait(28 * DAY, 31 * DAY)
        if person.chance(0.15):
            person.server(
                "Payment Failed",
                source="billing",
                payment_id=person.new_id("pay"), amount=PRICES[plan], currency="EUR", attempt=1,
                reason="insufficient funds", subscription_id=subscription,
            )  # fmt: skip
        payment = _pay(person, subscription, plan)
        person.server(
            "Subscription Renewed",
            source="billing",
            subscription_id=subscription, payment_id=payment, plan=plan, renewals=renewal,
        )  # fmt: skip


def cancel(person: Journey, subscription: str, plan: str) -> None:
    person.wait(2 * DAY, 20 * DAY)
    person.server(
        "Subscription Canceled",
        source="billing",
        subscription_id=subscription, plan=plan, by=person.random.choice(("user", "user", "payment_failure")),
    )  # fmt: skip


def _pay(person: Journey, subscription: str, plan: str) -> str:
    payment = person.new_id("pay")
    person.server(
        "Payment Completed",
        source="billing",
        payment_id=payment, amount=PRICES[plan], currency="EUR", subscription_id=subscription,
    )  # fmt: skip
    return payment
