"""raw -> journal | dead-letter: the event plan enforced, nothing lost."""
