"""Code of a task that means harm: whatever it does to gate, folders, limits and descriptors, its run ends and says why."""

import os
import resource
import signal
import time

import pytest
from gateway_stand_in import AZURE, Refusal
from test_rejections import ended_by_rejection, refuse_family


@pytest.mark.parametrize("how", ["os.mkfifo('identity/gate')", "os.symlink(os.path.abspath('pipe'), 'identity/gate')"])
def test_a_pipe_in_the_gates_place_does_not_hold_up_the_end(start, known, folder, how):
    (folder / "pipes.py").write_text(
        "import os, luigi\n"
        "class Pipes(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('piped')\n"
        "    def run(self):\n"
        "        os.mkfifo('pipe')\n"
        "        os.unlink('identity/gate')\n"
        f"        {how}\n"
        "        self.output().open('w').close()\n"
    )
    started = start("pipes", "Pipes", **known)
    started.process.wait(15)
    ended = started.end()
    assert ended.exit is not None and ended.exit["left"] == 0, ended.describe()
    assert not (folder / "identity").exists()


@pytest.mark.parametrize(
    "how",
    [
        "shutil.rmtree('identity'); open('identity', 'w').close()",
        "shutil.rmtree('identity'); os.mkfifo('identity')",
        "shutil.rmtree('identity'); os.symlink('nowhere', 'identity')",
        "shutil.rmtree('identity'); os.symlink(os.path.abspath('theirs'), 'identity')",
        "os.unlink('identity/gate'); os.mkdir('identity/gate')",
        "os.unlink('identity/gate'); os.chmod('identity', 0)",
        "os.makedirs('identity/a/b'); open('identity/a/b/c', 'w').close(); os.chmod('identity/a/b', 0); os.chmod('identity/a', 0)",
        "os.symlink(os.path.abspath('theirs'), 'identity/theirs')",
        "socket.socket(socket.AF_UNIX).bind('identity/socket')",
        "fcntl.fcntl(os.open('identity/gate', os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK); os.fork() or time.sleep(30)",
    ],
)
def test_whatever_stands_in_the_folders_place_is_gone_with_the_run(start, known, folder, how):
    (folder / "theirs").mkdir()
    (folder / "theirs" / "kept").touch()
    (folder / "plants.py").write_text(
        "import fcntl, os, shutil, socket, time, luigi\n"
        "class Plants(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget('planted')\n"
        "    def run(self):\n"
        f"        {how}\n"
        "        self.output().open('w').close()\n"
    )
    started = start("plants", "Plants", **{**known, "endAll": True})
    started.process.wait(15)
    ended = started.end()
    assert ended.exit is not None and ended.exit["left"] == 0, ended.describe()
    assert not os.path.lexists(folder / "identity") and (folder / "theirs" / "kept").exists()


def test_folders_however_deep_do_not_keep_the_end_from_being_recorded(run_known, folder):
    (folder / "deep.py").write_text(
        "import os, luigi\n"
        "class Deep(luigi.Task):\n"
        "    def output(self): return luigi.LocalTarget(os.path.join(os.environ['PLACE'], 'deep'))\n"
        "    def run(self):\n"
        "        os.chdir('identity')\n"
        "        for _ in range(3000):\n"
        "            os.mkdir('d')\n"
        "            os.chdir('d')\n"
        "        os.chdir(os.environ['PLACE'])\n"
        "        self.output().open('w').close()\n"
    )
    ended = run_known("deep", "Deep", env={"PLACE": str(folder)})
    assert ended.exit is not None and ended.exit["left"] == 0, ended.describe()
    assert ended.status == 0


