"""Inverses of constant-coefficient operators on a box, by fast real transforms in either precision.

Along an axis that closes on itself the eigenvectors are waves. Where the unknown is zero at both ends they
are sines, and where it is free they are cosines: the odd or the even mirror image repeats periodically, so
nothing has to be doubled. Transforms by ducc0.
"""

import abc
import math
from collections.abc import Callable

import ducc0
import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for
from scalebridge.core.vectors import dot
from scalebridge.grids.line_transforms import LineTransform

PERIODIC, FIXED, FREE = 0, 1, 2
"""What lies beyond the ends of an axis: its other end, a value of zero, or nothing."""

_CACHE = 1 << 20


Update = Callable[[int, int], None]
"""Called as update(start, stop) on planes of the first axis before they are transformed."""

Use = Callable[[int, int, np.ndarray], None]
"""Called as use(start, stop, z) with planes of the answer, which do not outlive the call."""

Then = Callable[[float], Use | None]
"""Given the product of a field with the answer, returns what takes the answer's planes, or None."""


class Inverse(abc.ABC):
    """The inverse of an operator that is diagonal in a transform; a mean in its kernel is left out."""

    @abc.abstractmethod
    def sweep(self, r: np.ndarray, update: Update | None, then: Then) -> float:
        """Apply the inverse to r, block of planes by block, while they are in the cache.

        Args:
            r: the field.
            update: changes planes of r before they are transformed; called once for each, from several
                threads.
            then: given the product of r with the answer, returns what takes the answer's planes; None spares
                their transforms.

        Returns:
            the product of r with the answer.
        """


