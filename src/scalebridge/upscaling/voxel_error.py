"""How far a tensor from voxels is from the tensor of infinitely small voxels.

Given the tensor K(h), K(2h), K(4h) of one method whose error falls regularly with the voxel edge h, at first
order as it does where an interface cuts voxels,

    value = 2 K(h) - K(2h),    step = value - K(2h),    second step = K(2h) - K(4h),

and perhaps the tensors of other methods at h, whose span with the value is the range. The half width of the
interval that holds the exact tensor in 95 cases of 100 is, component by component,

    one method:      2.0 step,  or with K(4h)  sqrt((1.4 step)² + (0.2 second step)²);
    with a shift:    0.7 step,  or with K(4h)  sqrt((0.5 step)² + (0.2 second step)²);
    several methods: sqrt((0.4 step)² + (0.7 range)²);
    one voxel size:  1.8 range about K(h);

each with (1.75 scatter)² added under the root, the standard deviation that comes from placing the interfaces
on the finest voxels, and with (0.015 shift)², what the tensor would change if they were displaced by a
voxel's edge. Several methods with a scatter, which is what a plain image has, share it: a quarter of the
value is their mean, and the half width about it

    sqrt((1.4 step)² + (0.14 range)² + (1.2 range ratio)² + (2.45 scatter)²),

where the ratio is the largest range of the diagonal relative to the value: methods that are far apart, as at
corners in which phases meet crosswise, leave hardly more than that the truth is between them.

Steps alone are not to be trusted: where errors of first and of higher order have opposite signs, tensors of
two voxel sizes may agree and both be wrong. One component's differences may happen to be small. So each
enters with a quarter of what it is on average on the diagonal: x_ij² + (s_ij / 4)² <(x_ii / s_ii)²>,
s_ij = sqrt(K_ii K_jj).

The numbers were chosen on 329 microstructures of known conductivity, those with scatter and shift on 230
others, of whose single components they hold 96 to 99 % and of whose whole tensors nineteen in twenty (plain
images: eleven in twelve), and so that no published array, checkerboard or inclusion is outside: see the
theory pages. They are what the grid convergence index calls a safety factor, here measured instead of
agreed. The observed order is reported and not used: where a sequence scatters, extrapolation with it was
worse than with the first.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scalebridge.core.errors import InputError

_POOLED = 0.25  # how much of the diagonal's average difference enters each component
_SMALLEST = 1e-3  # diagonal component, relative to the largest, below which the scale does not follow
_NORMAL = 1.959964  # half width of 95 % in standard deviations

_TWO_LEVELS, _THREE_LEVELS, _COMPANIONS, _ONE_LEVEL, _SCATTER = (2.0,), (1.4, 0.2), (0.4, 0.7), 1.8, 1.75
_TWO_SHIFTED, _THREE_SHIFTED, _SHIFT = (0.7,), (0.5, 0.2), 0.015
_SHARED, _SHARED_SCATTER = (1.4, 0.14, 1.2), 2.45  # several methods with a scatter
_SHARE = 0.25  # of the value, for the mean of the other methods then


@dataclass(frozen=True)
class VoxelError:
    """The tensor of infinitely small voxels, as far as it can be known from voxels.

    Args:
        value: the extrapolated tensor.
        half_width: half of the interval about it that holds the exact tensor in 95 cases of 100, of the
            value's shape, each component by itself.
        order: observed order of convergence, log2(|K(2h) - K(4h)| / |K(h) - K(2h)|); None with fewer than
            three voxel sizes, or if nothing changes between them.
        method: how it was found, in a sentence.
    """

    value: np.ndarray
    half_width: np.ndarray
    order: float | None
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "extrapolated": self.value.tolist(),
            "half width 95 %": self.half_width.tolist(),
            "observed order": self.order,
            "method": self.method,
        }

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of each component."""
        return self.half_width / _NORMAL

    def std_about(self, estimate: ArrayLike) -> np.ndarray:
        """Return the root mean square error of another estimate: its distance from the value counts too.

        Args:
            estimate: such as the tensor on the given voxels, of the value's shape.

        Returns:
            sqrt(std² + (estimate - value)²).

        Example:
            >>> error = voxel_size_error([1.0, 1.1])
            >>> round(float(error.std), 3), round(float(error.std_about(1.0)), 3)
            (0.21, 0.233)
        """
        return np.hypot(self.std, np.asarray(estimate) - self.value)


