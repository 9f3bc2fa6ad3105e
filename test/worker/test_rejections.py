"""An identity that is refused, not to be had, or not to be understood: the run ends at once, and only a gateway that is away is waited for."""

import itertools
import json
import os
import threading
import time

import pytest
from gateway_stand_in import AZURE, MAIL, Raw, Refusal, StandIn, Unavailable

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def refuse_family(family, **how):
    def decide(call):
        if call["task_family"] == family:
            raise Refusal(**how)

    return decide


def ended_by_rejection(ended):
    """What holds of every rejected run; gives its event."""
    rejected = ended.of("rejected")
    assert len(rejected) >= 1, ended.describe()
    names = [event["e"] for event in ended.events]
    after = names[names.index("rejected") :]
    assert "start" not in after and "bye" not in names and "asked" not in names, ended.describe()
    assert ended.exit["rejected"] is True and ended.exit["stopped"] is True and ended.exit["left"] == 0
    assert ended.status != 0 and not (ended.folder / "identity").exists()
    assert "plw_" not in ended.out + ended.err and b"plw_" not in b"".join(ended.raw)
    return rejected[0]


@pytest.mark.smoke
@pytest.mark.parametrize("workers", [1, 2])
def test_a_refused_task_is_never_entered_and_ends_the_run(run_known, folder, gateway, workers):
    gateway.decide = refuse_family("sales.Load")
    ended = run_known("identities", "sales.Load", workers=workers)
    rejected = ended_by_rejection(ended)
    assert rejected["family"] == "sales.Load" and rejected["reason"] == "family" and rejected["status"] == 400
    assert rejected["task"].startswith("sales.Load_") and not (folder / "out").exists() and not ended.of("start")
    assert len(gateway.calls) == 1


@pytest.mark.smoke
def test_a_refusal_among_eight_workers_lets_none_start_after_it(run_known, folder, gateway):
    (folder / "luigi.cfg").write_text("[scheduler]\nretry_count=5\nretry_delay=0\n[worker]\nkeep_alive=true\n")
    number_of = itertools.count()

    def refuse(call):
        if call["task_family"] == "sales.Load" and next(number_of) == 20:
            raise Refusal()

    gateway.decide = refuse
    ended = run_known("identities", "All", {"count": 40}, workers=8)
    rejected = ended_by_rejection(ended)
    number = int(rejected["task"].split("_")[1])
    assert not (folder / "out" / f"sales.Load-{number}.json").exists()
    assert rejected["task"] not in [event["task"] for event in ended.of("start")]
    # Every task that ran had said so before.
    ran = {path.name.rpartition(".")[0] for path in (folder / "out").iterdir() if path.suffix == ".json"}
    begun = {"-".join(event["task"].split("_")[:2]) for event in ended.of("start")}
    assert ran <= begun and len(begun) < 80
    assert [call["task_id"] for call in gateway.calls].count(rejected["task"]) == 1


@pytest.mark.smoke
def test_nothing_that_user_code_catches_keeps_the_run(start, known, folder, gateway):
    (folder / "hard.py").write_text(
        "import luigi, signal, identities\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "class Hard(luigi.WrapperTask):\n"
        "    def requires(self): return [identities.Stubborn(number=0), identities.Stubborn(number=1), identities.Load()]\n"
    )

    def decide(call):
        if call["task_family"] == "sales.Load":
            until = time.monotonic() + 10
            while not (folder / "began-0").exists() and time.monotonic() < until:
                time.sleep(0.01)
            raise Refusal()

    gateway.decide = decide
    began = time.monotonic()
    ended = start("hard", "Hard", workers=3, **known).end()
    ended_by_rejection(ended)
    assert ended.exit["killed"] >= 1 and time.monotonic() - began < 15
    assert not list(folder.glob("stubborn-*")) and not (folder / "out").exists()


