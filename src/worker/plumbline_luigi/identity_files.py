"""The files of one task's tokens: in a folder of its own, for its user alone, never half-written."""

from __future__ import annotations

import contextlib
import os
import secrets


def remove_folder(path: str) -> None:
    """Removes the folder of one task with all that is in it. One that is gone, or goes meanwhile, is no trouble."""
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        _gone(os.unlink, os.path.join(path, name))
    _gone(os.rmdir, path)


def new_folder(parent: str) -> str:
    """A path that nobody else has; nothing is made."""
    return os.path.join(parent, secrets.token_hex(8))


class IdentityFiles:
    """Makes the folder when it is first needed."""

    def __init__(self, folder: str):
        self._folder = folder
        self._made = False

    def path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def write(self, name: str, text: str) -> str:
        """Writes beside and renames, so that a reader sees the old text or the new one; returns the path."""
        if not self._made:
            os.mkdir(self._folder, 0o700)
            os.chmod(self._folder, 0o700)
            self._made = True
        path, part = self.path(name), self.path(f".{name}.part")
        # What user code has put there is no file of ours: then the run ends.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            _write_all(descriptor, text.encode("utf-8"))
        finally:
            os.close(descriptor)
        os.rename(part, path)
        return path

    def remove(self) -> None:
        if self._made:
            remove_folder(self._folder)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _gone(remove, path: str) -> None:
    """What the task's own code has put there or locked stays until the supervisor removes the folder of the whole run."""
    with contextlib.suppress(OSError):
        remove(path)
