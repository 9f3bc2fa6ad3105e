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
        # Only now: it costs more than the rest of the supervisor's start.
        import shutil

        rejected = is_closed(self._folder)
        if os.path.islink(self._folder):
            # Put there by the run's own code. Where it leads is not ours.
            os.unlink(self._folder)
        elif os.path.lexists(self._folder):
            shutil.rmtree(self._folder, ignore_errors=True)
        left = os.path.lexists(self._folder)
        if left:
            sys.stderr.write("plumbline_luigi: files of task identities cannot be removed from %s\n" % self._folder)
        return {"rejected": rejected, **({"identityLeft": True} if left else {})}
