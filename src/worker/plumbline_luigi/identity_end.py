"""What the supervisor does about identities when nothing of the run is left: no file of a token stays."""

import os
import sys

from plumbline_luigi.identity_place import identity_folder, is_closed


class IdentityEnd:
    """Of one run; the folder is the worker's until then."""

    def __init__(self, events_file):
        self._folder = identity_folder(events_file)

    def finish(self):
        """Removes the folder; returns what the exit record says of it."""
        rejected = is_closed(self._folder)
        if os.path.islink(self._folder) or not os.path.isdir(self._folder):
            # Put there by the run's own code. Where a link leads is not ours.
            _tried(os.unlink, self._folder)
        else:
            _remove(self._folder)
        left = os.path.lexists(self._folder)
        if left:
            sys.stderr.write("plumbline_luigi: files of task identities cannot be removed from %s\n" % self._folder)
        return {"rejected": rejected, **({"identityLeft": True} if left else {})}


def _remove(folder):
    """Removes it, however deep the run's code has made it: what lies in a folder of it is first put beside that one."""
    waiting, number = [folder], 0
    _tried(os.chmod, folder, 0o700)
    while waiting:
        path = waiting.pop()
        for name in _tried(os.listdir, path) or ():
            entry = os.path.join(path, name)
            if os.path.islink(entry) or not os.path.isdir(entry):
                _tried(os.unlink, entry)
                continue
            _tried(os.chmod, entry, 0o700)
            number += 1
            beside = os.path.join(folder, "%d.%d" % (os.getpid(), number))
            waiting.append(beside if _tried(_renamed, entry, beside) else entry)
        if path != folder:
            _tried(os.rmdir, path)
    _tried(os.rmdir, folder)


def _renamed(entry, name):
    os.rename(entry, name)
    return True


def _tried(act, *arguments):
    """What the run's code has made impossible is said of the folder as a whole."""
    try:
        return act(*arguments)
    except OSError:
        return None
