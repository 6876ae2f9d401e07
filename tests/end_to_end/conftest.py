"""Fixtures of the end-to-end tests."""

from tests.end_to_end.cli import cli

__all__ = ["cli"]
