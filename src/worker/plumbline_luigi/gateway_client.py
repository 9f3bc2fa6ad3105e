"""HTTP to the gateway, over its Unix socket: the only way on which the worker's token leaves a process.

No proxy, no redirect, no environment variable has a say here. What the user's code does to `socket` or `http.client` neither: the
socket is taken when this module is imported.
"""

from __future__ import annotations

import os
import select
import threading
import time
import weakref
from dataclasses import dataclass
from socket import AF_UNIX, SOCK_STREAM, socket

from plumbline_luigi.gateway_access import GatewayAccess
from plumbline_luigi.http_answer import Answer, AnswerReader, BadAnswer, CutAnswer

__all__ = ["Answer", "BadAnswer", "Bounds", "GatewayClient", "NoAnswer"]

_PART = 256 * 1024
_HEAD = (
    "POST %s HTTP/1.1\r\nHost: gateway\r\nAccept: application/json\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n%s\r\n"
)


class NoAnswer(Exception):
    """Nothing came, or not all of it: the gateway may be starting again."""


@dataclass(frozen=True)
class Bounds:
    """How large an answer may be, in bytes, and how long it may take: as a whole, and from one part of it to the next."""

    most: int
    seconds: float
    quiet: float


class GatewayClient:
    """Keeps one connection for each thread alive; a forked process begins with none. Instances can be pickled."""

    def __init__(self, access: GatewayAccess):
        self._access = access
        self._local = threading.local()

    def __reduce__(self):
        return (GatewayClient, (self._access,))

    @property
    def token(self) -> str:
        return self._access.token

    def post(self, path: str, body: bytes, bounds: Bounds, authorised: bool = False) -> Answer:
        """Asks once; raises NoAnswer or BadAnswer, neither of which shows anything of the question."""
        proof = f"Authorization: Bearer {self._access.token}\r\n" if authorised else ""
        question = (_HEAD % (path, len(body), proof)).encode("ascii") + body
        connection = self._connection()
        done = False
        try:
            answer = connection.ask(question, bounds)
            done = answer.goes_on
            return answer
        except CutAnswer:
            raise NoAnswer("it closed the connection before its answer was whole") from None
        except OSError as error:
            raise NoAnswer(_why(error)) from None
        finally:
            if not done:
                connection.close()

    def close(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def _connection(self) -> _Connection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _Connection(self._access.socket)
        elif connection.is_stale():
            connection.close()
        return connection


class _Connection:
    def __init__(self, path: str):
        self._path = path
        self._ends: socket | None = None
        self._identity: tuple[int, int] | None = None
        self._until = 0.0
        self._quiet = 0.0
        _connections.add(self)

    def ask(self, question: bytes, bounds: Bounds) -> Answer:
        self._until, self._quiet = time.monotonic() + bounds.seconds, bounds.quiet
        if self._ends is None:
            self._ends = socket(AF_UNIX, SOCK_STREAM)
            self._identity = _identity(self._ends)
            self._limited().connect(self._path)
        self._limited().sendall(question)
        return AnswerReader(lambda: self._limited().recv(_PART), bounds.most).read()

    def is_stale(self) -> bool:
        """Whether the other side has closed it, or says something that nobody asked for."""
        if self._ends is None:
            return False
        if not self._is_own():
            return True
        readable = select.poll()
        readable.register(self._ends, select.POLLIN)
        return bool(readable.poll(0))

    def close(self) -> None:
        if self._ends is not None:
            if self._is_own():
                self._ends.close()
            else:
                self._ends.detach()
            self._ends = None

    def _is_own(self) -> bool:
        """User code may have closed every descriptor: then the number is nobody's, or of a connection of its own to somebody else."""
        return self._identity is not None and _identity(self._ends) == self._identity

    def _limited(self) -> socket:
        """The socket, for an operation within what is left of the time."""
        left = min(self._until - time.monotonic(), self._quiet)
        if left <= 0:
            raise TimeoutError
        self._ends.settimeout(left)
        return self._ends


def _identity(ends: socket) -> tuple[int, int] | None:
    try:
        status = os.fstat(ends.fileno())
    except OSError:
        return None
    return status.st_dev, status.st_ino


_connections: weakref.WeakSet[_Connection] = weakref.WeakSet()


def _leave_to_parent() -> None:
    for connection in list(_connections):
        connection.close()


os.register_at_fork(after_in_child=_leave_to_parent)


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return "the connection failed" if error.errno is None else os.strerror(error.errno).lower()
