"""Every protocol the edge speaks, in the order in which they are asked for a path that several share."""

from __future__ import annotations

from producers.ingest.adapters.native import NativeAdapter
from producers.ingest.adapters.protocol import Adapter
from producers.ingest.limits import Limits


def all_adapters(limits: Limits) -> list[Adapter]:
    return [NativeAdapter(limits)]
