"""Points on MPI's ranks: loads and answers travel, state never leaves its rank.

Every rank runs the same program. Rank 0 drives the coarse model and keeps points too; the others call
`serve` and answer until they are dismissed. Points are dealt out in turn, so that the costly ones, which lie
together, are spread. Each rank writes its own file of a checkpoint, onto a file system that all see. A rank
that is killed takes the job with it, as MPI has it; the last checkpoint is whole, for any number of ranks.
"""

import importlib
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import MissingExtraError, TaskError
from scalebridge.engine.history_unit import load_size
from scalebridge.engine.point_engine import (
    PointEngine,
    load_parts,
    merged,
    resume_hint,
    save_part,
    stored_state,
)
from scalebridge.engine.point_keeper import Build, Evaluation, KeeperSettings, make_keeper


def world() -> Any:
    """Return the communicator of all ranks.

    Raises:
        MissingExtraError: mpi4py is not installed.
    """
    try:
        return importlib.import_module("mpi4py.MPI").COMM_WORLD
    except ImportError as error:
        raise MissingExtraError("mpi4py", extra="mpi", purpose="points on MPI's ranks") from error


class MpiEngine(PointEngine):
    """All points, dealt out to the ranks of a communicator. Made by every rank; only rank 0 asks.

    Args:
        build: makes the unit that every point asks.
        points: how many there are.
        settings: how each rank keeps its own.
        communicator: MPI's; that of all ranks unless given.
    """

    def __init__(
        self,
        build: Build,
        points: int,
        settings: KeeperSettings | None = None,
        communicator: Any = None,
    ):
        self.points, self.epoch, self.checkpoint = points, 0, None
        self.communicator = world() if communicator is None else communicator
        self.rank, self.ranks = self.communicator.Get_rank(), self.communicator.Get_size()
        unit = build()
        self._size = load_size(unit)
        self._dealt = [np.arange(rank, points, self.ranks) for rank in range(self.ranks)]
        self._keeper = make_keeper(unit, self._dealt[self.rank], settings or KeeperSettings())
        self.bytes_moved = 0

    def serve(self) -> None:
        """Answer rank 0 until it dismisses this rank; to be called by every other rank."""
        while True:
            order, details = self.communicator.bcast(None, root=0)
            if order == "close":
                self._keeper.close()
                return
            self._follow(order, details, None)

    def evaluate(self, loads: np.ndarray, dt: float, epoch: int) -> Evaluation:
        self.require_epoch(epoch)
        return self._ask("evaluate", (dt, epoch), np.ascontiguousarray(loads, dtype=float))

    def commit(self, epoch: int) -> int:
        self.require_epoch(epoch)
        self._ask("commit", epoch)
        return self.epoch

    def rollback(self, epoch: int) -> None:
        self.require_epoch(epoch)
        self._ask("rollback", epoch)

    def save_points(self, folder: Path) -> int:
        return sum(self._ask("save", folder))

    def load_points(self, folder: Path, files: list[str], epoch: int) -> None:
        self._ask("load", (folder, files, epoch))

    def state(self, point: int) -> dict[str, np.ndarray]:
        return next((found for found in self._ask("state", point) if found), {})

    def audit(self, epoch: int, sample: int, seed: int) -> dict[str, float]:
        self.require_epoch(epoch)
        return merged(self._ask("audit", (sample, seed)))

    def memory(self) -> dict[str, float]:
        return merged(self._ask("memory", None))

    def close(self) -> None:
        self.communicator.bcast(("close", None), root=0)
        self._keeper.close()

    def _ask(self, order: str, details: Any, loads: np.ndarray | None = None) -> Any:
        self.communicator.bcast((order, details), root=0)
        return self._follow(order, details, loads)

    def _follow(self, order: str, details: Any, loads: np.ndarray | None) -> Any:
        """Do an order on this rank and bring the ranks' answers together on rank 0."""
        mine = self._scattered(loads) if order == "evaluate" else None
        found, wrong = None, ""
        try:
            found = self._do(order, details, mine)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
        told = self.communicator.gather((found if order != "evaluate" else None, wrong), root=0)
        if told is None:
            if order == "evaluate" and self.communicator.bcast(None, root=0):
                self._gathered(found)
            return None
        failed = [(rank, text) for rank, (_, text) in enumerate(told) if text]
        if order == "evaluate":
            self.communicator.bcast(not failed, root=0)
        if failed:
            rank, text = failed[0]
            raise TaskError(f"rank {rank} failed: {text}; {resume_hint(self.checkpoint)}")
        return self._gathered(found) if order == "evaluate" else [answer for answer, _ in told]

    def _do(self, order: str, details: Any, loads: np.ndarray | None) -> Any:
        keeper = self._keeper
        if order == "evaluate":
            dt, epoch = details
            self.require_epoch(epoch)
            return keeper.evaluate(loads, dt)  # type: ignore[arg-type]
        if order in ("commit", "rollback"):
            self.require_epoch(details)
            keeper.commit() if order == "commit" else keeper.rollback()
            self.epoch += order == "commit"
        elif order == "save":
            return save_part(keeper, details, self.rank)
        elif order == "load":
            folder, files, self.epoch = details
            load_parts(keeper, folder, files)
        elif order == "audit":
            sample, seed = details
            return keeper.audit(sample, seed, self.epoch)
        elif order == "state":
            return stored_state(keeper, details)
        return keeper.memory()

    def _scattered(self, loads: np.ndarray | None) -> np.ndarray:
        """Hand each rank the loads of its points."""
        counts = [len(dealt) * self._size for dealt in self._dealt]
        mine = np.zeros((len(self._dealt[self.rank]), self._size))
        sent = None
        if loads is not None:
            ordered = np.ascontiguousarray(loads[np.concatenate(self._dealt)])
            sent = [ordered, counts]
            self.bytes_moved += ordered.nbytes - mine.nbytes
        self.communicator.Scatterv(sent, mine, root=0)
        return mine

    def _gathered(self, found: Any) -> Evaluation | None:
        """Bring answers, tangents and codes of all points to rank 0, in their order."""
        width = self._size + self._size**2 + 1
        mine = np.concatenate(
            [found.answers, found.tangents.reshape(len(found.answers), -1), found.codes[:, None]], axis=1
        )
        counts = [len(dealt) * width for dealt in self._dealt]
        all_ = np.zeros((self.points, width)) if self.rank == 0 else None
        self.communicator.Gatherv(
            np.ascontiguousarray(mine), None if all_ is None else [all_, counts], root=0
        )
        stats = self.communicator.gather(found.stats, root=0)
        if all_ is None or stats is None:
            return None
        self.bytes_moved += all_.nbytes - mine.nbytes
        ordered = np.empty_like(all_)
        ordered[np.concatenate(self._dealt)] = all_
        answers, tangents, codes = np.split(ordered, [self._size, width - 1], axis=1)
        shape = (self.points, self._size, self._size)
        return Evaluation(
            np.ascontiguousarray(answers),
            tangents.reshape(shape),
            codes[:, 0].astype(np.int64),
            merged(stats),
        )
