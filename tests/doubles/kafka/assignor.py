"""Who gets which partition: even, sticky, and cooperative, which is to say that a partition that moves is given up by
its owner in one rebalance and taken by the new one in the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.doubles.kafka.log import Place


def assign(
    places: Iterable[Place], subscribed: Mapping[str, frozenset[str]], owned: Mapping[str, frozenset[Place]]
) -> dict[str, set[Place]]:
    """``subscribed`` and ``owned``: by member, topics and partitions it says it has."""
    everything = sorted(places)
    target: dict[str, set[Place]] = {member: set() for member in subscribed}
    holders = {place: member for member in sorted(owned) for place in sorted(owned[member])}
    for place in everything:
        holder = holders.get(place)
        if holder is not None and place[0] in subscribed.get(holder, ()):
            target[holder].add(place)
    for place in everything:
        if not any(place in got for got in target.values()):
            takers = [member for member in sorted(target) if place[0] in subscribed[member]]
            if takers:
                target[min(takers, key=lambda member: len(target[member]))].add(place)
    while _even_out(target, subscribed):
        pass
    return {member: {place for place in got if holders.get(place, member) == member} for member, got in target.items()}


def _even_out(target: dict[str, set[Place]], subscribed: Mapping[str, frozenset[str]]) -> bool:
    """Move one partition from the member with the most to one with at least two less; whether there was one."""
    for giver in sorted(target, key=lambda member: (-len(target[member]), member)):
        for place in sorted(target[giver], reverse=True):
            for taker in sorted(target, key=lambda member: (len(target[member]), member)):
                if len(target[giver]) - len(target[taker]) < 2:
                    break
                if place[0] in subscribed[taker]:
                    target[giver].remove(place)
                    target[taker].add(place)
                    return True
    return False
