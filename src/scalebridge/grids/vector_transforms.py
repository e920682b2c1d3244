"""Inverses of constant-coefficient operators on fields with three components, by fast real transforms.

Fields have the axes (x, component, y, z). On a box that repeats, an operator is a symmetric 3 by 3 matrix for
every wave: that of a homogeneous elastic medium is

    K_ac = sum over b, d of  C_abcd P_bd,   P_bb = S_b M M,   P_bd = s_b s_d M   (the M of the other axes),

with S = 2 - 2 cos t, s = sin t and M = (2 + cos t)/3 for trilinear elements with full integration, M = (1 +
cos t)/2 for their constant strain alone. It is inverted on the fly: to store it would take six numbers a
wave.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for
from scalebridge.core.vectors import dot
from scalebridge.grids.line_transforms import LineTransform
from scalebridge.grids.real_transforms import RealTransform
from scalebridge.grids.transforms import Inverse, SineCosineInverse, Then, Update, Use, blocks

_CACHE = 1 << 20


@dataclass(frozen=True)
class WaveStiffness:
    """A homogeneous medium for the waves of a periodic box.

    Args:
        angles: angle from point to point of every wave along each axis, half of them along y; along z if y
            has one point only.
        inverse_spacing: of the three axes.
        whole, constant: (6, 6) of K_11, K_22, K_33, K_23, K_13, K_12 by P of the fully integrated element,
            and by that of its constant strain.
    """

    angles: tuple[np.ndarray, np.ndarray, np.ndarray]
    inverse_spacing: tuple[float, float, float]
    whole: np.ndarray
    constant: np.ndarray

    @property
    def isotropic(self) -> bool:
        """Whether the fully integrated element's part is that of mu and lambda + mu."""
        shear, more = self.whole[0, 1], self.whole[3, 3]
        isotropic = more * np.eye(6)
        isotropic[:3, :3] += shear
        return bool(np.allclose(self.whole, isotropic, rtol=0, atol=1e-14 * np.abs(self.whole).max()))

    def factors(self, dtype: np.dtype) -> list[np.ndarray]:
        """Return an array a axis: rows s, S, M of full integration, M of the constant strain."""
        found = []
        for angle, g in zip(self.angles, self.inverse_spacing, strict=True):
            cos, half = np.cos(angle), np.cos(angle / 2)
            half[np.isclose(np.abs(angle), np.pi)] = 0.0  # not rounding: such waves have no constant strain
            sine = 2 * np.sin(angle / 2) * half
            found.append(
                np.stack([sine * g, (2 - 2 * cos) * g * g, (2 + cos) / 3, half * half]).astype(dtype)
            )
        return found


_PLACE = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
_SWAP = np.array([0, 2, 1, 3, 5, 4])  # y and z change places
_ROW, _COLUMN = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
_A, _B = np.meshgrid(_ROW, _ROW, indexing="ij")
_C, _D = np.meshgrid(_COLUMN, _COLUMN, indexing="ij")


def christoffel_matrix(stiffness: Any) -> Any:
    """Return the (6, 6) matrix of K_11, K_22, K_33, K_23, K_13, K_12 by P_11 ... P_12 of a stiffness.

    Args:
        stiffness: (6, 6), stresses by strains with doubled shears; an array of NumPy or JAX.
    """
    straight = stiffness[_PLACE[_A, _B], _PLACE[_C, _D]]
    crossed = stiffness[_PLACE[_A, _D], _PLACE[_C, _B]]  # P is symmetric: P_bd stands for P_db, too
    return straight + (_B != _D) * crossed


