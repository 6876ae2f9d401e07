"""Kafka in memory, as far as the adapters of ``offerflow.runtime.kafka`` use it: a broker and clients in the shape of
``confluent_kafka``. ``tests/doubles/test_kafka_*.py`` run the same contracts here and on a real broker.

Nothing in it is random or waits by itself: time comes from a callable, waiting is a callable, and what may go wrong
is asked for. So a schedule that is played again goes the same way.
"""

from tests.doubles.kafka.client import Dead
from tests.doubles.kafka.cluster import Cluster
from tests.doubles.kafka.faults import Ending, Sending
from tests.doubles.kafka.timing import Time

__all__ = ["Cluster", "Dead", "Ending", "Sending", "Time"]
