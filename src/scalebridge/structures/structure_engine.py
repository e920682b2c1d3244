"""The engine that a structure's points live on, by name; and running a program on every rank of MPI."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from scalebridge.core.errors import InputError
from scalebridge.engine.dask_engine import DaskEngine
from scalebridge.engine.executors import check_workers, need_dask
from scalebridge.engine.mpi_engine import MpiEngine, world
from scalebridge.engine.path_sharing import PathShare
from scalebridge.engine.point_engine import LocalEngine, PointEngine
from scalebridge.engine.point_keeper import Build, KeeperSettings

_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+:\d+")
Found = TypeVar("Found")


def check_point_engine(engine: Any, workers: Any) -> None:
    """Refuse an engine that there is not, before any work.

    Raises:
        InputError: no such engine, or a number of workers that it cannot have.
        MissingExtraError: it needs a package that is not installed.

    Example:
        >>> check_point_engine("local", 2)
    """
    address = isinstance(engine, str) and _ADDRESS.fullmatch(engine) is not None
    if not address and engine not in ("local", "mpi", "dask"):
        raise InputError(
            "engine",
            got=repr(engine),
            wanted="'local', 'mpi', 'dask', or a Dask scheduler's address 'tcp://host:port'",
            cure="choose one of them",
        )
    if engine == "mpi":
        world()
        if workers is not None:
            raise InputError(
                "workers",
                got=f"{workers} with engine='mpi'",
                wanted="none, because mpirun says how many ranks there are",
                cure="leave it out, and run mpirun -n 4 ...",
            )
    check_workers("local" if engine in ("local", "mpi") else engine, workers)
    if address or engine == "dask":
        need_dask()


def point_engine(
    engine: str,
    build: Build,
    points: int,
    lazy: bool,
    budget: float | None,
    workers: int | None,
    share: PathShare | None = None,
) -> PointEngine:
    """Make the engine of a name.

    Args:
        engine: "local", "mpi", "dask" or a scheduler's address.
        build: makes the unit of every point.
        points: how many there are.
        lazy: whether points share the elastic answer as long as it is exact.
        budget: bytes of state in memory for each process.
        workers: threads of "local", processes of "dask".
        share: how far points share answers, None for not at all.
    """
    threads, tolerance = workers if engine == "local" else None, None if share is None else share.tolerance
    settings = KeeperSettings(lazy, budget, threads, share=tolerance)
    if engine == "local":
        return LocalEngine(build, points, settings)
    if engine == "mpi":
        return MpiEngine(build, points, settings)
    return DaskEngine(build, points, settings, engine, workers)


def on_every_rank(engine: PointEngine, drive: Callable[[PointEngine], Found]) -> Found:
    """Drive an engine and close it; under MPI rank 0 drives, the others serve, and all return the same.

    Args:
        engine: made by this process, or by every rank.
        drive: takes the engine.

    Raises:
        Exception: what `drive` raised, on every rank.
    """
    if not isinstance(engine, MpiEngine):
        try:
            return drive(engine)
        finally:
            engine.close()
    found: Any = None
    error: BaseException | None = None
    if engine.rank == 0:
        try:
            found = drive(engine)
        except BaseException as raised:
            error = raised
        engine.close()
    else:
        engine.serve()
    found, error = engine.communicator.bcast((found, error), root=0)
    if error is not None:
        raise error
    return found