def voxel_size_error(
    levels: Sequence[ArrayLike],
    companions: Sequence[ArrayLike] = (),
    scatter: ArrayLike = 0.0,
    shift: ArrayLike | None = None,
) -> VoxelError:
    """Estimate the tensor of infinitely small voxels and the error of the estimate.

    Args:
        levels: one to three symmetric (n, n) tensors (or numbers) by one method, on voxels of one, two and
            four times the edge, finest first. Extrapolation needs a method whose error falls regularly, as
            composite voxels' does; on plain voxels, where coarsening moves every interface at random, it does
            not help.
        companions: the tensors by other methods on the finest voxels, whose errors differ, best with the
            opposite sign.
        scatter: standard deviation of the tensor because interfaces were placed on the finest voxels, (n, n)
            or a number; 0 where the voxels hold exact shares. See `fraction_scatter`.
        shift: change of the tensor if every interface is displaced by the finest voxels' edge, likewise; for
            methods that mix phases inside the voxels that an interface cuts. None where it is not known.

    Returns:
        the extrapolated value with its 95 % interval.

    Raises:
        InputError: no tensor or more than three, one without companion, or arrays of different shapes or that
            are not finite.

    Limits: calibrated with conductivities, contrasts from 1 : 1000 to 1000 : 1 and insulators, objects of 6
        voxels and more. The error of features that the image does not show is not seen.

    Source: P. J. Roache, J. Fluids Eng. 116 (1994) 405, doi:10.1115/1.2910291; for scattered sequences and
        orders held in a range: L. Eça and M. Hoekstra, J. Comput. Phys. 262 (2014) 104,
        doi:10.1016/j.jcp.2014.01.006.

    Example:
        >>> error = voxel_size_error([1.01, 1.02, 1.04])  # halves with the edge: order 1, and 1 is the limit
        >>> f"{error.value:.3f} +- {error.half_width:.3f}, order {error.order:.1f}"
        '1.000 +- 0.029, order 1.0'
        >>> error = voxel_size_error([[[2.0, 0.0], [0.0, 1.0]]], [[[1.8, 0.0], [0.0, 1.0]]])
        >>> error.half_width.round(3).tolist()
        [[0.366, 0.045], [0.045, 0.032]]
    """
    tensors, others, noise, moved = _checked(levels, companions, scatter, shift)
    shape = np.shape(levels[0])
    scale = _scale(tensors[0])
    value = tensors[0] if len(tensors) == 1 else 2 * tensors[0] - tensors[1]
    shared = len(tensors) > 1 and len(others) > 0 and bool(np.any(noise))
    parts = [
        *_parts(tensors, others, value, shift is not None, shared),
        (_SHARED_SCATTER if shared else _SCATTER, noise),
        (_SHIFT, moved),
    ]
    if shared:
        value = value + _SHARE * (np.mean(others, axis=0) - value)
    half_width = np.sqrt(sum(_square(weight * difference, scale) for weight, difference in parts))
    return VoxelError(
        value.reshape(shape),
        half_width.reshape(shape),
        _observed_order(tensors, scale),
        _sentence(len(tensors), len(others), bool(np.any(noise)), bool(np.any(moved))),
    )


def _parts(
    tensors: list[np.ndarray], others: list[np.ndarray], value: np.ndarray, shifted: bool, shared: bool
) -> list[tuple[float, np.ndarray]]:
    """Return the differences that make up the half width, each with its weight."""
    span = np.ptp(np.stack([value, *others]), axis=0)
    if len(tensors) == 1:
        return [(_ONE_LEVEL, span)]
    step = value - tensors[1]
    if shared:
        sizes = np.diag(_scale(tensors[0]))
        ratio = np.max(np.divide(np.diag(span), sizes, out=np.zeros(sizes.size), where=sizes > 0))
        return list(zip(_SHARED, [step, span, ratio * span], strict=True))
    if others:
        return list(zip(_COMPANIONS, [step, span], strict=True))
    if len(tensors) == 2:
        return list(zip(_TWO_SHIFTED if shifted else _TWO_LEVELS, [step], strict=True))
    weights = _THREE_SHIFTED if shifted else _THREE_LEVELS
    return list(zip(weights, [step, tensors[1] - tensors[2]], strict=True))


