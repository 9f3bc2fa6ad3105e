"""The claim: of all supervisors that are started for the same attempt of a run, only one may begin it."""

import json
import os
import sys
import time


def claim(path):
    """Makes the claim file, which must not exist yet; returns whether it is ours.

    What stands in it is for people. That it exists is what counts, so that it also stops a supervisor which comes late: whoever
    makes the file first has decided.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        # On a full disk too: without a claim nothing begins.
        sys.stderr.write("plumbline_luigi: this run cannot be claimed, nothing was started: %s\n" % error.strerror)
        return False
    with open(descriptor, "wb", buffering=0) as file:
        word = {"protocol": 1, "pid": os.getpid(), "started": _started(), "at": time.time()}
        try:
            file.write(json.dumps(word).encode("ascii") + b"\n")
        except OSError:
            # The name is there, and the name is the claim.
            pass
    return True


def _started():
    """Field 22 of /proc/self/stat, see proc(5); None on other systems."""
    try:
        with open("/proc/self/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode("ascii")
    except (OSError, IndexError):
        return None
