"""One answer of HTTP/1.1 from a connection, RFC 9112, as strict as an answer of our own gateway may be read.

Python's own reader takes a mail parser for the headers; in the process of each task that took longer than everything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [^\r\n]*)?\Z")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*\Z")
_LENGTH = re.compile(rb"[0-9]{1,15}\Z")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})(?:[ \t]*;[^\r\n]*)?\Z")
_LONGEST_HEAD = 64 * 1024
_SINGLE = (b"content-length", b"transfer-encoding")


class BadAnswer(Exception):
    """What came is no answer of a gateway."""


class CutAnswer(Exception):
    """The connection ended before the answer was whole."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    # Whether the connection can be asked again.
    goes_on: bool = True


class AnswerReader:
    """`receive` gives the next bytes, none at the end. `most`: bytes that a body may have."""

    def __init__(self, receive: Callable[[], bytes], most: int):
        self._receive = receive
        self._most = most
        self._data = b""

    def read(self) -> Answer:
        """Raises BadAnswer, CutAnswer, and whatever `receive` does."""
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        status = _STATUS.match(lines[0])
        if not status:
            raise BadAnswer("it does not speak HTTP")
        headers = _headers(lines[1:])
        body, bounded = self._body(int(status[1]), headers)
        goes_on = bounded and headers.get(b"connection", b"").lower() != b"close" and not self._data
        return Answer(int(status[1]), body, goes_on)

    def _body(self, status: int, headers: dict[bytes, bytes]) -> tuple[bytes, bool]:
        coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
        if status in (204, 304):
            return b"", True
        if coding is not None:
            if coding.lower() != b"chunked" or length is not None:
                raise BadAnswer("its length cannot be told")
            return self._chunks(), True
        if length is None:
            return self._rest(), False
        if not _LENGTH.match(length):
            raise BadAnswer("its length cannot be told")
        return self._exactly(self._bounded(int(length))), True

    def _chunks(self) -> bytes:
        parts, total = [], 0
        while True:
            size = _CHUNK.match(self._until(b"\r\n"))
            if not size:
                raise BadAnswer("it does not speak HTTP")
            if int(size[1], 16) == 0:
                break
            total = self._bounded(total + int(size[1], 16))
            parts.append(self._exactly(int(size[1], 16)))
            if self._exactly(2) != b"\r\n":
                raise BadAnswer("it does not speak HTTP")
        while self._until(b"\r\n"):
            pass
        return b"".join(parts)

    def _rest(self) -> bytes:
        parts, total = [self._data], len(self._data)
        while True:
            self._bounded(total)
            part = self._receive()
            if not part:
                self._data = b""
                return b"".join(parts)
            parts.append(part)
            total += len(part)

    def _bounded(self, size: int) -> int:
        if size > self._most:
            raise BadAnswer("it is too large")
        return size

    def _until(self, end: bytes) -> bytes:
        while end not in self._data:
            if len(self._data) > _LONGEST_HEAD:
                raise BadAnswer("its head is too large")
            self._data += self._more()
        found, _, self._data = self._data.partition(end)
        if len(found) > _LONGEST_HEAD:
            raise BadAnswer("its head is too large")
        return found

    def _exactly(self, size: int) -> bytes:
        parts, have = [self._data], len(self._data)
        while have < size:
            parts.append(self._more())
            have += len(parts[-1])
        data = b"".join(parts)
        self._data = data[size:]
        return data[:size]

    def _more(self) -> bytes:
        data = self._receive()
        if not data:
            raise CutAnswer
        return data


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        header = _HEADER.match(line)
        name = header[1].lower() if header else b""
        if not header or (name in headers and name in _SINGLE):
            raise BadAnswer("it does not speak HTTP")
        headers[name] = header[2]
    return headers
