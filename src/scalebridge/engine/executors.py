"""Who does the work: this process, worker processes, Dask, or whatever has `submit`.

A crew is an executor that is ready, with what a farm has to know of it: how many work at once, which errors
say that a worker is gone, and how to stop. No scheduler is written here: processes are those of
`concurrent.futures`, Dask brings its own, and MPI's (`mpi4py.futures`) is an object with `submit`.
"""

import importlib
import logging
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Protocol

from scalebridge.core.errors import InputError, MissingExtraError
from scalebridge.core.threads import VARIABLE, thread_count

ENGINES = ("serial", "local", "dask")
_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+:\d+")
_UNKNOWN_CREW = 16  # tasks handed out at once to an executor that does not say how many it can do
ONE_THREAD = {
    VARIABLE: "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # XLA sizes its pools by NPROC, or by the processors it sees.
    "NPROC": "1",
    "PJRT_NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
"""Environment of a worker: as many workers as processors, so one thread each."""


class Executor(Protocol):
    """What a farm needs of an executor: `submit` that returns a future as `concurrent.futures` has it."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Hand out a call; the future has `result`, `exception`, `cancel` and `add_done_callback`."""
        ...


Engine = str | Executor


@dataclass(frozen=True)
class Crew:
    """Workers that are ready.

    Args:
        executor: what takes the calls.
        workers: how many calls run at once; None where that is not known.
        lost: errors which say that a worker is gone, and not that its task failed.
        stop: ends what runs without waiting for it; nothing is left running.
    """

    executor: Executor
    workers: int | None
    lost: tuple[type[BaseException], ...]
    stop: Callable[[], None]

    @property
    def ahead(self) -> int:
        """How many calls to hand out at once: one in reserve for each worker, so that none has to wait."""
        if self.workers is None:
            return _UNKNOWN_CREW
        return 1 if isinstance(self.executor, SerialExecutor) else 2 * self.workers


class SerialExecutor:
    """An executor that does each call at once, in this process."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Do a call and return a future that is done. Ctrl-C goes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def check_engine(engine: Any, workers: Any = None) -> None:
    """Refuse an engine that there is not, before any work.

    Args:
        engine: "serial", "local", "dask", the address of a Dask scheduler, or an object with `submit`.
        workers: number of workers, or None.

    Raises:
        InputError: no such engine, or a number of workers that it cannot have.
        MissingExtraError: Dask is asked for and not installed.

    Example:
        >>> check_engine("local", 2)
        >>> check_engine("cluster")
        Traceback (most recent call last):
        ...
        scalebridge.core.errors.InputError: engine: got 'cluster'; wanted 'serial', 'local', 'dask', a Dask \
scheduler's address 'tcp://host:port', or an object with submit; choose one of them
    """
    named = isinstance(engine, str)
    address = named and _ADDRESS.fullmatch(engine) is not None
    if not (engine in ENGINES or address if named else callable(getattr(engine, "submit", None))):
        raise InputError(
            "engine",
            got=repr(engine),
            wanted="'serial', 'local', 'dask', a Dask scheduler's address 'tcp://host:port', or an object "
            "with submit",
            cure="choose one of them",
        )
    check_workers(engine, workers)
    if address or engine == "dask":
        need_dask()


def default_workers() -> int:
    """Return as many workers as this process may use processors."""
    return thread_count()


@contextmanager
def hired(engine: Engine = "local", workers: int | None = None, most: int | None = None) -> Iterator[Crew]:
    """Yield a crew, and send it home in the end: waiting for what runs, or at once after an error.

    Args:
        engine: "serial": this process. "local": worker processes, each with one thread (started afresh, so
            that a script that uses them must be importable: its work stands under `if __name__ ==
            "__main__":`). "dask": a Dask cluster of processes on this machine. "tcp://host:port": a Dask
            scheduler that runs. Or an object with `submit`, which is left open.
        workers: number of processes of "local" and "dask"; the processors unless given.
        most: number of tasks there are, so that no more workers are started.

    Raises:
        InputError: see `check_engine`.
        MissingExtraError: see `check_engine`.

    Example:
        >>> with hired("serial") as crew:
        ...     crew.executor.submit(max, 2, 3).result()
        3
    """
    check_engine(engine, workers)
    count = min(workers or default_workers(), most or workers or default_workers())
    if not isinstance(engine, str):
        ready = _given(engine)
    elif engine == "serial":
        ready = _serial()
    elif engine == "local":
        ready = _local(count)
    else:
        ready = _dask(engine, count)
    with ready as crew:
        try:
            yield crew
        except BaseException:
            crew.stop()
            raise


@contextmanager
def _serial() -> Iterator[Crew]:
    yield Crew(SerialExecutor(), 1, (), lambda: None)


@contextmanager
def _given(executor: Executor) -> Iterator[Crew]:
    yield Crew(executor, None, (BrokenExecutor,), lambda: None)


@contextmanager
def _local(workers: int) -> Iterator[Crew]:
    # A fork would copy the locks of threads that it does not copy; JAX and Numba have threads.
    context = multiprocessing.get_context("spawn")
    watched, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, _settle, (watched,))

    def stop() -> None:
        held.close()  # the workers see the end of the pipe and leave, whatever they are doing
        # A worker that leaves in the middle of a large result would be waited for, because this process has
        # the other end of that pipe open too.
        pool._result_queue._writer.close()  # pyright: ignore[reportAttributeAccessIssue]
        pool.shutdown(cancel_futures=True)

    try:
        yield Crew(pool, workers, (BrokenExecutor,), stop)
    finally:
        pool.shutdown(cancel_futures=True)
        held.close()
        watched.close()


def _settle(watched: connection.Connection) -> None:
    """Make a new process a worker: one thread, deaf to Ctrl-C (its parent decides), gone with its parent."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {ONE_THREAD['XLA_FLAGS']}".strip()
    os.environ.update(ONE_THREAD | {"XLA_FLAGS": flags})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, args=(watched,), daemon=True).start()


