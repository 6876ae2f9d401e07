"""What Redis says when it does not do its work, in our words: a label for alarms, and a sentence with what to do.

All but ``unreachable`` and ``error`` are said before the first write of a script: nothing was written then. Trying the
same batch again is right for every one of them, since Redis knows a batch that it has applied.
"""

from __future__ import annotations

import redis

from offerflow.runtime import metrics
from offerflow.runtime.errors import RedisDown

_WHY = {
    "LOADING": "loading", "OOM": "memory", "READONLY": "read_only", "MASTERDOWN": "replication",
    "NOREPLICAS": "replication", "BUSY": "busy", "MISCONF": "disk", "NOAUTH": "access", "WRONGPASS": "access",
    "NOPERM": "access", "MOVED": "cluster", "ASK": "cluster", "CLUSTERDOWN": "cluster", "TRYAGAIN": "cluster",
    "CROSSSLOT": "cluster",
}  # fmt: skip
"""By the first word of what Redis answers."""
_CLASSES: dict[type[redis.exceptions.RedisError], str] = {
    redis.exceptions.BusyLoadingError: "loading", redis.exceptions.OutOfMemoryError: "memory",
    redis.exceptions.ReadOnlyError: "read_only", redis.exceptions.MasterDownError: "replication",
    redis.exceptions.AuthenticationError: "access", redis.exceptions.NoPermissionError: "access",
    redis.exceptions.ClusterDownError: "cluster", redis.exceptions.AskError: "cluster",
    redis.exceptions.TryAgainError: "cluster", redis.exceptions.ClusterCrossSlotError: "cluster",
    redis.exceptions.ConnectionError: "unreachable", redis.exceptions.TimeoutError: "unreachable",
}  # fmt: skip
"""The client takes that word off where it has a class for it. In this order, since some are kinds of others."""
_ADVICE = {
    "loading": "it is reading its data from disk and will answer by itself",
    "memory": "it has reached its maxmemory and takes no writes: give it more, or remove what else is in it; nothing is"
              " lost, work goes on by itself",
    "read_only": "it is a replica: point OFFERFLOW_REDIS__URL at the primary, or finish the fail-over",
    "replication": "it has lost its primary or its replicas, and is set to refuse then: mend replication",
    "busy": "somebody's script keeps it busy: find it, and end it with SCRIPT KILL",
    "disk": "it cannot save to disk and takes no writes: look at its log and its disk",
    "access": "check the user and the password in OFFERFLOW_REDIS__URL, and what that user may do",
    "cluster": "it is a node of a cluster that does not serve this: check the address, and the cluster's health",
    "unreachable": "is it running, is the address right?",
    "error": "its log may say more",
}  # fmt: skip


def fault(error: redis.exceptions.RedisError, where: str) -> RedisDown:
    """The error of our tree for one of the client's; counted here."""
    # A pipeline puts the command before what Redis said, and with it names of users.
    said = str(error).rpartition(" of pipeline caused error: ")[2]
    why = _WHY.get(said.partition(" ")[0]) or next(
        (w for kind, w in _CLASSES.items() if isinstance(error, kind)), "error"
    )
    metrics.redis_errors.labels(why).inc()
    return RedisDown(f"Redis at {where} does not do its work ({said.strip()}); {_ADVICE[why]}", why)
