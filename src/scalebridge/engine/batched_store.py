"""Memory of points that are answered all at once: two banks of whole arrays; a commit swaps them."""

from collections.abc import Mapping

import numpy as np


class BatchedStore:
    """Committed and trial variables of all points, a leading axis of points on each.

    Args:
        rest: one point's variables before any load.
        points: number of points.

    Example:
        >>> store = BatchedStore({"p": np.array(1.0)}, points=2)
        >>> store.trial = {"p": np.array([3.0, 4.0])}
        >>> store.commit()
        >>> store.committed["p"].tolist()
        [3.0, 4.0]
    """

    def __init__(self, rest: Mapping[str, np.ndarray], points: int):
        self.committed = {
            name: np.repeat(np.asarray(value, float)[None], points, axis=0) for name, value in rest.items()
        }
        self.trial: dict[str, np.ndarray] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of both banks."""
        return 2 * sum(array.nbytes for array in self.committed.values())

    def commit(self) -> None:
        """Make the trial the committed one."""
        if self.trial is not None:
            self.committed, self.trial = self.trial, None

    def rollback(self) -> None:
        """Forget the trial."""
        self.trial = None
