"""Where the identities of a run's tasks are while it runs. Readable by every Python 3: the supervisor knows it too."""

import os

# Below the folder that the event file is in.
FOLDER = "identity"
GATE = "gate"
OPEN = b"0"


def identity_folder(events_file):
    return os.path.join(os.path.dirname(events_file), FOLDER)


def is_closed(folder):
    """Whether the run with this folder was rejected. Whatever stands where the gate was is none that is open, and is not waited for."""
    if not os.path.lexists(folder):
        return False
    try:
        descriptor = os.open(os.path.join(folder, GATE), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        return os.read(descriptor, 1) != OPEN
    except OSError:
        return True
    finally:
        os.close(descriptor)
