"""What a run tells, for graphs of every kind, with one worker and with several."""

import json

import pytest

EXTERNAL = pytest.mark.parametrize("workers", [1, 4])


@pytest.fixture
def external_input(folder):
    (folder / "input.txt").write_text("seven\n")


@pytest.mark.smoke
@EXTERNAL
def test_a_graph_that_succeeds(run, external_input, workers):
    ended = run("good", "Report", {"day": "2026-01-02", "fan": 2}, workers=workers)
    assert ended.status == 0, ended.describe()
    assert [event["e"] for event in ended.events[:2]] == ["hello", "root"]
    assert ended.events[-1]["e"] == "bye" and ended.events[-1]["exitCode"] == 0
    assert ended.one("root")["params"] == {"day": "2026-01-02", "fan": "2"}
    tasks = {event["family"]: event for event in ended.of("task")}
    assert tasks["Input"]["external"] and tasks["Input"]["status"] == "DONE"
    assert len(tasks["Report"]["deps"]) == 2 and tasks["Report"]["module"] == "good"
    assert sorted(ended.ends().values()) == ["DONE"] * 3
    assert len(ended.of("start")) == 3
    assert ended.one("asked")["complete"] is True and ended.one("asked")["verifiable"] is True
    assert ended.out == "report written\n"
    assert ended.exit["code"] == 0 and ended.exit["signal"] is None and ended.exit["stopped"] is False
    report = tasks["Report"]["task"]
    outputs = {event["task"]: event["targets"] for event in ended.of("outputs")}
    inputs = {event["task"]: event["targets"] for event in ended.of("inputs")}
    path = str(ended.folder / "out" / "report-2026-01-02.txt")
    assert outputs[report] == [{"type": "LocalTarget", "namespace": "file", "name": path, "exists": False}]
    assert [target["name"][-10:] for target in inputs[report]] == ["part-0.txt", "part-1.txt"]


@pytest.mark.smoke
def test_the_start_method_forkserver(run, external_input):
    ended = run("server", "Report", {"day": "2026-01-02"}, workers=4)
    assert ended.status == 0, ended.describe()
    assert len(ended.of("start")) == 4 and sorted(ended.ends().values()) == ["DONE"] * 4
    # From the task's own process, where handlers in the parent would not be:
    assert len({event["pid"] for event in ended.of("inputs")}) == 4


def test_forkserver_tells_of_failures_and_status(run):
    ended = run("server", "Reporting", workers=2)
    assert ended.one("status")["message"] == "half of it", ended.describe()
    assert ended.one("progress")["percent"] == 50


@pytest.mark.smoke
@EXTERNAL
def test_a_task_that_fails(run, workers):
    ended = run("failing", "Root", workers=workers)
    assert ended.status == 30
    failure = ended.one("failure")
    assert failure["type"] == "ValueError" and failure["message"] == "no such value: seven"
    assert [frame["function"] for frame in failure["frames"]][-3:] == ["run", "divide", "check"]
    assert failure["frames"][-1]["file"].endswith("/failing.py") and failure["frames"][-1]["line"] == 9
    assert "plumbline_luigi" not in failure["traceback"] and "no such value" in failure["traceback"]
    assert {task.split("_")[0]: status for task, status in ended.ends().items()} == {"Broken": "FAILED", "Sound": "DONE"}
    assert ended.one("asked")["complete"] is False and ended.one("bye")["exitCode"] == 30


@pytest.mark.smoke
@EXTERNAL
def test_dynamic_dependencies(run, workers):
    ended = run("dynamic", "Root", workers=workers)
    assert ended.status == 0, ended.describe()
    root = ended.one("root")["task"]
    yielded = [sorted(event["deps"]) for event in ended.of("deps")]
    assert [len(deps) for deps in yielded] == [1, 2]
    assert len([event for event in ended.of("start") if event["task"] == root]) == 3
    assert len([event for event in ended.of("end") if event["task"] == root]) == 1


