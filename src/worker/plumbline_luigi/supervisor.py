"""The supervisor: a small process above the worker that outlives it, ends what is left and says how it all ended.

It imports neither luigi nor user code. It has no threads, opens nothing of the user's, and forks once.
"""

import os
import select
import signal
import sys
import time

from plumbline_luigi.exit_record import ExitRecord, exit_status
from plumbline_luigi.process_tree import process_tree

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
CAUGHT = STOP_SIGNALS + (signal.SIGCHLD,)
PARENT_CHECK = 0.5
KILL_EVERY = 0.02
KILL_BUDGET = 0.8


def supervise(request):
    """Forks the worker. Returns None in the worker, and in the supervisor the exit status when everything has ended.

    On SIGTERM, SIGINT, SIGHUP or when the parent is gone: SIGTERM to every descendant, after the grace SIGKILL until none is
    left. The same when the worker died by a signal. When the worker ended by itself, what it started and left running stays,
    as it does under plain Luigi.
    """
    _close_standard_input()
    os.environ["PLUMBLINE_RUN_ID"] = request.run_id
    return _Supervisor(request).run()


class _Supervisor:
    def __init__(self, request):
        self._grace = request.grace
        self._parent = _Parent(request.parent_pid)
        self._record = ExitRecord(request.exit_file)
        self._tree = process_tree()
        self._signals = _Signals()
        self._worker = 0
        self._status = None
        self._stopped = False
        self._kill_at = None
        self._killed = set()

    def run(self):
        self._tree.hold()
        if self._parent.gone():
            self._record.write(None, True, 0, 0)
            return exit_status(None)
        supervisor = os.getpid()
        self._worker = os.fork()
        if self._worker == 0:
            self._record.forget()
            self._tree.enter_worker(supervisor)
            self._signals.restore()
            return None
        self._signals.unblock()
        left = self._watch()
        self._record.write(self._status, self._stopped, len(self._killed), left)
        return exit_status(self._status)

    def _watch(self):
        """Returns how many processes are left."""
        while True:
            children = self._reap()
            if self._kill_at is None:
                if self._ended_by_itself():
                    return 0
                if self._status is not None:
                    self._begin_stop()
                elif self._signals.wait(PARENT_CHECK) or self._parent.gone():
                    self._stopped = True
                    self._begin_stop()
                continue
            living = self._tree.living(self._worker) if children or not self._tree.proof else []
            if not living and not children:
                return 0
            if time.monotonic() > self._kill_at + KILL_BUDGET:
                return len(living)
            self._kill(living)

    def _ended_by_itself(self):
        return self._status is not None and os.WIFEXITED(self._status)

    def _begin_stop(self):
        self._kill_at = time.monotonic() + self._grace
        for pid in self._tree.living(self._worker):
            _send(pid, signal.SIGTERM)

    def _kill(self, living):
        remaining = self._kill_at - time.monotonic()
        if remaining > 0:
            # Woken by SIGCHLD; where orphans do not come to us, looking is the only way.
            self._signals.wait(remaining if self._tree.proof else min(remaining, 0.1))
            return
        for pid in living:
            if _send(pid, signal.SIGKILL):
                self._killed.add(pid)
        self._signals.wait(KILL_EVERY)

    def _reap(self):
        """Takes every ended child's status; returns whether any child remains."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._worker:
                self._status = status


class _Parent:
    """The process that the run must not outlive: our parent, or one above it (a wrapper may stand between)."""

    def __init__(self, pid):
        self._pid = pid
        self._direct = os.getppid() == pid

    def gone(self):
        if self._direct:
            return os.getppid() != self._pid
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class _Signals:
    """Signals as something to wait for, with a time-out, on every Unix."""

    def __init__(self):
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write)
        self._handlers = {number: signal.signal(number, _ignore) for number in CAUGHT}

    def unblock(self):
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def restore(self):
        """For the worker: signals are again what Python makes of them at its start."""
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        os.close(self._read)
        os.close(self._write)
        self.unblock()

    def wait(self, seconds):
        """Waits for a signal or so long; returns whether one of those that stop the run has come."""
        select.select([self._read], [], [], seconds)
        try:
            numbers = os.read(self._read, 4096)
        except BlockingIOError:
            return False
        return any(number in STOP_SIGNALS for number in numbers)


def _ignore(_number, _frame):
    pass


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Another user's (sudo, setuid): it will be counted among what is left.
        return False
    return True


def _close_standard_input():
    sys.stdin.close()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    if descriptor != 0:
        os.dup2(descriptor, 0)
        os.close(descriptor)
    os.set_inheritable(0, True)
    sys.stdin = open(0, closefd=False)
