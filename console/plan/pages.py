"""Pages about the event plan: Markdown for repositories, one HTML file that works alone, AsyncAPI for tools.

Names and texts come from whoever wrote or sent them, so every one is escaped where it is put, and the HTML page allows
no script and no style but its own. The same plan gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from console.plan.asyncapi import asyncapi_text
from console.plan.entries import Entry, PlanView
from console.plan.folder import marked
from console.plan.wording import rows_of

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>|~&#$!^])")
_START = re.compile(r"^([0-9]*)([-+=.)])")


def pages(view: PlanView, title: str, prefix: str) -> dict[str, str]:
    """The text of every file by its path."""
    markdown, html = _environment(markdown=True), _environment(markdown=False)
    events = [{"entry": entry, "facts": facts(entry), "rows": rows_of(entry)} for entry in view.entries]
    texts = {"index.md": markdown.get_template("index.md.j2").render(title=title, entries=view.entries)}
    for event in events:
        entry = event["entry"]
        assert isinstance(entry, Entry)  # noqa: S101 - as put there
        texts[f"events/{entry.record}.md"] = markdown.get_template("event.md.j2").render(**event)
    style, script = (_asset(html, name) for name in ("page.css", "page.js"))
    texts["index.html"] = html.get_template("index.html.j2").render(
        title=title, entries=view.entries, events=events, style=style, script=script,
        style_hash=_digest(style), script_hash=_digest(script),
    )  # fmt: skip
    texts["asyncapi.yaml"] = asyncapi_text(view, title, prefix)
    return {name: marked(name, text) for name, text in texts.items()}


def facts(entry: Entry) -> list[tuple[str, str]]:
    """What is said of an event type as a whole; nothing that changes with traffic."""
    newest = entry.newest
    said = [
        ("also sent as", ", ".join(entry.names[1:])),
        ("schema", f"{entry.record} version {newest.number}{f', id {newest.id}' if newest.id is not None else ''}"),
        ("origins", ", ".join(entry.origins)),
        ("owner", entry.owner or ""),
        ("system event", "yes, sources can switch it off" if entry.system else ""),
        ("unplanned properties", entry.unplanned),
        ("unique", ", ".join(entry.unique)),
        ("compatibility", entry.compatibility),
        ("conditions", ", ".join(entry.conditions)),
        ("offers", ", ".join(entry.offers)),
    ]
    return [(label, text) for label, text in said if text]


def escape_markdown(text: str) -> str:
    """The text as Markdown shows it again: one line, no markup, no link that makes itself."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    line = _START.sub(r"\1\\\2", _PUNCTUATION.sub(r"\\\1", line))
    return line.replace("://", ":&#47;/").replace("www.", "www&#46;").replace("@", "&#64;")


def _environment(*, markdown: bool) -> Environment:
    return Environment(
        loader=PackageLoader("console.plan"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=not markdown,  # noqa: S701 - Markdown has an escape of its own
        finalize=_finalize_markdown if markdown else None,
    )


def _finalize_markdown(value: Any) -> Any:
    return escape_markdown(value) if isinstance(value, str) else value


def _asset(environment: Environment, name: str) -> Markup:
    """A file of ours, which needs no escaping."""
    assert environment.loader is not None  # noqa: S101 - as made
    return Markup(environment.loader.get_source(environment, name)[0])  # noqa: S704


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
