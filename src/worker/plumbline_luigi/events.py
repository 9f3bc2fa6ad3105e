"""The event file: one JSON line an event, appended in one write by whichever process knows."""

import contextlib
import json
import mmap
import os
import re
import time

from plumbline_luigi.token_forms import TokenForms

PROTOCOL = 1
LONG_LINE = 64 * 1024
LONG_TEXT = 8 * 1024
MANY_TARGETS = 1000
NOTES = ".lost"
# Fields in which null says something; elsewhere a field that is not known is left out.
NULLABLE = ("complete",)
# The protocol's own words, which decide what is made of an event: a secret that is part of one must not change it.
WORDS = frozenset(("e", "status", "code", "phase", "startMethod", "runId", "signal"))

# User code may have put a pipe there: nobody waits for its other end.
_AT_ONCE = os.O_CLOEXEC | os.O_NONBLOCK

_ENCODE = json.JSONEncoder(ensure_ascii=True, allow_nan=False, default=str, separators=(",", ":")).encode


class EventLog:
    """Appends events to a file that exists already.

    The file is opened for each event by its absolute path: there is no descriptor that user code could close or write to.
    Nothing here raises; an event that cannot be written is counted in `lost`, in memory that forked processes share: a full
    disk cannot lose the count too. Instances can be pickled (forkserver): what such a process loses it notes in a file, whose
    room is taken while there is some.
    """

    def __init__(self, path, redact=(), notes=None, jws=False):
        self._path = path
        self._jws = jws
        self._forms = TokenForms(jws)
        self._redact = tuple(redact)
        self._secret = _pattern(self._redact)
        self._lost = mmap.mmap(-1, mmap.PAGESIZE)
        self._notes = notes

    def __reduce__(self):
        return (EventLog, (self._path, self._redact, self._notes or self._take_room(), self._jws))

    @property
    def lost(self):
        """At least so many: two processes that lose something in the same moment may count once."""
        return int.from_bytes(self._lost[:8], "little") + _noted(self._path + NOTES)

    def lose(self):
        """Counts an event that could not be written."""
        count = int.from_bytes(self._lost[:8], "little") + 1
        self._lost[:8] = count.to_bytes(8, "little")
        if self._notes is not None:
            with contextlib.suppress(OSError):
                _note(self._notes)

    def _take_room(self):
        notes = self._path + NOTES
        try:
            if not os.path.exists(notes):
                _note(notes, b"0", os.O_CREAT)
        except OSError:
            # From here on a loss could stay unknown: that is one already.
            self.lose()
        return notes

    def emit(self, name, **fields):
        """Appends the event `name`; fields that are None are left out, but for NULLABLE ones."""
        try:
            self._append(self._line(name, fields))
        except Exception:
            self.lose()

    def _line(self, name, fields):
        record = {"v": PROTOCOL, "e": name, "at": time.time(), "pid": os.getpid()}
        for key, value in fields.items():
            if value is not None or key in NULLABLE:
                record[key] = value if self._secret is None or key in WORDS else _hidden(value, self._hide_texts)
        line = _ENCODE(record)
        if self._forms.in_text(line):
            record = {key: value if key in WORDS else _hidden(value, self._forms.hide) for key, value in record.items()}
            line = _ENCODE(record)
        return line if len(line) <= LONG_LINE else _ENCODE(cut(record))

    def _hide_texts(self, text):
        return self._secret.sub("***", text)

    def _append(self, line):
        data = b"\n" + line.encode("ascii") + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | _AT_ONCE)
        try:
            if os.write(descriptor, data) != len(data):
                self.lose()
        finally:
            os.close(descriptor)


def _hidden(value, hide):
    """The value with every text in it as `hide` gives it."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {_hidden(key, hide): _hidden(item, hide) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(item, hide) for item in value]
    return value if isinstance(value, (bool, int, float, type(None))) else hide(str(value))


def cut(value):
    """The value with every long text cut, to end in `…`, and long lists of targets shortened."""
    if isinstance(value, str):
        return value if len(value) <= LONG_TEXT else value[: LONG_TEXT - 1] + "…"
    if isinstance(value, dict):
        shorter = {key: cut(item) for key, item in value.items()}
        targets = shorter.get("targets")
        if isinstance(targets, list) and len(targets) > MANY_TARGETS:
            shorter["targets"] = targets[:MANY_TARGETS]
            shorter["more"] = len(targets) - MANY_TARGETS
        return shorter
    return [cut(item) for item in value] if isinstance(value, (list, tuple)) else value


def _note(path, digit=b"1", more=0):
    descriptor = os.open(path, os.O_WRONLY | _AT_ONCE | more, 0o600)
    try:
        os.write(descriptor, digit)
    finally:
        os.close(descriptor)


def _noted(path):
    try:
        with open(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:
            return 1 if file.read() == b"1" else 0
    except FileNotFoundError:
        return 0
    except OSError:
        return 1


def _pattern(texts):
    # The longest first: a text may be part of another.
    ordered = sorted((text for text in texts if text), key=len, reverse=True)
    return re.compile("|".join(re.escape(text) for text in ordered)) if ordered else None
