"""Made-up rulesets and journals, folded by the engine and by the oracle, which must say the same of every record.

The one room that knows both sides. ``python -m tests.oracle.pairs --pairs N --seed S`` is the long run.
"""