def test_a_report_lets_the_task_run_without_anybodys_identity(run_known, folder, gateway):
    gateway.identities = {"mail.Send": ("send", [MAIL])}
    gateway.decide = refuse_family("sales.Load", mode="report")
    ambient = {"AZURE_CLIENT_SECRET": "x", "AWS_ACCESS_KEY_ID": "x", "GOOGLE_APPLICATION_CREDENTIALS": "/x", "MSI_ENDPOINT": "x"}
    ended = run_known("identities", "All", {"count": 1}, env=ambient)
    reported = ended.one("reported")
    assert ended.status == 0 and ended.exit["rejected"] is False and reported["family"] == "sales.Load", ended.describe()
    assert reported["reason"] == "family" and reported["status"] == 400
    assert json.loads((folder / "out" / "sales.Load-0.json").read_text())["variables"] == {}
    assert json.loads((folder / "out" / "mail.Send-0.json").read_text())["variables"]["AZURE_CLIENT_ID"] == MAIL["clientId"]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_report_counts_only_where_the_gateway_refused(run_known, folder, gateway, status):
    gateway.decide = refuse_family("sales.Load", mode="report", status=status)
    rejected = ended_by_rejection(run_known("identities", "sales.Load"))
    assert rejected["status"] == status and not (folder / "out").exists()


def test_a_second_target_that_is_refused_ends_the_run_too(run_known, folder, gateway):
    gateway.identities = {"sales.Load": ("load", [AZURE, {"kind": "file", "audience": "vault", "variable": "VAULT_JWT"}])}

    def decide(call):
        if call.get("audience"):
            raise Refusal("audience", error="invalid_target")

    gateway.decide = decide
    assert ended_by_rejection(run_known("identities", "sales.Load"))["reason"] == "audience"
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\x16\x03\x01 garbage\r\n\r\n", "unreadable"),
        (OK + b"Content-Length: 9\r\n\r\nnot json!", "unreadable"),
        (OK + b"Content-Length: 2\r\n\r\n{}", "unreadable"),
        (OK + b"Content-Length: 2\r\n\r\n[]", "unreadable"),
        (OK + b"Content-Length: 262145\r\n\r\n" + b" " * 262145, "unreadable"),
        (OK + b"Connection: close\r\n\r\n" + b" " * 300_000, "unreadable"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "unreadable"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}", None),
        (OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "unreadable"),
        (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "unreadable"),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "unreadable"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "unreadable"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}", "status-500"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "unreadable"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "unreadable"),
        (OK + b"Content-Length: 12000\r\n\r\n" + b"[" * 12_000, "unreadable"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_an_answer_that_is_none_ends_the_run_at_once(run_known, known, folder, gateway, answer, reason):
    def decide(call):
        raise Raw(answer)

    gateway.decide = decide
    # What breaks off in the middle is a gateway that has died: that is waited for.
    known["gateway"]["timeoutSeconds"] = 1 if reason is None else 30
    began = time.monotonic()
    rejected = ended_by_rejection(run_known("identities", "sales.Load"))
    assert rejected["reason"] == (reason or "time-out") and not (folder / "out").exists()
    assert time.monotonic() - began < 15 and (len(gateway.calls) == 1) == (reason is not None)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(access_token="no-token"),
        lambda fields: fields.update(access_token=7),
        lambda fields: fields.update(token_type="Bearer"),
        lambda fields: fields.update(issued_token_type="urn:ietf:params:oauth:token-type:access_token"),
        lambda fields: fields.update(expires_in="600"),
        lambda fields: fields.update(expires_in=True),
        lambda fields: fields["plumbline"].update(renewAfter=0),
        lambda fields: fields["plumbline"].update(audience="another"),
        lambda fields: fields["plumbline"].update(targets=None),
        lambda fields: fields["plumbline"].update(targets=[{**AZURE, "kind": "cloud"}]),
        lambda fields: fields["plumbline"].update(targets=[{**AZURE, "clientId": "a\nb"}]),
        lambda fields: fields["plumbline"].update(targets=[{**AZURE, "tenantId": ""}]),
        lambda fields: fields["plumbline"].update(targets=[{"kind": "file", "audience": AZURE["audience"], "variable": "A=B"}]),
        lambda fields: fields.pop("plumbline"),
    ],
)
def test_a_good_status_alone_is_no_token(run_known, folder, gateway, change):
    gateway.identities = {"sales.Load": ("load", [AZURE])}
    exchange = gateway.exchange

    def changed(handler, fields):
        answer = exchange(handler, fields)
        change(answer)
        return answer

    gateway.exchange = changed
    assert ended_by_rejection(run_known("identities", "sales.Load"))["reason"] == "unreadable"
    assert not (folder / "out").exists()


