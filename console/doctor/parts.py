"""All that is examined, and the order in which it is told."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from console.doctor import brokers, journal, keys, letters, machine, redis_server, stages, store, topics, webhooks
from console.doctor.examining import KAFKA, REDIS, STORE, TOPICS, Part, Progress, examine, part, reaching
from console.doctor.finding import Finding
from console.state.standing import RULES, VALIDATION
from offerflow.runtime.settings import Settings


def _stage(stage: str, *needs: str) -> Part:
    checks = stages.OF[stage]
    return part(partial(stages.look_stage, stage=stage), (checks.claims, checks.members, checks.lag), *needs)


SERVICES = {
    KAFKA: reaching(brokers.reach, (brokers.REACHABLE, brokers.BROKERS)),
    REDIS: reaching(redis_server.reach, (redis_server.REACHABLE,)),
    STORE: reaching(store.reach, (store.REACHABLE,)),
    TOPICS: part(topics.look_names, (topics.NAMES,)),
}
"""Asked first: by the verdict of its first check a service is there or away."""

PARTS = (
    part(brokers.look_configured, brokers.CONFIGURED, KAFKA),
    part(brokers.look_internal, brokers.INTERNAL, KAFKA),
    part(brokers.look_clock, (brokers.CLOCK,), KAFKA, TOPICS),
    part(topics.look_there, topics.THERE, KAFKA, TOPICS),
    part(topics.look_configured, topics.CONFIGURED, KAFKA, TOPICS),
    _stage(VALIDATION, KAFKA, TOPICS),
    part(stages.look_fuse, (stages.FUSE,), KAFKA, TOPICS),
    _stage(RULES, KAFKA, REDIS, TOPICS),
    part(stages.look_readers, stages.LAGS.values(), KAFKA, TOPICS),
    part(redis_server.look_server, redis_server.SERVER, REDIS),
    part(redis_server.look_cluster, (redis_server.CLUSTER,), REDIS),
    part(redis_server.look_clock, (redis_server.CLOCK,), REDIS),
    part(redis_server.look_skew, (redis_server.SKEW,), REDIS),
    part(journal.look_journal, journal.CHECKS, KAFKA, REDIS, TOPICS),
    part(store.look_file, store.FILE, STORE),
    part(store.look_shared, (store.SHARED,), KAFKA),
    reaching(store.look_registry, (store.REGISTRY,)),
    part(keys.look_keys, keys.IN_CATALOG, KAFKA, TOPICS),
    part(keys.look_uses, (keys.UNUSED,), KAFKA, STORE, TOPICS),
    part(webhooks.look_webhooks, webhooks.CHECKS, STORE),
    part(letters.look_letters, (letters.UNHANDLED,), KAFKA, TOPICS),
    part(machine.look_machine, machine.CHECKS),
)

AREAS = tuple(
    room.AREA for room in (brokers, topics, stages, journal, redis_server, store, keys, webhooks, letters, machine)
)


def examination(settings: Settings, progress: Progress) -> list[Finding]:
    """The findings of all checks, area by area."""
    return sorted(examine(settings, SERVICES, PARTS, progress), key=lambda one: AREAS.index(one.area))


def nothing_answers(found: Iterable[Finding]) -> bool:
    """Whether neither Kafka nor Redis does."""
    verdicts = {one.id: one.verdict for one in found}
    return all(verdicts[SERVICES[name].checks[0].id] != "ok" for name in (KAFKA, REDIS))
