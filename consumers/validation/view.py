"""One view of the catalog, compiled for judging: plan, raw topics, step, and what the fuse compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import xxhash

from consumers.validation.judging import Judge
from offerflow.catalog.view import Catalog, sources_of
from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings
from schemas.catalog import plan_of
from schemas.channels import Channel, channels_of
from schemas.plan import Plan
from schemas.step import Step

SchemaIds = Callable[[Plan], Callable[[int], int | None] | None]
"""From the plan to what finds our schema id for one that a record carries; None where they are the same."""


@dataclass(frozen=True, slots=True)
class View:
    """``plan_id`` changes with the event plan and the sources, and with nothing else. ``sources`` may be counted by
    name. ``released``: a person let the plan be, whatever the fuse says."""

    serial: int
    plan_id: str
    released: bool
    channels: dict[str, Channel]
    sources: set[str]
    judge: Judge


def past(catalog: Catalog, serial: int) -> Catalog:
    """The catalog as it was with that serial; as it is, if it keeps no record of that."""
    release = catalog.records.get(f"release/{serial}")
    if release is None or serial == catalog.head.serial:
        return catalog
    records = {key: value for key, value in catalog.records.items() if not key.startswith("source/")}
    records |= {f"source/{name}": value for name, value in release["sources"].items()}
    head = {**records["head"], "serial": serial, "definitions": release["definitions"]}
    return Catalog({**records, "head": head}, catalog.position)


def compile_view(settings: Settings, admin: Admin, catalog: Catalog, schema_ids: SchemaIds | None) -> View:
    """Raises Refused if the catalog holds what this code cannot read."""
    sources = sources_of(settings, catalog)
    try:
        plan = plan_of(catalog)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(
            "catalog",
            f"the event plan in topic {settings.topic('catalog')}, serial {catalog.head.serial}, cannot be read"
            f" ({type(error).__name__}: {error}): a newer version of offerflow or another tool wrote it. Run that"
            " version, or go back with `offerflow rulesets rollback`",
        ) from None
    channels = channels_of(settings, admin, sources)
    stripped: Counter[str] = Counter()

    def strip(event: str, properties: int) -> None:
        stripped[event] += properties

    step = Step(plan, sources, channels, schema_ids(plan) if schema_ids is not None else None, strip)
    labels = set(sources)
    content = [sorted(catalog.current("event")), sorted(catalog.of_kind("source").items())]
    return View(
        serial=catalog.head.serial,
        plan_id=xxhash.xxh3_64_hexdigest(msgspec.json.encode(content)),
        released=bool(catalog.records.get("head", {}).get("fuse_released", False)),
        channels=channels,
        sources=labels,
        judge=Judge(settings.topic("journal"), settings.topic("dead-letter"), step, plan, labels, stripped),
    )
