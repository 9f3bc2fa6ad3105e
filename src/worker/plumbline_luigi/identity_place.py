"""Where the identities of a run's tasks are while it runs. Readable by every Python 3: the supervisor knows it too."""

import os

# Below the folder that the event file is in.
FOLDER = "identity"
GATE = "gate"
OPEN, CLOSED = b"0", b"1"


def identity_folder(events_file):
    return os.path.join(os.path.dirname(events_file), FOLDER)


def is_closed(folder):
    """Whether the run with this folder was rejected."""
    try:
        with open(os.path.join(folder, GATE), "rb") as file:
            return file.read(1) == CLOSED
    except OSError:
        return False
