"""JSON Patch (RFC 6902) on dead letters, with a picture of what it does."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

import jsonpatch
import jsonpointer

from console.dead_letters.document import Document, SchemaIds, Unreadable, read_document, without_form, write_document
from console.dead_letters.masking import Personal, mask
from offerflow.runtime.errors import OfferflowError
from schemas.dead_letter import StoredLetter
from schemas.plan import Plan

Header = tuple[str, bytes | None]


class PatchError(OfferflowError):
    """The patch itself is wrong, whatever it is applied to."""


class Unpatchable(ValueError):
    """This letter cannot take the patch; the message says why."""


class Patch:
    """A list of operations. ``test`` operations choose: a letter in which one fails is left alone."""

    def __init__(self, text: str) -> None:
        """Raises PatchError that names the operation."""
        try:
            operations = json.loads(text)
        except ValueError as error:
            raise PatchError(f"the patch is not JSON: {error}") from None
        if isinstance(operations, dict):
            operations = [operations]
        if not isinstance(operations, list) or not operations:
            raise PatchError(f"a JSON Patch is a list of operations such as {EXAMPLE}; got {text.strip()[:60]!r}")
        for place, operation in enumerate(operations):
            try:
                jsonpatch.JsonPatch([operation])
                _check_members(operation)
            except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError) as error:
                raise PatchError(f"operation {place + 1} of the patch is wrong: {error}; expected {EXAMPLE}") from None
        self.operations: list[dict[str, Any]] = operations
        self._patch = jsonpatch.JsonPatch(operations)
        # What replaces the whole document can mend what could not even be read.
        self._whole = operations[0].get("path") == "" and operations[0]["op"] in ("add", "replace")

    def apply(self, letter: StoredLetter, plan: Plan, schema_ids: SchemaIds) -> Patched:
        """Raises Unpatchable."""
        headers = letter.headers
        try:
            document = read_document(letter.value, headers, plan, schema_ids)
        except Unreadable as error:
            if not self._whole:
                raise Unpatchable(f"the value {error}") from None
            document, headers = Document("json", None), without_form(headers)
        try:
            body = self._patch.apply(document.body)
        except jsonpatch.JsonPatchTestFailed:
            raise Unpatchable("a test of the patch does not hold") from None
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError) as error:
            # The library goes on with the whole document, and what is in that may be personal.
            why = str(error).partition(" not found in ")[0]
            raise Unpatchable(f"the patch does not apply: {why}{' not found' * (why != str(error))}") from None
        try:
            value, headers = write_document(document, body, letter.value, headers)
        except Unreadable as error:
            raise Unpatchable(f"the patched value {error}") from None
        return Patched(document, body, value, headers)


_NEEDED = {"add": ["value"], "replace": ["value"], "test": ["value"], "move": ["from"], "copy": ["from"]}
EXAMPLE = '[{"op": "replace", "path": "/properties/amount", "value": 59.9}]'


class Patched:
    """One letter after the patch: the document before, the body after, and what is to be sent."""

    def __init__(self, before: Document, body: Any, value: bytes | None, headers: list[Header]) -> None:
        self.before = before
        self.body = body
        self.value = value
        self.headers = headers

    def difference(self, hidden: Personal) -> Iterator[str]:
        """Lines of a unified diff; what is in ``hidden`` does not show."""
        before = _lines(mask(self.before.body, hidden))
        after = _lines(mask(self.body, hidden, self.before.body))
        for line in list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]:
            yield " …" if line.startswith("@@") else line


def _check_members(operation: dict[str, Any]) -> None:
    """The library asks for these only when it applies the operation."""
    for member in _NEEDED.get(operation["op"], ()):
        if member not in operation:
            raise jsonpatch.InvalidJsonPatch(f"{operation['op']!r} needs a member {member!r}")
    if "from" in operation:
        jsonpointer.JsonPointer(operation["from"])


def _lines(body: Any) -> list[str]:
    return json.dumps(body, indent=2, ensure_ascii=False).splitlines()
