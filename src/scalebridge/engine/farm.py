"""A farm: many independent tasks, done on whatever engine, each only once, and kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from queue import SimpleQueue
from typing import Any

from scalebridge.core.errors import TaskError
from scalebridge.engine.executors import Crew, Engine, check_engine, hired
from scalebridge.engine.hashing import hash_call
from scalebridge.engine.progress import Advance, tallied
from scalebridge.engine.store import Store
from scalebridge.engine.task_folder import MISSING, TaskFolder


@dataclass(frozen=True)
class Task:
    """One call of a pure function on plain inputs.

    Args:
        name: what it is, for progress and errors.
        function: a function of a module; called with `inputs` as keyword arguments.
        inputs: numbers, text, bytes, lists, tuples, tables and arrays.
        version: changes when the function's answers do; part of the key.
        cost: how long it takes relative to the others, for the estimate of the time left.
    """

    name: str
    function: Callable[..., Any]
    inputs: Mapping[str, Any]
    version: str = "1"
    cost: float = 1.0

    @cached_property
    def key(self) -> str:
        """The hash of function, version and inputs' content that the result is kept by."""
        return hash_call(self.function, self.version, self.inputs)


@dataclass(frozen=True)
class Harvest:
    """What a farm brought in.

    Args:
        results: one a task, in the order of the tasks.
        computed: how many questions were answered now.
        reused: how many were found in the store.
        damaged: how many stored files were not whole, and were answered again.
    """

    results: list[Any]
    computed: int
    reused: int
    damaged: int = 0


def run_tasks(
    tasks: Sequence[Task],
    *,
    engine: Engine = "local",
    workers: int | None = None,
    store: str | PathLike[str] | Store | None = None,
    title: str = "working",
    progress: bool | None = None,
) -> Harvest:
    """Do all tasks, and return their results in order.

    Tasks with the same key are done once. Results found in the store are not done again, so that a run that
    was stopped, even by kill -9, goes on where it was; results come out of a run with and without
    interruption with the same bits. Ctrl-C stops the workers at once. A task that fails does not stop the
    others.

    Args:
        tasks: the tasks; put long ones first, so that the last workers do not wait for one.
        engine: see `scalebridge.engine.executors.hired`.
        workers: number of worker processes; the processors unless given.
        store: folder of finished results; without it nothing is kept.
        title: what is being done, for the bar.
        progress: whether to draw a bar; on a terminal unless given.

    Raises:
        InputError: an engine, a store or an input of a task that cannot be; nothing has run.
        TaskError: tasks failed, or a worker was lost; names them. What was finished is in the store.

    Cost: for every task a hash of its inputs, and their transfer to a worker.

    Example:
        >>> from scalebridge.engine.progress import share_done
        >>> tasks = [Task(f"to {e}", share_done, {"error": e, "wanted": 1e-6}) for e in (1e-3, 1e-6, 1e-3)]
        >>> found = run_tasks(tasks, engine="serial")
        >>> found.results, found.computed
        ([0.5, 1.0, 0.5], 2)
    """
    check_engine(engine, workers)
    kept = Store.at(store)
    wanted = {task.key: task for task in reversed(tasks)}
    order = dict.fromkeys(task.key for task in tasks)
    done = {} if kept is None else {k: r for k in order if (r := kept.get(k)) is not MISSING}
    reused = len(done)
    waiting = [wanted[key] for key in order if key not in done]

    def take(number: int, task: Task, result: Any) -> None:
        done[task.key] = result

    work = _Work(iter(enumerate(waiting)), take, kept, len(done))
    with tallied(sum(task.cost for task in waiting), title, progress) as advance:
        if waiting:
            with hired(engine, workers, len(waiting)) as crew:
                work.do(crew, advance)
    work.refuse_failures(len(order))
    damaged = 0 if kept is None else len(kept.damaged)
    return Harvest([done[task.key] for task in tasks], len(order) - reused, reused, damaged)


