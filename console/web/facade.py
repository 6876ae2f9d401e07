"""The read-only facade of Confluent's Schema Registry REST API: one function per question, each over one view.

Source: Confluent Schema Registry API reference. What changes a registry is answered with the command that does it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from console.web.answers import (
    INVALID_SCHEMA,
    INVALID_VERSION,
    NO_LEVEL_OF_ITS_OWN,
    READ_ONLY,
    SCHEMA_NOT_FOUND,
    SUBJECT_NOT_FOUND,
    VERSION_NOT_FOUND,
    RegistryError,
)
from console.web.asked import Asked
from console.web.subjects import Subject, Subjects
from schemas.compatibility import conflicts
from schemas.registered import SHIPPED_LEVEL, Registered, Registry, difference
from schemas.registry import InvalidSchema, at_home

APPLY = "schemas come into this registry by `offerflow apply`, and by nothing else"


class Facade:
    """One view of the catalog, asked. Every method answers with JSON content or raises RegistryError."""

    def __init__(self, registry: Registry, subjects: Subjects) -> None:
        self._registry = registry
        self._subjects = subjects

    @property
    def count(self) -> int:
        """Schemas that may be asked for by id."""
        return len(self._registry.by_id)

    def root(self, asked: Asked) -> dict[str, Any]:
        """An empty object, as Confluent's answers; clients ask for it to see whether somebody is there."""
        return {}

    def types(self, asked: Asked) -> list[str]:
        return ["AVRO"]

    def contexts(self, asked: Asked) -> list[str]:
        return ["."]

    def associations(self, asked: Asked) -> list[str]:
        """None: clients whose default strategy asks then go by the name of the topic."""
        return []

    def mode(self, asked: Asked) -> dict[str, str]:
        return {"mode": "READONLY"}

    def subjects(self, asked: Asked) -> list[str]:
        prefix = asked.query.get("subjectPrefix", "").removeprefix(":*:")
        return asked.page([n for n in self._subjects.names(asked.flag("deleted")) if n.startswith(prefix)])

    def schemas(self, asked: Asked) -> list[dict[str, Any]]:
        prefix, deleted = asked.query.get("subjectPrefix", ""), asked.flag("deleted")
        found = []
        for name in self._subjects.names(deleted):
            subject = self._subject(name)
            versions = subject.current(deleted) if name.startswith(prefix) else {}
            wanted = list(versions)[-1:] if asked.flag("latestOnly") else list(versions)
            found += [_whole(name, version, versions[version]) for version in wanted]
        return asked.page(found)

    def by_id(self, asked: Asked) -> dict[str, Any]:
        schema = self._by_id(asked)
        return {"id": schema.id, "schema": schema.text}

    def text_by_id(self, asked: Asked) -> dict[str, Any]:
        return self._by_id(asked).definition

    def versions_by_id(self, asked: Asked) -> list[dict[str, Any]]:
        places = [{"subject": name, "version": version} for name, version in self._subjects.holding(self._by_id(asked))]
        return asked.page([p for p in places if asked.query.get("subject") in (None, p["subject"])])

    def subjects_by_id(self, asked: Asked) -> list[str]:
        return asked.page([place["subject"] for place in self.versions_by_id(Asked(asked.path, asked.query))])

    def versions(self, asked: Asked) -> list[int]:
        subject = self._subject(asked.path["subject"])
        return asked.page(list(subject.current(asked.flag("deleted"))))

    def version(self, asked: Asked) -> dict[str, Any]:
        subject = self._subject(asked.path["subject"])
        number, schema = self._version(subject, asked)
        return _whole(subject.name, number, schema)

    def text_of_version(self, asked: Asked) -> dict[str, Any]:
        return self._version(self._subject(asked.path["subject"]), asked)[1].definition

    def referenced_by(self, asked: Asked) -> list[int]:
        """Ids of schemas that refer to this one: none, they are all served whole."""
        self._version(self._subject(asked.path["subject"]), asked)
        return []

    def latest_with_metadata(self, asked: Asked) -> dict[str, Any]:
        """The newest version that arrives under a name: ``key=event&value=Purchase Completed``."""
        subject = self._subject(asked.path["subject"])
        key, value = asked.query.get("key"), asked.query.get("value", "")
        if key != "event":
            raise RegistryError(
                VERSION_NOT_FOUND, f"metadata here is the name of an event: expected key=event, got {key!r:.50}"
            )
        named = {number: schema for number, schema in subject.current().items() if value in schema.event_names}
        if not named:
            raise RegistryError(VERSION_NOT_FOUND, f"{subject.name} has no event named {value!r:.200}")
        number = max(named, key=lambda number: named[number].version)
        return _whole(subject.name, number, named[number])

    def lookup(self, asked: Asked) -> dict[str, Any]:
        """``POST /subjects/{subject}``: under which id and version a schema is known."""
        subject = self._subject(asked.path["subject"])
        number, schema = self._known(subject, asked)
        if schema is None:
            raise RegistryError(SCHEMA_NOT_FOUND, f"schema not found: {self._why_unknown(subject, asked.schema())}")
        return _whole(subject.name, number, schema)

    def register(self, asked: Asked) -> dict[str, Any]:
        """``POST /subjects/{subject}/versions``: the id of a schema that is known; no other is taken."""
        subject = self._subjects.find(asked.path["subject"])
        if subject is None:
            name = asked.path["subject"]
            raise RegistryError(READ_ONLY, f"there is no subject {name!r:.200}; {self._subjects.expected()}; {APPLY}")
        _, schema = self._known(subject, asked)
        if schema is None:
            raise RegistryError(READ_ONLY, f"{self._why_unknown(subject, asked.schema())}; {APPLY}")
        return {"id": schema.id}

    def level(self, asked: Asked) -> dict[str, str]:
        name = asked.path.get("subject")
        if name is None:
            return {"compatibilityLevel": SHIPPED_LEVEL}
        subject = self._subjects.find(name)
        if subject is not None and len(subject.kinds()) == 1:
            return {"compatibilityLevel": list(subject.versions.values())[-1].level}
        if subject is not None or asked.flag("defaultToGlobal"):
            return {"compatibilityLevel": SHIPPED_LEVEL}
        why = f"subject {name!r:.200} has no compatibility level of its own; {self._subjects.expected()}"
        raise RegistryError(NO_LEVEL_OF_ITS_OWN, why)

    def compatibility(self, asked: Asked) -> dict[str, Any]:
        """Whether a schema could be the next version of its record, and if not why, field by field."""
        subject = self._subject(asked.path["subject"])
        new = asked.schema()
        self._check(new)
        earlier = self._predecessors(subject, new)
        if "version" in asked.path:
            _, one = self._version(subject, asked)
            earlier = [one]
        messages = _obstacles(new, earlier) if earlier else []
        return {"is_compatible": not messages, "messages": messages}

    def _predecessors(self, subject: Subject, new: Any) -> list[Registered]:
        """The versions of the record that a new schema of the subject would follow."""
        kinds = subject.kinds()
        if len(kinds) > 1:
            name = _full_name(new)
            if name not in kinds:
                return []
            kinds = {name}
        found = [schema for schema in subject.current().values() if schema.name in kinds]
        return sorted(found, key=lambda schema: schema.version)

    def _subject(self, name: str) -> Subject:
        subject = self._subjects.find(name)
        if subject is None:
            raise RegistryError(SUBJECT_NOT_FOUND, f"subject {name!r:.200} not found; {self._subjects.expected()}")
        return subject

    def _by_id(self, asked: Asked) -> Registered:
        text = asked.path["id"]
        schema = self._registry.by_id.get(int(text)) if text.isdecimal() and len(text) < 12 else None
        if schema is None:
            raise RegistryError(SCHEMA_NOT_FOUND, f"schema {text[:50]} not found: no schema was applied under this id")
        return schema

    def _version(self, subject: Subject, asked: Asked) -> tuple[int, Registered]:
        text = asked.path["version"]
        versions = subject.current(asked.flag("deleted"))
        if text in ("latest", "-1"):
            if len(subject.kinds()) > 1:
                raise RegistryError(
                    VERSION_NOT_FOUND,
                    f"{subject.name} carries every event of the plan, so none of them is the latest; ask for"
                    f" {subject.name.removesuffix('value')}events.PurchaseCompleted or events.PurchaseCompleted, say",
                )
            number = max(versions, default=None)
        elif text.isdecimal() and 0 < int(text[:12]) < 2**31:
            number = int(text)
        else:
            raise RegistryError(INVALID_VERSION, f"{text[:50]!r} is no version: expected a number from 1, or latest")
        if number is None or number not in versions:
            there = ", ".join(map(str, versions)) if len(versions) <= 20 else f"{min(versions)} to {max(versions)}"
            raise RegistryError(
                VERSION_NOT_FOUND, f"version {text} of {subject.name} not found; there are: {there or 'none'}"
            )
        return number, versions[number]

    def _known(self, subject: Subject, asked: Asked) -> tuple[int, Registered | None]:
        versions = subject.current(asked.flag("deleted"))
        found = self._check(asked.schema(), list(versions.values()))
        number = next((number for number, schema in versions.items() if schema is found), 0)
        return number, found

    def _check(self, schema: Any, among: Sequence[Registered] = ()) -> Registered | None:
        try:
            return self._registry.find(schema, among)
        except InvalidSchema as error:
            raise RegistryError(INVALID_SCHEMA, f"invalid schema: {error}") from None

    def _why_unknown(self, subject: Subject, schema: Any) -> str:
        name = _full_name(schema)
        same = [known for known in self._registry.by_name.get(name, ()) if known in subject.versions.values()]
        if not same:
            where = f" under {subject.name}" if name in self._registry.by_name else " in the event plan"
            return f"there is no {name or 'schema without a name'}{where}"
        removed = self._check(schema, same)
        if removed is not None:
            return f"version {removed.version} of {name} was removed from the event plan"
        newest = same[-1]
        versions = ", ".join(str(known.version) for known in same)
        return (
            f"this {name} is none of its versions ({versions}): against version {newest.version},"
            f" {difference(schema, newest)}"
        )


