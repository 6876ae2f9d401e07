"""Fixtures of the tests that do what the documentation says."""

from tests.end_to_end.cli import cli

__all__ = ["cli"]
