"""URLs of endpoints."""

import pytest

from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.webhooks.target import BadUrl, parse_target

STRICT = WebhookSettings()
LOCAL = WebhookSettings(allow_networks="127.0.0.0/8,::1/128", allow_http=True)
BAD = {
    "http://crm.example/": "use https",
    "ftp://crm.example/": "scheme 'ftp'",
    "crm.example/hook": "expected https://HOST/PATH",
    "https://": "no host",
    "https:///hook": "no host",
    "https://ana:pw@crm.example/": "name or password",
    "https://ana@crm.example/": "name or password",
    "https://crm.example/#top": "fragment",
    "https://crm.example:0/": "no host",
    "https://crm.example:99999/": "not a URL",
    "https://crm .example/": "spaces",
    "https://crm.example/\r\nHost: x": "spaces",
    "https://crm.example\\@10.0.0.1/": "backslashes",
    "https://" + "a" * 2000: "2000 is the most",
    "https://10.0.0.1/": "10.0.0.1 is private",
    "https://127.0.0.1/": "loopback",
    "https://169.254.169.254/latest": "metadata",
    "https://[::1]/": "loopback",
    "https://[::ffff:10.0.0.1]/": "form of IPv6",
    "https://[fe80::1%25eth0]/": "one link only",
    "https://2130706433/": "unusual form",
    "https://0x7f000001/": "unusual form",
    "https://0177.0.0.1/": "unusual form",
    "https://127.1/": "unusual form",
    "https://0/": "unusual form",
}


@pytest.mark.parametrize("url", BAD)
def test_what_cannot_or_must_not_be_posted_to_is_refused_in_words_that_help(url: str) -> None:
    """Each kind of mistake, and each disguise of an address, by its own sentence."""
    with pytest.raises(BadUrl, match=BAD[url].replace(".", r"\.")):
        parse_target(url, STRICT)


def test_what_the_settings_allow_can_be_posted_to() -> None:
    """Plain http and loopback addresses, on a machine that says so."""
    target = parse_target("http://127.0.0.1:8080/hook?a=b", LOCAL)
    assert (target.host, target.port, target.literal, target.secure) == ("127.0.0.1", 8080, True, False)
    assert parse_target("http://[::1]:8080/", LOCAL).authority == "[::1]:8080"


def test_a_target_is_posted_to_by_number_under_its_own_name() -> None:
    """The URL that is requested has nothing left to resolve; path and query are as given."""
    target = parse_target("https://CRM.example/hook/%C3%A9?token=a%26b", STRICT)
    assert str(target.at("93.184.216.34")) == "https://93.184.216.34/hook/%C3%A9?token=a%26b"
    assert str(target.at("2606:4700::1111")).startswith("https://[2606:4700::1111]/")
    assert (target.host, target.authority, target.literal) == ("crm.example", "crm.example", False)
    assert parse_target("https://crm.example:8443/", STRICT).authority == "crm.example:8443"