@pytest.mark.smoke
def test_a_gateway_that_is_not_ready_is_asked_again(run_known, gateway):
    def decide(call):
        if call["number"] < 3:
            raise Unavailable

    gateway.decide = decide
    ended = run_known("identities", "Chain", {"depth": 1})
    assert ended.status == 0 and len(gateway.calls) == 5 and not ended.of("rejected"), ended.describe()


@pytest.mark.parametrize("how", ["refused", "no socket", "reset", "cut"])
def test_a_gateway_that_starts_again_ends_no_run(start, known, folder, gateway, how):
    if how in ("refused", "no socket"):
        gateway.close()
        if how == "no socket":
            os.unlink(gateway.path)
        threading.Timer(2.0, gateway.open).start()
    else:

        def decide(call):
            if call["number"] < 2:
                raise Raw(b"" if how == "reset" else OK + b"Content-Length: 500\r\n\r\n{", after=0.1)

        gateway.decide = decide
    ended = start("identities", "Chain", {"depth": 1}, **known).end()
    assert ended.status == 0 and not ended.of("rejected"), ended.describe()


@pytest.mark.parametrize("how", ["away", "not ready", "silent", "slow"])
def test_the_time_for_it_is_not_endless(run_known, known, folder, gateway, how):
    def decide(call):
        if how == "not ready":
            raise Unavailable
        time.sleep(4)
        raise Raw(OK)

    gateway.decide = decide
    if how == "away":
        gateway.close()
    if how == "slow":
        gateway.decide = lambda call: (_ for _ in ()).throw(Raw(OK))
        _trickle(gateway)
    known["gateway"]["timeoutSeconds"] = 2
    began = time.monotonic()
    rejected = ended_by_rejection(run_known("identities", "sales.Load"))
    assert rejected["reason"] == "time-out" and "2 s" in rejected["message"]
    assert 1.9 < time.monotonic() - began < 12 and not (folder / "out").exists()


def _trickle(gateway):
    """One byte after the other: each comes in time, all of them never do."""
    exchange = gateway.exchange

    def slowly(handler, fields):
        try:
            exchange(handler, fields)
        except Raw:
            pass
        try:
            for byte in OK + b"X: " + b"y" * 4000:
                handler.wfile.write(bytes([byte]))
                time.sleep(0.02)
        except OSError:
            pass
        raise Raw

    gateway.exchange = slowly


@pytest.mark.smoke
def test_a_renewal_that_is_refused_ends_the_run(start, known, folder, gateway):
    gateway.identities, gateway.renew_after = {"Slow": ("slow", [AZURE])}, 0.2

    def decide(call):
        if call["number"] == 2:
            raise Refusal("run-ended", error="invalid_grant")

    gateway.decide = decide
    ended = start("identities", "Slow", **known).end()
    rejected = ended_by_rejection(ended)
    assert rejected["reason"] == "run-ended" and rejected["task"].startswith("Slow_")
    assert len(gateway.calls) == 3 and not ended.of("end")


