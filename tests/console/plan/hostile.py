"""A plan whose names and texts try to become markup, and samples of Markdown's and HTML's ways to let them."""

from __future__ import annotations

from typing import Any

from console.plan.entries import PlanView, view_of_state
from schemas.seen import Seen

TEXTS = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><b>", "[a](javascript:alert(1))",
    "![x](http://evil.example/x.png)", "| a | b |\n|---|---|", "# heading\n\n- item", "`code` **bold** _it_",
    "{{ 7 * 7 }} {% raw %}", "https://evil.example www.evil.example <http://evil.example>", "a\x1b[31mred\u202e",
    "&lt;b&gt; &#60;b&#62;", "\\`\\*", "1. one", "- a", "```\nfence", "'; drop table--", "]]>", "<!--", "</article>",
)  # fmt: skip


def event(name: str, at: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "record", "namespace": "events", "name": f"Hostile{at}", "version": 1, "event": [name],
        "fields": [{"name": "meta", "type": "events.Meta"}, {"name": "p", "type": "string", "doc": name}], **more,
    }  # fmt: skip


def view() -> PlanView:
    """One event type per hostile text, which is its name, doc, owner, pattern, unit and default; two have versions."""
    state: dict[str, dict[str, Any]] = {}
    for at, text in enumerate(TEXTS):
        state[f"event/Hostile{at}@1"] = event(text, at, doc=text, owner=text)
        fields = [
            *state[f"event/Hostile{at}@1"]["fields"],
            {"name": "q", "type": ["null", "string"], "default": None, "pattern": text, "unit": text, "doc": text},
        ]
        state[f"event/Hostile{at}@2"] = event(text, at, version=2, doc=text * 2, owner=text, fields=fields)
    state["source/app"] = {"id": "app", "origin": "sdk", "topics": ["raw.app"]}
    return view_of_state(state, {"event/Hostile0@1": 1000}, [Seen(TEXTS[0], "app", "valid", 3, 1, 2)], 7)
