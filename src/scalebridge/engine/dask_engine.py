"""Points on Dask's workers, as actors: loads and answers travel, state never leaves its worker.

An actor keeps its share of the points as long as its worker lives. A worker that is lost takes its points'
state with it, so that it is an error which names the checkpoint to resume from; nothing is started afresh.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import TaskError
from scalebridge.engine.executors import dask_client, dask_cluster, default_workers, need_dask
from scalebridge.engine.point_engine import (
    PointEngine,
    load_parts,
    merged,
    resume_hint,
    save_part,
    stored_state,
)
from scalebridge.engine.point_keeper import Build, Evaluation, KeeperSettings, make_keeper

_LOOK = 2.0  # s between two looks at whether the workers still live
_NAP = 1e-3  # s between two looks at whether an answer is there


class KeeperActor:
    """A keeper that lives on a worker.

    Args:
        build: makes the unit.
        ids: numbers of its points.
        settings: how they are kept.
    """

    def __init__(self, build: Build, ids: np.ndarray, settings: KeeperSettings):
        self._keeper, self._epoch, self._asked = make_keeper(build(), ids, settings), 0, False

    def evaluate(self, loads: np.ndarray, dt: float, epoch: int) -> Evaluation:
        """Answer loads from the state committed at an epoch."""
        self._require(epoch)
        self._asked = True
        return self._keeper.evaluate(np.asarray(loads), dt)

    def commit(self, epoch: int) -> int:
        """Commit the trials; return the new epoch."""
        self._require(epoch)
        if not self._asked:  # made anew after its worker was lost
            raise TaskError(f"a commit of epoch {epoch} met points that have no trial")
        self._asked = False
        self._keeper.commit()
        self._epoch += 1
        return self._epoch

    def rollback(self, epoch: int) -> None:
        """Forget the trials."""
        self._require(epoch)
        self._keeper.rollback()

    def save(self, folder: str, number: int) -> int:
        """Write this actor's file of a checkpoint."""
        return save_part(self._keeper, Path(folder), number)

    def load(self, folder: str, files: list[str], epoch: int) -> None:
        """Read this actor's points from a checkpoint."""
        load_parts(self._keeper, Path(folder), files)
        self._epoch = epoch

    def state(self, point: int) -> dict[str, np.ndarray]:
        """Return the internal variables of a point."""
        return stored_state(self._keeper, point)

    def audit(self, epoch: int, sample: int, seed: int) -> dict[str, float]:
        """Solve some of the points that share anew."""
        self._require(epoch)
        return self._keeper.audit(sample, seed, epoch)

    def memory(self) -> dict[str, float]:
        """Return what the state takes."""
        return self._keeper.memory()

    def _require(self, epoch: int) -> None:
        if epoch != self._epoch:
            raise TaskError(f"a call of epoch {epoch} met points that are at epoch {self._epoch}")