def test_a_renewal_that_a_report_refuses_takes_the_token_and_lets_the_task_run(start, known, folder, gateway):
    gateway.identities, gateway.renew_after = {"Slow": ("slow", [AZURE])}, 0.2

    def decide(call):
        if call["number"] == 2:
            raise Refusal(mode="report")

    gateway.decide = decide
    started = start("identities", "Slow", **known)
    started.wait_for("reported")
    assert not list((folder / "identity").rglob("*.token"))
    time.sleep(0.5)
    (folder / "go").touch()
    ended = started.end()
    assert ended.status == 0 and ended.exit["rejected"] is False and not ended.of("rejected"), ended.describe()
    assert ended.one("reported")["reason"] == "family" and len(gateway.calls) == 3
    assert json.loads((folder / "out" / "Slow-0.json").read_text())["files"] == {}


def test_files_that_cannot_be_written_end_the_run(run_known, folder, gateway):
    gateway.identities = {"sales.Load": ("load", [AZURE])}
    (folder / "full.py").write_text(
        "import os\nfrom identities import *\n"
        "made = os.mkdir\n"
        "def mkdir(path, *more):\n"
        "    if '/identity/' in str(path): raise OSError(28, 'No space left on device')\n"
        "    return made(path, *more)\n"
        "os.mkdir = mkdir\n"
    )
    rejected = ended_by_rejection(run_known("full", "sales.Load"))
    assert rejected["reason"] == "not-set-up" and "No space left" in rejected["message"] and not (folder / "out").exists()


def test_that_a_run_was_rejected_is_known_without_its_events(start, known, folder, gateway):
    gateway.decide = refuse_family("sales.Load")
    (folder / "deaf.py").write_text("import os\nfrom identities import *\nos.unlink('events')\n")
    started = start("deaf", "sales.Load", **known)
    started.process.wait(20)
    assert not (folder / "events").exists()
    (folder / "events").touch()
    assert started.end().exit["rejected"] is True


def test_the_gate_cannot_be_kept_open_by_removing_it(run_known, folder, gateway):
    (folder / "removes.py").write_text(
        "import os, shutil, luigi, identities\n"
        "class Removes(luigi.Task):\n"
        "    def requires(self): return Breaks()\n"
        "    def output(self): return luigi.LocalTarget('removed')\n"
        "    def run(self): self.output().open('w').close()\n"
        "class Breaks(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('broken')\n"
        "    def run(self):\n"
        "        shutil.rmtree('identity')\n"
        "        self.output().open('w').close()\n"
    )
    ended = run_known("removes", "Removes")
    assert ended.status != 0 and ended.one("rejected")["reason"] == "not-set-up" and not (folder / "removed").exists()


def test_a_link_in_the_folders_place_gets_no_token_that_stays(run_known, folder, gateway):
    (folder / "links.py").write_text(
        "import os, luigi, identities\n"
        "class Linked(luigi.WrapperTask):\n"
        "    def requires(self): return After()\n"
        "class Links(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('linked')\n"
        "    def run(self):\n"
        "        os.rename('identity', 'moved')\n"
        "        os.mkdir('mine')\n"
        "        os.symlink(os.path.abspath('mine'), 'identity')\n"
        "        self.output().open('w').close()\n"
        "class After(identities.Load):\n"
        "    task_namespace = 'sales'\n"
        "    def requires(self): return Links()\n"
    )
    gateway.identities = {"sales.After": ("load", [AZURE])}
    ended = run_known("links", "Linked")
    assert ended.one("rejected")["reason"] == "not-set-up" and ended.status != 0, ended.describe()
    assert list((folder / "mine").rglob("*")) == [] and not os.path.lexists(folder / "identity")
    assert len(gateway.of("sales.After")) == 1 and not list((folder / "moved").rglob("*.token"))


def test_each_run_of_a_stand_in_is_strict(tmp_path):
    stand_in = StandIn(tmp_path / "s").open()
    try:
        import http.client
        import socket

        connection = http.client.HTTPConnection("x")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(tmp_path / "s"))
        connection.request("POST", "/v1/token", "grant_type=x&grant_type=y")
        assert connection.getresponse().status == 400 and stand_in.faults
    finally:
        stand_in.close()
