"""What reaches an endpoint, and what is remembered of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import insert
from standardwebhooks import WebhookVerificationError

from consumers.webhooks.lease import LEASE_MS
from consumers.webhooks.queue import Queue
from offerflow.runtime.errors import StoreDown
from offerflow.runtime.store import holds
from offerflow.runtime.store.outcomes import make_head, rewards
from offerflow.runtime.webhooks import deliveries, endpoints
from tests.consumers.webhooks.world import DAY, HOUR, MINUTE, SECOND, Worker, World, play
from tests.receiver import OK, Got, Receiver, answer, say


def test_a_message_arrives_once_and_can_be_verified(world: World) -> None:
    """The library of Standard Webhooks accepts it with the secret, and with no other."""

    async def story() -> None:
        async with Receiver() as receiver, Worker(world) as worker:
            secret = world.add("crm", receiver.url)
            world.queue("r-1")
            await worker.turn()
            await worker.turn(DAY)
            (got,) = receiver.got
            assert got.id == "r-1"
            assert got.headers["content-type"] == "application/json"
            assert got.verify(secret)["type"] == "reward.satisfied"
            with pytest.raises(WebhookVerificationError):
                got.verify(endpoints.new_secret())
        assert world.states("crm") == {"r-1": "delivered"}
        (tried,) = world.log("crm")
        assert (tried.message_id, tried.outcome, tried.status) == ("r-1", "delivered", 200)

    play(story)


def test_only_what_was_subscribed_to_is_queued(world: World) -> None:
    """An endpoint gets the types it asked for, and each endpoint a delivery of its own."""
    world.add("all", "https://a.example/")
    world.add("exits", "https://b.example/", ["offer.exited"])
    world.queue("r-1")
    world.queue("x-1", type_="offer.exited")
    assert list(world.states("all")) == ["r-1", "x-1"]
    assert list(world.states("exits")) == ["x-1"]


def test_during_a_rotation_both_secrets_verify_and_afterwards_only_the_new_one(world: World) -> None:
    """The overlap ends to the millisecond; a second rotation during it is refused unless it ends the old ones."""

    async def story() -> None:
        async with Receiver() as receiver, Worker(world) as worker:
            old = world.add("crm", receiver.url)
            new, ends = world.change(endpoints.rotate, "crm", DAY, world.clock.now)
            assert ends == world.clock.now + DAY
            with pytest.raises(Exception, match="rotation is under way"):
                world.change(endpoints.rotate, "crm", DAY, world.clock.now)
            world.queue("during")
            await worker.turn()
            assert [receiver.got[-1].verify(secret)["type"] for secret in (old, new)] == ["reward.satisfied"] * 2
            assert len(receiver.got[-1].headers["webhook-signature"].split()) == 2
            world.queue("after")
            await worker.turn(DAY)
            assert receiver.got[-1].id == "after"
            assert len(receiver.got[-1].headers["webhook-signature"].split()) == 1
            assert world.endpoint("crm").secrets == (new,)
            last, ends = world.change(endpoints.rotate, "crm", 0, world.clock.now)
            assert (ends, world.endpoint("crm").secrets) == (None, (last,))

    play(story)


def test_what_concerns_an_offer_on_hold_waits_and_is_not_late_for_it(world: World) -> None:
    """Entries, rewards, and what is said later of these rewards wait; other offers go on; released, all arrive, with
    their days untouched."""

    async def story() -> None:
        async with Receiver(answer(500)) as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            with world.engine.begin() as connection:
                make_head(connection)
                connection.execute(insert(rewards).values(REWARD))
            world.queue("failed-before", offer="upgrade")
            await worker.turn()
            deadline = world.delivery("failed-before").deadline
            receiver.behave = answer(200)
            holds.hold(world.engine, "upgrade", "ana")
            world.queue("held", offer="upgrade")
            world.queue("reversed", type_="reward.reversed", reward="r-1")
            world.queue("free", offer="cashback")
            await worker.turn(10 * DAY)
            assert receiver.ids == ["failed-before", "free"]
            holds.release(world.engine, "upgrade")
            receiver.behave = answer(500)
            await worker.turn(SECOND)
            late = world.delivery("failed-before")
            assert late.state == "waiting"
            assert late.deadline - deadline > 9 * DAY
            receiver.behave = answer(200)
            await worker.turn(MINUTE)
            assert set(world.states("crm").values()) == {"delivered"}

    play(story)


def test_a_reward_that_the_store_does_not_know_waits_while_anything_is_on_hold(world: World) -> None:
    """What is said of it names no offer, so it may be one on hold: until the history knows it, or the hold ends."""

    async def story() -> None:
        async with Receiver() as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            holds.hold(world.engine, "cashback", "ana")
            world.queue("of r-1", type_="reward.fulfilled", reward="r-1")
            world.queue("of r-2", type_="reward.reversed", reward="r-2")
            await worker.turn(SECOND)
            assert receiver.ids == []
            with world.engine.begin() as connection:
                make_head(connection)
                connection.execute(insert(rewards).values(REWARD))
            await worker.turn(SECOND)
            assert receiver.ids == ["of r-1"]
            holds.release(world.engine, "cashback")
            await worker.turn(SECOND)
            assert receiver.ids == ["of r-1", "of r-2"]

    play(story)


def test_a_paused_endpoint_queues_and_sends_when_it_is_resumed(world: World) -> None:
    """Nothing goes out within a second of the command; nothing is lost, and nothing is parked however long it takes."""

    async def story() -> None:
        async with Receiver() as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            await worker.turn()
            world.change(endpoints.pause, "crm")
            world.queue("r-1")
            await worker.turn(SECOND)
            await worker.turn(30 * DAY)
            assert receiver.got == []
            world.change(endpoints.resume, "crm")
            await worker.turn(SECOND)
            assert receiver.ids == ["r-1"]

    play(story)


def test_gone_disables_the_endpoint_and_parks_what_waits_until_somebody_replays_it(world: World) -> None:
    """410 is the receiver's own word: what comes later is parked too, and a replay after a resume delivers all."""

    async def story() -> None:
        async with Receiver(answer(410)) as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            world.queue("r-1")
            await worker.turn()
            assert world.endpoint("crm").state == "disabled"
            assert "410" in world.endpoint("crm").why
            world.queue("r-2")
            await worker.turn(HOUR)
            assert receiver.ids == ["r-1"]
            assert world.states("crm") == {"r-1": "parked", "r-2": "parked"}
            assert "disabled" in world.delivery("r-2").error
            receiver.behave = answer(200)
            world.change(endpoints.resume, "crm")
            world.change(deliveries.replay, "crm", [], world.clock.now)
            await worker.turn(SECOND)
            assert world.states("crm") == {"r-1": "delivered", "r-2": "delivered"}

    play(story)


