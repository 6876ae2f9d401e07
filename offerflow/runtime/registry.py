"""A schema registry of the user's own (``OFFERFLOW_REGISTRY__URL``), through Confluent's REST interface.

It is asked for the schema behind an id, and told of schemas that were applied. That it is away is never an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import stamina

from offerflow.runtime import addresses
from offerflow.runtime.errors import ConfigError, DependencyDown, Refused
from offerflow.runtime.settings import Settings

TIMEOUT_S = 3.0
"""For one request; with the tries below, an answer or DependencyDown comes within 8 s."""
TRIES = 3
MOST_REFERENCES = 50
_JSON = "application/vnd.schemaregistry.v1+json"
_UNKNOWN = {40401, 40402, 40403}


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """``references``: the texts of the schemas it names, each after those it names itself."""

    text: str
    references: tuple[str, ...] = ()


def public_url(url: str) -> str:
    """The registry's URL as anybody may see it: where it is, without secrets. Raises ConfigError if it is none."""
    parts, shown = addresses.split(url), addresses.public_address(url)
    if parts is not None and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
        return shown
    raise ConfigError(f"OFFERFLOW_REGISTRY__URL: expected the http(s) URL of a schema registry, got {shown}")


class _Busy(Exception):
    """An answer that asks for another try: 408, 429, 5xx."""


class ExternalRegistry:
    """Needs ``settings.registry.url``. Name and password may stand in the URL. Keeps its connections."""

    def __init__(self, settings: Settings) -> None:
        url = settings.registry.url or ""
        self._where = public_url(url)
        self._client = httpx.Client(
            base_url=url.rstrip("/"), timeout=TIMEOUT_S, follow_redirects=True, headers={"accept": f"{_JSON}, */*"}
        )

    def schema(self, schema_id: int) -> RegisteredSchema | None:
        """What the registry has under an id, None if nothing. Raises DependencyDown when it does not say."""
        found = self._ask("GET", f"/schemas/ids/{schema_id}")
        if found is None:
            return None
        references: list[str] = []
        self._follow(found, references)
        return RegisteredSchema(str(found.get("schema", "")), tuple(references))

    def register(self, subject: str, text: str) -> int:
        """Register an Avro schema under a subject; its id there, the same every time.

        Raises DependencyDown, and Refused if the registry will not have it.
        """
        answer = self._ask("POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": text})
        if answer is None or not isinstance(answer.get("id"), int):
            raise Refused("registry", f"the registry at {self._where} gave no id for {subject}")
        return int(answer["id"])

    def close(self) -> None:
        self._client.close()

    def _follow(self, found: dict[str, Any], texts: list[str]) -> None:
        """Fetch what a schema refers to, depth first."""
        for reference in found.get("references") or ():
            if len(texts) >= MOST_REFERENCES:
                raise DependencyDown(f"a schema of the registry at {self._where} refers to too many others")
            subject, version = quote(str(reference["subject"]), safe=""), int(reference["version"])
            inner = self._ask("GET", f"/subjects/{subject}/versions/{version}?deleted=true")
            if inner is not None:
                self._follow(inner, texts)
                texts.append(str(inner.get("schema", "")))

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any] | None:
        """The JSON object of an answer, None if the registry says that it has no such thing."""
        answer: httpx.Response | None = None
        try:
            for attempt in stamina.retry_context(
                on=(httpx.TransportError, _Busy), attempts=TRIES, timeout=8.0, wait_initial=0.1, wait_max=1.0
            ):
                with attempt:
                    answer = self._client.request(method, path, json=body)
                    if answer.status_code in (408, 429) or answer.status_code >= 500:
                        raise _Busy
        except httpx.TransportError as error:
            raise DependencyDown(
                f"the schema registry at {self._where} does not answer ({str(error) or type(error).__name__}); is it"
                " running, is OFFERFLOW_REGISTRY__URL right?"
            ) from None
        except (_Busy, httpx.HTTPError) as error:
            status = answer.status_code if answer is not None else error
            raise DependencyDown(f"the schema registry at {self._where} fails: {method} {path} got {status}") from None
        assert answer is not None  # noqa: S101 - for the type checker: the loop gave one or raised
        return self._judged(answer, method, path)

    def _judged(self, answer: httpx.Response, method: str, path: str) -> dict[str, Any] | None:
        try:
            content = answer.json()
        except ValueError:
            content = None
        if answer.is_success and isinstance(content, dict):
            return content
        said = content if isinstance(content, dict) else {}
        # A proxy or a wrong path answers 404 as well: only the registry's own code says that there is no such schema.
        if answer.status_code == 404 and said.get("error_code") in _UNKNOWN:
            return None
        why = str(said.get("message") or answer.reason_phrase)[:300]
        if method == "POST" and answer.status_code in (409, 422):
            raise Refused("registry", f"the schema registry at {self._where} refuses the schema: {why}")
        raise DependencyDown(
            f"the schema registry at {self._where} answered {method} {path} with {answer.status_code}: {why};"
            " expected Confluent's REST interface, is OFFERFLOW_REGISTRY__URL right?"
        )
