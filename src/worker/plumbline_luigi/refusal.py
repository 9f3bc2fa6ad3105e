"""Refusals: reasons found before anything runs. The exit status is 64 and the `refused` event says why."""

import sys

from plumbline_luigi.events import EventLog

EXIT_REFUSED = 64
OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 13)


class Refusal(Exception):
    """The run cannot start. `code` is one of Plumbline's error codes, `remedy` one sentence of its own."""

    def __init__(self, code, message, remedy=None, trace=None):
        super().__init__(message)
        self.code = code
        self.remedy = remedy
        self.trace = trace


def check_python():
    """Raises Refusal when this Python is not one that the worker is tested with."""
    running = sys.version_info[:2]
    if not OLDEST_PYTHON <= running <= NEWEST_PYTHON:
        raise Refusal(
            "ERR_PYTHON_UNSUPPORTED",
            "Python %d.%d at %s cannot run the worker: it supports %d.%d to %d.%d"
            % (running + (sys.executable,) + OLDEST_PYTHON + NEWEST_PYTHON),
            "Choose a supported Python, for example with the task UsePythonVersion@0 before this step.",
        )


def refuse(request, refusal):
    """Reports the refusal, in the event file and on standard error, and leaves with status 64."""
    events = EventLog(request.events_file, request.redact, jws=request.has_identities)
    code = getattr(refusal, "code", "ERR_UNEXPECTED")
    trace = getattr(refusal, "trace", None) or {}
    events.emit(
        "refused",
        code=code,
        message=str(refusal),
        remedy=getattr(refusal, "remedy", None),
        traceback=trace.get("traceback"),
        frames=trace.get("frames"),
    )
    sys.stderr.write("plumbline_luigi: refused, %s\n" % code)
    sys.exit(EXIT_REFUSED)
