"""However a task, the worker or its parent ends: what is told, and that nothing of the run is left."""

import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest
from conftest import FIXTURES, PACKAGE, alive

from plumbline_luigi.exit_record import ExitRecord


@pytest.mark.parametrize("workers", [1, 2])
def test_sys_exit_in_a_task_is_a_failure(run, workers):
    ended = run("exits", "SysExit", workers=workers)
    assert ended.status == 30 and ended.one("failure")["type"] == "SystemExit"


@pytest.mark.smoke
@pytest.mark.parametrize("code", [0, 7])
def test_os_exit_in_the_worker_itself_leaves_no_word_but_the_exit_record(run, code):
    ended = run("exits", "OsExit", {"code": code})
    assert ended.status == code and ended.exit["code"] == code and ended.exit["signal"] is None
    assert ended.of("start") and not ended.of("end") and not ended.of("bye") and not ended.of("asked")
    assert ended.out == "about to leave\n"


@pytest.mark.smoke
@pytest.mark.parametrize("module", ["exits", "server"])
def test_os_exit_0_in_a_task_process_is_noticed(run, module):
    ended = run(module, "OsExit", {"code": 0}, workers=2)
    stalled = ended.one("stalled")
    assert ended.status == 30 and stalled["task"].startswith("OsExit") and "exit code 0" in stalled["why"]
    assert list(ended.ends().values()) == ["FAILED"] and ended.one("bye")["exitCode"] == 30
    assert ended.out == "about to leave\n"


@pytest.mark.parametrize(
    ("task", "parameters", "told"),
    [("OsExit", {"code": 7}, {"exitCode": 7}), ("Killed", {}, {"signal": "SIGKILL"})],
)
def test_a_task_process_that_dies(run, task, parameters, told):
    ended = run("exits", task, parameters, workers=2)
    died = ended.one("died")
    assert {key: died[key] for key in told} == told and ended.status == 30
    assert list(ended.ends().values()) == ["FAILED"] and not ended.of("stalled")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_keyboard_interrupt_in_a_task_is_told_as_its_failure(run, folder, workers):
    (folder / "interrupted.py").write_text(
        "import luigi, os\n"
        "class Interrupted(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('out.txt')\n"
        "    def run(self):\n"
        "        if not os.path.exists('again'):\n"
        "            open('again', 'w').close()\n"
        "            raise KeyboardInterrupt\n"
        "        self.output().open('w').close()\n"
    )
    ended = run("interrupted", "Interrupted", workers=workers)
    assert ended.one("failure")["type"] == "KeyboardInterrupt" and ended.one("failure")["frames"]
    # With several workers Luigi gives such a task no status, and runs it again unless it sees the dead process first.
    assert all(event.get("status") in ("DONE", "FAILED") for event in ended.of("end")), ended.describe()


def test_a_task_that_closes_every_descriptor(run):
    ended = run("pipes", "ClosesDescriptors", workers=2)
    assert ended.one("stalled") and ended.status == 30


def test_a_task_that_writes_into_luigis_own_pipe(run):
    ended = run("pipes", "WritesLowDescriptors", workers=2)
    assert ended.status == 30 and "no task process is alive" in ended.one("stalled")["why"]
    assert not ended.of("bye")


def test_a_task_that_outlives_luigis_own_timeout(run, folder):
    (folder / "luigi.cfg").write_text("[worker]\ntimeout=1\n")
    ended = run("hung", "Hung")
    failure = ended.one("failure")
    assert failure["type"] == "Timeout" and "timed out after 1 seconds" in failure["message"] and ended.status == 30


def test_the_worker_killed(run):
    ended = run("exits", "Killed")
    assert ended.exit["signal"] == "SIGKILL" and ended.exit["code"] is None and ended.exit["stopped"] is False
    assert ended.status == 128 + 9 and not ended.of("bye")


def test_sys_exit_in_requires_is_not_luigis_word(run):
    ended = run("broken_methods", "ExitsInRequires")
    assert ended.status == 0 and ended.one("aborted")["type"] == "SystemExit"
    assert not ended.of("bye") and not ended.of("asked")


def test_a_broken_on_failure_breaks_the_run(run):
    ended = run("broken_methods", "BrokenOnFailure")
    assert ended.status == 40 and ended.one("aborted")["message"] == "second" and ended.one("bye")["exitCode"] == 40


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_that_cannot_be_printed(run, workers):
    failure = run("broken_methods", "Unprintable", workers=workers).one("failure")
    assert failure["type"] == "Silent" and failure["frames"][-1]["function"] == "run"


