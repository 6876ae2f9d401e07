"""Golden journals: for each release, records with what they came to when that release folded them.

See README.md here. ``python -m tests.golden record`` makes those of the code as it is.
"""
