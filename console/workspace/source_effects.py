"""What a change of a source means for those who send under it."""

from __future__ import annotations

from collections.abc import Iterator

from console.workspace.lines import Effect, Line
from console.workspace.state import Content, State


def source_effects(line: Line, before: State, after: State) -> Iterator[Effect]:
    """Effects of one line of the diff."""
    old, new = before.get(line.name), after.get(line.name)
    if new is None:
        yield Effect(
            "breaks", f"events sent as {line.id} become dead letters (unknown_source); its ingest keys get 401"
        )
    elif old is not None:
        if old["origin"] != new["origin"]:
            text = f"events sent as {line.id} on a topic for {old['origin']} become dead letters (origin_forbidden)"
            yield Effect("breaks", text)
        yield from _switches(line.id, old, new)
    yield from _topics(old, new, before, after)
    if (new or {}).get("unplanned_events") == "adopt" and (old or {}).get("unplanned_events") != "adopt":
        yield Effect("note", f"event names that the plan lacks are planned by themselves when {line.id} sends them")


def _switches(source: str, old: Content, new: Content) -> Iterator[Effect]:
    was, will = old.get("system_events", {}), new.get("system_events", {})
    off = [name for name, on in will.items() if not on and was.get(name, True)]
    on = [name for name, tracked in was.items() if not tracked and will.get(name, True)]
    if off:
        yield Effect("note", f"counted and dropped when {source} sends them: {', '.join(off)}")
    if on:
        yield Effect("note", f"tracked again when {source} sends them: {', '.join(on)}")


def _topics(old: Content | None, new: Content | None, before: State, after: State) -> Iterator[Effect]:
    """A topic has a default sender as long as one source alone declares it."""
    for topic in sorted({*(old or {}).get("topics", ()), *(new or {}).get("topics", ())}):
        was, will = _declaring(topic, before), _declaring(topic, after)
        if len(was) == 1 and was != will:
            names = tuple(f"source/{name}" for name in will)
            if not will:
                text = f"records on {topic} that name no source become dead letters (unknown_source)"
                yield Effect("breaks", text, names)
            elif len(will) > 1:
                text = (
                    f"{topic} now has the sources {', '.join(will)}: records that name none become dead letters"
                    " (unknown_source)"
                )
                yield Effect("breaks", text, names)
            else:
                yield Effect("note", f"records on {topic} that name no source count as {will[0]}'s", names)


def _declaring(topic: str, state: State) -> list[str]:
    return sorted(content["id"] for name, content in state.items()
                  if name.startswith("source/") and topic in content.get("topics", ()))  # fmt: skip