def pids(started):
    started.wait_for("ready")
    return [started.process.pid, started.worker_pid(), started.pid_in("daemon.pid"), started.pid_in("sleeper.pid")]


@pytest.mark.smoke
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_leaves_nothing(start, number, workers):
    started = start("daemons", "LeavesDaemons", workers=workers)
    processes = pids(started)
    started.process.send_signal(number)
    ended = started.end()
    assert not [pid for pid in processes if alive(pid)]
    assert ended.exit["stopped"] is True and ended.exit["left"] == 0 and ended.exit["killed"] >= 1
    assert ended.status in (128 + signal.SIGTERM, 128 + signal.SIGKILL)


def test_what_ignores_the_stop_has_its_grace_and_no_more(start):
    started = start("daemons", "LeavesDaemons", graceMs=1000)
    processes = pids(started)
    began = time.monotonic()
    started.process.terminate()
    started.end()
    assert time.monotonic() - began > 0.9 and not [pid for pid in processes if alive(pid)]


def test_a_stop_of_a_run_that_obeys_waits_for_no_grace(start):
    started = start("hung", "Hung", graceMs=20_000, workers=2)
    started.wait_for("start")
    began = time.monotonic()
    started.process.terminate()
    ended = started.end()
    assert time.monotonic() - began < 15 and ended.exit["killed"] == 0 and ended.exit["signal"] == "SIGTERM"


def test_the_worker_killed_from_outside_takes_everything_with_it(start):
    started = start("daemons", "LeavesDaemons", workers=2)
    processes = pids(started)
    os.kill(started.worker_pid(), signal.SIGKILL)
    ended = started.end()
    assert ended.exit["signal"] == "SIGKILL" and ended.exit["stopped"] is False and ended.exit["left"] == 0
    assert not [pid for pid in processes if alive(pid)]


def test_the_supervisor_killed_takes_worker_and_task_processes_with_it(start):
    started = start("hung", "Hung", workers=2)
    started.wait_for("start")
    events = [json.loads(line) for line in (started.folder / "events").read_text().split("\n") if line]
    below = {event["pid"] for event in events} | {event["worker"] for event in events if event["e"] == "start"}
    started.process.kill()
    started.process.wait()
    until = time.monotonic() + 5
    while any(alive(pid) for pid in below) and time.monotonic() < until:
        time.sleep(0.01)
    assert not [pid for pid in below if alive(pid)] and not (started.folder / "exit").exists()


PARENT = """
import json, os, subprocess, sys
request = json.loads(sys.argv[1])
wrapped = sys.argv[2] == "wrapped"
request["parentPid"] = os.getpid()
command = [sys.executable, "-X", "utf8", sys.argv[3]]
if wrapped:
    # Something stands between: a shell that does not exec.
    command = ["sh", "-c", '"$@"; exit $?', "sh"] + command
child = subprocess.Popen(command, stdin=subprocess.PIPE)
child.stdin.write(json.dumps(request).encode())
child.stdin.close()
child.wait()
"""


@pytest.mark.parametrize("how", ["direct", "wrapped"])
def test_a_run_ends_with_its_parent(folder, how):
    request = {
        "protocol": 1,
        "runId": "run-1",
        "eventsFile": str(folder / "events"),
        "exitFile": str(folder / "exit"),
        "module": "daemons",
        "task": "LeavesDaemons",
        "graceMs": 300,
    }
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, json.dumps(request), how, str(PACKAGE)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(FIXTURES)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 20
    while not (folder / "ready").exists() and time.monotonic() < until:
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    while not (folder / "exit").exists() and time.monotonic() < until:
        time.sleep(0.01)
    record = json.loads((folder / "exit").read_text())
    assert record["stopped"] is True and record["left"] == 0
    assert not [name for name in ("daemon.pid", "sleeper.pid") if alive(int((folder / name).read_text()))]


def test_a_parent_that_is_gone_before_the_start(run):
    ended = run("good", "Report", parentPid=2**22 - 3)
    assert ended.exit["stopped"] is True and ended.exit["code"] is None and not ended.events


def test_what_a_good_run_leaves_running_stays_as_under_plain_luigi(start):
    started = start("daemons", "LeavesDaemons", {"stay": False})
    ended = started.end()
    left = [started.pid_in("daemon.pid"), started.pid_in("sleeper.pid")]
    try:
        assert ended.status == 0 and all(alive(pid) for pid in left)
        assert ended.one("asked")["complete"] is True
    finally:
        for pid in left:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("mask", [0, 0o777])
def test_the_exit_record_is_for_its_owner_alone_whatever_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        ExitRecord(str(tmp_path / "exit")).write(0, False, 0, 0)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "exit").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "exit").read_text())["code"] == 0
