"""What a system downstream does: read the rewards, exactly once, in order per user. Needs nothing of offerflow's.

    python rewards.py BOOTSTRAP_SERVERS [USER]

Prints what is there now as JSON lines and stops; a service would go on polling and pay each `id` once.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, TopicPartition

TOPIC = "offerflow.reward-satisfied"
SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "outputs" / "RewardSatisfied.avsc"


def rewards(servers: str) -> Iterator[dict[str, Any]]:
    """Every reward from the start of the topic to its end. Only what is committed is read."""
    schema = fastavro.parse_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))
    reader = Consumer({"bootstrap.servers": servers, "group.id": "rewards-example", "isolation.level": "read_committed",
                       "enable.auto.commit": False, "enable.partition.eof": True})  # fmt: skip
    partitions = reader.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
    reader.assign([TopicPartition(TOPIC, partition, 0) for partition in partitions])
    unread = set(partitions)
    while unread:
        for message in reader.consume(1000, timeout=0.1):
            if message.error():  # the end of a partition is told as one
                unread.discard(message.partition())
            elif value := message.value():  # 0x00, the schema id as four bytes, the record
                yield fastavro.schemaless_reader(BytesIO(value[5:]), schema, None)  # type: ignore[misc]
    reader.close()


def main() -> None:
    servers, user = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    for reward in rewards(servers):
        if user in (None, reward["user_id"]):
            sys.stdout.write(json.dumps(reward, default=_text) + "\n")


def _text(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


if __name__ == "__main__":
    main()
