"""A real luigid that is reached through the gateway alone."""

import os
import threading
import time

import pytest
from gateway_stand_in import AZURE, TOKEN, WORKER, Raw, Refusal, Unavailable
from test_luigid import luigid  # noqa: F401
from test_rejections import ended_by_rejection

from plumbline_luigi.events import EventLog
from plumbline_luigi.gateway_access import GatewayAccess
from plumbline_luigi.gateway_client import GatewayClient
from plumbline_luigi.gateway_fetcher import GatewayFetcher, LuigidError
from plumbline_luigi.run_gate import RunGate

SHOWN = "http://luigid.plumbline.invalid/luigid"


@pytest.fixture
def through(known, gateway, luigid):  # noqa: F811
    """The fields of a run whose scheduler is behind the gateway; its tasks have no identities unless it is said."""
    gateway.luigid = luigid()
    access = {**known["gateway"], "identities": False, "luigid": True}
    return {**known, "gateway": access, "scheduler": SHOWN}


@pytest.mark.smoke
@pytest.mark.parametrize("workers", [1, 4])
def test_a_graph_that_succeeds(run, folder, gateway, through, workers):
    (folder / "input.txt").write_text("x\n")
    ended = run("good", "Report", {"day": "2026-01-02"}, workers=workers, **through)
    assert ended.status == 0 and sorted(ended.ends().values()) == ["DONE"] * 4, ended.describe()
    assert {call["data"].get("worker", WORKER) for call in gateway.luigid_calls} == {WORKER}
    methods = {call["method"] for call in gateway.luigid_calls}
    assert {"add_task", "get_work", "add_worker"} <= methods and not gateway.calls
    assert "plw_" not in ended.out + ended.err


def test_identities_and_luigid_together(run, folder, gateway, through):
    gateway.identities = {"sales.Load": ("load", [AZURE])}
    through["gateway"]["identities"] = True
    ended = run("identities", "All", {"count": 3}, workers=4, **through)
    assert ended.status == 0 and len(gateway.calls) == 7 and not (folder / "identity").exists(), ended.describe()


@pytest.mark.parametrize("module", ["reporting", "server"])
def test_what_a_task_tells_of_itself_goes_the_same_way(run, gateway, through, module):
    ended = run(module, "Reporting", workers=2, **through)
    assert ended.one("status")["message"] == "half of it" and ended.one("progress")["percent"] == 50, ended.describe()
    told = {call["peer"] for call in gateway.luigid_calls if call["method"].startswith("set_task")}
    assert told == {ended.one("start")["worker"]}


def test_proxies_of_the_environment_have_no_say(run, folder, through):
    (folder / "input.txt").write_text("x\n")
    proxies = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")}
    assert run("good", "Report", {"day": "2026-01-02"}, env=proxies, **through).status == 0


def test_its_worker_id_wins_over_the_configuration(run, folder, gateway, through):
    (folder / "luigi.cfg").write_text("[worker]\nid=somebody-else\n")
    (folder / "input.txt").write_text("x\n")
    assert run("good", "Report", {"day": "2026-01-02"}, **through).status == 0 and gateway.luigid_calls


@pytest.mark.smoke
@pytest.mark.parametrize("how", ["503", "502", "reset", "restart"])
def test_a_gateway_that_is_away_for_a_while_ends_no_run(start, folder, gateway, through, how):
    (folder / "input.txt").write_text("x\n")
    seen = []

    def decide(call):
        if call["method"] != "add_task":
            return
        seen.append(call)
        if len(seen) == 3 and how == "restart":
            threading.Thread(target=restart).start()
        if 3 <= len(seen) < 6 and how != "restart":
            raise {"503": Unavailable, "502": Refusal(status=502), "reset": Raw}[how]

    def restart():
        gateway.close()
        os.unlink(gateway.path)
        time.sleep(1.5)
        gateway.open()

    gateway.decide_luigid = decide
    ended = start("good", "Report", {"day": "2026-01-02"}, **through).end()
    assert ended.status == 0 and len(seen) >= 3 and not ended.of("rejected"), ended.describe()


@pytest.mark.smoke
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("method", ["is_pause_enabled", "get_work", "set_task_status_message", "ping"])
def test_a_refusal_of_the_gateway_ends_the_run(run, folder, gateway, through, status, method):
    def decide(call):
        if call["method"] == method:
            raise Refusal("worker-ended", status=status)

    gateway.decide_luigid = decide
    (folder / "luigi.cfg").write_text("[worker]\nping_interval=0.2\n")
    module, task = ("hung", "Hung") if method == "ping" else ("reporting", "Reporting")
    ended = run(module, task, workers=2, **through)
    rejected = ended_by_rejection(ended)
    assert rejected["reason"] == "worker-ended" and rejected["status"] == status and "task" not in rejected
    if method != "ping":
        assert [call["method"] for call in gateway.luigid_calls].count(method) == 1


def test_another_answer_is_luigis_own_error(run, folder, gateway, through):
    def decide(call):
        if call["method"] == "get_work":
            raise Refusal(status=404)

    gateway.decide_luigid = decide
    ended = run("reporting", "Reporting", **through)
    assert ended.status == 40 and "RPCError" == ended.one("aborted")["type"], ended.describe()
    assert [call["method"] for call in gateway.luigid_calls].count("get_work") == 1 and not ended.of("rejected")


def _fetcher(gateway, tmp_path, seconds):
    access = GatewayAccess(gateway.path, TOKEN, False, True, 5)
    (tmp_path / "events").touch()
    gate = RunGate(str(tmp_path / "identity"), os.getpid(), EventLog(str(tmp_path / "events")))
    return GatewayFetcher(GatewayClient(access), gate, seconds, seconds)


def test_it_is_waited_for_so_long_and_no_longer(gateway, tmp_path):
    gateway.luigid = "http://127.0.0.1:9"
    began = time.monotonic()
    with pytest.raises(LuigidError, match="within 1 s: luigid is away .status 502"):
        _fetcher(gateway, tmp_path, 1).fetch(f"{SHOWN}/api/ping", {"data": "{}"}, 5)
    assert 0.9 < time.monotonic() - began < 6 and len(gateway.luigid_calls) > 2


def test_a_connection_is_kept_and_a_fork_has_its_own(gateway, tmp_path, luigid):  # noqa: F811
    gateway.luigid = luigid()
    fetcher, numbers = _fetcher(gateway, tmp_path, 5), gateway._server.connections
    ask = lambda: fetcher.fetch(f"{SHOWN}/api/is_pause_enabled", {"data": "{}"}, 5)  # noqa: E731
    before = next(numbers)
    for _ in range(10):
        ask()
    child = os.fork()
    if child == 0:
        try:
            ask()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    ask()
    assert next(numbers) - before == 3
    assert [call["peer"] for call in gateway.luigid_calls] == [os.getpid()] * 10 + [child, os.getpid()]
    fetcher.close()


def test_a_large_answer_is_read_whole(gateway, tmp_path):
    text = '{"response": "' + "x" * (8 << 20) + '"}'
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text.encode()

    def decide(call):
        raise Raw(data)

    gateway.decide_luigid = decide
    assert _fetcher(gateway, tmp_path, 5).fetch(f"{SHOWN}/api/graph", {"data": "{}"}, 5) == text
