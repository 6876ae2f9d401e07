"""Every error offerflow raises on purpose.

OfferflowError
├── ConfigError            settings that cannot work (exit 78)
├── DependencyDown         a service does not answer (exit 69; programs that run retry)
│   ├── KafkaDown
│   ├── RedisDown
│   └── StoreDown          the relational store
├── TryAgain               another writer or a time-out was in the way; nothing is broken (exit 75)
├── DefinitionErrors       what a person wrote is wrong: file, line, path, expected (exit 1)
├── Refused                a guard of the protocol holds the worker back; says what to do (exit 1)
└── Disturbed              a transaction failed or its end is unknown: drop the producer, claim again
    └── Fenced             another process has this transactional id: leave

Bad data is a value (a dead letter), never one of these.
"""

from __future__ import annotations


class OfferflowError(Exception):
    """Root of the tree. ``exit_code`` is what a command that cannot handle it exits with."""

    exit_code = 1


class ConfigError(OfferflowError):
    exit_code = 78


class DependencyDown(OfferflowError):
    """A service does not answer. The message names the service and its address in one line."""

    exit_code = 69


class KafkaDown(DependencyDown):
    pass


class RedisDown(DependencyDown):
    """``why`` is the closed label of ``offerflow_redis_errors_total``."""

    def __init__(self, message: str, why: str = "unreachable") -> None:
        super().__init__(message)
        self.why = why


class StoreDown(DependencyDown):
    pass


class TryAgain(OfferflowError):
    exit_code = 75


class Refused(OfferflowError):
    """A worker must not go on. ``reason`` is the closed label of ``offerflow_refusing``; ``what`` is wrong, without the
    ``advice`` that the message may end with and that is of no use to who follows it already."""

    def __init__(self, reason: str, what: str, advice: str = "") -> None:
        super().__init__(f"{what}. {advice}" if advice else what)
        self.reason, self.what, self.advice = reason, what, advice

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str, str]]:
        # Else it could not come back from a process that folds a partition.
        return type(self), (self.reason, self.what, self.advice)


class Disturbed(OfferflowError):
    """The outcome of a transaction is unknown or it was aborted. Never assume either: claim again from Kafka."""


class Fenced(Disturbed):
    """A newer process uses the same transactional id, so this one is a zombie and must exit."""