class ElasticWaveInverse(Inverse):
    """On a box that repeats along every axis: one forward and one inverse real transform a component.

    Args:
        medium: the homogeneous medium.
        shape: number of points along each axis.
        dtype: type of the fields.
    """

    def __init__(self, medium: WaveStiffness, shape: tuple[int, ...], dtype: np.dtype):
        self._dtype = np.dtype(dtype)
        self._x, *across = medium.factors(self._dtype)
        turned = shape[1] > 1  # the half grid is along y: rows of waves are
        self._along, self._rows = across[::-1] if turned else across
        self._shape = shape if turned else (shape[0], shape[2], shape[1])  # x, of the rows, of the other
        self._within = shape[1:]
        unit = float(np.abs(medium.whole).max() + np.abs(medium.constant).max())  # or a cube would overflow
        self._scale = self._dtype.type(1.0 / (unit * math.prod(shape)))
        self._lames = (medium.whole[[0, 3], [1, 3]] / unit).astype(dtype)  # mu and lambda + mu, if isotropic
        self._whole = None if medium.isotropic else self._in_order(medium.whole / unit, turned)
        self._constant = self._in_order(medium.constant / unit, turned) if np.any(medium.constant) else None
        self._components = np.array([0, 2, 1] if turned else [0, 1, 2])
        self._real = RealTransform((shape[0], 3, self._shape[1], self._shape[2]), self._dtype)
        # components next to the rows, not as in fields: rows of lines are three times as long
        self._waves = np.empty((shape[0], *self._real.waves), np.result_type(self._dtype, np.complex64))
        self._along_x, self._along_z = (
            LineTransform(self._waves.shape, axis, self._dtype) for axis in (0, 1)
        )
        self._block = max(1, _CACHE // (3 * shape[1] * shape[2] * self._dtype.itemsize))

    def _in_order(self, matrix: np.ndarray, turned: bool) -> np.ndarray:
        """K by P where the axis across and that of the rows stand for y and z."""
        return (matrix[np.ix_(_SWAP, _SWAP)] if turned else matrix).astype(self._dtype)

    def sweep(self, r: np.ndarray, update: Update | None, then: Then) -> float:
        threads = threads_for(r.size)
        in_slabs(self._forward, self._shape[0], r, update, threads=threads)
        across = self._waves.shape[1 if self._shape[2] > 1 else 3]
        product = sum(in_slabs(self._across, across, threads=threads))
        if (use := then(product)) is not None:
            in_slabs(self._backward, self._shape[0], use, threads=threads)
        return product

    def _forward(self, start: int, stop: int, piece: int, r: np.ndarray, update: Update | None) -> None:
        for low, high in blocks(start, stop, self._block):
            if update is not None:
                update(low, high)
            self._real.forward(r.reshape(-1, 3, *self._shape[1:]), low, high, self._waves)
            self._along_z.planes(self._waves, low, high, forward=True)

    def _across(self, start: int, stop: int, piece: int) -> float:
        """Transform along the first axis, multiply, and transform back, some columns at a time."""
        by_z, parts = self._shape[2] > 1, self._waves.view(self._dtype)
        column = 3 * self._shape[0] * self._waves.itemsize * (self._waves.shape[3] if by_z else 1)
        product, z_range, row_range = 0.0, (0, self._shape[2]), (0, self._waves.shape[3])
        medium = (self._whole, self._constant, self._lames, self._scale, self._components)
        for low, high in blocks(start, stop, max(1, _CACHE // column)):
            z_range, row_range = ((low, high), row_range) if by_z else (z_range, (low, high))
            self._along_x.columns(self._waves, low, high, 1 if by_z else 3, forward=True)
            product += _multiply(
                *(parts, self._x, self._along, self._rows, *medium, *z_range, *row_range, self._shape[1])
            )
            self._along_x.columns(self._waves, low, high, 1 if by_z else 3, forward=False)
        return product

    def _backward(self, start: int, stop: int, piece: int, use: Use) -> None:
        room = np.empty((min(self._block, stop - start), 3, *self._shape[1:]), self._dtype)
        for low, high in blocks(start, stop, self._block):
            z = room[: high - low]
            self._along_z.planes(self._waves, low, high, forward=False)
            self._real.backward(self._waves, low, high, z)
            use(low, high, z.reshape(-1, 3, *self._within))


@row_kernel
def _general_stiffness(t, p1, p2, p3, p4, p5, p6):
    """K of a wave from its P and six rows of K by P."""
    return (
        t[0, 0] * p1 + t[0, 1] * p2 + t[0, 2] * p3 + t[0, 3] * p4 + t[0, 4] * p5 + t[0, 5] * p6,
        t[1, 0] * p1 + t[1, 1] * p2 + t[1, 2] * p3 + t[1, 3] * p4 + t[1, 4] * p5 + t[1, 5] * p6,
        t[2, 0] * p1 + t[2, 1] * p2 + t[2, 2] * p3 + t[2, 3] * p4 + t[2, 4] * p5 + t[2, 5] * p6,
        t[3, 0] * p1 + t[3, 1] * p2 + t[3, 2] * p3 + t[3, 3] * p4 + t[3, 4] * p5 + t[3, 5] * p6,
        t[4, 0] * p1 + t[4, 1] * p2 + t[4, 2] * p3 + t[4, 3] * p4 + t[4, 4] * p5 + t[4, 5] * p6,
        t[5, 0] * p1 + t[5, 1] * p2 + t[5, 2] * p3 + t[5, 3] * p4 + t[5, 4] * p5 + t[5, 5] * p6,
    )


@row_kernel
def _isotropic_stiffness(shear, more, p1, p2, p3, p4, p5, p6):
    """The same from mu and lambda + mu."""
    k = shear * (p1 + p2 + p3)
    return k + more * p1, k + more * p2, k + more * p3, more * p4, more * p5, more * p6


@row_kernel
def _invert_row(p, q, r, s, square, m, h, t, o, shear, more, final, xs, xx, xm, xh, ys, yy, ym, yh, tiny):
    """Replace a row of waves by the inverse of K times it; return the sum of their products.

    Args:
        p, q, r: the three components, pairs of numbers.
        s, square, m, h: of z: s, S, M and M of the constant strain.
        t, o: six rows of K by P, scaled; t is None where mu and lambda + mu say it all, o is None where the
            constant strain has none of its own.
        shear, more: mu and lambda + mu, scaled.
        final: what the inverse of the scaled matrix is multiplied by.
        xs, xx, xm, xh: s, S, M, M of the constant strain of x; and of y.
    """
    total, nought = p.dtype.type(0), p.dtype.type(0)
    for k in range(s.size):
        p1, p2, p3 = xx * ym * m[k], xm * yy * m[k], xm * ym * square[k]
        p4, p5, p6 = xm * ys * s[k], xs * ym * s[k], xs * ys * m[k]
        if t is None:
            k1, k2, k3, k4, k5, k6 = _isotropic_stiffness(shear, more, p1, p2, p3, p4, p5, p6)
        else:
            k1, k2, k3, k4, k5, k6 = _general_stiffness(t, p1, p2, p3, p4, p5, p6)
        if o is not None:
            p1, p2, p3 = xx * yh * h[k], xh * yy * h[k], xh * yh * square[k]
            p4, p5, p6 = xh * ys * s[k], xs * yh * s[k], xs * ys * h[k]
            o1, o2, o3, o4, o5, o6 = _general_stiffness(o, p1, p2, p3, p4, p5, p6)
            k1, k2, k3, k4, k5, k6 = k1 + o1, k2 + o2, k3 + o3, k4 + o4, k5 + o5, k6 + o6
        c1, c2, c3 = k2 * k3 - k4 * k4, k1 * k3 - k5 * k5, k1 * k2 - k6 * k6
        c4, c5, c6 = k5 * k6 - k1 * k4, k6 * k4 - k2 * k5, k4 * k5 - k3 * k6
        det = k1 * c1 + k6 * c6 + k5 * c5
        scale = (final if det > tiny else nought) / (det if det > tiny else tiny)
        c1, c2, c3, c4, c5, c6 = scale * c1, scale * c2, scale * c3, scale * c4, scale * c5, scale * c6
        a, b, c = p[2 * k], q[2 * k], r[2 * k]
        u, v, w = c1 * a + c6 * b + c5 * c, c6 * a + c2 * b + c4 * c, c5 * a + c4 * b + c3 * c
        total += a * u + b * v + c * w
        p[2 * k], q[2 * k], r[2 * k] = u, v, w
        a, b, c = p[2 * k + 1], q[2 * k + 1], r[2 * k + 1]
        u, v, w = c1 * a + c6 * b + c5 * c, c6 * a + c2 * b + c4 * c, c5 * a + c4 * b + c3 * c
        total += a * u + b * v + c * w
        p[2 * k + 1], q[2 * k + 1], r[2 * k + 1] = u, v, w
    return total


@kernel
def _take(parts, i, j, k, before):
    for c in range(3):
        for n in range(2):
            before[c, n] = parts[i, j, c, 2 * k + n]


@kernel
def _products(parts, before, i, j, k):
    total = 0.0
    for c in range(3):
        for n in range(2):
            total += before[c, n] * parts[i, j, c, 2 * k + n]
    return total


@kernel
def _multiply(parts, x, y, z, whole, constant, lames, final, components, y_low, y_high, low, high, last_size):
    """Apply the inverse to waves; return the sum of products with it over the whole grid.

    Rows are along what is z here, `components` says which components go with the three axes. Of a real
    field's waves along the last axis the half grid has each but the first, and the last if their
    number is even, for two.
    """
    total, once = 0.0, 0.0
    tiny = np.finfo(parts.dtype).tiny
    last = last_size // 2 if last_size % 2 == 0 and last_size > 1 else -1
    first, end = np.zeros((3, 2)), np.zeros((3, 2))
    s, square, m, h, shear, more = (
        z[0, low:high],
        z[1, low:high],
        z[2, low:high],
        z[3, low:high],
        lames[0],
        lames[1],
    )
    for i in range(x.shape[1]):
        for j in range(y_low, y_high):
            if low == 0:
                _take(parts, i, j, 0, first)
            if low <= last < high:
                _take(parts, i, j, last, end)
            p, q, r = (
                parts[i, j, components[0], 2 * low : 2 * high],
                parts[i, j, components[1], 2 * low : 2 * high],
                parts[i, j, components[2], 2 * low : 2 * high],
            )
            total += _invert_row(p, q, r, s, square, m, h, whole, constant, shear, more, final, x[0, i], x[1, i], x[2, i], x[3, i], y[0, j], y[1, j], y[2, j], y[3, j], tiny)  # fmt: skip  # noqa: E501
            if low == 0:
                once += _products(parts, first, i, j, 0)
            if low <= last < high:
                once += _products(parts, end, i, j, last)
    return 2 * total - once


class VectorSineCosineInverse(Inverse):
    """On a box whose faces are all fixed or all free: each component by itself.

    Sines and cosines mix in the coupling of components, so that this is no inverse of an elastic medium's
    operator, but one of its diagonal part, which is close enough to precondition with.

    Args:
        inverses: one a component.
    """

    def __init__(self, inverses: list[SineCosineInverse]):
        self._inverses = inverses

    def sweep(self, r: np.ndarray, update: Update | None, then: Then) -> float:
        planes, threads = r.shape[0], threads_for(r.size)
        if update is not None:
            in_slabs(lambda low, high, _: update(low, high), planes, threads=threads)
        answer = np.empty_like(r)
        for component, inverse in enumerate(self._inverses):
            field = np.ascontiguousarray(r[:, component])
            inverse.apply(field)
            answer[:, component] = field
        product = dot(r, answer)
        if (use := then(product)) is not None:
            in_slabs(lambda low, high, _: use(low, high, answer[low:high]), planes, threads=threads)
        return product
