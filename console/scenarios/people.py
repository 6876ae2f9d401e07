"""The ids behind the names of a scenario: a name and, where an arm is asked for, a number that falls into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from offerflow.rules.offers import HOLDOUT, Offer

TRIES = 200_000


class NoSuchPersonError(ValueError):
    """The arms asked for are too rare together."""


def id_for(name: str, prefix: str, offers: Iterable[Offer], arms: Mapping[str, str]) -> str:
    """The first of ``name``, ``name-2``, ``name-3``… that is in the arm that ``arms`` names for an offer, and in no
    holdout of the other ``offers``. ``prefix`` is ``u:`` or ``a:``."""
    asked = [(offer, arms.get(offer.id)) for offer in offers if offer.id in arms or offer.holdout]
    # The rarest first: most candidates fail at it.
    asked.sort(key=lambda pair: pair[1] is None)
    for number in range(1, TRIES):
        candidate = name if number == 1 else f"{name}-{number}"
        if all(_falls(offer, arm, prefix + candidate) for offer, arm in asked):
            return candidate
    wanted = ", ".join(f"{offer.id}: {arm or 'not in the holdout'}" for offer, arm in asked)
    raise NoSuchPersonError(f"of {TRIES} users none is in these arms at once: {wanted}; ask for fewer, or weigh them")


def _falls(offer: Offer, arm: str | None, entity: str) -> bool:
    got = offer.variant_of(entity)
    return got != HOLDOUT if arm is None else got == arm
