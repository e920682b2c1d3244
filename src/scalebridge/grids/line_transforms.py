"""Fourier transforms of waves along an axis that is not the last, in place.

There neighbouring lines lie side by side, and compiled loops along them take several at once as they are;
ducc0 copies lines to buffers and back, which costs as much as the transform: ours are 1.4 to 3 times as fast
where rows are long. Where they are short, or the number of points has other factors than 2, 3 and 5, ducc0 it
is.
"""

import math

import ducc0
import numpy as np

from scalebridge.grids.line_kernels import factors_of, stages_of, transform_rows

_TILE = 1 << 17  # bytes of the lines that are taken at once: they are passed over several times
_SHORTEST = 64  # numbers side by side below which ducc0 is faster


class LineTransform:
    """Unscaled transforms along an axis of arrays of waves, in place; threads may do other parts at once.

    Args:
        shape: of the arrays, which are complex and contiguous.
        axis: of the transform, not the last; `columns` serves the first axis, `planes` the last but one.
        dtype: the type of their real parts.
    """

    def __init__(self, shape: tuple[int, ...], axis: int, dtype: np.dtype):
        self._shape, self._axis, self._points, self._dtype = shape, axis, shape[axis], np.dtype(dtype)
        self._stride = 2 * math.prod(shape[axis + 1 :])
        stages = stages_of(self._points)
        self._ours = len(stages) > 1  # one stage would write what it still has to read
        self._radices = np.array(stages)
        self._factors = tuple(factors_of(stages, self._dtype, forward=way) for way in (False, True))

    def planes(self, waves: np.ndarray, low: int, high: int, *, forward: bool) -> None:
        """Transform planes [low, high) of the first axis along the last axis but one."""
        sets, apart = math.prod(self._shape[1 : self._axis]), self._points * self._stride
        lines = (low * sets * apart, (high - low) * sets, apart)
        if self._serves(self._stride):
            self._apply(waves, *lines, self._stride, forward)
        else:
            self._by_library(waves[low:high], forward)

    def columns(self, waves: np.ndarray, low: int, high: int, across: int, *, forward: bool) -> None:
        """Transform along the first axis where another axis, `across`, has [low, high)."""
        each, sets = 2 * math.prod(self._shape[across + 1 :]), math.prod(self._shape[1:across])
        if self._serves((high - low) * each):
            apart = self._shape[across] * each
            self._apply(waves, low * each, sets, apart, (high - low) * each, forward)
        else:
            self._by_library(waves[(slice(None),) * across + (slice(low, high),)], forward)

    def _serves(self, width: int) -> bool:
        """Whether our own loops are for lines so many numbers wide."""
        return self._ours and width >= _SHORTEST

    def _apply(self, waves: np.ndarray, first: int, sets: int, apart: int, width: int, forward: bool) -> None:
        at_once = max(_SHORTEST, _TILE // (self._points * self._dtype.itemsize) // 2 * 2)
        room = np.empty((2, self._points * min(width, at_once)), self._dtype)
        where = (first, sets, apart, self._points, self._stride, width)
        flat = waves.reshape(-1).view(self._dtype)
        transform_rows(flat, *where, self._radices, self._factors[forward], forward, room)

    def _by_library(self, waves: np.ndarray, forward: bool) -> None:
        ducc0.fft.c2c(waves, axes=(self._axis,), forward=forward, out=waves, nthreads=1)
