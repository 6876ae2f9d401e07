"""The judge of imports, without a broker."""

from tests.console.importing.plans import judge

__all__ = ["judge"]
