"""Where a service is, as anybody may read it: URLs of services may hold passwords, and errors, logs and output go to
people who are not to have them."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

UNREADABLE = "(an address that cannot be read)"


def public_address(url: str) -> str:
    """Scheme, host, port and path of a URL; no user, password, query or fragment, all of which may be secrets. Of a
    URL that cannot be read nothing is told but its scheme: any piece of it may be one of a password."""
    parts = split(url)
    if parts is not None:
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://{UNREADABLE}" if separator and scheme.replace("+", "").isalnum() else UNREADABLE


def split(url: str) -> SplitResult | None:
    """The parts of a URL; None if it cannot be read: without a scheme, with a port that is no number, or with a
    password that should have been percent-encoded, so that it would count as something else."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what raises
    except ValueError:
        return None
    if "://" not in url or not parts.scheme:
        return None
    behind = parts.path + parts.query + parts.fragment
    return None if parts.netloc and "@" in behind else parts
