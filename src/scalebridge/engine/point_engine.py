"""Where points live: one interface for this process, MPI's ranks and Dask's workers.

Every call carries the epoch, the number of commits so far. An engine that is at another one has lost or
repeated something, and says so: it never starts afresh in silence.
"""

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import TaskError
from scalebridge.engine.checkpoint import (
    SCHEMA,
    begin_checkpoint,
    drop_checkpoints,
    finish_checkpoint,
    read_head,
    read_paths,
    read_points,
    write_points,
)
from scalebridge.engine.point_keeper import Build, Evaluation, Keeper, KeeperSettings, make_keeper, state_of


class PointEngine(abc.ABC):
    """Answers of all integration points, and their memory.

    Args:
        points: how many there are.
        epoch: number of commits so far.
        checkpoint: the last whole checkpoint, for errors; None without.
    """

    points: int
    epoch: int
    checkpoint: Path | None

    @abc.abstractmethod
    def evaluate(self, loads: np.ndarray, dt: float, epoch: int) -> Evaluation:
        """Answer loads (points, k) from the state committed at `epoch`; nothing is committed.

        Raises:
            TaskError: the engine is at another epoch, or a worker is lost; the text names the checkpoint.
        """

    @abc.abstractmethod
    def commit(self, epoch: int) -> int:
        """Make the last trials the committed state; return the new epoch."""

    @abc.abstractmethod
    def rollback(self, epoch: int) -> None:
        """Forget the last trials."""

    @abc.abstractmethod
    def save_points(self, folder: Path) -> int:
        """Write every point's committed variables into a checkpoint's folder; return their bytes."""

    @abc.abstractmethod
    def load_points(self, folder: Path, files: list[str], epoch: int) -> None:
        """Read every point's committed variables from a checkpoint, whoever wrote it."""

    @abc.abstractmethod
    def state(self, point: int) -> dict[str, np.ndarray]:
        """Return the committed internal variables of one point; empty where it never had any."""

    @abc.abstractmethod
    def audit(self, epoch: int, sample: int, seed: int) -> dict[str, float]:
        """Solve some of the points that share an answer anew, along their own loads; before the commit.

        Returns:
            what `Keeper.audit` says, over all; empty where points do not share.
        """

    @abc.abstractmethod
    def memory(self) -> dict[str, float]:
        """Return bytes of state in memory and in mapped files, and the points that have any, over all."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give everything back."""

    def require_epoch(self, epoch: int) -> None:
        """Refuse a call that is of another epoch.

        Raises:
            TaskError: it is; the text names the checkpoint to resume from.
        """
        if epoch != self.epoch:
            raise TaskError(
                f"a call of epoch {epoch} met points that are at epoch {self.epoch}: something was lost or "
                f"done twice; {resume_hint(self.checkpoint)}"
            )


def resume_hint(checkpoint: Path | None) -> str:
    """Return what to do after a loss, in words."""
    if checkpoint is None:
        return "no checkpoint was written, start again, with a folder for checkpoints"
    return f"resume from the checkpoint {checkpoint}"


def save_checkpoint(
    engine: PointEngine,
    folder: Path,
    step: int,
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    keep: int = 2,
) -> tuple[Path, int]:
    """Write a checkpoint of an engine and a coarse model, whole or not at all.

    Args:
        engine: the points.
        folder: where checkpoints are kept.
        step: number of the step.
        header: plain data that goes with it; the epoch is added.
        arrays: the coarse model's own.
        keep: how many checkpoints are kept.

    Returns:
        the checkpoint's folder, and the bytes of points' state.
    """
    part = begin_checkpoint(folder, step)
    written = engine.save_points(part)
    final = finish_checkpoint(part, {**header, "epoch": engine.epoch, "points": engine.points}, arrays, step)
    drop_checkpoints(folder, keep)
    engine.checkpoint = final
    return final, written


