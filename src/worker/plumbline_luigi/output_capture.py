"""What the run prints, kept in a file by the supervisor itself: no reader has to be there for as long as the run lasts."""

import os
import re

from plumbline_luigi.token_forms import TokenForms, TokenMask

CHUNK = 64 * 1024
# At one go; then signals and ended processes have their turn.
MOST = 16 * CHUNK
MASK = b"***"


class OutputCapture:
    """One pipe for standard output and error, so that their lines stay in order.

    Appends to a file that exists already, up to a number of bytes; what comes after is read and counted, never waited for.
    Texts to redact, and tokens by their form, are masked before they reach the disk. Commands to a build agent are left as they are: whoever shows the
    file makes them harmless, because only then it is known to whom.
    """

    def __init__(self, path, most, redact=(), jws=False):
        self.dropped = 0
        self._room = most
        self._mask = _Mask(redact, TokenMask(TokenForms(jws)))
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
        self._room -= os.fstat(self._file).st_size
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)

    def enter_worker(self):
        """For the worker: what it prints goes into the pipe."""
        for descriptor in (1, 2):
            os.dup2(self._write, descriptor)
        for descriptor in (self._write, self._read, self._file):
            os.close(descriptor)

    def enter_supervisor(self):
        os.close(self._write)

    def fileno(self):
        """To wait for; None when everybody has closed the other end."""
        return self._read

    def pump(self):
        """Takes what is there."""
        taken = 0
        while self._read is not None and taken < MOST:
            try:
                data = os.read(self._read, CHUNK)
            except BlockingIOError:
                return
            if not data:
                self._close_pipe()
            self._keep(self._mask.take(data) if data else self._mask.rest())
            taken += len(data)

    def finish(self):
        """Takes what is still in the pipe. A process that was left may go on to print: it is not waited for."""
        self.pump()
        if self._read is not None:
            self._close_pipe()
            self._keep(self._mask.rest())
        os.close(self._file)

    def _close_pipe(self):
        os.close(self._read)
        self._read = None

    def _keep(self, data):
        kept = data[: max(self._room, 0)]
        written = 0
        try:
            while written < len(kept):
                written += os.write(self._file, kept[written:])
        except OSError:
            # A full disk keeps the run from nothing.
            pass
        self._room -= written
        self.dropped += len(data) - written


class _Mask:
    """Replaces texts in a stream of bytes. Holds back no more than could be the beginning of one of them, and no whole line."""

    def __init__(self, texts, tokens):
        self._tokens = tokens
        # What has several lines is masked line by line: every line of it is one of the texts.
        found = {text.encode("utf-8", "surrogatepass") for text in texts if text and "\n" not in text}
        self._texts = sorted(found, key=len, reverse=True)
        self._longest = max(map(len, self._texts), default=0)
        self._pattern = re.compile(b"|".join(map(re.escape, self._texts)))
        self._held = b""

    def take(self, data):
        return self._tokens.take(self._take(data))

    def rest(self):
        return self._tokens.take(self._rest()) + self._tokens.rest()

    def _take(self, data):
        if not self._texts:
            return data
        data = self._held + data
        end = max(data.rfind(b"\n") + 1, len(data) - self._longest + 1)
        shown, end = self._masked(data, end)
        self._held = data[end:]
        return shown

    def _rest(self):
        shown, _ = self._masked(self._held, len(self._held)) if self._texts else (b"", 0)
        self._held = b""
        return shown

    def _masked(self, data, end):
        """The masked bytes up to `end`, or to the end of a text that begins before it; and that end."""
        # A search for each is many times as fast as one expression of hundreds of alternatives, and mostly finds nothing.
        if not any(text in data for text in self._texts):
            return data[:end], end
        parts, done = [], 0
        for match in self._pattern.finditer(data):
            if match.start() >= end:
                break
            parts += (data[done : match.start()], MASK)
            done = match.end()
        end = max(end, done)
        return b"".join((*parts, data[done:end])), end