def stream_tasks(
    tasks: Iterable[Task],
    take: Callable[[int, Any], None],
    count: int,
    *,
    engine: Engine = "serial",
    workers: int | None = None,
    store: TaskFolder | None = None,
    title: str = "working",
    progress: bool | None = None,
) -> int:
    """Do tasks that are made when their turn comes, and hand on each result when it is there.

    Nothing is held: what is in memory are the tasks that workers have, two a worker. Otherwise as
    `run_tasks`.

    Args:
        tasks: makes the tasks, one after the other; their inputs may be read from files only then.
        take: takes the number of a task, in the order of the tasks, and its result; in any order.
        count: how many tasks there will be.
        engine: see `run_tasks`.
        workers: see `run_tasks`.
        store: finished results; what is there is not done again.
        title: see `run_tasks`.
        progress: see `run_tasks`.

    Returns:
        how many results were in the store.

    Raises:
        TaskError: see `run_tasks`.

    Example:
        >>> from scalebridge.engine.progress import share_done
        >>> found = {}
        >>> tasks = (Task(f"to {e}", share_done, {"error": e, "wanted": 1e-6}) for e in (1e-3, 1e-6))
        >>> stream_tasks(tasks, found.__setitem__, 2), found
        (0, {0: 0.5, 1: 1.0})
    """
    check_engine(engine, workers)
    with tallied(float(count), title, progress) as advance, hired(engine, workers, max(count, 1)) as crew:
        reused = 0

        def fresh() -> Iterator[tuple[int, Task]]:
            nonlocal reused
            for number, task in enumerate(tasks):
                found = MISSING if store is None else store.get(task.key)
                if found is MISSING:
                    yield number, task
                    continue
                reused, work.finished = reused + 1, work.finished + 1
                take(number, found)
                advance(task.cost, task.name)

        work = _Work(fresh(), lambda number, task, result: take(number, result), store)
        work.do(crew, advance)
    work.refuse_failures(count)
    return reused


@dataclass
class _Work:
    """The state of a run: what waits, who takes results, how many are done, what failed."""

    waiting: Iterator[tuple[int, Task]]
    take: Callable[[int, Task, Any], None]
    store: TaskFolder | None
    finished: int = 0
    failed: list[tuple[Task, BaseException]] = field(default_factory=list)
    lost: BaseException | None = None

    def do(self, crew: Crew, advance: Advance) -> None:
        """Hand out tasks, a few ahead of the workers, and take in what comes back, until nothing is left."""
        inbox: SimpleQueue[tuple[int, Task, Any]] = SimpleQueue()
        running, more = 0, True
        while running or (more and self.lost is None):
            while more and running < crew.ahead and self.lost is None:
                order = next(self.waiting, None)
                more = order is not None
                running += 0 if order is None else self._hand_out(*order, crew, inbox)
            if running:
                number, task, future = inbox.get()
                running -= 1
                self._take_in(number, task, future, crew)
                advance(task.cost, task.name)

    def _hand_out(
        self, number: int, task: Task, crew: Crew, inbox: SimpleQueue[tuple[int, Task, Any]]
    ) -> int:
        try:
            future = crew.executor.submit(_call, task.function, dict(task.inputs))
        except crew.lost as error:
            self.lost = error
            return 0
        future.add_done_callback(lambda finished: inbox.put((number, task, finished)))
        return 1

    def _take_in(self, number: int, task: Task, future: Any, crew: Crew) -> None:
        try:
            # Every result takes the way through the store's form, so that stored and fresh ones are alike.
            form = Store if self.store is None else self.store  # an empty store is false
            result = form.returned(future.result())
        except crew.lost as error:
            self.lost = error
        except Exception as error:  # whatever a task raises is told with its name in the end
            self.failed.append((task, error))
        else:
            if self.store is not None:
                self.store.put(task.key, result)
            self.finished += 1
            self.take(number, task, result)

    def refuse_failures(self, total: int) -> None:
        """Raise one error if anything failed.

        Raises:
            TaskError: it did.
        """
        if self.lost is None and not self.failed:
            return
        kept = f"{self.finished} of {total} tasks are finished"
        kept += " and kept in the store" if self.store is not None else ""
        if self.lost is not None:
            raise TaskError(_LOST.format(kept=kept, said=_said(self.lost))) from self.lost
        (task, first), more = self.failed[0], len(self.failed) - 1
        others = f" (and {more} more: {_some([t.name for t, _ in self.failed[1:]])})" if more else ""
        cure = "correct what it says, and run it again"
        raise TaskError(f"{task.name}{others} failed: {_said(first)}; {kept}; {cure}") from first


_LOST = (
    "a worker process ended before its task did ({said}), as happens when the machine runs out of memory, or "
    "when a script starts workers outside `if __name__ == '__main__':`; {kept}; use fewer workers or "
    "engine='serial', and run it again"
)


def _call(function: Callable[..., Any], inputs: dict[str, Any]) -> Any:
    return function(**inputs)


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
