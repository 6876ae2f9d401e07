"""An explained offer as lines of text. Ids are written so that a terminal takes none of them for a command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from console.cli.tables import visible
from console.explained.values import money
from offerflow.rules.explained import InstanceExplained, NodeExplained, OfferExplained, RewardExplained
from schemas.announce import rfc3339

Time = Callable[[int], str]
"""How a moment is told."""

SHOWN = 3
"""Ids of events told per leaf; JSON has up to 100."""

_GROUPS = {"all": "all of", "any": "any of", "none": "none of"}


def offer_lines(explained: OfferExplained, who: str, time: Time, *, recorded: bool = False) -> Iterator[str]:
    """The offer, where ``who`` stands with it, what counts and what is missing. ``recorded``: whether there is a
    history, to which what is no longer known here is referred."""
    yield visible(f"{explained.offer}: {who} is {explained.status} (definition {explained.version})")
    for instance in explained.instances:
        yield from _indented(_instance_lines(instance, time, recorded))
    if explained.forgotten:
        yield f"  {forgotten_text(explained.forgotten)}"
    if explained.refusal is not None and explained.status not in ("in", "held out"):
        yield f"  an entry now would be refused: {explained.refusal}"
    if not any(instance.status == "in" for instance in explained.instances):
        ways = ", ".join(way for way in explained.ways if way != "event")
        if ways:
            yield f"  ways in{' besides events' if explained.entry else ''}: {ways}"
        for name, tree in (("to enter", explained.entry), ("audience", explained.audience)):
            if tree is not None:
                yield f"  {name}:"
                yield from _indented(node_lines(tree), 4)
    for text in explained.missing:
        yield f"  missing: {visible(text)}"
    for reason, count in Counter(refusal.reason for refusal in explained.refusals).items():
        last = [refusal for refusal in explained.refusals if refusal.reason == reason][-1]
        many = f", {count} times" if count > 1 else ""
        yield f"  refused: {reason}, last at {time(last.at)} on {visible(last.event_id)}{many}"


def node_lines(node: NodeExplained) -> Iterator[str]:
    """A condition as a tree; ``[x]`` is true."""
    mark = "[x]" if node.holds else "[ ]"
    said = [node.text or _GROUPS.get(node.kind, node.kind)]
    if node.progress is not None:
        said.append(node.progress)
    yield visible(f"{mark} {': '.join(said)}{_evidence(node.evidence, node.evidence_count)}")
    for child in node.nodes:
        yield from _indented(node_lines(child))


def forgotten_text(runs: int) -> str:
    """Of runs that are over and left nothing but their number."""
    return f"{runs} earlier {'run is' if runs == 1 else 'runs are'} over and no longer kept here"


def past_text(state: str, reward_id: str) -> str:
    """Behind a reward of which the rules know no more than that it is gone; empty for others."""
    return f"; when and why: offerflow rewards show {reward_id}" if state in ("reversed", "expired") else ""


def _instance_lines(instance: InstanceExplained, time: Time, recorded: bool) -> Iterator[str]:
    said = [f"{instance.status} since {time(instance.entered_at)}", f"variant {instance.variant}"]
    if instance.key is not None:
        said.append(f"key {instance.key}")
    if instance.ended_at is not None:
        said.append(f"ended {time(instance.ended_at)}")
    elif instance.expires_at is not None:
        said.append(f"expires {time(instance.expires_at)}")
    yield visible(", ".join(said))
    for reward in instance.rewards:
        yield visible(f"  reward {_reward(reward, time)}{past_text(reward.state, reward.id) if recorded else ''}")
    if instance.status == "in":
        for name, tree in (("to complete", instance.completion), ("to exit", instance.exit)):
            if tree is not None:
                yield f"  {name}:"
                yield from _indented(node_lines(tree), 4)


def _reward(reward: RewardExplained, time: Time) -> str:
    what = "announced" if reward.state == "pending" else "expires"
    later = f", {what} {time(reward.next_at)}" if reward.next_at is not None else ""
    value = f" {money(reward.value, reward.currency)}" if reward.value is not None else ""
    return f"{reward.reward}{value}: {reward.state}{later}"


def _evidence(ids: Sequence[str], count: int) -> str:
    if not ids:
        return ""
    more = f", {count - SHOWN} more" if count > SHOWN else ""
    return f"  ({', '.join(reversed(ids[-SHOWN:]))}{more})"


def _indented(lines: Iterator[str], by: int = 2) -> Iterator[str]:
    for line in lines:
        yield " " * by + line


def when(moment: int) -> str:
    """``2026-03-02 10:00:05Z``."""
    return rfc3339(moment)[:19].replace("T", " ") + "Z"