class WaveInverse(Inverse):
    """On a box that repeats along every axis: one forward and one inverse real transform.

    Args:
        inverse: 1 / eigenvalue on the half grid of the real transform, in the type of the fields; scaled by
            one over the number of points here.
        shape: number of points along each axis.
    """

    def __init__(self, inverse: np.ndarray, shape: tuple[int, ...]):
        self._within = shape[1:]  # a plane as the caller has it
        if shape[2] == 1:  # the half grid is along the last axis that is longer than one: make that the last
            shape = (shape[0], 1, shape[1]) if shape[1] > 1 else (1, 1, shape[0])
            inverse = inverse.reshape(*shape[:2], -1)
        self._inverse, self._shape = inverse, shape
        self._inverse *= inverse.dtype.type(1.0 / math.prod(shape))
        self._waves = np.empty(inverse.shape, np.result_type(inverse.dtype, np.complex64))
        self._along_x, self._along_y = (
            LineTransform(self._waves.shape, axis, inverse.dtype) for axis in (0, 1)
        )
        self._block = max(1, _CACHE // (shape[1] * shape[2] * inverse.dtype.itemsize))

    def sweep(self, r: np.ndarray, update: Update | None, then: Then) -> float:
        threads = threads_for(r.size)
        in_slabs(self._forward, self._shape[0], r.reshape(self._shape), update, threads=threads)
        across = self._inverse.shape[1] if self._shape[1] > 1 else self._inverse.shape[2]
        product = sum(in_slabs(self._across, across, threads=threads))
        if (use := then(product)) is not None:
            in_slabs(self._backward, self._shape[0], use, r.dtype, threads=threads)
        return product

    @property
    def _planes(self) -> int:
        """Number of the caller's planes in one of ours: all of them where the box is a line along x."""
        return self._shape[2] // math.prod(self._within) if self._shape[1] == 1 else 1

    def _forward(self, start: int, stop: int, piece: int, r: np.ndarray, update: Update | None) -> None:
        for low, high in blocks(start, stop, self._block):
            if update is not None:
                update(low * self._planes, high * self._planes)
            ducc0.fft.r2c(r[low:high], axes=(2,), out=self._waves[low:high], nthreads=1)
            self._along_y.planes(self._waves, low, high, forward=True)

    def _across(self, start: int, stop: int, piece: int) -> float:
        """Transform along the first axis, multiply, and transform back, some columns at a time."""
        axis = 1 if self._shape[1] > 1 else 2
        column = self._shape[0] * self._waves.itemsize * (self._inverse.shape[2] if axis == 1 else 1)
        product = 0.0
        for low, high in blocks(start, stop, max(1, _CACHE // column)):
            cut = (
                (slice(None), slice(low, high)) if axis == 1 else (slice(None), slice(None), slice(low, high))
            )
            waves, factors = self._waves[cut], self._inverse[cut]
            self._along_x.columns(self._waves, low, high, axis, forward=True)
            first = low if axis == 2 else 0
            product += _scale(waves.view(factors.dtype), factors, first, self._shape[2])
            self._along_x.columns(self._waves, low, high, axis, forward=False)
        return product

    def _backward(self, start: int, stop: int, piece: int, use: Use, dtype: np.dtype) -> None:
        room = np.empty((min(self._block, stop - start), *self._shape[1:]), dtype)
        for low, high in blocks(start, stop, self._block):
            z = room[: high - low]
            self._along_y.planes(self._waves, low, high, forward=False)
            ducc0.fft.c2r(
                self._waves[low:high],
                axes=(2,),
                lastsize=self._shape[2],
                forward=False,
                out=z,
                nthreads=1,
                allow_overwriting_input=True,
            )
            use(low * self._planes, high * self._planes, z.reshape(-1, *self._within))


def blocks(start: int, stop: int, step: int) -> list[tuple[int, int]]:
    """Cut a range into pieces of at most `step`."""
    return [(low, min(low + step, stop)) for low in range(start, stop, step)]


@row_kernel
def _scale_row(parts, factors, i, j):
    """Multiply a row of complex numbers, given as pairs; return the sum of squares times factors."""
    total = factors.dtype.type(0)
    for k in range(factors.shape[2]):
        real, imaginary, factor = parts[i, j, 2 * k], parts[i, j, 2 * k + 1], factors[i, j, k]
        total += factor * (real * real + imaginary * imaginary)
        parts[i, j, 2 * k] = factor * real
        parts[i, j, 2 * k + 1] = factor * imaginary
    return total


@kernel
def _scale(parts, factors, first, last_size):
    """Multiply waves by factors; return the sum of their squares times the factors over the whole grid.

    Of a real field's waves along the last axis the half grid has each but the first, and the last if their
    number is even, for two.
    """
    total, once = 0.0, 0.0
    ends = (0 - first, last_size // 2 - first if last_size % 2 == 0 else -1)
    for i in range(factors.shape[0]):
        for j in range(factors.shape[1]):
            for k in ends:
                if 0 <= k < factors.shape[2]:
                    square = parts[i, j, 2 * k] ** 2 + parts[i, j, 2 * k + 1] ** 2
                    once += factors[i, j, k] * square
            total += _scale_row(parts, factors, i, j)
    return 2 * total - once


class SineCosineInverse(Inverse):
    """On a box whose axes are fixed or free at their ends: one transform an axis and direction.

    Args:
        inverse: 1 / eigenvalue on the transformed points, in the type of the fields; scaled by the
            transforms' norm here.
        ends: FIXED or FREE an axis; PERIODIC only for an axis of one point.
        nodal: whether unknowns sit at the voxels' corners (first and last on the box's faces), or at their
            centres.
        counts: number of voxels along each axis.
    """

    def __init__(self, inverse: np.ndarray, ends: tuple[int, ...], nodal: bool, counts: tuple[int, ...]):
        self._inverse, self._ends, self._nodal = inverse, ends, nodal
        self._axes = [axis for axis, end in enumerate(ends) if end != PERIODIC]
        self._inverse *= inverse.dtype.type(1.0 / math.prod(2 * counts[axis] for axis in self._axes))

    def sweep(self, r: np.ndarray, update: Update | None, then: Then) -> float:
        planes, threads = r.shape[0], threads_for(r.size)
        if update is not None:
            in_slabs(lambda low, high, _: update(low, high), planes, threads=threads)
        answer = r.copy()
        self.apply(answer)
        product = dot(r, answer)
        if (use := then(product)) is not None:
            in_slabs(lambda low, high, _: use(low, high, answer[low:high]), planes, threads=threads)
        return product

    def apply(self, field: np.ndarray) -> None:
        """Apply the inverse in place."""
        threads = threads_for(field.size)
        inner = field[inner_points(self._ends, self._nodal)]
        if inner.size == 0:
            return
        for axis in self._axes if self._nodal else ():
            if self._ends[axis] == FREE:  # a node on a face belongs to half a voxel
                planes = np.moveaxis(field, axis, 0)
                planes[0] *= 2
                planes[-1] *= 2
        for axis in self._axes:
            self._transform(inner, axis, 1 if self._nodal else 2, threads)
        in_slabs(_scale_box, inner.shape[0], inner, self._inverse, threads=threads)
        for axis in self._axes:
            self._transform(inner, axis, 1 if self._nodal else 3, threads)

    def _transform(self, field: np.ndarray, axis: int, kind: int, threads: int) -> None:
        transform = ducc0.fft.dst if self._ends[axis] == FIXED else ducc0.fft.dct
        transform(field, kind, axes=[axis], out=field, nthreads=threads)


@kernel
def _scale_box(start, stop, piece, field, factors):
    for i in range(start, stop):
        for j in range(field.shape[1]):
            for k in range(field.shape[2]):
                field[i, j, k] *= factors[i, j, k]


def inner_points(ends: tuple[int, ...], nodal: bool) -> tuple[slice, ...]:
    """Return where the unknowns are: without the nodes on fixed faces."""
    return tuple(slice(1, -1) if nodal and end == FIXED else slice(None) for end in ends)


def wave_angles(counts: tuple[int, ...], ends: tuple[int, ...], nodal: bool) -> list[np.ndarray]:
    """Return the angle from point to point of every eigenvector along each axis, shaped to broadcast.

    Args:
        counts: number of voxels along each axis.
        ends: what lies beyond the ends of each axis.
        nodal: whether unknowns sit at the voxels' corners.
    """
    if all(end == PERIODIC for end in ends):
        half = max((axis for axis, count in enumerate(counts) if count > 1), default=0)
        turns = [np.fft.rfftfreq(n) if axis == half else np.fft.fftfreq(n) for axis, n in enumerate(counts)]
        angles = [2 * np.pi * turn for turn in turns]
    else:
        angles = [_end_angles(count, end, nodal) for count, end in zip(counts, ends, strict=True)]
    shapes = [[-1 if a == axis else 1 for a in range(len(counts))] for axis in range(len(counts))]
    return [angle.reshape(shape) for angle, shape in zip(angles, shapes, strict=True)]


def _end_angles(count: int, end: int, nodal: bool) -> np.ndarray:
    if end == PERIODIC:  # an axis of one point
        return np.zeros(1)
    if end == FIXED:
        return np.pi * np.arange(1, count if nodal else count + 1) / count
    return np.pi * np.arange(count + 1 if nodal else count) / count
