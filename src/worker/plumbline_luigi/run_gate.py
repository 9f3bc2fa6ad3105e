"""The gate that every task of a run goes through before its `run()`, and that a rejection closes for all of them.

A file that all processes of the run lock, however they were started. What is said in the event file under this lock is in the
order in which it happened: after `rejected` there is no `start`. It is closed by emptying it: no full disk and no limit of a
process keeps it from that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plumbline_luigi.events import EventLog
from plumbline_luigi.identity_files import remove_folder
from plumbline_luigi.identity_place import GATE, OPEN
from plumbline_luigi.rejection import Rejection

_LOCK_SECONDS = 1.0


class RunGate:
    """Instances can be pickled."""

    def __init__(self, folder: str, supervisor: int, events: EventLog):
        self._path = os.path.join(folder, GATE)
        self._supervisor = supervisor
        self._events = events

    def make(self) -> None:
        """Once for each run, before anything of it runs; raises OSError."""
        os.mkdir(os.path.dirname(self._path), 0o700)
        os.chmod(os.path.dirname(self._path), 0o700)
        try:
            with open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(OPEN)
        except OSError:
            # Half a gate would look like one that a rejection closed.
            remove_folder(os.path.dirname(self._path))
            raise

    def enter(self, tell: Callable[[], None], leave: Callable[[], None]) -> None:
        """Tells that something begins. When the gate is closed it only leaves, and never returns: the run is being ended."""
        try:
            with self._held() as descriptor:
                closed = os.pread(descriptor, 1, 0) != OPEN
                if not closed:
                    tell()
        except OSError:
            leave()
            self.reject_and_wait(Rejection("not-set-up", "the gate before the run's tasks is gone"))
        if closed:
            leave()
            _wait_for_the_end()

    def reject(self, rejection: Rejection, task: str | None = None, family: str | None = None) -> None:
        """Closes the gate, tells why, and has the supervisor end the whole run at once, whatever the user's code catches."""
        _lift_limits()
        try:
            with self._held(_LOCK_SECONDS) as descriptor:
                os.ftruncate(descriptor, 0)
                self._tell(rejection, task, family)
        except OSError:
            # User code has removed or keeps the gate. What the rejection means does not depend on it.
            self._close_held()
            self._tell(rejection, task, family)
        os.kill(self._supervisor, signal.SIGTERM)
        # User code may have halted it.
        os.kill(self._supervisor, signal.SIGCONT)

    def reject_and_wait(self, rejection: Rejection, task: str | None = None, family: str | None = None) -> None:
        """The same, and never returns: what the caller would do next must not be done."""
        try:
            self.reject(rejection, task, family)
        finally:
            _wait_for_the_end()

    def _close_held(self) -> None:
        """Whoever waits for the lock, or comes later, finds it closed."""
        with contextlib.suppress(OSError):
            descriptor = self._opened()
            try:
                os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)

    def _tell(self, rejection: Rejection, task: str | None, family: str | None) -> None:
        why = {"reason": rejection.reason, "message": str(rejection), "status": rejection.status}
        self._events.emit("rejected", task=task, family=family, **why)

    @contextmanager
    def _held(self, seconds: float | None = None) -> Iterator[int]:
        descriptor = self._opened()
        try:
            if seconds is None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            else:
                _lock_within(descriptor, seconds)
            yield descriptor
        finally:
            os.close(descriptor)

    def _opened(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)


def _lift_limits() -> None:
    """What is said here needs two descriptors and room in a file; this process has nothing else to do any more."""
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE):
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (hard, hard))


def _lock_within(descriptor: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.002)


def _wait_for_the_end() -> None:
    """Until a signal of the supervisor's ends this process. A handler of the user's that raises ends only the waiting."""
    while True:
        try:
            time.sleep(60)
        except BaseException:
            os._exit(128 + signal.SIGTERM)
