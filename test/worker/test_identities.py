"""Tasks that have an identity each: what they see, and that nothing of it stays."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from conftest import FIXTURES, LIMIT, alive
from gateway_stand_in import AWS, AZURE, GOOGLE, MAIL, TOKEN, VAULT, WORKER

AMBIENT = {
    "AZURE_CLIENT_SECRET": "ambient",
    "AZURE_CLIENT_ID": "ambient",
    "AWS_ACCESS_KEY_ID": "ambient",
    "AWS_PROFILE": "ambient",
    "GOOGLE_APPLICATION_CREDENTIALS": "/ambient",
}


def saw(folder, family, number=0):
    return json.loads((folder / "out" / f"{family}-{number}.json").read_text())


def only_one_folder_stays(folder):
    """That of the task which goes on; the other's goes when the worker has seen its end."""
    until = time.monotonic() + LIMIT
    while True:
        folders = [path for path in (folder / "identity").iterdir() if path.is_dir()]
        if len(folders) <= 1 or time.monotonic() > until:
            break
        time.sleep(0.01)
    assert len(folders) == 1


def nothing_is_left(ended):
    assert not (ended.folder / "identity").exists(), list((ended.folder / "identity").rglob("*"))


@pytest.mark.smoke
@pytest.mark.parametrize("workers", [1, 8])
def test_each_task_has_its_own_token_and_its_familys_identity(run_known, folder, gateway, workers):
    gateway.identities = {"sales.Load": ("load", [AZURE]), "mail.Send": ("send", [MAIL])}
    ended = run_known("identities", "All", {"count": 6}, workers=workers, env=AMBIENT)
    assert ended.status == 0 and ended.exit["rejected"] is False, ended.describe()
    tokens = set()
    for family, target in (("sales.Load", AZURE), ("mail.Send", MAIL)):
        for number in range(6):
            one = saw(folder, family, number)
            path = one["variables"].pop("AZURE_FEDERATED_TOKEN_FILE")
            assert one["variables"] == {
                "AZURE_CLIENT_ID": target["clientId"],
                "AZURE_TENANT_ID": target["tenantId"],
                "AZURE_AUTHORITY_HOST": target["authorityHost"],
            }
            file = one["files"]["AZURE_FEDERATED_TOKEN_FILE"]
            assert file["mode"] == 0o600 and file["folder"] == 0o700 and path.startswith(str(folder / "identity"))
            tokens.add(file["text"])
    assert len(tokens) == 12 and tokens < set(gateway.tokens)
    # The root has no identity: a token of its own all the same, and no cloud.
    assert json.loads((folder / "out" / "all.json").read_text())["variables"] == {}
    assert len({call["task_id"] for call in gateway.calls}) == len(gateway.calls) == 13
    assert len({call["peer"] for call in gateway.calls}) == 13
    nothing_is_left(ended)


