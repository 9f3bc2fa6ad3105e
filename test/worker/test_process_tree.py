"""Finding what runs below: on Linux by proof, elsewhere by process group and memory (tried here, where both work)."""

import os
import signal
import subprocess
import time

import pytest
from conftest import LIMIT, PACKAGE, PYTHON, alive

from plumbline_luigi.process_tree import GroupTree, LinuxTree

SCRIPT = "sleep 60 & setsid sleep 60 & echo started; wait"


@pytest.fixture
def shell():
    process = subprocess.Popen(["sh", "-c", SCRIPT], stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    yield process
    tree = GroupTree()
    for pid in {process.pid, *tree.living(process.pid)} if process.poll() is None else ():
        os.kill(pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def wait_for(condition):
    until = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("kind", [LinuxTree, GroupTree])
def test_every_process_below_is_found(shell, kind):
    tree = kind()
    wait_for(lambda: len(tree.living(shell.pid)) >= 3)
    assert shell.pid in tree.living(shell.pid)


def test_without_a_subreaper_orphans_that_were_seen_are_remembered(shell):
    tree = GroupTree()
    wait_for(lambda: len([pid for pid in tree.living(shell.pid) if alive(pid)]) == 3)
    below = set(tree.living(shell.pid)) - {shell.pid}
    shell.kill()
    shell.wait()
    assert set(tree.living(shell.pid)) == below
    for pid in below:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not tree.living(shell.pid))


def test_a_stop_where_there_is_no_subreaper(start):
    code = (
        f"import sys; sys.argv[0] = {str(PACKAGE)!r}; sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
        "import plumbline_luigi.supervisor as supervisor, plumbline_luigi.process_tree as trees\n"
        "supervisor.process_tree = trees.GroupTree\n"
        "import plumbline_luigi.__main__ as main; main.main()\n"
    )
    started = start("daemons", "LeavesDaemons", workers=2, command=[PYTHON, "-X", "utf8", "-c", code])
    started.wait_for("ready")
    # The daemon left its group and lost its parent before anyone looked: only a subreaper would find it.
    daemon, sleeper = started.pid_in("daemon.pid"), started.pid_in("sleeper.pid")
    worker = started.worker_pid()
    started.process.terminate()
    try:
        ended = started.end()
        assert ended.exit["stopped"] is True and ended.exit["left"] == 0 and ended.exit["killed"] >= 1
        assert not alive(worker) and not alive(sleeper)
    finally:
        os.kill(daemon, signal.SIGKILL)
