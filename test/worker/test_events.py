"""The event file itself: what a line may hold, what is hidden, what is cut, and what a full disk does."""

import json
import multiprocessing
import pickle

import pytest
from conftest import PACKAGE, PYTHON

from plumbline_luigi.events import LONG_TEXT, EventLog

SECRET = "canary-55aa"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "events").touch()
    return tmp_path / "events"


def lines(path):
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def test_a_line_is_ascii_with_a_newline_on_both_sides(path):
    EventLog(str(path)).emit("status", task="T", message="ü\n\r\u2028\udc80")
    data = path.read_bytes()
    assert data.isascii() and data.startswith(b"\n") and data.endswith(b"\n") and data.count(b"\n") == 2
    assert lines(path)[0]["message"] == "ü\n\r\u2028\udc80"


def test_what_is_hidden_is_hidden_in_every_place_before_anything_is_cut(path):
    log = EventLog(str(path), ["a", SECRET, f"{SECRET}-longer", ""])
    log.emit("x", k={SECRET: [SECRET, {"deep": f"1{SECRET}-longer2"}]}, big="x" * (LONG_TEXT - 5) + SECRET + "x" * 70_000)
    text = path.read_text()
    assert "canary" not in text and "1***2" in text and "longer" not in text


def test_objects_become_texts_and_texts_are_searched(path):
    class Shy:
        def __str__(self):
            return SECRET

    EventLog(str(path), [SECRET]).emit("x", value=Shy(), number=1.5, flag=True)
    assert (lines(path)[0]["value"], lines(path)[0]["number"], lines(path)[0]["flag"]) == ("***", 1.5, True)


def test_long_texts_are_cut_and_short_lines_are_left_alone(path):
    log = EventLog(str(path))
    log.emit("x", text="y" * 60_000)
    log.emit("x", text="y" * 10_000_000, deps=["d"] * 20_000)
    whole, shortened = lines(path)
    assert len(whole["text"]) == 60_000
    assert len(shortened["text"]) == LONG_TEXT and shortened["text"].endswith("…") and len(shortened["deps"]) == 20_000


def test_thousands_of_targets_are_counted(path):
    EventLog(str(path)).emit("outputs", targets=[{"type": "LocalTarget", "name": "n" * 60}] * 2_000)
    assert (len(lines(path)[0]["targets"]), lines(path)[0]["more"]) == (1_000, 1_000)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_lost_and_counted(path, value):
    log = EventLog(str(path))
    log.emit("progress", percent=value)
    assert log.lost == 1 and not lines(path)


def test_nothing_is_raised_when_the_file_is_gone(path):
    log = EventLog(str(path))
    path.unlink()
    log.emit("x")
    assert log.lost == 1 and not path.exists()


def test_what_a_forked_process_loses_is_counted_here_too(path):
    log = EventLog(str(path))
    path.unlink()
    process = multiprocessing.get_context("fork").Process(target=log.emit, args=("x",))
    process.start()
    process.join()
    assert log.lost == 1


def test_what_a_process_loses_that_shares_no_memory_is_counted_here_too(path):
    log = EventLog(str(path))
    other = pickle.loads(pickle.dumps(log))
    assert log.lost == 0
    other.emit("progress", percent=float("nan"))
    assert log.lost == 1


def test_a_log_that_could_not_tell_of_losses_has_one(tmp_path):
    log = EventLog(str(tmp_path / "gone" / "events"))
    pickle.dumps(log)
    assert log.lost == 1


def test_a_log_can_be_sent_to_another_process(path):
    log = pickle.loads(pickle.dumps(EventLog(str(path), [SECRET])))
    log.emit("x", value=SECRET)
    assert lines(path)[0]["value"] == "***"


def write_many(path, count):
    log = EventLog(path)
    for number in range(count):
        log.emit("x", number=number, text="z" * (number % 50) * 1_000)


def test_lines_of_four_processes_are_never_torn(path):
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=write_many, args=(str(path), 300)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    numbers = {}
    for event in lines(path):
        numbers.setdefault(event["pid"], []).append(event["number"])
    assert [own for own in numbers.values()] == [list(range(300))] * 4


def test_a_full_disk_ends_the_evidence_but_not_the_exit_record(folder, start):
    """The event file may grow no further than 2 kB here, as on a full disk; the exit record had its room before."""
    limited = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))\n"
        "import os; os.execv(sys.executable, [sys.executable, '-X', 'utf8', sys.argv[1]])\n"
    )
    started = start("wide", "Root", {"n": 20}, command=[PYTHON, "-c", limited, str(PACKAGE)])
    status = started.process.wait(30)
    whole = [line for line in (folder / "events").read_bytes().split(b"\n") if line]
    assert len((folder / "events").read_bytes()) <= 2048
    assert not any(b'"e":"bye"' in line for line in whole)
    assert json.loads((folder / "exit").read_text())["code"] == status


def test_the_words_of_the_protocol_itself_are_never_hidden(path):
    log = EventLog(str(path), ["DONE", "O", "run-1", "ERR", "spawn", "SIGKILL", "complete"])
    log.emit("hello", startMethod="spawn", runId="run-1", python="O")
    log.emit("refused", code="ERR_OTHER", message="ERR_OTHER")
    log.emit("end", task="T", status="DONE", params={"status": "DONE"})
    log.emit("died", task="T", signal="SIGKILL", phase="complete")
    hello, refused, end, died = lines(path)
    assert (hello["startMethod"], hello["runId"], hello["python"]) == ("spawn", "run-1", "***")
    assert (refused["code"], refused["message"]) == ("ERR_OTHER", "***_***THER")
    assert (end["status"], end["params"]) == ("DONE", {"status": "***"})
    assert (died["signal"], died["phase"]) == ("SIGKILL", "complete")
