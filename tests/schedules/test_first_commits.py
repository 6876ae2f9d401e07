"""The first commits of a deployment, made twice at once and interrupted half-way."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.runtime import topics
from offerflow.runtime.errors import KafkaDown, Refused
from tests.schedules import workload
from tests.schedules.deployment import Deployment
from tests.schedules.journey import feed, travel


def test_a_slow_maker_of_topics_sets_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that saw no commits, was stopped, and wakes after another has made them and the stages have gone on, leaves
    their offsets alone."""
    with Deployment(5, validations=1, rules=1) as world:
        first_commits, before = topics.first_commits, dict[Any, Any]()

        def slow(*given: Any) -> None:
            if not before:
                before["begun"] = True
                world.create()
                assert travel(world)
                before.update(world.committed("validation"), rules=world.committed("rules"))
            first_commits(*given)

        monkeypatch.setattr(topics, "first_commits", slow)
        world.create()
        assert max(offset for offset, _ in world.committed("validation").values()) > 0
        assert world.committed("validation") == {k: v for k, v in before.items() if isinstance(k, tuple)}
        assert world.committed("rules") == before["rules"]


def test_what_was_interrupted_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies between the first commits of the two groups leaves a deployment that the next run completes,
    whatever was sent and started meanwhile."""
    with Deployment(6, validations=1, rules=1) as world:
        first_commits = topics.first_commits

        def dying(settings: Any, admin: Any, group: str, offsets: Any) -> None:
            first_commits(settings, admin, group, offsets)
            raise KafkaDown("away")

        with monkeypatch.context() as patch:
            patch.setattr(topics, "first_commits", dying)
            with pytest.raises(KafkaDown):
                world.create()
        world.catalog(workload.change(1))
        world.start()
        fed = feed(world, 5)
        world.run(fed, seconds=60)
        world.run(seconds=5)
        world.create()
        assert world.run(world.idle, seconds=60)
        assert len(world.records("journal")) > 5


def test_an_offset_that_is_gone_is_not_begun_anew() -> None:
    """Of every partition that a stage has gone on in, whichever it is: nothing is committed for it, and once it is
    back everything goes on. A topic that nobody has touched gets its first commits."""
    with Deployment(7, validations=1, rules=1) as world:
        assert travel(world)
        for stage in ("validation", "rules"):
            committed = world.committed(stage)
            worked = [place for place, (offset, _) in committed.items() if offset]
            assert len(worked) >= 3
            for place in worked:
                group = world.settings().group(stage)
                world.cluster.delete_offset(group, *place)
                with pytest.raises(Refused) as refused:
                    world.create()
                assert refused.value.reason == "offset_absent"
                assert f"{place[0]}, partitions {place[1]}," in str(refused.value)
                assert place not in world.committed(stage)
                world.cluster.set_offset(group, *place, *committed[place])
        world.create(["raw.shop"])
        assert [offset for (topic, _), (offset, _) in world.committed("validation").items() if "shop" in topic] == [
            0
        ] * 3
        assert world.run(world.idle)
