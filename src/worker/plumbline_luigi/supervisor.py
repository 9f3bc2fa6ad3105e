"""The supervisor: a small process above the worker that outlives it, ends what is left and says how it all ended.

It imports neither luigi nor user code. It has no threads, opens nothing of the user's, and forks once.
"""

import os
import select
import signal
import sys
import time

from plumbline_luigi.claim import claim
from plumbline_luigi.exit_record import ExitRecord, exit_status
from plumbline_luigi.identity_end import IdentityEnd
from plumbline_luigi.output_capture import OutputCapture
from plumbline_luigi.process_tree import process_tree

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
CAUGHT = STOP_SIGNALS + (signal.SIGCHLD,)
PARENT_CHECK = 0.5
# Without a parent only signals matter, and those wake.
NO_CHECK = 60.0
EXIT_NOT_OURS = 64
KILL_EVERY = 0.02
KILL_BUDGET = 0.8


def supervise(request):
    """Forks the worker. Returns None in the worker, and in the supervisor the exit status when everything has ended.

    On SIGTERM, SIGINT, SIGHUP, at the deadline or when the parent is gone: SIGTERM to every descendant, after the grace SIGKILL
    until none is left. The same when the worker died by a signal. When the worker ended by itself, what it started and left
    running stays, as it does under plain Luigi, unless `endAll` asks for its end too.
    """
    _close_standard_input()
    if request.gateway is not None:
        _leave_no_core()
    os.environ["PLUMBLINE_RUN_ID"] = request.run_id
    if request.umask is not None:
        os.umask(request.umask)
    # Before the claim: a stop that comes from here on is heard, and its end is recorded.
    signals = _Signals()
    if request.claim_file is not None and not claim(request.claim_file):
        return EXIT_NOT_OURS
    return _Supervisor(request, signals).run()


class _Supervisor:
    def __init__(self, request, signals):
        self._grace = request.grace
        self._end_all = request.end_all
        self._parent = _NoParent() if request.parent_pid is None else _Parent(request.parent_pid)
        self._deadline = _Deadline(request.deadline)
        self._record = ExitRecord(request.exit_file)
        self._identity = None if request.gateway is None else IdentityEnd(request.events_file)
        self._tree = process_tree()
        self._signals = signals
        self._output = None
        if request.output_file is not None:
            self._output = OutputCapture(request.output_file, request.output_max_bytes, request.redact, request.has_identities)
            signals.pump(self._output)
        self._worker = 0
        self._status = None
        self._stopped = False
        self._kill_at = None
        self._killed = set()

    def run(self):
        self._tree.hold(self._parent.check is not None)
        if self._parent.gone():
            self._record.write(None, True, 0, 0)
            return exit_status(None)
        supervisor = os.getpid()
        self._worker = os.fork()
        if self._worker == 0:
            self._record.forget()
            if self._output is not None:
                self._output.enter_worker()
            self._tree.enter_worker(supervisor)
            self._signals.restore()
            return None
        if self._output is not None:
            self._output.enter_supervisor()
        self._signals.unblock()
        left = self._watch()
        self._record.write(self._status, self._stopped, len(self._killed), left, **self._more())
        return exit_status(self._status)

    def _watch(self):
        """Returns how many processes are left."""
        while True:
            children = self._reap()
            if self._kill_at is None:
                if self._ended_by_itself() and not self._end_all:
                    return 0
                if self._status is not None:
                    self._begin_stop()
                elif self._signals.wait(self._deadline.until(self._parent.check or NO_CHECK)) or self._must_stop():
                    self._stopped = True
                    self._begin_stop()
                continue
            living = self._tree.living(self._worker) if children or not self._tree.proof else []
            if not living and not children:
                return 0
            if time.monotonic() > self._kill_at + KILL_BUDGET:
                return len(living)
            self._kill(living)

    def _must_stop(self):
        if self._parent.gone():
            return True
        return self._status is None and self._deadline.reached()

    def _more(self):
        """What the record tells only of a run that was started with these fields."""
        more = {}
        if self._deadline.passed is not None:
            more["deadline"] = self._deadline.passed
        if self._output is not None:
            self._output.finish()
            more["dropped"] = self._output.dropped
        if self._identity is not None:
            more.update(self._identity.finish())
        return more

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


class _Deadline:
    """When the run must end, whoever watches it. `passed` is None without one, else whether it was what ended the run."""

    def __init__(self, seconds):
        self._at = None if seconds is None else time.monotonic() + seconds
        self.passed = None if seconds is None else False

    def until(self, seconds):
        return seconds if self._at is None else max(0.0, min(seconds, self._at - time.monotonic()))

    def reached(self):
        self.passed = None if self._at is None else time.monotonic() >= self._at
        return bool(self.passed)


class _NoParent:
    """The run outlives whoever started it."""

    check = None

    def gone(self):
        return False


class _Parent:
    """The process that the run must not outlive: our parent, or one above it (a wrapper may stand between)."""

    check = PARENT_CHECK

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
        self._output = None

    def pump(self, output):
        """From now on waiting also takes what the run prints."""
        self._output = output

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
        until = time.monotonic() + seconds
        while self._read not in self._readable(until) and time.monotonic() < until:
            pass
        try:
            numbers = os.read(self._read, 4096)
        except BlockingIOError:
            return False
        return any(number in STOP_SIGNALS for number in numbers)

    def _readable(self, until):
        output = None if self._output is None else self._output.fileno()
        sources = [self._read] if output is None else [self._read, output]
        found = select.select(sources, [], [], max(0.0, until - time.monotonic()))[0]
        if output in found:
            self._output.pump()
        return found


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


def _leave_no_core():
    """The memory of every process of the run has its token: none of them may leave it in a file when it crashes."""
    import resource

    # Of one byte: with none at all Linux still hands the memory to a program, where /proc/sys/kernel/core_pattern names one.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    most = 0 if hard == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def _close_standard_input():
    sys.stdin.close()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    if descriptor != 0:
        os.dup2(descriptor, 0)
        os.close(descriptor)
    os.set_inheritable(0, True)
    sys.stdin = open(0, closefd=False)
