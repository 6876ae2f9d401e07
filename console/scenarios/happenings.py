"""What happened in a step, in the words in which scenarios expect it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.explained.values import money
from console.scenarios.model import Expected
from console.scenarios.times import Calendar
from offerflow.rules.outcomes import (
    OfferEntered,
    OfferExited,
    Output,
    Refusal,
    RewardFulfilled,
    RewardReversed,
    RewardSatisfied,
)

REWARDS = ("satisfied", "fulfilled", "reversed")


@dataclass(frozen=True, slots=True)
class Happening:
    """``name`` is that of an offer, of a reward, or of what became of a record. ``facts`` by the names that
    expectations use; ``instance`` ties a completion to its reward; ``detail`` is for people."""

    kind: str
    name: str
    who: str
    offer: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    instance: str = ""
    detail: str = ""

    def meets(self, expected: Expected) -> bool:
        return (self.kind, self.name) == (expected.kind, expected.name) and all(
            self._meets(key, wanted) for key, wanted in expected.wants.items()
        )

    def _meets(self, key: str, wanted: Any) -> bool:
        got = self.who if key == "user" else self.facts.get(key)
        if key == "attributes":
            return isinstance(got, Mapping) and wanted.items() <= got.items()
        return bool(got == wanted)

    def text(self, of: Iterable[str] = ()) -> str:
        """With the facts that always matter, and those named in ``of``."""
        facts = {"user": self.who, **self.facts} if "user" in of else self.facts
        shown = {key: value for key, value in facts.items() if key in of or (key in _ALWAYS and value)}
        return told(self.kind, self.name, shown) + (f" ({self.detail})" if self.detail else "")


_ALWAYS = ("variant", "reason", "value", "late", "by")


def told(kind: str, name: str, facts: Mapping[str, Any]) -> str:
    """One line: ``satisfied voucher: value 10 EUR, variant bold``."""
    words = kind.replace("_", " ")
    said = ", ".join(value if key == kind else _fact(key, value) for key, value in facts.items())
    return f"{words} {name}{': ' if said else ''}{said}"


def _fact(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{key} {{{', '.join(f'{name}: {text}' for name, text in value.items())}}}"
    if isinstance(value, bool):
        return key if value else f"not {key}"
    return f"{key.removesuffix('_at')} {'at ' if key.endswith('_at') else ''}{value}"


class Witness:
    """Turns outputs and refusals of a scenario into happenings. ``people``: what the scenario calls an entity."""

    def __init__(self, calendar: Calendar, people: Callable[[str], str]) -> None:
        self._time = calendar.text
        self._people = people
        self._rewards: dict[str, RewardSatisfied] = {}

    def last_reward(self, user_id: str, reward: str) -> str | None:
        """The id of the last announced reward ``reward`` of the user."""
        found = [one.id for one in self._rewards.values() if (one.user_id, one.reward) == (user_id, reward)]
        return found[-1] if found else None

    def refused(self, entity: str, refusals: Iterable[Refusal]) -> Iterator[Happening]:
        for refusal in refusals:
            yield Happening("refused", refusal.offer, self._people(entity), refusal.offer, {"reason": refusal.reason})

    def saw(self, outputs: Iterable[Output]) -> Iterator[Happening]:
        for output in outputs:
            yield self._one(output)

    def _one(self, output: Output) -> Happening:
        anonymous = getattr(output, "anonymous_id", None)
        who = self._people(f"u:{output.user_id}" if output.user_id else f"a:{anonymous}")
        facts: dict[str, Any]
        match output:
            case OfferEntered():
                expires = {"expires_at": self._time(output.expires_at)} if output.expires_at is not None else {}
                facts = {
                    "variant": output.variant, "via": output.via, "attributes": output.attributes,
                    "entered_at": self._time(output.entered_at), **expires,
                }  # fmt: skip
                return Happening("entered", output.offer, who, output.offer, facts, output.instance)
            case OfferExited():
                facts = {"reason": output.reason, "variant": output.variant, "exited_at": self._time(output.exited_at)}
                return Happening("exited", output.offer, who, output.offer, facts, output.instance)
            case RewardSatisfied():
                self._rewards[output.id] = output
                facts = {
                    "value": money(output.value, output.currency), "offer": output.offer, "variant": output.variant,
                    "late": output.late, "satisfied_at": self._time(output.satisfied_at),
                    "attributes": output.attributes,
                }  # fmt: skip
                return Happening("satisfied", output.reward, who, output.offer, facts, output.instance)
            case RewardFulfilled():
                reward = self._rewards[output.reward_id]
                return Happening("fulfilled", reward.reward, who, reward.offer, {"by": output.by})
            case RewardReversed():
                reward = self._rewards[output.reward_id]
                facts = {"reason": output.reason, "offer": reward.offer}
                return Happening("reversed", reward.reward, who, reward.offer, facts)
