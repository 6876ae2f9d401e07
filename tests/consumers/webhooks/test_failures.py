"""Receivers that fail: what is tried again and when, what is given up, what waits, and whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from consumers.webhooks.settling import FIRST_MS, LONGEST_MS, Delivery, backoff, settle
from offerflow.runtime.webhooks import breaker, deliveries, endpoints
from offerflow.runtime.webhooks.answer import LONGEST_RETRY_AFTER_S, Answer
from offerflow.runtime.webhooks.breaker import Breaker
from tests.consumers.webhooks.world import DAY, HOUR, MINUTE, SECOND, Worker, World, play
from tests.receiver import OK, Got, Receiver, answer, endless, say

MISBEHAVIOURS = {
    "failing": (answer(500, body="no room"), "answered 500: no room"),
    "refusing": (answer(401), "answered 401"),
    "redirecting": (answer(302, "Location: http://127.0.0.1:1/elsewhere"), "redirects to http://127.0.0.1:1/elsewhere"),
    "hanging": (say(b"", leave=False), "no answer within 0.3 s"),
    "silent after the first line": (say(b"HTTP/1.1 200 OK\r\n", leave=False), "no answer within 0.3 s"),
    "promising for ever": (endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), "no answer within 0.3 s"),
    "closing": (say(b""), "closed before an answer"),
    "breaking off": (say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), "answered 200 and broke off"),
    "not speaking HTTP": (say(b"220 mail.example ESMTP\r\n\r\n"), "not HTTP"),
    "lying about lengths": (say(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok"), ""),
}


@pytest.mark.parametrize("how", MISBEHAVIOURS)
def test_whatever_a_receiver_does_wrong_the_message_stays_and_arrives_when_it_is_well(
    how: str, make_world: Callable[..., World]
) -> None:
    """One line in the log says what was wrong; the same id comes again; a redirect is not followed."""
    behave, said = MISBEHAVIOURS[how]
    world = make_world(answer_s=0.3) if "no answer" in said else make_world(answer_s=20)

    async def story() -> None:
        async with Receiver(behave) as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            world.queue("r-1")
            await worker.turn()
            (tried,) = world.log("crm")
            assert tried.outcome == "failed"
            assert said in tried.error
            assert world.delivery("r-1").error == tried.error
            receiver.behave = answer(204)
            while world.delivery("r-1").attempts < 20 and world.delivery("r-1").state == "waiting":
                await worker.turn(DAY // 10)  # a machine that is busy may take longer than a try is given here
            assert world.states("crm") == {"r-1": "delivered"}
            assert set(receiver.ids) == {"r-1"}

    play(story)


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"x" * 9000), "beyond 16 KiB was not read"),
        (say(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", leave=False), "did not end within 0.2 s"),
        (say(OK), ""),
    ],
)
def test_a_2xx_that_goes_on_for_ever_is_delivered_and_dropped(
    behave: Callable[..., object], said: str, make_world: Callable[..., World]
) -> None:
    """The receiver has spoken; what else it says costs neither memory nor a slot."""
    world = make_world(answer_s=20, body_s=0.2 if "0.2 s" in said else 20)

    async def story() -> None:
        async with Receiver(behave) as receiver, Worker(world) as worker:  # type: ignore[arg-type]
            world.add("crm", receiver.url)
            world.queue("r-1")
            await worker.turn()
            (tried,) = world.log("crm")
            assert (tried.outcome, tried.status) == ("delivered", 200)
            assert said in tried.error

    play(story)


def test_a_message_is_tried_for_three_days_then_parked_then_replayed(world: World) -> None:
    """The last try comes when the three days end, whatever was drawn before; a replay has three days of its own."""

    async def story() -> None:
        async with Receiver(answer(503)) as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            world.queue("r-1")
            began = world.clock.now
            while world.delivery("r-1").state == "waiting":
                await worker.turn(max(SECOND, world.delivery("r-1").due - world.clock.now))
            days = (world.clock.now - began) / DAY
            assert 3 <= days < 3.1
            assert 20 < len(receiver.got) < 60
            assert set(receiver.ids) == {"r-1"}
            parked = world.delivery("r-1")
            assert (parked.state, parked.error) == ("parked", "answered 503")
            assert world.endpoint("crm").state == "active"
            world.change(deliveries.replay, "crm", ["r-1"], world.clock.now)
            await worker.turn(DAY)
            assert world.delivery("r-1").state == "waiting"
            receiver.behave = answer(200)
            await worker.turn(DAY)
            assert world.states("crm") == {"r-1": "delivered"}

    play(story)


def test_waits_are_drawn_from_a_range_that_doubles_up_to_a_bound() -> None:
    """Full jitter: anything from nothing to the whole range, so that many do not come back together."""
    failed = Answer("failed", 1, 500, "status")
    assert [backoff(n, failed, 1.0) for n in range(3)] == [FIRST_MS, 2 * FIRST_MS, 4 * FIRST_MS]
    assert backoff(3, failed, 0.0) == 0
    assert backoff(500, failed, 1.0) == LONGEST_MS


def test_time_that_a_delivery_was_made_to_wait_is_added_to_its_days() -> None:
    """A try that came ten days late, because of a breaker, a pause, a hold or a worker that was away, moves the end of
    the three days by ten."""
    delivery = Delivery(1, "crm", "r-1", "reward.satisfied", "{}", attempts=4, due=1000, deadline=2 * DAY)
    failed = Answer("failed", 1, 500, "status")
    late = settle(delivery, failed, began=1000 + 10 * DAY, ended=1001 + 10 * DAY, patience_ms=3 * DAY, draw=0.5)
    assert (late.state, late.deadline) == ("waiting", 12 * DAY)
    in_time = settle(delivery, failed, began=1000, ended=2 * DAY, patience_ms=3 * DAY, draw=0.5)
    assert (in_time.state, in_time.deadline) == ("parked", 2 * DAY)


def test_retry_after_is_honoured_for_the_endpoint_within_bounds(world: World) -> None:
    """Nothing goes to a receiver that asked for time, not even other messages; a day is an hour."""

    async def story() -> None:
        world.draw = 0.0
        async with Receiver(answer(429, "Retry-After: 120")) as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            world.queue("r-1")
            await worker.turn()
            world.queue("r-2")
            await worker.turn(119 * SECOND)
            assert receiver.ids == ["r-1"]
            receiver.behave = answer(503, "Retry-After: 86400")
            await worker.turn(SECOND)
            tried = len(receiver.got)
            assert tried > 1
            await worker.turn(round(LONGEST_RETRY_AFTER_S) * SECOND - SECOND)
            assert len(receiver.got) == tried
            receiver.behave = answer(200)
            await worker.turn(SECOND)
            assert set(world.states("crm").values()) == {"delivered"}

    play(story)


def test_the_breaker_opens_probes_with_one_and_closes(world: World) -> None:
    """After ten failures in a row nothing is tried for five seconds, then one delivery, then again later; a success
    lets all go. Those that waited were tried once more only, and have all their days."""

    async def story() -> None:
        async with Receiver(answer(500)) as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            world.queue(*(f"r-{n}" for n in range(100)))
            await worker.turn()
            tried = len(receiver.got)
            assert breaker.THRESHOLD <= tried <= breaker.THRESHOLD + 8
            assert world.endpoint("crm").breaker.state(world.clock.now) == "open"
            await worker.turn(breaker.FIRST_MS - 1)
            assert len(receiver.got) == tried
            await worker.turn(1)
            assert len(receiver.got) == tried + 1
            await worker.turn(2 * breaker.FIRST_MS - 1)
            assert len(receiver.got) == tried + 1
            await worker.turn(1)
            assert len(receiver.got) == tried + 2
            receiver.behave = answer(200)
            await worker.turn(20 * MINUTE)
            assert set(world.states("crm").values()) == {"delivered"}
            assert world.endpoint("crm").breaker == Breaker()

    play(story)


def test_an_open_breaker_outlives_the_worker_and_ends_by_hand(world: World) -> None:
    """A restart does not hammer an endpoint that is known to be down; `resume` tries it at once."""

    async def story() -> None:
        async with Receiver(answer(500)) as receiver:
            async with Worker(world) as worker:
                world.add("crm", receiver.url)
                world.queue(*(f"r-{n}" for n in range(20)))
                await worker.turn()
            tried = len(receiver.got)
            async with Worker(world) as worker:
                await worker.turn()
                assert len(receiver.got) == tried
                receiver.behave = answer(200)
                world.change(endpoints.resume, "crm")
                await worker.turn(SECOND)
                assert len(receiver.got) > tried

    play(story)


def test_an_endpoint_that_does_nothing_but_fail_is_disabled_after_five_days(world: World) -> None:
    """Its queue is parked in sight rather than kept for ever; nothing is lost."""

    async def story() -> None:
        async with Receiver(answer(500)) as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            for day in range(6):
                world.queue(f"r-{day}")
                await worker.turn(DAY - SECOND)
            await worker.turn(HOUR)
            assert world.endpoint("crm").state == "disabled"
            assert "nothing but failures since" in world.endpoint("crm").why
            assert set(world.states("crm").values()) == {"parked"}

    play(story)


def test_a_dead_endpoint_and_a_slow_one_delay_nobody(world: World) -> None:
    """While one hangs and another takes its time, a third gets everything."""

    async def story() -> None:
        release = asyncio.Event()

        async def hang(got: Got, out: asyncio.StreamWriter) -> None:
            await release.wait()
            out.write(OK)

        async with Receiver(hang) as slow, Receiver() as well, Worker(world) as worker:
            world.add("a-slow", slow.url)
            world.add("b-dead", "http://127.0.0.1:1/")
            world.add("c-well", well.url)
            world.queue(*(f"r-{n}" for n in range(300)))
            while len(well.got) < 300:
                await worker.sender.round()
                await asyncio.sleep(0)
            assert len(set(well.ids)) == 300
            assert 0 < len(slow.got) <= 8
            release.set()
            await worker.turn()
            assert set(world.states("a-slow").values()) == {"delivered"}
            assert set(world.states("b-dead").values()) == {"waiting"}

    play(story)


def test_a_name_that_moves_to_a_private_address_is_refused_and_its_messages_stay(world: World) -> None:
    """Looked up at each delivery: the connection that was kept to the old address is not used either; when the name
    comes back, all that was queued arrives."""
    found = ["127.0.0.1"]

    async def lookup(host: str, port: int) -> Sequence[str]:
        return found

    async def story() -> None:
        async with Receiver() as receiver, Worker(world, lookup) as worker:
            world.add("crm", f"http://crm.example:{receiver.port}/hook")
            world.queue("r-1")
            await worker.turn()
            assert receiver.got[0].headers["host"] == f"crm.example:{receiver.port}"
            found[:] = ["127.0.0.1", "169.254.169.254"]
            world.queue("r-2")
            await worker.turn(SECOND)
            refused = world.delivery("r-2")
            assert refused.state == "waiting"
            assert "169.254.169.254, which is link-local" in refused.error
            found[:] = ["127.0.0.1"]
            await worker.turn(MINUTE)
            assert receiver.ids == ["r-1", "r-2"]

    play(story)


def test_a_worker_killed_between_the_answer_and_its_record_sends_again_under_the_same_id(world: World) -> None:
    """What was not written down happens again at once in the next process; what was written down does not."""

    async def story() -> None:
        async with Receiver() as receiver:
            secret = world.add("crm", receiver.url)
            first = Worker(world)
            world.queue("r-1")
            await first.turn()
            world.queue("r-2")
            first.sender.notify()
            await first.sender.round()
            await first.die()
            async with Worker(world) as second:
                await second.turn()
            assert receiver.ids == ["r-1", "r-2", "r-2"]
            assert {got.verify(secret)["type"] for got in receiver.got} == {"reward.satisfied"}
            assert set(world.states("crm").values()) == {"delivered"}

    play(story)
