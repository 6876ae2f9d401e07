"""Real faults on real processes, with a judge: ``make chaos``."""
