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
    """Unscaled transforms along an axis of an array of waves.

    Args:
        waves: complex, contiguous; transformed in place by the calls, which several threads may make at
            once for other parts of it.
        axis: of the transform, not the last; `columns` serves the first axis, `planes` the last but one.
    """

    def __init__(self, waves: np.ndarray, axis: int):
        self._waves, self._axis, self._points = waves, axis, waves.shape[axis]
        self._flat = waves.reshape(-1).view(np.finfo(waves.dtype).dtype)
        self._stride = 2 * math.prod(waves.shape[axis + 1 :])
        stages = stages_of(self._points)
        self._ours = len(stages) > 1  # one stage would write what it still has to read
        self._radices = np.array(stages)
        self._factors = tuple(factors_of(stages, self._flat.dtype, forward=way) for way in (False, True))

    def planes(self, low: int, high: int, *, forward: bool) -> None:
        """Transform planes [low, high) of the first axis along the last axis but one."""
        sets, apart = math.prod(self._waves.shape[1 : self._axis]), self._points * self._stride
        if not self._apply(low * sets * apart, (high - low) * sets, apart, self._stride, forward):
            self._by_library(self._waves[low:high], forward)

    def columns(self, low: int, high: int, across: int, *, forward: bool) -> None:
        """Transform along the first axis where another axis, `across`, has [low, high)."""
        sets, each = (
            math.prod(self._waves.shape[1:across]),
            2 * math.prod(self._waves.shape[across + 1 :]),
        )
        apart = self._waves.shape[across] * each
        if not self._apply(low * each, sets, apart, (high - low) * each, forward):
            where = (slice(None),) * across + (slice(low, high),)
            self._by_library(self._waves[where], forward)

    def _apply(self, first: int, sets: int, apart: int, width: int, forward: bool) -> bool:
        """Transform by our own loops; return False where they are not for it."""
        if not self._ours or width < _SHORTEST:
            return False
        at_once = max(_SHORTEST, _TILE // (self._points * self._flat.itemsize) // 2 * 2)
        room = np.empty((2, self._points * min(width, at_once)), self._flat.dtype)
        where = (first, sets, apart, self._points, self._stride, width)
        transform_rows(self._flat, *where, self._radices, self._factors[forward], forward, room)
        return True

    def _by_library(self, waves: np.ndarray, forward: bool) -> None:
        ducc0.fft.c2c(waves, axes=(self._axis,), forward=forward, out=waves, nthreads=1)
