"""Answers in the form of Confluent's Schema Registry: its content type, and its errors with their codes.

Source of the codes: Confluent Schema Registry API reference.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"

SUBJECT_NOT_FOUND = 40401
VERSION_NOT_FOUND = 40402
SCHEMA_NOT_FOUND = 40403
NO_LEVEL_OF_ITS_OWN = 40408
INVALID_SCHEMA = 42201
INVALID_VERSION = 42202
READ_ONLY = 42205
STORE_AWAY = 50001


class RegistryError(Exception):
    """``code`` is Confluent's; its first three digits are the HTTP status, unless ``status`` says another."""

    def __init__(self, code: int, message: str, status: int | None = None, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.code = code
        self.status = status or int(str(code)[:3])
        self.headers = headers or {}

    def response(self) -> Response:
        # What was sent is repeated here, and it may hold halves of characters that no UTF-8 can carry.
        message = str(self).encode("utf-8", "replace").decode()
        return answer({"error_code": self.code, "message": message}, self.status, self.headers)


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, CONTENT_TYPE)
