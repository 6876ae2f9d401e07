"""Where an event schema says that personal data is: fields marked ``pii``, at any depth of a property's type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Field = dict[str, Any]

SPELLINGS: Mapping[str, str] = {
    "first_name": "firstName",
    "last_name": "lastName",
    "language": "languageCode",
    "timezone": "timeZone",
}
"""Fields of a plan that clients send by another name too: what is personal under one is personal under the other."""


def fields_in(schema: Any) -> Iterator[Field]:
    """The fields of every record inside a type, those of records inside their types too."""
    if isinstance(schema, list):
        for branch in schema:
            yield from fields_in(branch)
    elif isinstance(schema, dict):
        for key in ("type", "items", "values"):
            yield from fields_in(schema.get(key))
        fields = schema.get("fields")
        for field in fields if isinstance(fields, list) else ():
            if isinstance(field, dict):
                yield field
                yield from fields_in(field.get("type"))


def holds_pii(schema: Any) -> bool:
    """Whether values of a type have personal data somewhere inside."""
    return any(field.get("pii") for field in fields_in(schema))
