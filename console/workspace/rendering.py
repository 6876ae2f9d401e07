"""Definitions as text that people like to read: JSON with a field a line, YAML with small things in braces.

The same definition always gives the same text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

WIDTH = 100
_RECORD = (
    "type", "namespace", "name", "version", "doc", "event", "origins", "owner", "system", "unplanned", "unique",
    "reverses", "compatibility",
)  # fmt: skip
_FIELD = ("name", "type", "default", "doc")
_FIRST = ("kind", "id", "name", "description", "status", "origin")


def event_text(schema: Mapping[str, Any]) -> str:
    """An ``.avsc`` file."""
    keys = [*(key for key in _RECORD if key in schema), *(key for key in schema if key not in (*_RECORD, "fields"))]
    lines = [f"  {_json(key)}: {_json(schema[key])}," for key in keys]
    fields = [f"    {_json(_ordered(field, _FIELD))}" for field in schema["fields"]]
    return "\n".join(["{", *lines, '  "fields": [', ",\n".join(fields), "  ]", "}", ""])


def definition_tree(content: Mapping[str, Any]) -> CommentedMap:
    """A condition, an offer or a source as a tree that ruamel.yaml writes."""
    tree = _block(_ordered(content, _FIRST))
    assert isinstance(tree, CommentedMap)  # noqa: S101 - of a mapping
    return tree


def source_tree(content: Mapping[str, Any]) -> Any:
    """One item of the list of sources."""
    return _tree(_ordered(content, _FIRST))


def documents_text(trees: Iterable[Any]) -> str:
    """A YAML file of several documents."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 1_000_000  # never folded: an expression stays on its line
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    texts = []
    for tree in trees:
        if isinstance(tree, CommentedSeq):  # a list at the top starts in the first column
            yaml.indent(mapping=2, sequence=2, offset=0)
        stream = StringIO()
        yaml.dump(tree, stream)
        texts.append(stream.getvalue())
    return "---\n".join(texts)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _ordered(content: Mapping[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    keys = [*(key for key in first if key in content), *(key for key in content if key not in first)]
    return {key: content[key] for key in keys}


def _block(content: Mapping[str, Any]) -> CommentedMap:
    """A mapping a line per key, whatever its size."""
    return CommentedMap({key: _tree(value, len(key) + 4) for key, value in content.items()})


def _tree(value: Any, column: int = 4) -> Any:
    """In braces or brackets if it fits the line, else a line per member."""
    if isinstance(value, Mapping):
        made: Any = CommentedMap({_quoted(key): _tree(item, column + 2) for key, item in value.items()})
    elif isinstance(value, list):
        made = CommentedSeq([_tree(item, column + 2) for item in value])
    else:
        return _quoted(value)
    if column + len(_json(value)) <= WIDTH or not value:
        made.fa.set_flow_style()
    return made


def _quoted(value: Any) -> Any:
    """A text that ruamel.yaml would write bare in braces and not read there again."""
    return DoubleQuotedScalarString(value) if isinstance(value, str) and value[:1] in ("?", ":", "-") else value
