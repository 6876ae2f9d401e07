"""Requests that no client library sends on demand: the end of somebody's transaction, its offsets a second time, the
leaving of another's member.

The few bytes are those of Kafka's protocol guide (https://kafka.apache.org/protocol). FindCoordinator 2, LeaveGroup 2
and EndTxn 1 come before its compact encodings; TxnOffsetCommit 3, the first one with a generation, has them.
"""

from __future__ import annotations

import socket
import struct
from types import TracebackType

_FIND, _LEAVE, _END, _OFFSETS = (10, 2), (13, 2), (26, 1), (28, 3)
_NO_TAGS = b"\0"
_GROUP, _TRANSACTION = 0, 1
_TIMEOUT_S = 15.0


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">h", len(encoded)) + encoded


def _compact(value: str) -> bytes:
    encoded = value.encode()
    assert len(encoded) < 127, "one byte for the length"
    return bytes([len(encoded) + 1]) + encoded


class Coordinator:
    """A connection to the broker that coordinates a group or a transactional id."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), _TIMEOUT_S)

    @classmethod
    def of_group(cls, bootstrap: str, group: str) -> Coordinator:
        return cls._find(bootstrap, group, _GROUP)

    @classmethod
    def of_transactions(cls, bootstrap: str, transactional_id: str) -> Coordinator:
        return cls._find(bootstrap, transactional_id, _TRANSACTION)

    @classmethod
    def _find(cls, bootstrap: str, key: str, kind: int) -> Coordinator:
        host, _, port = bootstrap.split(",")[0].rpartition(":")
        with cls(host, int(port)) as any_broker:
            answer = any_broker._ask(*_FIND, _text(key) + struct.pack(">b", kind))
        _, code, length = struct.unpack_from(">ihh", answer)
        assert code == 0, f"no coordinator for {key}: error {code}"
        at = 8 + max(0, length) + 4  # past the error's text and the node's id
        (length,) = struct.unpack_from(">h", answer, at)
        host = answer[at + 2 : at + 2 + length].decode()
        (port_number,) = struct.unpack_from(">i", answer, at + 2 + length)
        return cls(host, port_number)

    def leave(self, group: str, member: str) -> None:
        _, code = struct.unpack_from(">ih", self._ask(*_LEAVE, _text(group) + _text(member)))
        assert code == 0, f"{member} could not be made to leave {group}: error {code}"

    def end(self, transactional_id: str, producer: int, epoch: int, commit: bool) -> int:
        """The code of the answer."""
        body = _text(transactional_id) + struct.pack(">qhb", producer, epoch, commit)
        _, code = struct.unpack_from(">ih", self._ask(*_END, body))
        return int(code)

    def offsets(
        self, transactional_id: str, producer: int, epoch: int, group: str, generation: int, member: str,
        place: tuple[str, int], offset: int,
    ) -> int:  # fmt: skip
        """Send one offset into the open transaction of that producer; the code of the answer."""
        body = _compact(transactional_id) + _compact(group) + struct.pack(">qhi", producer, epoch, generation)
        one = b"\2"  # a list of one
        partition = struct.pack(">iqi", place[1], offset, -1) + _compact("") + _NO_TAGS
        body += _compact(member) + b"\0" + one + _compact(place[0]) + one + partition + _NO_TAGS + _NO_TAGS
        answer = self._ask(*_OFFSETS, body, header=_NO_TAGS)
        (code,) = struct.unpack_from(">h", answer, len(answer) - 5)  # three ends of tags behind it
        return int(code)

    def _ask(self, key: int, version: int, body: bytes, header: bytes = b"") -> bytes:
        """The answer without its header. ``header`` is what follows the client's name in the request's."""
        request = struct.pack(">hhi", key, version, 1) + _text("contract") + header + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", self._receive(4))
        return self._receive(length)[4:]

    def _receive(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = self._socket.recv(size - len(found))
            assert more, "the broker closed the connection: it does not know the request"
            found += more
        return found

    def __enter__(self) -> Coordinator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()
