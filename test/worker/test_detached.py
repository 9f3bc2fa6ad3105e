"""Runs that outlive whoever started them: claim, captured output, deadline, and the end of whatever user code left."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import FIXTURES, PACKAGE, PYTHON, alive

from plumbline_luigi.output_capture import OutputCapture


@pytest.fixture
def detached(folder):
    """The fields of a run that nobody has to watch."""
    (folder / "output").touch()
    return {
        "parentPid": None,
        "claimFile": str(folder / "claim"),
        "outputFile": str(folder / "output"),
        "outputMaxBytes": 100_000,
        "endAll": True,
    }


@pytest.fixture
def quick(folder):
    (folder / "quick.py").write_text(
        "import luigi\n"
        "class Quick(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('out/quick.txt')\n"
        "    def run(self):\n"
        "        print('quick')\n"
        "        self.output().open('w').close()\n"
    )
    return ("quick", "Quick")


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.mark.smoke
def test_a_run_without_a_parent_outlives_the_process_that_started_it(folder, detached):
    request = {
        "protocol": 1,
        "runId": "run-1",
        "eventsFile": str(folder / "events"),
        "exitFile": str(folder / "exit"),
        "module": "hung",
        "task": "Hung",
        "graceMs": 300,
        **detached,
    }
    starter = (
        "import json, subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)\n"
        "child.stdin.write(sys.stdin.buffer.read())\n"
        "child.stdin.close()\n"
        "print(child.pid)\n"
    )
    started = subprocess.run(
        [sys.executable, "-c", starter, PYTHON, "-X", "utf8", str(PACKAGE)],
        input=json.dumps(request).encode(),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(FIXTURES)},
        stdout=subprocess.PIPE,
        check=True,
    )
    supervisor = int(started.stdout)
    try:
        until(lambda: "waiting\n" in (folder / "output").read_text())
        # Longer than it would take to notice that the parent has gone.
        time.sleep(0.8)
        assert alive(supervisor) and not (folder / "exit").exists()
        assert json.loads((folder / "claim").read_text())["pid"] == supervisor
    finally:
        os.kill(supervisor, signal.SIGTERM)
    until(lambda: (folder / "exit").exists())
    record = json.loads((folder / "exit").read_text())
    assert record["stopped"] and record["left"] == 0 and "deadline" not in record


def test_a_request_that_forgets_its_parent_is_refused(start, folder):
    request = {"protocol": 1, "runId": "r", "eventsFile": "e", "exitFile": "x", "module": "m", "task": "t"}
    ended = subprocess.run(
        [PYTHON, str(PACKAGE)], input=json.dumps(request).encode(), cwd=folder, capture_output=True, check=False
    )
    assert ended.returncode == 64 and b"parentPid is missing" in ended.stderr


@pytest.mark.smoke
def test_of_two_supervisors_of_one_attempt_one_begins(run, start, folder, detached):
    first = start("hung", "Hung", **detached)
    first.wait_for("start")
    before = (folder / "events").read_bytes()
    second = subprocess.run(
        [PYTHON, "-X", "utf8", str(PACKAGE)],
        input=json.dumps(
            {
                "protocol": 1,
                "runId": "run-1",
                "eventsFile": str(folder / "events"),
                "exitFile": str(folder / "exit"),
                "module": "good",
                "task": "Report",
                **detached,
            }
        ).encode(),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(FIXTURES)},
        capture_output=True,
        check=False,
    )
    assert second.returncode == 64 and b"claimed" in second.stderr
    assert (folder / "events").read_bytes() == before
    first.process.send_signal(signal.SIGTERM)
    assert first.end().exit["stopped"] is True


@pytest.mark.parametrize("kind", ["file", "dangling link", "folder"])
def test_whatever_stands_where_the_claim_belongs_stops_the_run(run, folder, detached, kind):
    if kind == "file":
        (folder / "claim").write_text('{"revoked":true}')
    elif kind == "folder":
        (folder / "claim").mkdir()
    else:
        (folder / "claim").symlink_to(folder / "nowhere")
    ended = run("good", "Report", **detached)
    assert ended.status == 64 and ended.events == [] and ended.exit is None
    assert not (folder / "nowhere").exists() and not (folder / "exit.part").exists()


def test_what_is_printed_is_in_the_file_in_its_order(run, folder, detached):
    (folder / "prints.py").write_text(
        "import luigi, os, subprocess, sys\n"
        "class Prints(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('out.txt')\n"
        "    def run(self):\n"
        "        for i in range(200):\n"
        "            print('out', i)\n"
        "            print('err', i, file=sys.stderr, flush=True)\n"
        "        subprocess.run(['sh', '-c', 'echo shell; echo ##vso[task.complete]'])\n"
        "        self.output().open('w').close()\n"
    )
    ended = run("prints", "Prints", **detached)
    text = (folder / "output").read_text()
    lines = [line for line in text.split("\n") if line.startswith(("out", "err", "shell"))]
    assert lines == [f"{stream} {i}" for i in range(200) for stream in ("out", "err")] + ["shell"]
    assert ended.out == "" and ended.err == "" and ended.exit["dropped"] == 0


def test_output_beyond_its_cap_is_counted_and_holds_nobody_up(run, folder, detached):
    (folder / "floods.py").write_text(
        "import luigi\n"
        "class Floods(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('out.txt')\n"
        "    def run(self):\n"
        "        for i in range(5000):\n"
        "            print('x' * 999)\n"
        "        self.output().open('w').close()\n"
    )
    ended = run("floods", "Floods", **{**detached, "outputMaxBytes": 10_000})
    assert ended.status == 0 and (folder / "output").stat().st_size == 10_000
    assert ended.exit["dropped"] >= 5_000_000 - 10_000


def test_the_cap_counts_what_was_in_the_file_before(run, folder, detached, quick):
    (folder / "output").write_text("a" * 90)
    ended = run(*quick, **{**detached, "outputMaxBytes": 100})
    assert ended.status == 0 and (folder / "output").stat().st_size == 100 and ended.exit["dropped"] > 0


def test_a_secret_never_reaches_the_file(run, folder, detached):
    (folder / "tells.py").write_text(
        "import luigi, os, sys, time\n"
        "class Tells(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('out.txt')\n"
        "    def run(self):\n"
        "        os.write(1, b'first hush-')\n"
        "        time.sleep(0.2)\n"
        "        os.write(1, b'hush then\\nhush-hush\\n')\n"
        "        os.write(2, b'no newline hush-hush')\n"
        "        self.output().open('w').close()\n"
    )
    ended = run("tells", "Tells", **{**detached, "redact": ["hush-hush", "hush-hush-x", "two\nlines"]})
    text = (folder / "output").read_text()
    assert ended.status == 0 and "hush-hush" not in text
    assert "first *** then\n***\n" in text and "no newline ***" in text


@pytest.mark.smoke
@pytest.mark.parametrize("end_all", [True, False])
def test_what_a_run_that_ended_by_itself_left_is_ended_if_asked(run, folder, detached, end_all):
    ended = run("daemons", "LeavesDaemons", {"stay": False}, **{**detached, "endAll": end_all})
    left = [int((folder / name).read_text()) for name in ("daemon.pid", "sleeper.pid")]
    try:
        assert ended.status == 0 and ended.exit["code"] == 0 and ended.exit["stopped"] is False
        assert [alive(pid) for pid in left] == [not end_all] * 2
        assert ended.exit["killed"] == (2 if end_all else 0) and ended.exit["left"] == 0
    finally:
        for pid in left:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.smoke
def test_a_deadline_ends_the_run_and_all_of_it(run, folder, detached):
    begin = time.monotonic()
    ended = run("daemons", "LeavesDaemons", **{**detached, "deadlineSeconds": 1.5})
    assert 1.4 < time.monotonic() - begin < 15
    assert ended.exit["stopped"] is True and ended.exit["deadline"] is True and ended.exit["left"] == 0
    for name in ("daemon.pid", "sleeper.pid"):
        assert not alive(int((folder / name).read_text()))


def test_a_run_within_its_deadline_says_so(run, detached, quick):
    ended = run(*quick, **{**detached, "deadlineSeconds": 60})
    assert ended.status == 0 and ended.exit["deadline"] is False and ended.exit["stopped"] is False


def test_a_stop_before_the_deadline_is_a_stop(start, detached):
    started = start("hung", "Hung", **{**detached, "deadlineSeconds": 60})
    started.wait_for("start")
    started.process.send_signal(signal.SIGTERM)
    ended = started.end()
    assert ended.exit["stopped"] is True and ended.exit["deadline"] is False


def test_the_umask_is_that_of_the_request(run, folder, detached, quick):
    ended = run(*quick, **{**detached, "umask": 0o027})
    made = [path for path in (folder / "out").rglob("*") if path.is_file()]
    assert ended.status == 0 and made and all(path.stat().st_mode & 0o777 == 0o640 for path in made)


@pytest.mark.parametrize(
    "wrong", [{"endAll": 1}, {"deadlineSeconds": "soon"}, {"outputMaxBytes": True}, {"claimFile": 7}, {"parentPid": "1"}]
)
def test_a_field_of_the_wrong_type_is_refused_before_anything_is_made(run, folder, detached, wrong):
    ended = run("good", "Report", **{**detached, **wrong})
    assert ended.status == 64 and not (folder / "claim").exists() and ended.events == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_a_mask_is_the_same_in_whatever_pieces_the_output_comes(tmp_path, size):
    text = b"key=s3cret;s3cre\ns3crets3cret-longer s3cret-longe\n##s3cret" * 5
    path = tmp_path / "output"
    path.touch()
    capture = OutputCapture(str(path), 10_000, ["s3cret", "s3cret-longer", "longer"])
    for start in range(0, len(text), size):
        os.write(capture._write, text[start : start + size])
        capture.pump()
    capture.enter_supervisor()
    capture.finish()
    once = b"key=***;s3cre\n****** ***-longe\n##***" * 5
    assert path.read_bytes() == once and capture.dropped == 0
