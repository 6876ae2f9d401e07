"""The kernel of offerflow: the pure rules core, the runtime adapters and the catalog.

Nothing here knows a program (producers, consumers, console) or a wire schema; those stand on this package.
"""

from importlib.metadata import version

__version__ = version("offerflow")