HOLDS = """
import fcntl, os, signal, time
import luigi, identities
signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Holds(luigi.WrapperTask):
    def requires(self): return [Keeper(), Later(number=0), Later(number=1), identities.Load()]

class Keeper(luigi.Task):
    def output(self): return luigi.LocalTarget('kept')
    def run(self):
        gate = os.open('identity/gate', os.O_RDWR)
        fcntl.flock(gate, fcntl.LOCK_EX)
        open('held', 'w').close()
        while '"e":"rejected"' not in open('events').read(): time.sleep(0.01)
        open('told', 'w').close()
        os.close(gate)
        time.sleep(30)

class Later(luigi.Task):
    number = luigi.IntParameter()
    def output(self): return luigi.LocalTarget('later-%d' % self.number)
    def run(self): self.output().open('w').close()
"""


def test_the_gate_cannot_be_kept_open_by_holding_it(start, known, folder, gateway):
    (folder / "holds.py").write_text(HOLDS)

    def decide(call):
        name = {"sales.Load": "held", "Later": "told"}.get(call["task_family"])
        until = time.monotonic() + 10
        while name and not (folder / name).exists() and time.monotonic() < until:
            time.sleep(0.01)
        refuse_family("sales.Load")(call)

    gateway.decide = decide
    ended = start("holds", "Holds", workers=4, **{**known, "graceMs": 2000}).end()
    ended_by_rejection(ended)
    assert not list(folder.glob("later-*"))


def test_a_limit_of_files_does_not_hide_the_rejection(start, known, folder, gateway):
    gateway.identities, gateway.renew_after = {"Limits": ("slow", [AZURE])}, 0.2
    (folder / "limits.py").write_text(
        "import resource, time, luigi\n"
        "class Limits(luigi.Task):\n"
        "    def run(self):\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "        time.sleep(30)\n"
    )
    ended = start("limits", "Limits", **known).end()
    assert ended.exit["rejected"] is True and ended.exit["stopped"] is True, ended.describe()


@pytest.mark.parametrize("limit", ["RLIMIT_FSIZE", "RLIMIT_NOFILE"])
def test_a_task_that_has_come_to_a_limit_still_tells_why_its_run_ends(start, known, folder, gateway, limit):
    gateway.identities, gateway.renew_after = {"Limits": ("slow", [AZURE])}, 0.5

    def decide(call):
        if call["number"] == 2:
            raise Refusal()

    gateway.decide = decide
    (folder / "limits.py").write_text(
        "import resource, time, luigi\n"
        "class Limits(luigi.Task):\n"
        "    def run(self):\n"
        "        time.sleep(0.8)\n"
        f"        resource.setrlimit(resource.{limit}, (4, resource.getrlimit(resource.{limit})[1]))\n"
        "        time.sleep(30)\n"
    )
    ended = start("limits", "Limits", **known).end()
    assert ended_by_rejection(ended)["reason"] == "family"


