"""Farms: each task once, in order, on every engine; kept, resumed, stopped and failing as promised."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

import engine_tasks
from scalebridge.core.errors import InputError, MissingExtraError, TaskError
from scalebridge.engine import executors
from scalebridge.engine.executors import check_engine, hired
from scalebridge.engine.farm import Task, run_tasks

HERE = Path(__file__).parent


def squares(count):
    return [Task(f"square {n}", engine_tasks.square, {"number": n}) for n in range(count)]


def values(harvest):
    return [result["square"] for result in harvest.results]


# ---------------------------------------------------------------------------------------------- engines


def test_results_come_in_the_order_of_the_tasks():
    found = run_tasks(squares(7)[::-1], engine="serial")
    assert values(found) == [n**2 for n in range(7)][::-1]
    assert (found.computed, found.reused, found.damaged) == (7, 0, 0)
    np.testing.assert_array_equal(found.results[0]["row"], np.arange(6) / 3.0)


def test_no_task_is_no_work():
    assert run_tasks([], engine="local").results == []


def test_the_same_question_is_asked_once():
    found = run_tasks(squares(3) + squares(3), engine="serial")
    assert values(found) == [0, 1, 4, 0, 1, 4]
    assert found.computed == 3


def test_processes_give_what_this_process_gives_and_have_one_thread_each():
    tasks = [Task(f"look {n}", engine_tasks.surroundings, {"number": n}) for n in range(4)]
    found = run_tasks(squares(5) + tasks, engine="local", workers=2)
    assert values_of(found.results[:5]) == [0, 1, 4, 9, 16]
    for seen in found.results[5:]:
        assert seen["pid"] != os.getpid()
        assert seen["SCALEBRIDGE_THREADS"] == seen["OMP_NUM_THREADS"] == seen["NPROC"] == "1"
        assert "--xla_cpu_multi_thread_eigen=false" in seen["XLA_FLAGS"]
        assert seen["threads"] == 1
    assert len({seen["pid"] for seen in found.results[5:]}) <= 2


def values_of(results):
    return [result["square"] for result in results]


def test_whatever_has_submit_will_do():
    with ThreadPoolExecutor(2) as pool:
        assert values(run_tasks(squares(30), engine=pool)) == [n**2 for n in range(30)]
        assert pool.submit(int, "3").result() == 3  # it is not ours to close


@pytest.mark.parametrize(
    ("engine", "workers", "said"),
    [
        ("cluster", None, "choose one of them"),
        ("tcp://nowhere", None, "choose one of them"),
        ("", None, "choose one of them"),
        (7, None, "choose one of them"),
        (None, None, "choose one of them"),
        ("local", 0, "at least 1"),
        ("local", 1.5, "at least 1"),
        ("local", True, "at least 1"),
        ("serial", 2, "engine='local'"),
        ("tcp://127.0.0.1:8786", 2, "has its own"),
        (ThreadPoolExecutor, 2, "has its own|choose one"),
    ],
)
def test_engines_that_are_none_are_refused_before_any_work(engine, workers, said):
    with pytest.raises(InputError, match=said):
        run_tasks(squares(1), engine=engine, workers=workers)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"scalebridge\[dask\]"):
        check_engine("dask")


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch):
    pytest.importorskip("distributed")

    class Silent:
        def Client(self, *args, **options):  # noqa: N802 (the name in Dask)
            raise OSError("timed out")

    monkeypatch.setattr(executors, "need_dask", Silent)
    with pytest.raises(InputError, match="no scheduler answers"), hired("tcp://127.0.0.1:1"):
        pass


# ------------------------------------------------------------------------------------- kept and resumed


def test_finished_work_is_reused_and_the_rest_is_done(tmp_path):
    first = run_tasks(squares(3), engine="serial", store=tmp_path)
    again = run_tasks(squares(5), engine="serial", store=tmp_path)
    assert (first.computed, first.reused) == (3, 0)
    assert (again.computed, again.reused) == (2, 3)
    assert values(again) == [0, 1, 4, 9, 16]
    np.testing.assert_array_equal(again.results[2]["row"], first.results[2]["row"])


def test_another_version_is_another_question(tmp_path):
    run_tasks(squares(2), engine="serial", store=tmp_path)
    other = [Task("square", engine_tasks.square, {"number": 1}, version="2")]
    assert run_tasks(other, engine="serial", store=tmp_path).reused == 0


def test_damaged_files_are_done_again_and_counted(tmp_path):
    run_tasks(squares(3), engine="serial", store=tmp_path)
    victim = tmp_path / f"{squares(3)[1].key}.json"
    victim.write_text(victim.read_text()[:-20])
    found = run_tasks(squares(3), engine="serial", store=tmp_path)
    assert (found.computed, found.reused, found.damaged) == (1, 2, 1)
    assert values(found) == [0, 1, 4]


# ---------------------------------------------------------------------------------- failing and stopping


@pytest.mark.parametrize("engine", ["serial", "local"])
def test_a_task_that_fails_is_named_and_the_others_finish(engine, tmp_path):
    tasks = [Task(f"task {n}", engine_tasks.fail_on, {"number": n, "bad": [2, 4]}) for n in range(6)]
    with pytest.raises(
        TaskError, match=r"task [24] \(and 1 more: task [24]\) failed: ValueError: [24]"
    ) as told:
        run_tasks(tasks, engine=engine, store=tmp_path)
    assert "4 of 6 tasks are finished and kept" in str(told.value)
    assert isinstance(told.value.__cause__, ValueError)
    mended = [
        Task(t.name, engine_tasks.fail_on, {**t.inputs, "bad": [2, 4]})
        for t in tasks
        if t.name[-1] not in "24"
    ]
    assert run_tasks(mended, engine="serial", store=tmp_path).reused == 4


def test_a_worker_that_is_killed_is_told_with_a_cure_and_finished_work_is_kept(tmp_path):
    tasks = [Task(f"task {n}", engine_tasks.die_on, {"number": n, "bad": [5]}) for n in range(6)]
    with pytest.raises(TaskError, match="a worker process ended") as told:
        run_tasks(tasks, engine="local", workers=1, store=tmp_path)
    assert "fewer workers" in str(told.value)
    assert "5 of 6 tasks are finished and kept" in str(told.value)
    assert len(list(tmp_path.glob("*.json"))) == 5


class Failing:
    """An executor whose workers are lost after two calls."""

    def __init__(self):
        self.calls = 0

    def submit(self, function, /, *args):
        self.calls += 1
        if self.calls > 2:
            raise executors.BrokenExecutor("gone")
        future = Future()
        future.set_result(function(*args))
        return future


def test_an_executor_that_breaks_while_it_is_fed_loses_nothing_that_was_done(tmp_path):
    with pytest.raises(TaskError, match="2 of 9 tasks"):
        run_tasks(squares(9), engine=Failing(), store=tmp_path)
    assert run_tasks(squares(9), engine="serial", store=tmp_path).reused == 2


PROGRAM = """
import signal, sys
sys.path.insert(0, {here!r})
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's '&' ignores it
import engine_tasks
from scalebridge.engine.farm import Task, run_tasks

