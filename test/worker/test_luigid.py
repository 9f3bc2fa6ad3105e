"""The same runs against a real luigid."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import LIMIT


@pytest.fixture
def luigid(tmp_path_factory):
    """Starts luigid with this configuration and gives its URL."""
    started = []

    def _luigid(configuration=""):
        home = tmp_path_factory.mktemp("luigid")
        (home / "luigi.cfg").write_text(configuration)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = "import sys; from luigi.cmdline import luigid; luigid(sys.argv[1:])"
        process = subprocess.Popen(
            [sys.executable, "-c", command, "--address", "127.0.0.1", "--port", str(port), "--state-path", str(home / "state")],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=(home / "log").open("wb"),
        )
        started.append(process)
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + LIMIT
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{url}/api/is_paused?data={{}}", timeout=2).close()
                return url
            except OSError:
                assert process.poll() is None, (home / "log").read_text()
                time.sleep(0.02)
        raise AssertionError("luigid does not answer")

    yield _luigid
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.smoke
@pytest.mark.parametrize(("module", "workers"), [("good", 1), ("good", 4), ("server", 4)])
def test_a_graph_that_succeeds(run, folder, luigid, module, workers):
    (folder / "input.txt").write_text("x\n")
    ended = run(module, "Report", {"day": "2026-01-02"}, scheduler=luigid(), workers=workers)
    assert ended.status == 0, ended.describe()
    assert sorted(ended.ends().values()) == ["DONE"] * 4 and len(ended.of("start")) == 4
    assert ended.one("asked")["complete"] is True


@pytest.mark.parametrize("module", ["reporting", "server"])
def test_what_a_task_tells_of_itself(run, luigid, module):
    ended = run(module, "Reporting", scheduler=luigid(), workers=2)
    assert ended.one("status")["message"] == "half of it" and ended.one("progress")["percent"] == 50, ended.describe()
    assert ended.one("tracking")["url"] == "http://jobs.example/17"


def test_a_batch(run, luigid):
    ended = run("batches", "Root", scheduler=luigid())
    assert ended.status == 0 and {ended.ends()[member] for member in ended.one("batch")["members"]} == {"DONE"}


def test_a_task_that_luigid_gives_up(run, folder, luigid):
    url = luigid("[scheduler]\nretry_delay=0.1\nretry_count=2\nprune_on_get_work=true\n")
    (folder / "luigi.cfg").write_text("[worker]\nkeep_alive=true\nwait_interval=0.2\nwait_jitter=0\n")
    ended = run("retries", "Root", {"fails": 9}, scheduler=url)
    assert [event["status"] for event in ended.of("end")] == ["FAILED", "FAILED", "DISABLED"], ended.describe()
    assert ended.status == 30


def test_a_task_that_luigid_has_given_up_before(run, start, folder, luigid):
    url = luigid("[scheduler]\nretry_count=1\n")
    assert run("retries", "Flaky", {"fails": 9}, scheduler=url).status == 30
    (folder / "events").write_text("")
    (folder / "exit").unlink()
    ended = start("retries", "Root", {"fails": 9}, scheduler=url).end()
    assert [event["status"] for event in ended.of("end")] == ["DISABLED"] and not ended.of("start"), ended.describe()
    assert ended.status not in (0, 64) and ended.one("asked")["complete"] is False


def test_a_task_that_another_worker_runs(start, folder, luigid, tmp_path_factory):
    url = luigid()
    first = start("hung", "Hung", scheduler=url)
    first.wait_for("start")
    other = tmp_path_factory.mktemp("other")
    (other / "events").touch()
    second = start("hung", "Hung", scheduler=url, eventsFile=str(other / "events"), exitFile=str(other / "exit"))
    second.folder = other
    second.process.wait(LIMIT)
    assert '"e":"elsewhere"' in (other / "events").read_text()
    assert second.process.returncode == 10
    first.process.terminate()
    first.end()
    assert folder


def test_a_luigid_that_dies_during_the_run(run, folder, luigid):
    url = luigid()
    (folder / "luigi.cfg").write_text("[core]\nrpc_retry_attempts=1\nrpc_retry_wait=1\n")
    port = url.rpartition(":")[2]
    (folder / "kills.py").write_text(
        "import luigi, os, subprocess\n"
        "class Kills(luigi.Task):\n"
        "    def complete(self): return False\n"
        "    def run(self):\n"
        "        for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "            try: line = open(f'/proc/{pid}/cmdline').read()\n"
        "            except OSError: continue\n"
        f"            if 'luigid' in line and '{port}' in line.split(chr(0)): os.kill(int(pid), 9)\n"
    )
    ended = run("kills", "Kills", scheduler=url)
    # Which call meets the dead end first, and with which error, is chance.
    assert ended.status == 40 and ended.one("aborted")["frames"], ended.describe()
