"""Proof: what the programs do, measured against an oracle that shares no code with them."""
