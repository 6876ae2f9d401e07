"""The URL of an endpoint, taken apart once by the parser that also makes the request, and refused where it cannot or
must not be posted to."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from yarl import URL

from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.webhooks.networks import Network, refusal

LONGEST = 2000
ALLOW = "OFFERFLOW_WEBHOOKS__ALLOW_NETWORKS"


class BadUrl(ValueError):
    """The message says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Target:
    """``host`` is the name to resolve, or the address itself if ``literal``."""

    url: URL
    host: str
    port: int
    literal: bool

    @property
    def secure(self) -> bool:
        return self.url.scheme == "https"

    @property
    def authority(self) -> str:
        """What the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.url.is_default_port() else f"{host}:{self.port}"

    def at(self, address: str) -> URL:
        """The URL with the address in the place of the name, so that nothing is left to resolve."""
        return self.url.with_host(address)


def parse_target(text: str, settings: WebhookSettings) -> Target:
    """Raises BadUrl. Names are not resolved here: an address behind one is judged at each delivery."""
    if len(text) > LONGEST:
        raise BadUrl(f"the URL has {len(text)} characters, {LONGEST} is the most")
    if any(not "!" <= character <= "\x7e" for character in text) or "\\" in text:
        raise BadUrl("the URL has spaces, backslashes or characters beyond ASCII in it; percent-encode them")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError as error:
        raise BadUrl(f"{text!r} is not a URL ({error}); expected https://HOST/PATH") from None
    _check_scheme(url, settings)
    if not host or not port:
        raise BadUrl("the URL has no host; expected https://HOST/PATH")
    if url.raw_user is not None or url.raw_password is not None:
        raise BadUrl("the URL has a name or password in it; requests are signed, so leave them out")
    if url.raw_fragment:
        raise BadUrl(f"the URL has a fragment (#{url.raw_fragment}), which is never sent; leave it out")
    return Target(url, host, port, _literal(host, settings.networks()))


def _check_scheme(url: URL, settings: WebhookSettings) -> None:
    if url.scheme == "https" or (url.scheme == "http" and settings.allow_http):
        return
    if url.scheme == "http":
        raise BadUrl(
            "plain http shows rewards to whoever listens; use https, or set OFFERFLOW_WEBHOOKS__ALLOW_HTTP=true"
        )
    if not url.scheme:
        raise BadUrl(f"{str(url)!r} is not a whole URL; expected https://HOST/PATH")
    raise BadUrl(f"the scheme {url.scheme!r} cannot be posted to; expected https://HOST/PATH")


def _literal(host: str, allowed: Sequence[Network]) -> bool:
    """Whether the host is an address. Raises BadUrl if it is one that is refused, or one in disguise."""
    if ":" in host:
        why = "an address of one link only" if "%" in host else refusal(host, allowed)
        if why is not None:
            raise BadUrl(forbidden(host, host, why))
        return True
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    try:
        IPv4Address(host)
    except ValueError:
        raise BadUrl(
            f"the host {host!r} is an address in an unusual form (decimal, octal, hexadecimal or shortened);"
            " write it as four numbers, or use a name"
        ) from None
    why = refusal(host, allowed)
    if why is not None:
        raise BadUrl(forbidden(host, host, why))
    return True


def forbidden(host: str, address: str, why: str) -> str:
    """One sentence about an address that is not connected to."""
    what = f"{host} is {why}" if host == address else f"{host} resolves to {address}, which is {why}"
    return f"{what}: not reached unless {ALLOW} names its network"
