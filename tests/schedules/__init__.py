"""The real stages under seeded faults, in one thread: ``python -m tests.schedules --seed N --trace`` plays one again.

``scheduler`` says who goes on, ``process`` what a simulated worker is, ``surroundings`` what it finds in place of the
outside, ``deployment`` puts them on doubles of Kafka and Redis (tests/doubles). ``workload``, ``faults`` and ``oracle``
make a ``schedule`` of that, and ``mutations`` switch off one guard each.
"""