def test_what_a_task_tells_of_itself(run):
    ended = run("reporting", "Reporting", workers=2)
    assert ended.one("tracking")["url"] == "http://jobs.example/17"
    assert ended.one("status")["message"] == "half of it"
    assert ended.one("progress")["percent"] == 50


@EXTERNAL
@pytest.mark.parametrize("fail", [False, True])
def test_a_batch_and_its_members(run, workers, fail):
    ended = run("batches", "Root", {"fail": fail}, workers=workers)
    assert ended.status == (30 if fail else 0), ended.describe()
    batch = ended.one("batch")
    assert len(batch["members"]) == 4
    ends = ended.ends()
    assert {ends[member] for member in batch["members"]} == {"FAILED" if fail else "DONE"}


def test_retries_within_one_run(run, folder):
    (folder / "luigi.cfg").write_text("[worker]\nkeep_alive=true\n[scheduler]\nretry_delay=0.1\nretry_count=5\n")
    ended = run("retries", "Root")
    assert ended.status == 0, ended.describe()
    flaky = next(event["task"] for event in ended.of("task") if event["family"] == "Flaky")
    assert [event["status"] for event in ended.of("end") if event["task"] == flaky] == ["FAILED", "FAILED", "DONE"]
    assert len([event for event in ended.of("start") if event["task"] == flaky]) == 3


def test_a_task_that_is_given_up(run, folder):
    (folder / "luigi.cfg").write_text("[worker]\nkeep_alive=true\n[scheduler]\nretry_delay=0.1\nretry_count=2\n")
    ended = run("retries", "Root", {"fails": 9})
    assert [event["status"] for event in ended.of("end")] == ["FAILED", "DISABLED"], ended.describe()
    assert ended.status != 0


def test_luigi_toml(run, folder):
    (folder / "luigi.toml").write_text('[Typed]\ntext = "from toml"\n')
    ended = run("parameters", "Typed", env={"LUIGI_CONFIG_PARSER": "toml"})
    assert ended.one("root")["params"]["text"] == "from toml", ended.describe()


def test_range_tasks(run):
    ended = run("ranges", "RangeDaily", {"of": "Daily", "start": "2026-01-01", "stop": "2026-01-04", "now": 1768000000})
    assert ended.status == 0, ended.describe()
    days = [event for event in ended.of("task") if event["family"] == "Daily"]
    assert len(days) == 3 and {ended.ends()[event["task"]] for event in days} == {"DONE"}
    assert ended.one("asked")["complete"] is True


def test_a_namespace(run):
    assert run("namespaced", "billing.Invoice").one("root")["family"] == "billing.Invoice"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_users_handlers_and_task_process_context_keep_working(run, folder, workers):
    (folder / "luigi.cfg").write_text("[worker]\ntask_process_context=handlers.Context\n")
    ended = run("handlers", "Root", workers=workers)
    assert ended.status == 0, ended.describe()
    said = (folder / "handlers.txt").read_text().splitlines()
    assert [said[0], said[1], *said[3:]] == ["enter", "start", "success", "leave"]
    assert "plumbline" not in said[2]


@pytest.mark.parametrize("module", ["no_output"])
@pytest.mark.parametrize("task", ["Hello", "SuperHello"])
def test_a_root_without_output_cannot_be_verified(run, module, task):
    ended = run(module, task)
    asked = ended.one("asked")
    assert (ended.status, asked["complete"], asked["verifiable"]) == (0, False, False)


@pytest.mark.parametrize(
    ("module", "task", "parameters", "answer"),
    [
        ("custom_complete", "Wrapper", {}, True),
        ("custom_complete", "Flagged", {"work": False}, False),
        ("memory", "Root", {}, True),
        ("vanishing", "OnSuccess", {}, False),
        ("vanishing", "NeverWritten", {}, False),
        ("vanishing", "RemovedLater", {}, True),
        ("broken_methods", "CompleteLater", {}, None),
        ("custom_complete", "Odd", {}, None),
    ],
)
def test_the_root_is_asked_once_after_the_run(run, module, task, parameters, answer):
    ended = run(module, task, parameters)
    asked = ended.one("asked")
    assert ended.status == 0, ended.describe()
    assert asked["complete"] is answer and asked["verifiable"] is True
    assert (answer is None) == ("error" in asked)


