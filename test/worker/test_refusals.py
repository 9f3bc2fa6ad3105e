"""What cannot start is refused before anything runs: status 64, one event that names the reason."""

import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from conftest import PACKAGE

SECRET = "canary-7f3a"


def refused(ended, code):
    assert ended.status == 64, ended.describe()
    assert not ended.of("root") and not ended.of("start") and not ended.of("bye")
    assert ended.exit["code"] == 64
    event = ended.one("refused")
    assert event["code"] == code, event
    return event


@pytest.mark.smoke
def test_a_module_that_does_not_exist(run):
    event = refused(run("no_such_module", "Root"), "ERR_MODULE_IMPORT")
    assert "no_such_module" in event["message"] and "working directory" in event["remedy"]


def test_a_module_whose_import_fails(run):
    event = refused(run("broken_import", "Root"), "ERR_MODULE_IMPORT")
    assert "no_such_library_of_the_user" in event["message"] and "Install" in event["remedy"]
    # The user's file alone: neither ours nor Python's way of importing it.
    assert [(Path(frame["file"]).name, frame["line"]) for frame in event["frames"]] == [("broken_import.py", 1)]
    assert "importlib" not in event["traceback"]


def test_a_syntax_error(run):
    event = refused(run("broken_syntax", "Root"), "ERR_MODULE_IMPORT")
    assert "SyntaxError" in event["message"]
    assert event["frames"][-1]["file"].endswith("broken_syntax.py") and event["frames"][-1]["line"] == 4


@pytest.mark.smoke
def test_a_module_that_exits_with_0_when_it_is_imported(run):
    assert "sys.exit(0)" in refused(run("exits_on_import", "Root"), "ERR_MODULE_IMPORT")["message"]


@pytest.mark.smoke
def test_an_unknown_task(run):
    event = refused(run("good", "Raport"), "ERR_TASK_UNKNOWN")
    assert "near names are" in event["message"] and "Report" in event["message"]


def test_an_unknown_task_that_is_like_none_of_the_module(run):
    message = refused(run("failing", "Nope"), "ERR_TASK_UNKNOWN")["message"]
    assert "core" not in message
    assert "the module has" in message and "Root" in message


def test_a_family_of_two_classes(run, folder):
    (folder / "twice.py").write_text("import good, luigi\nclass Report(luigi.Task):\n    pass\n")
    assert "good, twice" in refused(run("twice", "Report"), "ERR_TASK_UNKNOWN")["message"]


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("task", "parameters", "said"),
    [
        ("Typed", {"cuont": 1}, "has no parameter cuont"),
        ("Typed", {"count": "seven"}, "Parameter count"),
        ("Typed", {"day": "yesterday"}, "Parameter day"),
        ("Typed", {"colour": "BLUE"}, "Parameter colour"),
        ("Needy", {"first": "x"}, "parameter second has no value"),
        ("Needy", {}, "parameter first, second has no value"),
    ],
)
def test_parameters(run, task, parameters, said):
    assert said in refused(run("parameters", task, parameters), "ERR_PARAMETER_INVALID")["message"]


@pytest.mark.parametrize("name", ["user", "shown"])
def test_a_secret_for_a_parameter_that_is_not_private(run, name):
    ended = run("parameters", "Secretive", secretParameters={name: SECRET}, redact=[SECRET])
    event = refused(ended, "ERR_SECRET_PARAMETER_PUBLIC")
    assert event["remedy"].startswith(f"Declare it `{name} = luigi.Parameter(")
    assert SECRET not in ended.describe()


def test_a_secret_that_cannot_be_parsed_is_not_shown(run):
    # Not even without redaction: the message has no value in it.
    ended = run("parameters", "Typed", secretParameters={"text": SECRET})
    refused(ended, "ERR_SECRET_PARAMETER_PUBLIC")
    assert SECRET not in ended.describe()


