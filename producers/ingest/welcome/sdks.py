"""The clients that the welcome page shows, and what to copy into each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).parent / "snippets"


class Place(NamedTuple):
    """Where this server is, as the client that asks sees it: ``https``, ``ingest.example:8443``."""

    scheme: str
    host: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"


class Snippet(NamedTuple):
    """``name`` is its file's and what to ask for; ``setting`` is what has to be set, in a line; ``key`` the kind that
    belongs there: ``sk_...`` or ``wk_...``."""

    name: str
    title: str
    setting: str
    key: str

    def text(self, place: Place, key: str | None = None) -> str:
        """The code to copy, with ``key`` or what stands for it."""
        return _filled(_read(self.name), place, key or self.key)

    def told(self, place: Place) -> str:
        """The setting, with the server's address."""
        return _filled(self.setting, place, self.key)


class Group(NamedTuple):
    title: str
    snippets: Sequence[Snippet]


_SERVER, _WRITE = "sk_...", "wk_..."


def _server(name: str, title: str, setting: str) -> Snippet:
    return Snippet(name, title, setting, _SERVER)


def _app(name: str, title: str, setting: str) -> Snippet:
    return Snippet(name, title, setting, _WRITE)


GROUPS: Sequence[Group] = (
    Group("Anything that speaks HTTP", (
        _server("curl", "curl", "POST {{url}}/v1/events, Authorization: Bearer {{key}}"),
    )),
    Group("Segment", (
        _server("python-segment", "Python", 'host = "{{url}}"'),
        _server("node-segment", "Node.js", "host: '{{url}}'"),
        _server("java-segment", "Java", '.endpoint("{{url}}")'),
        _server("go-segment", "Go", 'Endpoint: "{{url}}"'),
        _app("browser-segment", "Browser", "cdnURL: '{{url}}', apiHost: '{{host}}/v1', protocol: '{{scheme}}'"),
        _app("swift-segment", "Swift (iOS)", '.apiHost("{{host}}/v1").cdnHost("{{host}}/v1")'),
        _app("kotlin-segment", "Kotlin (Android)", 'apiHost = "{{host}}/v1"; cdnHost = "{{host}}/v1"'),
        _app("react-native-segment", "React Native",
             "proxy: '{{url}}/v1', cdnProxy: '{{url}}/v1', useSegmentEndpoints: true"),
        _app("flutter-segment", "Flutter", "apiHost: '{{host}}/v1', cdnHost: '{{host}}/v1'"),
    )),
    Group("RudderStack", (
        _server("python-rudderstack", "Python", 'dataPlaneUrl = "{{url}}"'),
        _server("node-rudderstack", "Node.js", "dataPlaneUrl: '{{url}}'"),
        _app("browser-rudderstack", "Browser", "load(key, '{{url}}', { configUrl: '{{url}}' })"),
    )),
    Group("Amplitude", (
        _app("amplitude-stream", "Without developers (event streaming)",
             "{{url}}/integrations/amplitude, x-api-key: {{key}}"),
        _server("python-amplitude", "Python", 'server_url="{{url}}/2/httpapi"'),
        _server("node-amplitude", "Node.js", "serverUrl: '{{url}}/2/httpapi'"),
        _app("browser-amplitude", "Browser", "serverUrl: '{{url}}/2/httpapi'"),
        _app("swift-amplitude", "Swift (iOS)", 'serverUrl: "{{url}}/2/httpapi"'),
        _app("kotlin-amplitude", "Kotlin (Android)", 'serverUrl = "{{url}}/2/httpapi"'),
        _app("react-native-amplitude", "React Native", "serverUrl: '{{url}}/2/httpapi'"),
    )),
    Group("PostHog", (
        _server("python-posthog", "Python", 'host="{{url}}"'),
        _server("node-posthog", "Node.js", "host: '{{url}}'"),
    )),
    Group("CloudEvents", (
        _server("python-cloudevents", "Python", "POST {{url}}/cloudevents, Authorization: Bearer {{key}}"),
        _server("node-cloudevents", "Node.js", "POST {{url}}/cloudevents, Authorization: Bearer {{key}}"),
    )),
    Group("Resonance and Reteno", (
        _server("resonance", "Resonance style", "POST {{url}}/events/v1/events, x-api-key: {{key}}"),
        _server("reteno", "Reteno style", "POST {{url}}/api/v2/event, Basic with the key as password"),
    )),
    Group("Kafka", (
        _server("kafka", "Python", "produce to offerflow.raw.backend"),
    )),
)  # fmt: skip
SNIPPETS = {snippet.name: snippet for group in GROUPS for snippet in group.snippets}
"""Every one by name."""


@cache
def _read(name: str) -> str:
    return (_HERE / f"{name}.txt").read_text(encoding="utf-8")


def _filled(text: str, place: Place, key: str) -> str:
    values = {"url": place.url, "host": place.host, "scheme": place.scheme, "key": key}
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text