def test_a_task_that_was_already_complete(run, folder):
    (folder / "out").mkdir()
    (folder / "out" / "sound.txt").touch()
    ended = run("failing", "Sound")
    assert ended.status == 0 and ended.one("task")["status"] == "DONE" and not ended.of("start")
    assert ended.one("outputs")["targets"][0]["exists"] is True


def test_a_missing_external_input(run):
    ended = run("missing_external", "Root")
    upload = next(event for event in ended.of("task") if event["family"] == "Upload")
    assert ended.status == 20 and upload["external"] and upload["status"] == "PENDING" and not upload["runnable"]


def test_a_cycle_runs_nothing(run):
    ended = run("cycle", "First")
    assert ended.status == 25 and len(ended.of("task")) == 2 and not ended.of("start")


@pytest.mark.parametrize(
    ("task", "status", "phase", "kind", "message"),
    [
        ("Requires", 35, "requires", "KeyError", "'which table'"),
        ("Complete", 35, "complete", "RuntimeError", "the catalogue does not answer"),
        ("NotATask", 40, "deps", "Exception", "requires() must return Task objects but a text is a <class 'str'>"),
    ],
)
def test_user_methods_that_break_while_the_graph_is_built(run, task, status, phase, kind, message):
    ended = run("broken_methods", task)
    told = ended.one("unschedulable")
    assert (ended.status, told["phase"], told["type"], told["message"]) == (status, phase, kind, message), ended.describe()
    assert told["family"] == task and told["task"].startswith(task)
    if phase != "deps":
        assert told["frames"][-1]["file"].endswith("broken_methods.py")
    assert len(ended.of("aborted")) == (1 if status == 40 else 0)


def test_parallel_scheduling(run, folder, external_input):
    (folder / "luigi.cfg").write_text("[core]\nparallel_scheduling=true\nparallel_scheduling_processes=2\n")
    ended = run("good", "Report", {"day": "2026-01-02"}, workers=2)
    assert ended.status == 0 and len(ended.of("end")) == 4, ended.describe()
    assert len({event["task"] for event in ended.of("outputs")}) == 5


def test_outputs_as_dictionaries_lists_and_tuples(run):
    assert [target["name"][-5:] for target in run("targets", "Many").one("outputs")["targets"]] == ["t/one", "t/two", "three"]


@pytest.mark.parametrize("leaves", [pytest.param(40, marks=pytest.mark.smoke), 300])
def test_many_tasks(run, leaves):
    ended = run("wide", "Root", {"n": leaves}, workers=4)
    assert ended.status == 0
    assert len(ended.of("start")) == len(ended.of("end")) == len(ended.of("task")) == leaves + 1
    assert len({event["task"] for event in ended.of("outputs")}) == leaves + 1


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_no_method_of_the_user_is_called_more_often_than_by_plain_luigi(run, plain, workers, broken):
    observed = run("counting", "Root", {"broken": broken}, workers=workers)
    beside, completed = plain("--module", "counting", "Root", *(["--broken"] if broken else []), workers=workers)
    assert completed.returncode == 0, completed.stderr
    root = observed.one("root")["task"]
    expected = sorted((beside / "calls.txt").read_text().splitlines() + [f"complete {root}", f"output {root}"])
    assert sorted((observed.folder / "calls.txt").read_text().splitlines()) == expected


def test_the_events_say_which_process_wrote_them(run):
    ended = run("failing", "Root", workers=2)
    hello, failure = ended.one("hello"), ended.one("failure")
    started = next(event for event in ended.of("start") if event["task"] == failure["task"])
    assert failure["pid"] == started["worker"] == started["pid"] != hello["pid"]
    assert all(event["v"] == 1 and isinstance(event["at"], float) for event in ended.events)
    assert json.dumps(hello["runId"]) == '"run-1"'