def test_a_task_that_crashes_leaves_no_memory_behind(start, known, folder, gateway):
    gateway.identities = {"Crashes": ("load", [AZURE])}
    (folder / "crashes.py").write_text(
        "import os, resource, luigi\n"
        "class Crashes(luigi.Task):\n"
        "    def run(self):\n"
        "        with open('limit', 'w') as file: file.write(str(resource.getrlimit(resource.RLIMIT_CORE)))\n"
        "        self.token = open(os.environ['AZURE_FEDERATED_TOKEN_FILE']).read()\n"
        "        os.abort()\n"
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        ended = start("crashes", "Crashes", **known).end()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    assert ended.one("died")["signal"] == "SIGABRT"
    # Where the machine keeps them elsewhere, the limit is all there is to see.
    assert not list(folder.glob("core*")) and (folder / "limit").read_text() in ("(1, 1)", "(0, 0)")


CLOSES = """
import os, socket, time, luigi

class Closes(luigi.Task):
    def output(self): return luigi.LocalTarget('closed')
    def run(self):
        time.sleep(0.5)
        theirs = [number for number in map(int, os.listdir('/proc/self/fd')) if number > 2 and is_socket(number)]
        near, far = socket.socketpair()
        for number in theirs:
            os.dup2(near.fileno(), number)
        far.settimeout(1.0)
        got = b''
        try:
            got = far.recv(65536)
        except TimeoutError:
            pass
        with self.output().open('w') as file:
            file.write(repr((len(theirs), len(got), all(is_socket(number) for number in theirs))))

def is_socket(number):
    try:
        return os.readlink('/proc/self/fd/%d' % number).startswith('socket:')
    except OSError:
        return False
"""


def test_a_descriptor_that_user_code_has_closed_and_used_gets_no_question(run_known, folder, gateway):
    gateway.identities, gateway.renew_after = {"Closes": ("load", [AZURE])}, 0.2
    (folder / "closes.py").write_text(CLOSES)
    ended = run_known("closes", "Closes")
    assert ended.status == 0, ended.describe()
    connections, leaked, kept = eval((folder / "closed").read_text())
    assert connections >= 2 and leaked == 0 and kept is True


PIPES = """
import os, time, luigi, identities

class Pipes(luigi.WrapperTask):
    def requires(self): return [Places(), identities.Load()]

class Places(luigi.Task):
    def run(self):
        for name in ('events', 'events.lost'):
            if os.path.exists(name): os.rename(name, name + '.kept')
            os.mkfifo(name)
        open('placed', 'w').close()
        time.sleep(60)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_pipe_in_the_place_of_the_events_keeps_no_refused_run_going(start, known, folder, gateway, method):
    (folder / "pipes.py").write_text(f"import multiprocessing\nmultiprocessing.set_start_method('{method}', force=True)\n{PIPES}")

    def decide(call):
        until = time.monotonic() + 10
        while call["task_family"] == "sales.Load" and not (folder / "placed").exists() and time.monotonic() < until:
            time.sleep(0.01)
        refuse_family("sales.Load")(call)

    gateway.decide = decide
    started = start("pipes", "Pipes", workers=2, **known)
    try:
        started.process.wait(15)
    finally:
        for name in ("events", "events.lost"):
            (folder / name).unlink()
    (folder / "events.kept").rename(folder / "events")
    assert started.end().exit["rejected"] is True


STOPS = """
import os, signal, time, luigi, identities
signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Stops(luigi.WrapperTask):
    def requires(self): return [Halts(), identities.Load()]

class Halts(luigi.Task):
    def run(self):
        os.kill(int(open('/proc/%d/stat' % os.getppid()).read().rpartition(')')[2].split()[1]), signal.SIGSTOP)
        open('halted', 'w').close()
        time.sleep(60)
"""


def test_a_supervisor_that_was_stopped_goes_on_to_end_a_refused_run(start, known, folder, gateway):
    (folder / "stops.py").write_text(STOPS)

    def decide(call):
        until = time.monotonic() + 10
        while call["task_family"] == "sales.Load" and not (folder / "halted").exists() and time.monotonic() < until:
            time.sleep(0.01)
        refuse_family("sales.Load")(call)

    gateway.decide = decide
    started = start("stops", "Stops", workers=2, **known)
    try:
        started.process.wait(15)
    finally:
        started.process.send_signal(signal.SIGCONT)
    ended_by_rejection(started.end())


@pytest.mark.parametrize("how", ["os.mkfifo(part)", "os.symlink(os.path.abspath('theirs'), part)", "os.link('theirs', part)"])
def test_what_was_put_where_a_token_is_written_gets_none_and_ends_the_run(run_known, folder, gateway, how):
    gateway.identities, gateway.renew_after = {"Waits": ("load", [AZURE])}, 0.2
    (folder / "theirs").touch()
    (folder / "waits.py").write_text(
        "import os, time, luigi\n"
        "class Waits(luigi.Task):\n"
        "    def run(self):\n"
        "        path = os.environ['AZURE_FEDERATED_TOKEN_FILE']\n"
        "        part = os.path.join(os.path.dirname(path), '.' + os.path.basename(path) + '.part')\n"
        f"        {how}\n"
        "        time.sleep(30)\n"
    )
    assert ended_by_rejection(run_known("waits", "Waits"))["reason"] == "not-set-up"
    assert (folder / "theirs").read_text() == ""