def _obstacles(new: Any, earlier: Sequence[Registered]) -> list[str]:
    """Why ``new`` may not follow ``earlier``, as texts; the level is that of the newest of them."""
    if _full_name(new) != earlier[-1].name or new.get("type") != "record":
        return [f"expected the record {earlier[-1].name}, got {_full_name(new) or 'a schema without a name'}"]
    numbered = {**at_home(new), "compatibility": earlier[-1].level, "version": earlier[-1].version + 1}
    try:
        return [str(conflict) for conflict in conflicts(numbered, [one.definition for one in earlier])]
    except ValueError as error:
        raise RegistryError(INVALID_SCHEMA, f"invalid schema: {error}") from None
    except RecursionError:
        raise RegistryError(INVALID_SCHEMA, "invalid schema: it nests too deeply to be compared") from None


def _full_name(schema: Any) -> str:
    """``events.PurchaseCompleted``; empty for what is no named type."""
    if not isinstance(schema, dict) or not isinstance(schema.get("name"), str):
        return ""
    schema = at_home(schema)
    name, namespace = schema["name"], schema.get("namespace")
    return name if "." in name or not isinstance(namespace, str) or not namespace else f"{namespace}.{name}"


def _whole(subject: str, version: int, schema: Registered) -> dict[str, Any]:
    return {"subject": subject, "version": version, "id": schema.id, "schema": schema.text}