class DaskEngine(PointEngine):
    """All points, dealt out to the workers of a Dask cluster, one actor a worker.

    Args:
        build: makes the unit that every point asks; has to be known to the workers.
        points: how many there are.
        settings: how each worker keeps its own.
        engine: "dask" for a cluster on this machine, or a scheduler's address "tcp://host:port".
        workers: number of workers of a cluster on this machine; the processors unless given.
    """

    def __init__(
        self,
        build: Build,
        points: int,
        settings: KeeperSettings | None = None,
        engine: str = "dask",
        workers: int | None = None,
    ):
        self.points, self.epoch, self.checkpoint = points, 0, None
        self._stop, self.client = _cluster(engine, workers)
        self.client.direct_to_workers = True  # calls of actors do not pass through the scheduler
        self._workers = sorted(self.client.nthreads())
        if not self._workers:
            raise TaskError("the Dask cluster has no workers; start some and run again")
        self._dealt = [np.arange(i, points, len(self._workers)) for i in range(len(self._workers))]
        self._futures = [  # as long as they are held, the actors live
            self.client.submit(
                KeeperActor,
                build,
                ids,
                settings or KeeperSettings(),
                workers=[worker],
                actor=True,
                pure=False,
            )
            for worker, ids in zip(self._workers, self._dealt, strict=True)
        ]
        self._actors = [future.result() for future in self._futures]
        self.bytes_moved = 0

    def evaluate(self, loads: np.ndarray, dt: float, epoch: int) -> Evaluation:
        self.require_epoch(epoch)
        loads = np.asarray(loads)
        found = self._ask("evaluate", [(loads[ids], dt, epoch) for ids in self._dealt])
        order = np.argsort(np.concatenate(self._dealt))
        arrays = [
            np.concatenate([getattr(part, name) for part in found])[order]
            for name in ("answers", "tangents", "codes")
        ]
        self.bytes_moved += loads.nbytes + sum(array.nbytes for array in arrays)
        return Evaluation(arrays[0], arrays[1], arrays[2], merged([part.stats for part in found]))

    def commit(self, epoch: int) -> int:
        self.require_epoch(epoch)
        self._ask("commit", [(epoch,)] * len(self._actors))
        self.epoch += 1
        return self.epoch

    def rollback(self, epoch: int) -> None:
        self.require_epoch(epoch)
        self._ask("rollback", [(epoch,)] * len(self._actors))

    def save_points(self, folder: Path) -> int:
        place = str(folder.resolve())
        return sum(self._ask("save", [(place, number) for number in range(len(self._actors))]))

    def load_points(self, folder: Path, files: list[str], epoch: int) -> None:
        self._ask("load", [(str(folder.resolve()), files, epoch)] * len(self._actors))
        self.epoch = epoch

    def state(self, point: int) -> dict[str, np.ndarray]:
        return next((found for found in self._ask("state", [(point,)] * len(self._actors)) if found), {})

    def audit(self, epoch: int, sample: int, seed: int) -> dict[str, float]:
        self.require_epoch(epoch)
        return merged(self._ask("audit", [(epoch, sample, seed)] * len(self._actors)))

    def memory(self) -> dict[str, float]:
        return merged(self._ask("memory", [()] * len(self._actors)))

    def close(self) -> None:
        self._actors, self._futures = [], []
        self._stop()

    def _ask(self, order: str, details: list[tuple[Any, ...]]) -> list[Any]:
        """Have every actor do something and wait, looking whether their workers still live."""
        with self.client.as_current():
            try:
                asked = [getattr(actor, order)(*d) for actor, d in zip(self._actors, details, strict=True)]
            except RuntimeError as error:  # an actor that is known to be gone
                self._require_alive(error)
                raise
            return [self._result(number, future) for number, future in enumerate(asked)]

    def _result(self, number: int, future: Any) -> Any:
        looked = time.monotonic()
        while not future.done():
            time.sleep(_NAP)
            if time.monotonic() - looked > _LOOK:
                self._require_alive()
                looked = time.monotonic()
        try:
            return future.result()
        except TaskError as error:
            raise TaskError(f"{error}; {resume_hint(self.checkpoint)}") from error
        except Exception as error:
            self._require_alive(error)
            raise TaskError(
                f"worker {number} failed: {type(error).__name__}: {error}; {resume_hint(self.checkpoint)}"
            ) from error

    def _require_alive(self, error: BaseException | None = None) -> None:
        """Say that a worker is lost if the cluster no longer has it."""
        there = set(self.client.nthreads())
        lost = [worker for worker in self._workers if worker not in there]
        if lost or isinstance(error, OSError | RuntimeError):
            raise TaskError(
                f"{len(lost) or 1} of {len(self._workers)} Dask workers are gone, and the state of their "
                f"points with them; {resume_hint(self.checkpoint)}"
            ) from error


def _cluster(engine: str, workers: int | None) -> tuple[Callable[[], None], Any]:
    """Reach a cluster, or start one on this machine; return what stops it, and its client."""
    distributed = need_dask()
    if engine != "dask":
        client = dask_client(distributed, engine)
        return client.close, client
    cluster = dask_cluster(distributed, workers or default_workers())
    client = dask_client(distributed, cluster)

    def stop() -> None:
        client.close()
        cluster.close()

    return stop, client
