"""Exceptions as events describe them: type, message, traceback, frames; without the frames of this package."""

from __future__ import annotations

import importlib
import os
import re
import traceback

MOST_FRAMES = 50
_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+)(?:, in (?P<function>.*))?$')
_BEGIN = "Traceback (most recent call last):"


def describe(error: BaseException) -> dict:
    """The exception with its traceback. An exception that cannot even be printed is described by its type."""
    return {
        "type": type(error).__name__,
        "message": _message(error),
        "traceback": _text(error),
        "frames": _frames(error),
    }


def describe_text(text: str) -> dict:
    """The same from a formatted traceback, where Luigi hands on only the text."""
    lines = text.rpartition(_BEGIN)[2].splitlines()
    frames, said = [], []
    for line in lines:
        frame = _FRAME.match(line)
        if frame:
            frames.append({"file": frame["file"], "line": int(frame["line"]), "function": frame["function"] or "<module>"})
            said = []
        elif said or (line and not line.startswith(" ")):
            said.append(line)
    kind, _, message = "\n".join(said).partition(": ")
    return {
        "type": kind.rpartition(".")[2].strip() or "Exception",
        "message": message.strip(),
        "traceback": text,
        "frames": [frame for frame in frames if not _is_ours(frame["file"])][-MOST_FRAMES:],
    }


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "(the exception cannot be printed)"


def _text(error: BaseException) -> str:
    try:
        summary = traceback.TracebackException.from_exception(error)
        _leave_us_out(summary, set())
        return "".join(summary.format())
    except BaseException:
        return ""


def _leave_us_out(summary, seen: set) -> None:
    if summary is None or id(summary) in seen:
        return
    seen.add(id(summary))
    kept = [frame for frame in summary.stack if not _is_ours(frame.filename)]
    summary.stack = traceback.StackSummary.from_list(kept)
    _leave_us_out(summary.__cause__, seen)
    _leave_us_out(summary.__context__, seen)


def _frames(error: BaseException) -> list:
    frames = [
        {"file": _absolute(code.co_filename), "line": line, "function": code.co_name}
        for code, line in ((frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__))
        if not _is_ours(code.co_filename)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append({"file": _absolute(error.filename), "line": error.lineno or 0, "function": "<module>"})
    return frames[-MOST_FRAMES:]


def _absolute(file: str) -> str:
    return file if file.startswith("<") else os.path.abspath(file)


def _is_ours(file: str) -> bool:
    """Ours, or the machinery with which we import the user's module: Python hides that too where it imports by itself."""
    return file.startswith((_OURS, "<frozen importlib")) or file == importlib.__file__
