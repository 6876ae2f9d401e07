"""One attempt to find Kafka answering and its topics made: ``python -m console.stack.topics_job BROKERS``.

A process of its own, so that nothing the Kafka client does can take the supervisor with it. Exits 0 when done; else
prints why on stderr and exits with the error's code.
"""

from __future__ import annotations

import sys

from console.stack.probe import kafka_or_raise
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.logs import configure_logs
from offerflow.runtime.settings import load_settings
from offerflow.runtime.topics import create_topics


def main() -> int:
    settings = load_settings()
    configure_logs(settings.log, "topics")
    try:
        kafka_or_raise(settings, int(sys.argv[1]))
        create_topics(settings)
    except OfferflowError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
