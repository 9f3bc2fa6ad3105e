"""Standard output, which belongs to the user's code."""

from __future__ import annotations

import sys


def write_whole_lines() -> None:
    """Standard output line by line: several workers do not mix within a line, and nothing is lost with `os._exit`."""
    try:
        sys.stdout.reconfigure(line_buffering=True)
    except (AttributeError, ValueError, OSError):
        # Closed or replaced by the user's code: theirs to decide.
        return
