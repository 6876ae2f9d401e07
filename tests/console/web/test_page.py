"""``GET /``."""

from __future__ import annotations

from tests.console.web.served import Client


def test_it_says_what_is_here(client: Client) -> None:
    """A page for browsers with a policy that lets nothing else in, JSON for programs; both name the registry."""
    page = client.http.get("/", headers={"accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "http://testserver/registry" in page.text
    told = client.http.get("/").json()
    assert told["registry"] == "http://testserver/registry"
    assert (told["ready"], told["serial"], told["schemas"], told["external_registry"]) == (True, 7, 15, None)


def test_a_registry_of_ones_own_is_named_without_its_password(client: Client) -> None:
    """Whoever reads the page learns where ids come from, and no more."""
    page = Client(client.view, "https://user:secret@registry:8081/path").http.get("/", headers={"accept": "text/html"})
    assert "https://registry:8081/path" in page.text
    assert "secret" not in page.text
