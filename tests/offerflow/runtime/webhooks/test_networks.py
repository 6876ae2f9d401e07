"""Addresses that webhooks may reach, and those they may not."""

from ipaddress import ip_network

import pytest

from offerflow.runtime.webhooks.networks import refusal

REFUSED = [
    "0.0.0.0",  # noqa: S104 - nothing listens here
    "0.1.2.3", "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "100.100.100.200", "169.254.169.254", "168.63.129.16", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:4136:e378::", "100::1",
    "4000::1", "5f00::1", "2606:4700::1%1", "localhost", "0x7f000001", "",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_public_is_refused_with_a_reason(address: str) -> None:
    """Loopback, private, link-local, metadata, multicast, reserved, and every form that hides an IPv4 address."""
    assert refusal(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"])
def test_public_addresses_are_not(address: str) -> None:
    """Neighbours of the refused networks included."""
    assert refusal(address, ()) is None


def test_what_the_settings_allow_is_allowed_and_no_more() -> None:
    """An allowed network of IPv4 does not allow the same address in a dress of IPv6."""
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/64"), ip_network("127.0.0.0/8"))
    assert refusal("10.1.2.3", allowed) is None
    assert refusal("fd00:1::5", allowed) is None
    assert refusal("10.2.0.1", allowed) == "private"
    assert refusal("::ffff:127.0.0.1", allowed)
    assert refusal("fd00:1::5%eth0", allowed)
