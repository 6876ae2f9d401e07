"""Definitions in the compacted catalog topic: what people apply, and what every program reads at start and follows."""
