"""Runs the parts of an examination side by side, each within its time, whatever goes wrong in one of them.

The services are asked first whether they answer. What needs one that does not is not tried.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from console.doctor.finding import Check, Finding
from offerflow.runtime import outside
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings

KAFKA, REDIS, STORE, TOPICS = "Kafka", "Redis", "the store", "topics"
LIMIT_S = 10.0
"""For one part. Each of them asks a few questions, most of which take milliseconds."""
REACH_S = 6.0
"""For asking whether a service is there, on which all that needs it waits."""
AT_ONCE = 6
_MEND = "see whether it hangs and what its log says, and check its address (`offerflow config show`)"

Look = Callable[[Settings], Iterable[Finding]]
Progress = Callable[[int, int], None]
"""Told how many parts are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Part:
    """Checks that are judged from the same questions. ``needs``: services without which there is nothing to ask.
    ``reaches``: the first check is whether something answers, so that whatever goes wrong is bad for that one."""

    checks: tuple[Check, ...]
    needs: frozenset[str]
    look: Look
    reaches: bool = False


def part(look: Look, checks: Iterable[Check], *needs: str) -> Part:
    return Part(tuple(checks), frozenset(needs), look)


def reaching(look: Look, checks: Iterable[Check]) -> Part:
    """A part whose first check is whether something answers."""
    return Part(tuple(checks), frozenset(), look, reaches=True)


def examine(
    settings: Settings, services: Mapping[str, Part], parts: Sequence[Part], progress: Progress
) -> list[Finding]:
    """The findings of all checks, in the order of ``services`` and ``parts``; one of each check, whatever happens."""
    done, counting, total = 0, threading.Lock(), len(services) + len(parts)

    def made(one: Part, away: dict[str, str]) -> list[Finding]:
        nonlocal done
        missing = [away[name] for name in sorted(one.needs & away.keys())]
        found = [check.unknown(missing[0]) for check in one.checks] if missing else _made(settings, one)
        with counting:
            done += 1
            progress(done, total)
        return found

    with ThreadPoolExecutor(AT_ONCE, "doctor") as pool:
        told = dict(zip(services, pool.map(lambda one: made(one, {}), services.values()), strict=True))
        away = {name: cannot_be_asked(name, found[0].id) for name, found in told.items() if found[0].verdict != "ok"}
        rest = list(pool.map(lambda one: made(one, away), parts))
    return [finding for found in (*told.values(), *rest) for finding in found]


def cannot_be_asked(service: str, check: str) -> str:
    """``check``: the id of the one that says why."""
    return f"{service} cannot be asked: see {check}"


def _made(settings: Settings, one: Part) -> list[Finding]:
    try:
        found = {
            finding.id: finding
            for finding in outside.bounded(lambda: list(one.look(settings)), REACH_S if one.reaches else LIMIT_S)
        }
    except OfferflowError as error:
        why = str(error)
    except TimeoutError as error:
        why = f"there was {error}"
    except Exception as error:
        # An examination that ends because one of its questions met a defect tells nothing of all the others.
        said = str(error).partition("\n")[0]
        why = f"the check failed: {type(error).__name__}: {said}"
    else:
        return [found.get(check.id) or check.unknown("it was not looked at") for check in one.checks]
    first, *rest = one.checks
    if one.reaches:
        return [first.bad(why, _MEND), *(check.unknown(cannot_be_asked("it", first.id)) for check in rest)]
    return [check.unknown(why) for check in one.checks]