def test_every_kind_of_target_is_told_its_own_way(run_known, folder, gateway):
    gateway.identities = {"sales.Load": ("load", [AWS, AZURE, GOOGLE, VAULT])}
    ended = run_known("identities", "sales.Load", env=AMBIENT)
    assert ended.status == 0, ended.describe()
    one = saw(folder, "sales.Load")
    files, variables = one["files"], one["variables"]
    audiences = {call.get("audience") for call in gateway.calls}
    assert audiences == {None, AZURE["audience"], GOOGLE["audience"], VAULT["audience"]} and len(gateway.calls) == 4
    texts = [files[name]["text"] for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE", "VAULT_JWT_FILE")]
    account = json.loads(files["GOOGLE_APPLICATION_CREDENTIALS"]["text"])
    assert sorted([*texts[:2], texts[2]]) == sorted(gateway.tokens[i] for i in (0, 1, 3))
    assert account["type"] == "external_account" and account["audience"] == GOOGLE["provider"]
    assert account["service_account_impersonation_url"].endswith("/load@project.iam.gserviceaccount.com:generateAccessToken")
    assert variables["AWS_ROLE_ARN"] == AWS["roleArn"] and variables["AWS_REGION"] == "eu-central-1"
    session = variables["AWS_ROLE_SESSION_NAME"]
    assert session.startswith(f"{WORKER}-sales.Load"[:50]) and len(session) <= 64
    assert not {"AZURE_CLIENT_SECRET", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"} & set(variables)
    assert {file["mode"] for file in files.values()} == {0o600}
    nothing_is_left(ended)


def test_the_identity_is_there_before_luigi_asks_for_dependencies(run_known, folder, gateway):
    gateway.identities = {"Asks": ("asks", [AZURE]), "Asked": ("asked", [MAIL])}
    ended = run_known("identities", "Asks")
    assert ended.status == 0, ended.describe()
    task = next(event["worker"] for event in ended.of("start") if event["task"].startswith("Asks_"))
    asked = [line.split() for line in (folder / "asked").read_text().splitlines()]
    assert [client for pid, client in asked if int(pid) == task] == [AZURE["clientId"]]
    # In the worker's own process nothing has changed.
    assert {client for pid, client in asked if int(pid) == ended.events[0]["pid"]} == {"-"}


def test_a_resumed_task_asks_again_and_a_batch_is_one_task(run_known, gateway):
    ended = run_known("identities", "Dynamic")
    assert ended.status == 0 and len(gateway.of("Dynamic")) == len([e for e in ended.of("start") if "Dynamic" in e["task"]])
    assert len(gateway.of("Dynamic")) >= 2 and len(gateway.of("sales.Load")) == 2


def test_a_batch_asks_for_itself_alone(run_known, gateway):
    ended = run_known("identities", "Groups")
    batch = ended.one("batch")
    assert ended.status == 0 and [call["task_id"] for call in gateway.of("Group")] == [batch["task"]], ended.describe()


def test_an_external_task_that_luigi_runs_asks_too(run_known, folder, gateway):
    (folder / "luigi.cfg").write_text("[worker]\nretry_external_tasks=true\n")
    ended = run_known("identities", "Outside")
    assert ended.status != 0 and len(gateway.of("Outside")) == len(ended.of("start")) >= 1, ended.describe()


@pytest.mark.parametrize("how", ["raise", "interrupt", "exit", "os-exit", "kill"])
def test_however_a_task_ends_no_file_of_it_stays(start, known, folder, gateway, how):
    gateway.identities = {"Leaves": ("leaves", [AZURE]), "Slow": ("slow", [MAIL])}
    (folder / "both.py").write_text(
        "import luigi, identities\n"
        "class Both(luigi.WrapperTask):\n"
        "    def requires(self): return [identities.Leaves(how=%r), identities.Slow(variable='X')]\n" % how
    )
    (folder / "luigi.cfg").write_text("[scheduler]\nretry_count=1\n")
    started = start("both", "Both", workers=2, **known)
    started.wait_for("end")
    started.wait_for_start("Slow")
    only_one_folder_stays(folder)
    (folder / "go").touch()
    ended = started.end()
    nothing_is_left(ended)
    assert ended.of("failure") or ended.of("died") or ended.of("stalled")


@pytest.mark.smoke
@pytest.mark.parametrize("whom", ["worker", "supervisor stopped"])
def test_a_run_that_is_ended_leaves_no_file(start, known, folder, gateway, whom):
    gateway.identities = {"Slow": ("slow", [AZURE])}
    started = start("identities", "Slow", **known)
    started.wait_for("ready")
    assert list((folder / "identity").glob("*/*.token"))
    if whom == "worker":
        os.kill(started.worker_pid(), signal.SIGKILL)
    else:
        started.process.terminate()
    ended = started.end()
    assert ended.exit["left"] == 0
    nothing_is_left(ended)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_whatever_the_start_method(run_known, folder, gateway, method):
    gateway.identities = {"sales.Load": ("load", [AZURE]), "mail.Send": ("send", [MAIL])}
    (folder / "chosen.py").write_text(f"import multiprocessing\nmultiprocessing.set_start_method({method!r})\nfrom identities import *\n")
    ended = run_known("chosen", "All", {"count": 2}, workers=4, env=AMBIENT)
    assert ended.status == 0, ended.describe()
    assert saw(folder, "mail.Send", 1)["variables"]["AZURE_CLIENT_ID"] == MAIL["clientId"]
    assert len({call["peer"] for call in gateway.calls}) == 5
    nothing_is_left(ended)


def test_a_token_is_renewed_while_the_task_runs_and_never_half_read(start, known, folder, gateway):
    gateway.identities, gateway.renew_after = {"Slow": ("slow", [AZURE, AWS])}, 0.1
    started = start("identities", "Slow", **known)
    started.wait_for("texts")
    until = time.monotonic() + 20
    while len(json.loads((folder / "texts").read_text() or "[]")) < 6 and time.monotonic() < until:
        time.sleep(0.05)
    (folder / "go").touch()
    ended = started.end()
    texts = json.loads((folder / "texts").read_text())
    assert ended.status == 0 and len(texts) >= 6 and set(texts) <= set(gateway.tokens), ended.describe()
    assert len({call["peer"] for call in gateway.of("Slow")}) == 1
    nothing_is_left(ended)


def test_the_worker_token_and_the_tasks_tokens_are_nowhere(start, known, folder, gateway):
    gateway.identities = {"Slow": ("slow", [AZURE]), "Leaves": ("leaves", [AZURE])}
    started = start("identities", "Slow", **known)
    started.wait_for("ready")
    for pid in (started.process.pid, started.worker_pid(), *(call["peer"] for call in gateway.calls)):
        for part in ("cmdline", "environ"):
            said = Path(f"/proc/{pid}/{part}").read_bytes()
            assert b"plw_" not in said and not [token for token in gateway.tokens if token.encode() in said]
    (folder / "go").touch()
    ended = started.end()
    everything = b"".join(ended.raw) + ended.out.encode() + ended.err.encode() + (folder / "exit").read_bytes()
    assert b"plw_" not in everything and b"eyJ" not in everything


@pytest.mark.smoke
def test_what_a_task_prints_of_its_token_is_masked(run_known, folder, gateway):
    gateway.identities = {"Shows": ("shows", [AZURE])}
    (folder / "output").touch()
    ended = run_known("identities", "Shows", outputFile=str(folder / "output"))
    text = (folder / "output").read_text()
    assert ended.status == 0 and "token: ***\n" in text and "pieces: ***\n" in text and "eyJ" not in text
    assert ended.one("status")["message"] == "using ***" and b"eyJ" not in b"".join(ended.raw)


def test_debugging_http_shows_no_token(run_known, folder, gateway):
    gateway.identities = {"Slow": ("slow", [AZURE])}
    gateway.renew_after = 0.05
    (folder / "debugs.py").write_text(
        "import http.client\nhttp.client.HTTPConnection.debuglevel = 1\nfrom identities import *\n"
        "open('go', 'w').close()\n"
    )
    ended = run_known("debugs", "Slow")
    assert ended.status == 0 and "plw_" not in ended.out and "subject_token" not in ended.out


def test_proxies_of_the_environment_have_no_say(run_known, gateway):
    proxies = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY")}
    assert run_known("identities", "Chain", {"depth": 0}, env=proxies).status == 0 and len(gateway.calls) == 1


def test_processes_that_a_task_forks_have_its_identity_and_leave_it_alone(run_known, folder, gateway):
    gateway.identities = {"Forks": ("forks", [AZURE])}
    (folder / "forks.py").write_text(
        "import luigi, os, time\n"
        "class Forks(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('out.txt')\n"
        "    def run(self):\n"
        "        child = os.fork()\n"
        "        if child == 0: return\n"
        "        os.waitpid(child, 0)\n"
        "        with self.output().open('w') as file:\n"
        "            file.write(open(os.environ['AZURE_FEDERATED_TOKEN_FILE']).read())\n"
    )
    ended = run_known("forks", "Forks")
    assert (folder / "out.txt").read_text() in gateway.tokens, ended.describe()
    nothing_is_left(ended)


def test_without_the_field_nothing_changes(run, folder):
    ended = run("identities", "sales.Load", env=AMBIENT)
    assert ended.status == 0 and saw(folder, "sales.Load")["variables"]["AZURE_CLIENT_ID"] == "ambient"
    assert "rejected" not in ended.exit and not (folder / "identity").exists() and FIXTURES.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"socket": "relative"},
        {"token": "secret"},
        {"token": TOKEN + "\n"},
        {"identities": 1},
        {"timeoutSeconds": 0},
        {"timeoutSeconds": True},
        {"more": 1},
        {"luigid": True},
    ],
)
def test_a_field_that_cannot_be_used_is_refused_without_its_value(run, folder, known, wrong):
    ended = run("good", "Report", gateway={**known["gateway"], **wrong})
    assert ended.status == 64 and ended.events == [] and not (folder / "identity").exists()
    assert "gateway" in ended.err and "secret" not in ended.err and "plw_" not in ended.err


def test_the_supervisor_is_the_one_that_ends(start, known, gateway):
    started = start("identities", "Chain", {"depth": 0}, **known)
    ended = started.end()
    assert ended.status == 0 and not alive(started.process.pid)