def test_a_root_that_cannot_be_made(run, folder):
    (folder / "picky.py").write_text(
        "import luigi\nclass Picky(luigi.Task):\n    def __init__(self):\n        raise ValueError('not today')\n"
    )
    event = refused(run("picky", "Picky"), "ERR_PARAMETER_INVALID")
    assert "not today" in event["message"] and event["frames"][-1]["line"] == 4


def test_a_root_whose_parameter_has_the_name_of_a_flag_of_luigi(run, folder):
    (folder / "clash.py").write_text("import luigi\nclass Clash(luigi.Task):\n    workers = luigi.IntParameter(default=1)\n")
    assert "workers" in refused(run("clash", "Clash"), "ERR_UNEXPECTED")["message"]


@pytest.mark.smoke
def test_a_luigid_that_nobody_runs(run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    event = refused(run("good", "Input", scheduler=f"http://user:{SECRET}@127.0.0.1:{port}"), "ERR_SCHEDULER_UNREACHABLE")
    assert f"http://127.0.0.1:{port}" in event["message"] and SECRET not in str(event)


def test_something_else_where_a_luigid_should_be(run):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

        thread = threading.Thread(target=answer)
        thread.start()
        ended = run("good", "Input", scheduler=f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert "not a scheduler's" in refused(ended, "ERR_SCHEDULER_UNREACHABLE")["message"]


def test_a_python_without_luigi(run, tmp_path):
    # -S: without site-packages, as in a virtual environment where nothing was installed.
    ended = run("good", "Report", command=[sys.executable, "-S", "-X", "utf8", str(PACKAGE)])
    event = refused(ended, "ERR_LUIGI_NOT_FOUND")
    assert "pip install" in event["remedy"] and ended.events[0]["e"] == "hello"


@pytest.mark.parametrize("version", ["3.5.2", "3.9.0", "4.0.0"])
def test_a_luigi_that_is_not_supported(run, folder, version):
    (folder / "luigi").mkdir()
    (folder / "luigi" / "__init__.py").write_text(f"__version__ = '{version}'\n")
    (folder / "luigi" / "retcodes.py").touch()
    assert version in refused(run("good", "Report"), "ERR_LUIGI_UNSUPPORTED")["message"]


def test_a_broken_luigi_cfg(run, folder):
    (folder / "luigi.cfg").write_text("no section\n")
    assert "luigi.cfg" in refused(run("good", "Report"), "ERR_MODULE_IMPORT")["message"]


def test_a_python_that_is_too_old(run):
    old = [path for path in Path("/usr/bin").glob("python3.[6-9]")] + sorted(
        Path(sys.base_prefix).parent.glob("3.[6-9].*/bin/python3")
    )
    for python in old:
        ended = run("good", "Report", python=str(python))
        event = refused(ended, "ERR_PYTHON_UNSUPPORTED")
        assert "3.10 to 3.13" in event["message"]
        for name in ("events", "exit"):
            (ended.folder / name).write_text("")
        (ended.folder / "exit").unlink()


@pytest.mark.parametrize("given", [b"", b"[]", b"{}", b'{"protocol": 2}', b"\xff"])
def test_a_request_that_is_none(given):
    completed = subprocess.run([sys.executable, str(PACKAGE)], input=given, capture_output=True, timeout=20, check=False)
    assert completed.returncode == 64 and b"the request cannot be used" in completed.stderr


def test_the_package_can_be_installed_beside_luigi(run, folder):
    """Started by name from an archive on the path, as from a wheel, it is the same worker."""
    with zipfile.ZipFile(folder / "wheel.zip", "w") as archive:
        for file in PACKAGE.glob("*.py"):
            archive.write(file, f"plumbline_luigi/{file.name}")
    ended = run(
        "parameters",
        "Typed",
        command=[sys.executable, "-m", "plumbline_luigi"],
        env={"PYTHONPATH": f"{folder / 'wheel.zip'}:{Path(__file__).parents[1] / 'fixtures' / 'luigi'}"},
    )
    assert ended.status == 0, ended.describe()
