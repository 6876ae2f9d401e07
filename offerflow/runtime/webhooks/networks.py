"""Which addresses a webhook may reach: public ones, and the networks that the settings allow.

The list follows IANA's registries of special-purpose addresses, written out so that it does not change with the
version of Python; forms that carry an IPv4 address inside are refused whatever it is, since no public name needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_WHY = {
    "unspecified": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"),
    "link-local, where clouds keep their metadata": ("169.254.0.0/16", "fe80::/10"),
    "the metadata service of a cloud": ("168.63.129.16/32",),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": (
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "240.0.0.0/4", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
    ),
    "an IPv4 address in the form of IPv6": ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96"),
    "NAT64": ("64:ff9b::/96", "64:ff9b:1::/48"),
    "6to4": ("2002::/16",),
    "Teredo": ("2001::/32",),
}  # fmt: skip
_REFUSED = sorted(
    ((ip_network(network), why) for why, networks in _WHY.items() for network in networks),
    key=lambda pair: -pair[0].prefixlen,
)
_GLOBAL_V6 = ip_network("2000::/3")


def refusal(address: str, allowed: Sequence[Network]) -> str | None:
    """Why ``address`` must not be connected to, or None if it may. An address with a zone is link-local by meaning."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return "no IP address"
    if isinstance(ip, IPv6Address) and ip.scope_id is not None:
        return "an address of one link only"
    if any(ip in network for network in allowed if network.version == ip.version):
        return None
    for network, why in _REFUSED:
        if network.version == ip.version and ip in network:
            return why
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_V6:
        return "reserved"
    return None
