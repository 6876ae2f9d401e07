"""``offerflow rewards``: what was announced, read from the topic itself."""

from __future__ import annotations

from pathlib import Path

import click

from console.cli.options import dir_option, output_option
from console.cli.output import print_json, print_table
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime.kafka.scan import scan
from schemas.announce import rfc3339
from schemas.codec import RecordCodec


@click.group()
def rewards() -> None:
    """Look at rewards."""


@rewards.command("list")
@click.option("--user", help="Only this user's.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many of the newest.")
@output_option
@dir_option
def list_rewards(user: str | None, limit: int, output: str, directory: Path | None) -> None:
    """The rewards that were satisfied, newest last, with the events that decided each."""
    settings = connect(StackFiles.find(directory))
    codec = RecordCodec.shipped("outputs", "RewardSatisfied")
    found = [
        codec.decode(value)
        for record in scan(settings, [settings.topic("reward-satisfied")], "offerflow-rewards")
        if (value := record.value()) is not None
    ]
    chosen = [reward for reward in found if user is None or reward["user_id"] == user]
    chosen = sorted(chosen, key=lambda reward: (reward["satisfied_at"], reward["id"]))[-limit:]
    if output == "json":
        print_json(chosen)
        return
    rows = [
        (
            rfc3339(reward["satisfied_at"])[:16].replace("T", " "),
            reward["user_id"],
            reward["reward"],
            f"{reward['value'].normalize():f} {reward['currency']}" if reward["value"] is not None else "",
            reward["offer"],
            reward["variant"],
            reward["evidence"][-1]["event"],
        )
        for reward in chosen
    ]
    print_table(("satisfied (UTC)", "user", "reward", "value", "offer", "variant", "by"), rows)