def load_checkpoint(
    engine: PointEngine, folder: Path, schema: str = SCHEMA
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a checkpoint, or an archive by its schema, into an engine; return its header and arrays.

    Raises:
        FileFormatError: it is damaged, or of another schema.
    """
    header, arrays = read_head(folder, schema)
    engine.load_points(folder, header["files"], int(header["epoch"]))
    engine.checkpoint = folder
    return header, arrays


def save_part(keeper: Keeper, folder: Path, number: int) -> int:
    """Write a keeper's points as one file of a checkpoint; return the bytes of its variables."""
    return write_points(folder / f"points-{number:05d}.h5", keeper.stored(), len(keeper.ids), keeper.paths())


def load_parts(keeper: Keeper, folder: Path, files: list[str]) -> None:
    """Read a keeper's points from whichever files of a checkpoint have them."""
    paths = read_paths([folder / name for name in files])
    own = {int(number): [int(number)] for number in keeper.ids}
    wanted = own if paths is None else keeper.place_paths(paths)
    for name in files:
        for number, values in read_points(folder / name, wanted):
            for point in wanted[number]:
                keeper.place(point, values)


def stored_state(keeper: Keeper, point: int) -> dict[str, np.ndarray]:
    """Return the internal variables that a keeper's point answers from, copied; empty where it has none."""
    return {name: np.array(array) for name, array in state_of(keeper.committed(point)).items()}


def merged(counts: list[dict[str, float]]) -> dict[str, float]:
    """Add numbers of several keepers up; take the largest of those that are a worst, or the same for all."""
    names = {name for count in counts for name in count}
    total = {name: sum(count.get(name, 0.0) for count in counts) for name in names}
    for name in names:
        if name == "bytes a point" or name.startswith("worst "):
            total[name] = max(count.get(name, 0.0) for count in counts)
    return total


class LocalEngine(PointEngine):
    """All points in this process.

    Args:
        build: makes the unit that every point asks.
        points: how many there are.
        settings: how they are kept.

    Example:
        >>> class Spring:
        ...     finite = False
        ...     def rest(self): return {"length": np.zeros(())}
        ...     def respond(self, load, state, dt=0.0, *, hint=None):
        ...         from scalebridge.engine.history_unit import UnitAnswer
        ...         return UnitAnswer(2 * load, 2 * np.eye(6), {"length": state["length"] + load[0]})
        ...     def elastic(self): return None
        ...     def signature(self): return "spring"
        >>> engine = LocalEngine(Spring, 2)
        >>> float(engine.evaluate(np.ones((2, 6)), 0.0, epoch=0).answers[1, 0]), engine.commit(0)
        (2.0, 1)
        >>> float(engine.state(1)["length"])
        1.0
        >>> engine.commit(0)
        Traceback (most recent call last):
        ...
        scalebridge.core.errors.TaskError: a call of epoch 0 met points that are at epoch 1: something was \
lost or done twice; no checkpoint was written, start again, with a folder for checkpoints
        >>> engine.close()
    """

    def __init__(self, build: Build, points: int, settings: KeeperSettings | None = None):
        self.points, self.epoch, self.checkpoint = points, 0, None
        self._keeper = make_keeper(build(), np.arange(points), settings or KeeperSettings())

    def evaluate(self, loads: np.ndarray, dt: float, epoch: int) -> Evaluation:
        self.require_epoch(epoch)
        return self._keeper.evaluate(np.asarray(loads), dt)

    def commit(self, epoch: int) -> int:
        self.require_epoch(epoch)
        self._keeper.commit()
        self.epoch += 1
        return self.epoch

    def rollback(self, epoch: int) -> None:
        self.require_epoch(epoch)
        self._keeper.rollback()

    def save_points(self, folder: Path) -> int:
        return save_part(self._keeper, folder, 0)

    def load_points(self, folder: Path, files: list[str], epoch: int) -> None:
        load_parts(self._keeper, folder, files)
        self.epoch = epoch

    def state(self, point: int) -> dict[str, np.ndarray]:
        return stored_state(self._keeper, point)

    def audit(self, epoch: int, sample: int, seed: int) -> dict[str, float]:
        self.require_epoch(epoch)
        return self._keeper.audit(sample, seed, epoch)

    def memory(self) -> dict[str, float]:
        return self._keeper.memory()

    def close(self) -> None:
        self._keeper.close()
