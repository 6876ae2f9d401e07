"""The brokers of a stack: how many, where, and what several need that one alone does not.

The number is fixed by the data: every broker votes for the controller, and the replicas of what is there lie on them.
"""

from __future__ import annotations

import base64
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from console.stack.broker import Node, Proxied, broker
from console.stack.files import Identity, StackFiles
from console.stack.ports import HOST, keep_or_choose
from console.stack.program import Program

MOST_BROKERS = 5
REPLICAS = 3
"""As many copies as production has, where there are brokers enough."""


def nodes(identity: Identity, *, proxied: bool) -> list[Node]:
    """The brokers with the ports that ``identity`` remembers, or new ones, which it is told of."""
    found = []
    for number, name in enumerate(names(identity.brokers), 1):
        port, controller = (keep_or_choose(identity.ports, key, check=True) for key in (name, f"{name}.controller"))
        second = None
        if proxied:
            listens, told = (keep_or_choose(identity.ports, f"{name}.{end}", check=True) for end in ("proxied", "told"))
            second = Proxied(listens, told)
        found.append(Node(number, name, port, controller, second))
    return found


def names(brokers: int) -> list[str]:
    """Of the programs: ``kafka``, or ``kafka-1`` and so on."""
    return ["kafka"] if brokers == 1 else [f"kafka-{number}" for number in range(1, brokers + 1)]


def new_id() -> str:
    """A cluster id as Kafka writes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def programs(files: StackFiles, jars: list[Path], heap: str | None, members: list[Node], cluster: str) -> list[Program]:
    """One per broker, each with its storage formatted. ``heap`` None: what suits their number."""
    size = heap or ("512m" if len(members) == 1 else "320m")
    shared = properties(members)
    with ThreadPoolExecutor(len(members), "format") as pool:
        return list(pool.map(lambda node: broker(files, jars, size, node, cluster, shared), members))


def properties(members: list[Node]) -> str:
    """What all brokers of the cluster are told alike: who votes, and how many copies there are of everything."""
    voters = ",".join(f"{node.number}@{HOST}:{node.controller_port}" for node in members)
    replicas = min(len(members), REPLICAS)
    # A write counts when two of three have it, so that one may be away or die.
    in_sync = max(1, replicas - 1)
    # One partition of bookkeeping starts quickly; with several brokers each shall be coordinator of something.
    partitions = len(members)
    return f"""controller.quorum.voters={voters}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions={partitions}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions={partitions}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions={partitions}
default.replication.factor={replicas}
min.insync.replicas={in_sync}
"""
