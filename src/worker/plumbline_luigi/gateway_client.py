"""HTTP to the gateway, over its Unix socket: the only way on which the worker's token leaves a process.

No proxy, no redirect, no environment variable has a say here. What the user's code does later to `socket` or to the debug switch
of `http.client` neither: what is needed is taken when this module is imported.
"""

from __future__ import annotations

import http.client
import os
import select
import threading
import time
import weakref
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from socket import AF_UNIX, SOCK_STREAM, socket

from plumbline_luigi.gateway_access import GatewayAccess

FORM = "application/x-www-form-urlencoded"


class NoAnswer(Exception):
    """Nothing came, or not all of it: the gateway may be starting again."""


class BadAnswer(Exception):
    """What came is no answer of a gateway."""


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    body: bytes


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
        connection = self._connection()
        try:
            return connection.ask(path, body, bounds, self._access.token if authorised else None)
        except (OSError, http.client.IncompleteRead) as error:
            connection.close()
            raise NoAnswer(_why(error)) from None
        except (HTTPException, ValueError, LookupError) as error:
            connection.close()
            raise BadAnswer(str(error) if isinstance(error, _TooLarge) else "it does not speak HTTP") from None
        except BaseException:
            connection.close()
            raise

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


class _TooLarge(HTTPException):
    pass


class _Connection(HTTPConnection):
    def __init__(self, path: str):
        super().__init__("gateway")
        self.debuglevel = 0
        self._path = path
        self._bounds = Bounds(0, 0, 0)
        _connections.add(self)

    def ask(self, path: str, body: bytes, bounds: Bounds, token: str | None) -> Answer:
        self._bounds = bounds
        if self.sock is not None:
            self.sock.allow(bounds)
        headers = {"Content-Type": FORM, "Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self.request("POST", path, body, headers)
        response = self.getresponse()
        content = _content(response, bounds.most)
        return Answer(response.status, response.getheader("content-type", ""), content)

    def connect(self) -> None:
        self.sock = _Timed(AF_UNIX, SOCK_STREAM)
        self.sock.allow(self._bounds)
        self.sock.connect(self._path)

    def is_stale(self) -> bool:
        """Whether the other side has closed it, or says something that nobody asked for."""
        if self.sock is None:
            return False
        readable = select.poll()
        readable.register(self.sock, select.POLLIN)
        return bool(readable.poll(0))


def _content(response: http.client.HTTPResponse, most: int) -> bytes:
    length = response.length
    if length is not None and length > most:
        raise _TooLarge("it is too large")
    # With a number of bytes Python does not tell that some are missing; without one it does.
    content = response.read() if length is not None else response.read(most + 1)
    if len(content) > most:
        raise _TooLarge("it is too large")
    return content


class _Timed(socket):
    """A socket whose operations share the time that one answer has."""

    _until = 0.0
    _quiet = 0.0

    def allow(self, bounds: Bounds) -> None:
        self._until = time.monotonic() + bounds.seconds
        self._quiet = bounds.quiet

    def connect(self, address) -> None:
        self._limit()
        super().connect(address)

    def sendall(self, *args) -> None:
        self._limit()
        super().sendall(*args)

    def recv_into(self, *args) -> int:
        self._limit()
        return super().recv_into(*args)

    def _limit(self) -> None:
        left = min(self._until - time.monotonic(), self._quiet)
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)


_connections: weakref.WeakSet[_Connection] = weakref.WeakSet()


def _leave_to_parent() -> None:
    for connection in list(_connections):
        connection.close()


os.register_at_fork(after_in_child=_leave_to_parent)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return "it closed the connection before its answer was whole"
