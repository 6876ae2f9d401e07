"""Folding one partition of the journal: from records and states to new states and outputs, without any I/O."""