def test_one_worker_sends_and_the_next_takes_over(world: World) -> None:
    """Two workers send nothing twice; the one left over takes the right when it has run out, or was given back."""

    async def story() -> None:
        async with Receiver() as receiver, Worker(world, name="two") as two:
            world.add("crm", receiver.url)
            one = Worker(world, name="one")
            await one.turn()
            world.queue("r-1")
            await two.turn()
            assert receiver.got == []
            await one.turn()
            await two.turn()
            assert receiver.ids == ["r-1"]
            await one.die()
            world.queue("r-2")
            await two.turn(LEASE_MS)
            assert receiver.ids == ["r-1", "r-2"]

    play(story)


def test_a_change_of_url_takes_what_waits_along(world: World) -> None:
    """Messages are bound to the endpoint, not to where it was when they were queued."""

    async def story() -> None:
        async with Receiver(answer(404)) as before, Receiver() as after, Worker(world) as worker:
            world.add("crm", before.url)
            world.queue("r-1")
            await worker.turn()
            world.change(endpoints.change, "crm", after.url, ())
            await worker.turn(MINUTE)
            assert (before.ids, after.ids) == (["r-1"], ["r-1"])

    play(story)


def test_an_endpoint_removed_in_mid_flight_leaves_nothing_and_harms_nobody(world: World) -> None:
    """The answer to a request of an endpoint that is no more is for nobody; one of the same name starts afresh."""

    async def story() -> None:
        async with Receiver() as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            world.queue("r-1")
            await worker.sender.round()
            world.change(endpoints.remove, "crm")
            world.add("crm", receiver.url)
            world.queue("r-2")
            await worker.sender.answered()
            receiver.behave = answer(500)
            await worker.turn(SECOND)
            assert world.states("crm") == {"r-2": "waiting"}

    play(story)


def test_the_log_is_bounded_in_age_and_rows(make_world: Callable[..., World]) -> None:
    """Old tries and old delivered messages go; what waits or is parked stays."""
    world = make_world(log_days=7)

    async def story() -> None:
        async with Receiver() as receiver, Receiver(answer(410)) as gone, Worker(world) as worker:
            world.add("crm", receiver.url)
            world.add("old", gone.url)
            world.queue("r-1")
            await worker.turn()
            await worker.turn(8 * DAY)
            assert (world.log("crm"), world.states("crm")) == ([], {})
            assert world.states("old") == {"r-1": "parked"}

    play(story)


def test_a_connection_the_receiver_closed_meanwhile_is_no_failure(world: World) -> None:
    """Keep-alive connections end whenever the other side likes; the message goes out on another at once."""

    async def story() -> None:
        async with Receiver(say(OK)) as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            for number in range(5):
                world.queue(f"r-{number}")
                await worker.turn()
            assert {one.outcome for one in world.log("crm")} == {"delivered"}

    play(story)


def test_a_store_that_is_away_for_a_while_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered meanwhile is kept and written down when the store is back: it is not sent again."""

    async def story() -> None:
        async with Receiver() as receiver, Worker(world) as worker:
            world.add("crm", receiver.url)
            world.queue("r-1")
            await worker.sender.round()
            await worker.sender.answered()
            with monkeypatch.context() as away:
                away.setattr(Queue, "exchange", unreachable)
                with pytest.raises(StoreDown):
                    await worker.sender.round()
            await worker.turn()
            assert receiver.ids == ["r-1"]
            assert world.states("crm") == {"r-1": "delivered"}

    play(story)


def test_a_worker_that_is_stopped_lets_its_requests_end_and_begins_none(world: World) -> None:
    """SIGTERM: the answer that was on its way is waited for and written down; what is queued stays for the next."""
    begun, may_answer, stopping = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(got: Got, out: asyncio.StreamWriter) -> None:
        begun.set()
        await may_answer.wait()
        out.write(OK)

    async def story() -> None:
        async with Receiver(slow) as receiver:
            worker = Worker(world)
            world.add("crm", receiver.url)
            world.queue("r-1")
            running = asyncio.ensure_future(worker.sender.run(stopping))
            await begun.wait()
            stopping.set()
            world.queue("r-2")
            may_answer.set()
            await running
            await worker.poster.close()
            assert world.states("crm") == {"r-1": "delivered", "r-2": "waiting"}

    play(story)


def unreachable(*_: object) -> None:
    raise StoreDown("the store does not answer")


REWARD = {
    "id": "r-1", "seq": 1, "user_id": "u", "reward": "voucher", "offer": "upgrade", "state": "satisfied",
    "side": "user", "attributes": "{}", "instance": "i-1", "satisfied_at": 1, "late": False, "ruleset": "x",
    "evidence": "[]", "evidence_count": 0,
}  # fmt: skip
