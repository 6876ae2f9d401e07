"""The one writer of the catalog, without a lock server: a transactional id fences any other writer.

1. open: fence, read the catalog to its end;
2. the caller checks everything against what it read;
3. write: definitions, head and the activations for every journal partition in one short Kafka transaction, so that
   nobody ever sees half of a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog, Value
from offerflow.runtime.errors import Disturbed, Fenced, KafkaDown, TryAgain
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.kafka.transactional import Output, TransactionalProducer
from offerflow.runtime.settings import Settings


class CatalogWriter:
    """Use as a context manager; entering gives the catalog as it is, held against other writers by fencing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic("catalog")
        self._producer = TransactionalProducer(settings, settings.topic("catalog.writer"), "catalog")
        self._follower: CatalogFollower | None = None
        self.catalog_id = ""
        """Kafka's id of the topic, which tells catalogs of different deployments apart."""

    def __enter__(self) -> CatalogWriter:
        admin = Admin(self._settings)
        admin.ping()
        there = admin.topics([self._topic])
        if self._topic not in there:
            where = self._settings.kafka.bootstrap_servers
            raise KafkaDown(f"Kafka at {where} has no topic {self._topic}; run `offerflow topics create`")
        self.catalog_id = there[self._topic].id
        self._producer.open()
        self._follower = CatalogFollower(self._settings, "offerflow-catalog-writer")
        self._follower.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._producer.close()
        if self._follower is not None:
            self._follower.close()

    @property
    def catalog(self) -> Catalog:
        """As read when this writer opened."""
        assert self._follower is not None, "enter the writer first"  # noqa: S101
        return self._follower.catalog

    def write(self, records: Mapping[str, Value | None], others: Sequence[Output] = ()) -> None:
        """Write ``records`` (None removes a key) and ``others`` in one transaction. Values keep the order of their
        keys, so that a definition can be given back as it was written.

        Raises TryAgain if somebody else opened the catalog since, or the broker did not take it: nothing was written
        then, or the next reading shows it all.
        """
        mine = [
            Output(self._topic, key.encode(), None if value is None else msgspec.json.encode(value))
            for key, value in records.items()
        ]
        try:
            self._producer.publish([*mine, *others], {}, None)
        except Fenced:
            raise TryAgain(
                "somebody else changed the catalog at the same time; look at it and run this again"
            ) from None
        except Disturbed as error:
            raise TryAgain(f"the change may not have been written ({error}); run this again to see") from None