def _leave_with_parent(watched: connection.Connection) -> None:
    """Wait until the parent closes its end of the pipe or dies, even by kill -9; then end this process."""
    parent = multiprocessing.parent_process()
    connection.wait([watched] if parent is None else [watched, parent.sentinel])
    os._exit(1)


@contextmanager
def _dask(engine: str, workers: int) -> Iterator[Crew]:
    distributed = need_dask()
    killed = (BrokenExecutor, importlib.import_module("distributed.scheduler").KilledWorker)
    cluster = dask_cluster(distributed, workers) if engine == "dask" else None
    client = dask_client(distributed, engine if cluster is None else cluster)
    found = workers if cluster is not None else max(1, sum(client.nthreads().values()))
    executor = client.get_executor(pure=False, retries=0)
    try:
        yield Crew(executor, found, killed, lambda: executor.shutdown(wait=False))
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def dask_client(distributed: Any, place: Any) -> Any:
    """Return a client of a cluster or of the scheduler at an address, or say that none answers."""
    try:
        return distributed.Client(place, timeout="10s", set_as_default=False)
    except OSError as error:
        raise InputError(
            "engine",
            got=f"{place!r}, where no scheduler answers",
            wanted="the address of a Dask scheduler that runs",
            cure="start one with `dask scheduler`, or pass engine='dask'",
        ) from error


# Dask has its workers give memory back to the system at every chance, and glibc then fetches each larger
# array from it anew, page by page: cells took twice as long. Both limits at what glibc would itself come to.
_KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 1 << 26, "MALLOC_MMAP_THRESHOLD_": 1 << 25}


_READ_AGAIN = 3


def dask_cluster(distributed: Any, workers: int) -> Any:
    """Start a Dask cluster of processes with one thread each on this machine.

    Raises:
        InputError: workers import the script that asks for them, and that asks again as it is imported.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # a worker that reads its script
        raise SystemExit(_READ_AGAIN)
    place = "distributed.nanny.pre-spawn-environ"
    settings = importlib.import_module("dask").config
    with settings.set({place: settings.get(place, {}) | _KEEP_MEMORY}):
        try:
            return distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                env=ONE_THREAD,
                silence_logs=logging.CRITICAL,
            )
        except RuntimeError as error:
            raise InputError(
                "engine",
                got=f"workers that did not start ({error})",
                wanted="workers that can read the script that asks for them, and do not ask again",
                cure="call it under  if __name__ == '__main__':",
            ) from error


def need_dask() -> Any:
    """Import Dask's `distributed`, or say which extra brings it."""
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise MissingExtraError("distributed", extra="dask", purpose="the engine 'dask'") from error


def check_workers(engine: Any, workers: Any) -> None:
    """Refuse a number of workers that an engine cannot have."""
    if workers is None:
        return
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(
            "workers",
            got=repr(workers),
            wanted="a whole number of at least 1",
            cure="leave it out for one worker a processor",
        )
    if engine == "serial" and workers > 1:
        cure = "pass engine='local', or leave workers out"
        raise InputError("workers", got=f"{workers} with engine='serial'", wanted="1", cure=cure)
    if engine not in ENGINES:
        raise InputError(
            "workers",
            got=f"{workers} with {engine!r}",
            wanted="none, because that engine has its own",
            cure="leave it out",
        )