def _scale(tensor: np.ndarray) -> np.ndarray:
    """Return s_ij = sqrt(K_ii K_jj)."""
    diagonal = np.abs(np.diag(tensor))
    diagonal = np.maximum(diagonal, _SMALLEST * diagonal.max())
    root = np.sqrt(diagonal)
    return np.outer(root, root)


def _square(difference: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the squares of a difference's components with their part of the diagonal's average."""
    sizes = np.diag(scale)
    relative = np.divide(np.diag(difference), sizes, out=np.zeros(sizes.size), where=sizes > 0)
    return difference**2 + (_POOLED * scale) ** 2 * np.mean(relative**2)


def _observed_order(tensors: list[np.ndarray], scale: np.ndarray) -> float | None:
    unit = np.where(scale > 0, scale, 1.0)
    steps = [float(np.linalg.norm((a - b) / unit)) for a, b in itertools.pairwise(tensors)]
    return math.log2(steps[1] / steps[0]) if len(steps) == 2 and min(steps) > 0 else None


def _sentence(levels: int, others: int, scattered: bool, shifted: bool) -> str:
    beside = f"{others} other discretisation{'s' if others > 1 else ''} of the same voxels"
    sizes = f"extrapolated from voxels of {' and '.join(['2', '4'][: levels - 1])} times the edge"
    found = {True: f"difference from {beside}", False: f"{sizes}, beside {beside}" if others else sizes}[
        levels == 1
    ]
    found = f"{found}; displaced interfaces" if shifted else found
    return f"{found}; scatter of the sampled interfaces" if scattered else found


def _checked(
    levels: Sequence[ArrayLike], companions: Sequence[ArrayLike], scatter: ArrayLike, shift: ArrayLike | None
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]:
    if not 1 <= len(levels) <= 3 or (len(levels) == 1 and not len(companions)):
        raise InputError(
            "levels",
            got=f"{len(levels)} tensors and {len(companions)} companions",
            wanted="two or three voxel sizes, or one and a companion",
            cure="solve on voxels of twice the edge, or with a second discretisation",
        )
    shape = np.shape(levels[0])
    square = len(shape) in (0, 2) and len(set(shape)) <= 1 and 0 not in shape
    arrays = [np.asarray(tensor, dtype=float) for tensor in (*levels, *companions)]
    if not square or any(array.shape != shape or not np.all(np.isfinite(array)) for array in arrays):
        raise InputError(
            "levels, companions",
            got=f"shapes {', '.join(str(array.shape) for array in arrays)}",
            wanted="finite numbers, or finite (n, n) tensors of one size",
            cure="leave out what was not solved",
        )
    matrices = [array.reshape(shape or (1, 1)) for array in arrays]
    symmetric = [0.5 * (matrix + matrix.T) for matrix in matrices]
    noise = _sizes("scatter", scatter, shape, "leave it out if the voxels hold exact shares")
    moved = _sizes("shift", 0.0 if shift is None else shift, shape, "leave it out if it is not known")
    return symmetric[: len(levels)], symmetric[len(levels) :], noise, moved


def _sizes(argument: str, given: ArrayLike, shape: tuple[int, ...], cure: str) -> np.ndarray:
    """Return what was given as an (n, n) array; a number is one on the diagonal."""
    sizes = np.asarray(given, dtype=float)
    if sizes.shape not in ((), shape) or not np.all((sizes >= 0) & np.isfinite(sizes)):
        wanted = f"sizes of changes, a number or of shape {shape}, none negative"
        raise InputError(argument, got=sizes.tolist(), wanted=wanted, cure=cure)
    matrix = shape or (1, 1)
    return sizes * np.eye(matrix[0]) if sizes.ndim == 0 else sizes.reshape(matrix)
