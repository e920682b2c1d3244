"""Memory of many points: committed and trial, structure of arrays, made when a point first needs it.

Points are kept in blocks. A block holds two banks of every variable; a flag for each point says which bank
is committed, so that a commit turns flags over and moves nothing, and a rollback does nothing. Beyond a
budget of bytes, further blocks are files mapped into memory.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

BLOCK = 64
"""Points of a block, the unit of allocation and of the chunks of a checkpoint."""
Shapes = dict[str, tuple[int, ...]]


class PointStore:
    """Committed and trial variables of the points that have any.

    Args:
        shapes: shape of one point's variable, by name.
        points: number of points.
        budget: bytes in memory; blocks beyond it are mapped files. None for no limit.
        block: points of a block.

    Example:
        >>> store = PointStore({"p": ()}, points=3)
        >>> store.write(1, {"p": np.array(2.0)})
        >>> store.committed(1) is None, store.commit(), float(store.committed(1)["p"])
        (True, 1, 2.0)
    """

    def __init__(self, shapes: Shapes, points: int, budget: float | None = None, block: int = BLOCK):
        self.shapes, self.points, self.budget, self.block = dict(shapes), points, budget, block
        self.row = np.full(points, -1, dtype=np.int64)
        self.side = np.zeros(points, dtype=np.int8)  # the bank that is committed
        self.stored = np.zeros(points, dtype=bool)  # whether anything is committed
        self.fresh = np.zeros(points, dtype=bool)  # whether the other bank holds a trial
        self._blocks: list[dict[str, np.ndarray]] = []
        self._free: list[int] = []
        self._folder: tempfile.TemporaryDirectory | None = None
        self.mapped_bytes = 0
        self.resident_bytes = 0

    @property
    def bytes_per_point(self) -> int:
        """Bytes of one point, both banks."""
        return 2 * 8 * sum(int(np.prod(shape)) for shape in self.shapes.values())

    def committed(self, point: int) -> dict[str, np.ndarray] | None:
        """Return a point's committed variables, None if it has none yet."""
        return self._view(point, int(self.side[point])) if self.stored[point] else None

    def trial(self, point: int) -> dict[str, np.ndarray] | None:
        """Return a point's trial variables, None without a trial."""
        return self._view(point, 1 - int(self.side[point])) if self.fresh[point] else None

    def write(self, point: int, values: Mapping[str, np.ndarray]) -> None:
        """Keep the trial of a point."""
        if self.row[point] < 0:
            self.row[point] = self._new_row()
        views = self._view(point, 1 - int(self.side[point]))
        for name, view in views.items():
            view[...] = values[name]
        self.fresh[point] = True

    def forget_trial(self, point: int) -> None:
        """Leave a point without a trial: what is committed stays."""
        self.fresh[point] = False

    def commit(self) -> int:
        """Make every trial the committed one; return how many there were. Rows that nobody uses are freed."""
        changed = self.fresh
        self.side[changed] ^= 1
        self.stored |= changed
        count = int(changed.sum())
        for point in np.flatnonzero((self.row >= 0) & ~self.stored):
            self._free.append(int(self.row[point]))
            self.row[point] = -1
        self.fresh = np.zeros(self.points, dtype=bool)
        return count

    def rollback(self) -> None:
        """Forget the trials."""
        self.fresh = np.zeros(self.points, dtype=bool)

    def place(self, point: int, values: Mapping[str, np.ndarray]) -> None:
        """Set a point's committed variables, as a checkpoint has them."""
        self.write(point, values)
        self.side[point] ^= 1
        self.stored[point], self.fresh[point] = True, False

    def close(self) -> None:
        """Give memory and files back."""
        self._blocks = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _view(self, point: int, bank: int) -> dict[str, np.ndarray]:
        number, place = divmod(int(self.row[point]), self.block)
        return {name: array[bank, place, ...] for name, array in self._blocks[number].items()}

    def _new_row(self) -> int:
        if not self._free:
            first = len(self._blocks) * self.block
            count = min(self.block, self.points - first)  # all points have rows then
            self._blocks.append(self._new_block(count))
            self._free = list(range(first + count - 1, first - 1, -1))
        return self._free.pop()

    def _new_block(self, count: int) -> dict[str, np.ndarray]:
        needed = self.bytes_per_point * count
        resident = self.budget is None or self.resident_bytes + needed <= self.budget
        if resident:
            self.resident_bytes += needed
            return {name: np.zeros((2, count, *shape)) for name, shape in self.shapes.items()}
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="scalebridge-points-")
        self.mapped_bytes += needed
        folder, number = Path(self._folder.name), len(self._blocks)
        return {
            name: _mapped(folder / f"{number}-{position}", (2, count, *shape))
            for position, (name, shape) in enumerate(self.shapes.items())
        }


def _mapped(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of zeros in a file; one without elements needs no file."""
    if 0 in shape:
        return np.zeros(shape)
    return np.memmap(path, dtype=np.float64, mode="w+", shape=shape)
