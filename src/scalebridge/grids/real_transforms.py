"""Real Fourier transforms of fields with components along y, whose waves lie in planes turned over.

Where the number of points is even and has no other factors than 2, 3 and 5, and planes are wide enough, by
compiled loops that take neighbouring lines at once, some twice as fast as by ducc0; else by ducc0.
"""

import ducc0
import numpy as np

from scalebridge.grids.line_kernels import factors_of, stages_of
from scalebridge.grids.real_kernels import REGISTER, backward_planes, forward_planes

_TILE = 1 << 17  # bytes of the lines that are taken at once: they are passed over several times


class RealTransform:
    """Unscaled transforms of fields (x, component, y, z) along y; threads may do other planes at once.

    Waves are (x, z, component, y/2 + 1): what is transformed next has its lines side by side again.

    Args:
        shape: of the fields.
        dtype: their type.
    """

    def __init__(self, shape: tuple[int, int, int, int], dtype: np.dtype):
        _, self._parts, self._points, self._length = shape
        self._dtype = np.dtype(dtype)
        side = REGISTER // self._dtype.itemsize
        stages = stages_of(self._points // 2) if self._points % 2 == 0 else []
        self._ours = bool(stages) and self._length >= side and self._points + 2 >= side
        self._radices = np.array(stages)
        self._factors = factors_of(stages, self._dtype) if self._ours else np.zeros((0, 0))
        angles = 2 * np.pi / self._points * np.arange(self._points // 4 + 1)
        self._turns = np.stack([np.cos(angles), np.sin(angles)]).astype(self._dtype)
        at_once = _TILE // (self._points * self._parts * self._dtype.itemsize)
        self._most = min(max(at_once // side, 1) * side, self._length)

    @property
    def waves(self) -> tuple[int, int, int]:
        """Shape of a plane of waves."""
        return self._length, self._parts, self._points // 2 + 1

    def forward(self, field: np.ndarray, low: int, high: int, waves: np.ndarray) -> None:
        """Write the waves of planes [low, high)."""
        if not self._ours:
            ducc0.fft.r2c(field[low:high], axes=(2,), out=self._as_field(waves[low:high]), nthreads=1)
            return
        forward_planes(field, low, high, waves.view(self._dtype), *self._numbers(), *self._room())

    def backward(self, waves: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
        """Write planes [low, high) to out, which has no others; waves may be overwritten."""
        if not self._ours:
            ducc0.fft.c2r(
                self._as_field(waves[low:high]),
                axes=(2,),
                lastsize=self._points,
                forward=False,
                out=out,
                nthreads=1,
                allow_overwriting_input=True,
            )
            return
        backward_planes(waves.view(self._dtype), low, high, out, *self._numbers(), *self._room())

    def _numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        return self._radices, self._factors, self._turns, self._most

    def _room(self) -> tuple[np.ndarray, np.ndarray]:
        width = self._parts * self._most
        points = self._points // 2
        return np.empty((4, points * width), self._dtype), np.empty(2 * (points + 1) * width, self._dtype)

    @staticmethod
    def _as_field(waves: np.ndarray) -> np.ndarray:
        """Waves with their axes in a field's order."""
        return waves.transpose(0, 2, 3, 1)
