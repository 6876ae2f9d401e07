"""A second, slow, obvious offerflow: what must come out, recomputed from what lies in the raw topics.

It imports nothing of the project; only ``pairs`` knows both sides. It reads the workspace's files, the
raw topics, and the journal only for the order in which the validation stage put the events of one entity. What the
programs wrote is then compared with what it expects.

``python -m tests.oracle --bootstrap HOST:PORT WORKSPACE…`` prints the totals of a deployment and every difference.
"""
