"""Proof after the fact: the journal folded once more, away from the workers, against Redis and the output topics."""