if __name__ == "__main__":
    tasks = [
        Task(str(n), engine_tasks.slow_square, {{"number": n, "seconds": 60.0, "folder": {folder!r}}})
        for n in range(8)
    ]
    try:
        run_tasks(tasks, engine={engine!r}, workers=2)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def started(tmp_path, engine):
    """Start a farm of long tasks in a process of its own; return it and its workers' numbers."""
    script = tmp_path / "script.py"
    script.write_text(PROGRAM.format(here=str(HERE), folder=str(tmp_path), engine=engine))
    child = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    deadline = time.monotonic() + 200
    while len(list(tmp_path.glob("*.begun"))) < 2:
        assert child.poll() is None
        assert time.monotonic() < deadline, "no task began"
        time.sleep(0.05)
    return child, {int(path.name.partition("-")[0]) for path in tmp_path.glob("*.begun")}


def all_gone(numbers, seconds=15.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(n) and psutil.Process(n).status() != "zombie" for n in numbers):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("number", "group", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGINT, False, 130), (signal.SIGKILL, False, -9)],
    ids=["Ctrl-C at a terminal", "an interrupt", "kill -9"],
)
def test_nothing_is_left_running(tmp_path, number, group, code):
    child, workers = started(tmp_path, "local")
    assert len(workers) == 2
    (os.killpg if group else os.kill)(child.pid, number)
    assert child.wait(20) == code
    assert all_gone(workers)
    assert not list(tmp_path.glob("*.ended"))


# ------------------------------------------------------------------------------------------------- dask


def test_dask_gives_what_this_process_gives_and_keeps_finished_work(tmp_path):
    pytest.importorskip("distributed")
    tasks = [Task(f"task {n}", engine_tasks.fail_on, {"number": n, "bad": [2]}) for n in range(4)]
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(TaskError, match="task 2 failed: ValueError: 2 is not to be had; 3 of 4"):
        run_tasks(tasks, engine="dask", workers=2, store=tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 3
    left = {
        c for c in psutil.Process().children(recursive=True) if c not in before and c.status() != "zombie"
    }
    assert {c for c in left if "resource_tracker" not in " ".join(c.cmdline())} == set()


@pytest.mark.timeout(300)  # three fresh interpreters
def test_dask_stops_with_its_parent(tmp_path):
    pytest.importorskip("distributed")
    child, workers = started(tmp_path, "dask")
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(30) == 130
    assert all_gone(workers)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9])
def test_workers_that_are_stopped_while_they_hand_back_large_results_are_not_waited_for(delay):
    command = [sys.executable, str(HERE / "large_results.py"), str(delay)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout == "stopped"
