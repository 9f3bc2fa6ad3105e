"""The processes below the supervisor: how to hold on to them, and how to find them."""

import os
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class LinuxTree:
    """Linux: orphans come to the supervisor (subreaper), so that `waitpid` saying ECHILD proves that nothing is left."""

    proof = True

    def hold(self, dies_with_parent=True):
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        if dies_with_parent:
            die_with_parent(signal.SIGTERM)

    def enter_worker(self, supervisor):
        die_with_parent(signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(128 + signal.SIGKILL)

    def living(self, _worker):
        return _below(os.getpid(), _proc_parents())


class GroupTree:
    """Elsewhere: the worker leads a process group, and what was once seen below it is remembered.

    A daemon that left the group and lost its parent before it was seen cannot be found: there is no proof.
    """

    proof = False

    def __init__(self):
        self._seen = {}

    def hold(self, dies_with_parent=True):
        pass

    def enter_worker(self, _supervisor):
        os.setpgid(0, 0)

    def living(self, worker):
        table = _ps_table()
        below = set(_below(os.getpid(), {pid: row[0] for pid, row in table.items()}))
        for pid, (_, group, born) in table.items():
            if pid in below or group == worker:
                self._seen[pid] = born
        return [pid for pid, born in self._seen.items() if pid in table and table[pid][2] == born]


def process_tree():
    return LinuxTree() if sys.platform.startswith("linux") else GroupTree()


def die_with_parent(number):
    """Linux: the calling process gets this signal when the thread that forked it ends. A fork clears it. Elsewhere: nothing."""
    if sys.platform.startswith("linux"):
        _prctl(_PR_SET_PDEATHSIG, int(number))


_libc = None


def _prctl(option, value):
    """Opens the C library once, in the supervisor: to open it in each task's process took a quarter of a millisecond."""
    global _libc
    import ctypes

    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _below(root, parents):
    """Every process under `root`, by a table pid -> parent."""
    children = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found, queue = [], [root]
    while queue:
        for pid in children.get(queue.pop(), ()):
            found.append(pid)
            queue.append(pid)
    return found


def _proc_parents():
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, "rb") as file:
                    # The name in parentheses may hold spaces and parentheses itself.
                    parents[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    return parents


def _ps_table():
    """pid -> (parent, group, start time) of every process that is no zombie, but for `ps` itself."""
    ps = subprocess.Popen(
        # One column an option: BSD's ps would take what follows the first `=` for a headline.
        ["ps", "-A", *(f"-o{column}=" for column in ("pid", "ppid", "pgid", "stat", "lstart"))],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=dict(os.environ, LC_ALL="C"),
    )
    rows = ps.communicate()[0].decode("ascii", "replace")
    table = {}
    for row in rows.splitlines():
        pid, parent, group, state, born = (row.split(None, 4) + [""] * 5)[:5]
        if pid.isdigit() and int(pid) != ps.pid and not state.startswith("Z"):
            table[int(pid)] = (int(parent), int(group), born)
    return table
