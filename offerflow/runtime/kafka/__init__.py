"""Kafka as offerflow uses it. The only package that imports ``confluent_kafka``.

``client`` holds what every client shares; producers and consumers have a module each beside it.
"""
