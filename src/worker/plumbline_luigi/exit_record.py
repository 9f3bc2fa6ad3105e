"""The exit record: how the run's processes ended, written by the supervisor as its last act."""

import json
import os
import signal
import sys
import time

ROOM = 512


class ExitRecord:
    """Reserves its room on the disk at once, so that a disk that the run fills cannot suppress the record."""

    def __init__(self, path):
        self._path = path
        self._part = path + ".part"
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(descriptor, 0o600)  # whatever the umask takes away
        self._file = open(descriptor, "wb", buffering=0)
        self._file.write(b" " * ROOM)

    def write(self, status, stopped, killed, left, **more):
        """Writes the record and gives it its name. `status` is what waitpid gave for the worker, or None when it never began."""
        code, death = _ending(status)
        record = {
            "protocol": 1,
            "code": code,
            "signal": death,
            "stopped": stopped,
            "killed": killed,
            "left": left,
            "at": time.time(),
        }
        record.update(more)
        try:
            self._file.seek(0)
            self._file.write(json.dumps(record).encode("ascii").ljust(ROOM - 1) + b"\n")
            self._file.close()
            os.rename(self._part, self._path)
        except OSError as error:
            sys.stderr.write("plumbline_luigi: the exit record cannot be written: %s\n" % error)

    def forget(self):
        """For the worker: the record is not its business."""
        self._file.close()


def exit_status(status):
    """The exit status that mirrors the worker's: its own, or 128 + signal."""
    if status is None:
        return 128 + signal.SIGTERM
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _ending(status):
    if status is None:
        return None, None
    if os.WIFSIGNALED(status):
        return None, signal_name(os.WTERMSIG(status))
    return os.WEXITSTATUS(status), None


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number
