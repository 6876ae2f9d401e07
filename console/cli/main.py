"""The ``offerflow`` command. Subcommands are imported only when they run, so that help and completion are instant."""

from __future__ import annotations

from typing import Any

import click

from console.cli.lazy import Command, LazyGroup
from offerflow.runtime.errors import OfferflowError

COMMANDS = {
    "up": Command("console.cli.stack:up", "Start the local stack, or change its number of workers."),
    "down": Command("console.cli.stack:down", "Stop the local stack; --purge removes its data."),
    "status": Command("console.cli.stack:status", "Show the stack's programs and how far behind the stages are."),
    "wait": Command("console.cli.stack:wait", "Wait until the stack is ready or has nothing left to do."),
    "demo": Command("console.cli.demo:demo", "Run the demo journey on a stack of its own."),
    "apply": Command("console.cli.apply:apply", "Put event schemas, conditions, offers and sources into the catalog."),
    "test": Command("console.cli.test:test", "Play scenarios against definitions, without a broker."),
    "pull": Command("console.cli.pull:pull", "Write the catalog's definitions as files."),
    "rulesets": Command("console.cli.rulesets:rulesets", "List what was applied, compare it, and go back to it."),
    "rules": Command("console.cli.rules:rules", "Print the JSON Schema of definitions for editors."),
    "plan": Command("console.cli.plan:plan", "Show the event plan, add to it, draft schemas from samples."),
    "events": Command("console.cli.events:events", "Watch events as they come, look at past ones, import and send."),
    "dlq": Command("console.cli.dlq:dlq", "Look at dead letters, mend them and replay them."),
    "fuse": Command("console.cli.fuse:fuse", "Show if validation holds after a change of plan, or release it."),
    "state": Command("console.cli.state:state", "Show where states stand, adopt what workers refuse, fold anew."),
    "topics": Command("console.cli.topics:topics", "Create and check the topics of a deployment."),
    "keys": Command("console.cli.keys:keys", "Create, replace and limit the keys of senders."),
    "offers": Command("console.cli.offers:offers", "Look at offers, pause and hold them, enter users, see results."),
    "rewards": Command("console.cli.rewards:rewards", "List rewards, say that they were paid out, take them back."),
    "history": Command("console.cli.history:history", "Show how far the store of what happened is, or fill it again."),
    "webhooks": Command("console.cli.webhooks:webhooks", "Deliver what is announced by signed webhooks."),
    "user": Command("console.cli.user:user", "Look a user up, and why they did or did not get an offer."),
    "verify": Command("console.cli.verify:verify", "Prove that states and outputs are what the journal says."),
    "doctor": Command("console.cli.doctor:doctor", "Look at a whole deployment for what will hurt it."),
    "config": Command("console.cli.config:config", "Show the settings in force and where each comes from."),
}


class Root(LazyGroup):
    """Tells errors in one place."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OfferflowError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=Root, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="offerflow")
def main() -> None:
    """Turns user events into offers and rewards: streaming, exactly once, explainable.

    Data goes to stdout, progress to stderr. Exit codes: 0 ok, 1 problems found, 2 usage, 69 a service is down,
    75 try again, 78 bad configuration.
    """
    from offerflow.runtime.logs import configure_logs
    from offerflow.runtime.settings import LogSettings

    # What the Kafka client has to say is for debugging: a command tells its own errors.
    configure_logs(LogSettings(format="console", level="ERROR"), "offerflow")


if __name__ == "__main__":
    main()
