"""Parameters come from JSON, and nothing of them is ever an argument."""

import ast
import json
import os
from pathlib import Path

import pytest
from conftest import PACKAGE

SECRET = "canary-1b9e"


def values(ended):
    assert ended.status == 0, ended.describe()
    lines = (ended.folder / "out" / "typed.txt").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.smoke
def test_every_kind_of_value(run):
    given = {
        "text": "",
        "count": 12,
        "ratio": 0.25,
        "flag": True,
        "names": ["a", "ü"],
        "options": {"deep": {"n": 1}},
        "day": "2026-02-03",
        "colour": "GREEN",
        "maybe": None,
    }
    seen = values(run("parameters", "Typed", given))
    assert seen["text"] == "''" and seen["count"] == "12" and seen["ratio"] == "0.25" and seen["flag"] == "True"
    assert ast.literal_eval(seen["names"]) == ("a", "ü") and "'n': 1" in seen["options"]
    assert seen["day"] == "datetime.date(2026, 2, 3)" and "GREEN" in seen["colour"] and seen["maybe"] == "None"


@pytest.mark.parametrize("text", ["--workers=9", "-h", "ünï\udc80 ##vso[x]y\nline '\"\\"])
def test_texts_that_an_argument_parser_would_mistake(run, text):
    assert ast.literal_eval(values(run("parameters", "Typed", {"text": text}))["text"]) == text


def test_defaults_from_the_configuration_stay(run, folder):
    (folder / "luigi.cfg").write_text("[Typed]\ncount=5\n")
    assert values(run("parameters", "Typed", {"text": "x"}))["count"] == "5"


def test_a_secret_parameter_is_set_and_told_to_nobody(run):
    ended = run("parameters", "Secretive", {"user": "leaky"}, secretParameters={"password": SECRET}, redact=[SECRET])
    assert (ended.folder / "out" / "secretive.txt").read_text() == str(len(SECRET))
    assert b"canary" not in b"".join(ended.raw)
    assert "password" not in ended.one("root")["params"] and "shown" not in ended.one("root")["params"]
    assert ended.one("failure")["message"] == "cannot connect with ***"
    assert ended.one("status")["message"] == "connecting with ***"


def test_nothing_of_the_request_is_an_argument_or_an_inherited_descriptor(start):
    started = start("hung", "Hung", workers=2, redact=[SECRET], env={"VISIBLE": "yes"})
    started.wait_for("start")
    for pid in (started.process.pid, started.worker_pid()):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert arguments[1:4] == [b"-X", b"utf8", os.fsencode(PACKAGE)] and len(arguments) == 5
    assert os.readlink(f"/proc/{started.worker_pid()}/fd/0") == "/dev/null"
    started.process.terminate()
    started.end()


def test_the_path_is_that_of_python_m_luigi(run, folder, plain):
    code = (
        "import json, luigi, sys, __main__\n"
        "class Paths(luigi.Task):\n"
        "    def complete(self): return False\n"
        "    def run(self):\n"
        "        json.dump([sys.path, sys.argv, sorted(sys.modules), __main__.__file__], open('paths.json', 'w'))\n"
    )
    (folder / "paths.py").write_text(code)
    (folder / "plain").mkdir()
    (folder / "plain" / "paths.py").write_text(code)
    # The names of our own files are ordinary words: the user's modules of the same names must win.
    (folder / "events.py").write_text("MINE = True\n")
    ended = run("paths", "Paths")
    assert ended.status == 0, ended.describe()
    beside, completed = plain("--module", "paths", "Paths")
    assert completed.returncode == 0, completed.stderr
    ours, theirs = (json.loads((one / "paths.json").read_text()) for one in (folder, beside))
    assert ours[0][0] == str(folder) and theirs[0][0] == str(beside)
    assert ours[0][1:] == [*theirs[0][1:], str(PACKAGE.parent)]
    assert ours[1] == [theirs[1][0], "--module", "paths", "Paths"]
    assert "events" not in ours[2] and ours[3] == theirs[3]
