"""``GET /``: which settings point which client here, for whoever opens the address in a browser or by curl.

The snippets are data: one file each, with the server's own address put in.
"""

from producers.ingest.welcome.page import welcome

__all__ = ["welcome"]
