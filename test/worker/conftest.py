"""The worker as the step starts it: a process of its own, the request on standard input, events and exit record in files."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gateway_stand_in import TOKEN, WORKER, StandIn

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "src" / "worker" / "plumbline_luigi"
FIXTURES = REPOSITORY / "test" / "fixtures" / "luigi"
# The Python that runs the worker; the tests' own unless the matrix says otherwise.
PYTHON = os.environ.get("WORKER_PYTHON", sys.executable)
LIMIT = 40

sys.path.insert(0, str(PACKAGE.parent))


class Ended:
    """A run that has ended: its events, its exit record, its status and what it printed."""

    def __init__(self, folder, status, out, err):
        self.folder, self.status, self.out, self.err = folder, status, out, err
        lines = (folder / "events").read_bytes().split(b"\n")
        self.raw = [line for line in lines if line]
        self.events = [json.loads(line) for line in self.raw]
        record = folder / "exit"
        self.exit = json.loads(record.read_text()) if record.exists() else None

    def of(self, name):
        return [event for event in self.events if event["e"] == name]

    def one(self, name):
        found = self.of(name)
        assert len(found) == 1, f"{len(found)} events {name}\n{self.describe()}"
        return found[0]

    def ends(self):
        """The last status of each task, by its family and the rest of its id."""
        return {event["task"]: event["status"] for event in self.of("end")}

    def describe(self):
        return "\n".join(line.decode() for line in self.raw) + f"\nstatus {self.status} exit {self.exit}\n{self.err}"


class Started:
    def __init__(self, folder, process):
        self.folder, self.process = folder, process

    def wait_for(self, name):
        """Waits until the run has made this file, or has this event."""
        self._wait(name, lambda: (self.folder / name).exists() or f'"e":"{name}"' in self._told())

    def wait_for_start(self, family):
        """Waits until a task of this family runs."""
        start = re.compile(rf'"e":"start".*"task":"{family}_')
        self._wait(f"a start of {family}", lambda: start.search(self._told()) is not None)

    def _told(self):
        return (self.folder / "events").read_text()

    def _wait(self, name, there):
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            if there():
                return
            assert self.process.poll() is None, f"the run ended before {name}: {(self.folder / 'stderr').read_text()}"
            time.sleep(0.01)
        raise AssertionError(f"no {name}")

    def pid_in(self, name):
        return int((self.folder / name).read_text())

    def worker_pid(self):
        return next(json.loads(line)["pid"] for line in (self.folder / "events").read_bytes().split(b"\n") if line)

    def end(self):
        status = self.process.wait(LIMIT)
        return Ended(self.folder, status, (self.folder / "stdout").read_text(), (self.folder / "stderr").read_text())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "events").touch()
    return tmp_path


@pytest.fixture
def start(folder):
    """Starts a run in the test's own folder; what the test leaves running is ended."""
    started = []

    def _start(module, task, parameters=None, *, python=PYTHON, env=None, command=None, **fields):
        request = {
            "protocol": 1,
            "runId": "run-1",
            "parentPid": os.getpid(),
            "eventsFile": str(folder / "events"),
            "exitFile": str(folder / "exit"),
            "module": module,
            "task": task,
            "parameters": parameters or {},
            "scheduler": "local",
            "workers": 1,
            "graceMs": 300,
            **fields,
        }
        process = subprocess.Popen(
            command or [python, "-X", "utf8", str(PACKAGE)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(FIXTURES), "PLUMBLINE_RUN_ID": "run-1", **(env or {})},
            stdin=subprocess.PIPE,
            stdout=(folder / "stdout").open("wb"),
            stderr=(folder / "stderr").open("wb"),
        )
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        started.append(Started(folder, process))
        return started[-1]

    yield _start
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGTERM)
            one.process.wait(LIMIT)


@pytest.fixture
def run(start):
    def _run(*args, **fields):
        return start(*args, **fields).end()

    return _run


@pytest.fixture
def gateway(tmp_path_factory):
    """A gateway's stand-in; nothing that it was asked may have been wrong."""
    stand_in = StandIn(tmp_path_factory.mktemp("gateway") / "gateway.sock").open()
    yield stand_in
    stand_in.close()
    assert stand_in.faults == []


@pytest.fixture
def known(gateway):
    """The fields of a run that the gateway knows, with an identity for each task."""
    access = {"socket": gateway.path, "token": TOKEN, "identities": True, "luigid": False, "timeoutSeconds": 20}
    return {"runId": WORKER, "redact": [TOKEN], "gateway": access}


@pytest.fixture
def run_known(run, known):
    def _run_known(*args, **fields):
        return run(*args, **{**known, **fields})

    return _run_known


@pytest.fixture
def plain(folder):
    """Plain luigi with the same task in a folder beside, as its status."""

    def _plain(*arguments, workers=1):
        beside = folder / "plain"
        beside.mkdir(exist_ok=True)
        completed = subprocess.run(
            [PYTHON, "-m", "luigi", *arguments, "--local-scheduler", "--no-lock", f"--workers={workers}"],
            cwd=beside,
            env={**os.environ, "PYTHONPATH": str(FIXTURES)},
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        return beside, completed

    return _plain


def alive(pid):
    """Whether the process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
