"""The pure heart: definitions, expressions, conditions, offers, state, ``decide``.

State is a fold of the journal and outputs are a function of it: nothing in this package reads a clock, a random
source, the network, or the order of a set, and nothing here knows Kafka, Redis or Avro.
"""
