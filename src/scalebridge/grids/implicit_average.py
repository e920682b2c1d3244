"""Averages over a neighbourhood by an implicit gradient, exact on a periodic grid of voxels.

    a - l^2 lap(a) = v,    lap by second differences,

solved by Fourier transforms: the response to a spike is positive and falls with exp(-distance / l). Where
values are known in some voxels only, theirs alone are averaged: a = G (c v) / G c with c = 1 there.
"""

from collections.abc import Sequence

import ducc0
import numpy as np

from scalebridge.core.threads import thread_count
from scalebridge.grids.point_layout import PointLayout


class ImplicitAverage:
    """Averages of point values of some phases.

    Args:
        layout: where the points are.
        spacing: length of a voxel's edges.
        length: l, in the unit of the spacing.
        phases: the phases whose values count, and that get averages.

    Source: R. H. J. Peerlings, R. de Borst, W. A. M. Brekelmans & J. H. P. de Vree, Int. J. Numer. Meth.
        Engng. 39 (1996) 3391.
    """

    def __init__(self, layout: PointLayout, spacing: Sequence[float], length: float, phases: Sequence[int]):
        self._layout, self._phases = layout, tuple(phases)
        runs = layout.runs
        of_voxel = np.repeat(runs[:, 2], runs[:, 1] - runs[:, 0])
        self._where = {phase: np.flatnonzero(of_voxel == phase) for phase in self._phases}
        symbol = np.ones((*layout.shape[:2], layout.shape[2] // 2 + 1))
        for axis, (count, edge) in enumerate(zip(layout.shape, spacing, strict=True)):
            waves = np.fft.rfftfreq(count) if axis == 2 else np.fft.fftfreq(count)
            part = (2 - 2 * np.cos(2 * np.pi * waves)) * (length / edge) ** 2
            symbol += part.reshape([-1 if a == axis else 1 for a in range(3)])
        self._inverse = 1.0 / symbol
        known = np.zeros(int(np.prod(layout.shape)))
        for where in self._where.values():
            known[where] = 1.0
        self._share = self._filtered(known)

    def average(self, values: dict[int, np.ndarray], *, transposed: bool = False) -> dict[int, np.ndarray]:
        """Average values (8 x voxels,) of each phase; the eight points of a voxel share one average.

        Args:
            values: by phase.
            transposed: whether to apply the transpose of the average.
        """
        field = np.zeros(self._share.shape)
        for phase in self._phases:
            field[self._where[phase]] = values[phase].reshape(8, -1).mean(axis=0)
        found = self._filtered(field / self._share) if transposed else self._filtered(field) / self._share
        return {phase: np.tile(found[where], 8) for phase, where in self._where.items()}

    def _filtered(self, field: np.ndarray) -> np.ndarray:
        threads, shape = thread_count(), self._layout.shape
        waves = ducc0.fft.r2c(field.reshape(shape), nthreads=threads)
        waves *= self._inverse
        size = float(np.prod(shape))
        return ducc0.fft.c2r(waves, lastsize=shape[2], forward=False, nthreads=threads).reshape(-1) / size
