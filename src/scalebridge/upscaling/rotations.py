"""Rotations of tensors: of second order, and stiffnesses as matrices in Mandel notation.

A rotation is a proper orthogonal matrix whose rows are unit vectors of new axes, so that  a' = R a  are the
components of a vector a along the new axes. In Mandel notation (11, 22, 33, 23, 13, 12; in the plane 11, 22,
12) a symmetric tensor is a vector whose off-diagonal components carry a factor sqrt(2). Its length is then
the tensor's Frobenius norm, and a rotation acts on it by an orthogonal matrix.
"""

import math
from functools import cache

import numpy as np

_SQRT2 = math.sqrt(2)
_SPREAD = 1.533751168755204288118041  # the root of x^4 = x + 4: badly approximable together with sqrt(2)


@cache
def mandel_basis(dim: int) -> np.ndarray:
    """Return the orthonormal symmetric tensors of Mandel notation, shape (6, 3, 3) or (3, 2, 2).

    Example:
        >>> basis = mandel_basis(3)
        >>> np.allclose(np.einsum("aij,bij->ab", basis, basis), np.eye(6))
        True
    """
    pairs = [(1, 2), (0, 2), (0, 1)] if dim == 3 else [(0, 1)]
    basis = np.zeros((dim + len(pairs), dim, dim))
    basis[range(dim), range(dim), range(dim)] = 1
    for row, (i, j) in enumerate(pairs, dim):
        basis[row, i, j] = basis[row, j, i] = 1 / _SQRT2
    basis.flags.writeable = False
    return basis


def mandel_rotation(rotation: np.ndarray) -> np.ndarray:
    """Return the orthogonal matrix that rotates symmetric tensors in Mandel notation.

    Q_ab = B_a : (R B_b R'), so that the vector of R T R' is Q times the vector of T.

    Args:
        rotation: shape (..., d, d), d = 2 or 3.

    Returns:
        shape (..., 6, 6), or (..., 3, 3) in the plane.

    Cost: some thousand multiplications a rotation.

    Source: M. M. Mehrabadi and S. C. Cowin (1990), Q. J. Mech. Appl. Math. 43, 15,
        doi:10.1093/qjmam/43.1.15.

    Example:
        >>> quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
        >>> np.round(mandel_rotation(quarter) @ [5.0, 1.0, 0.0], 12).tolist()
        [1.0, 5.0, 0.0]
    """
    dim = rotation.shape[-1]
    flat = mandel_basis(dim).reshape(-1, dim * dim)
    pairs = rotation[..., :, None, :, None] * rotation[..., None, :, None, :]  # R_ik R_jl
    return flat @ pairs.reshape(*rotation.shape[:-2], dim * dim, dim * dim) @ flat.T


def rotate_tensor(tensor: np.ndarray, rotation: np.ndarray, order: int = 2) -> np.ndarray:
    """Return a tensor's components along new axes.

    Args:
        tensor: (d, d) of second order, or a stiffness in Mandel notation, (6, 6), in the plane (3, 3).
        rotation: (d, d), its rows the new axes.
        order: 2 or 4.

    Example:
        >>> quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
        >>> rotate_tensor(np.diag([5.0, 1.0]), quarter).tolist()
        [[1.0, 0.0], [0.0, 5.0]]
    """
    matrix = rotation if order == 2 else mandel_rotation(rotation)
    return matrix @ tensor @ np.swapaxes(matrix, -1, -2)


def rotation_rates(dim: int) -> np.ndarray:
    """Return the antisymmetric matrices dQ/dw_k of a small rotation in Mandel notation.

    exp(w) is the rotation by |w| about the vector w, which turns vectors counter-clockwise.

    Returns:
        shape (3, 6, 6), or (1, 3, 3) in the plane.
    """
    planes = [(2, 1), (0, 2), (1, 0)] if dim == 3 else [(1, 0)]
    rates = np.zeros((len(planes), dim, dim))
    for number, (i, j) in enumerate(planes):
        rates[number, i, j], rates[number, j, i] = 1, -1
    basis = mandel_basis(dim)
    moved = np.einsum("gik,bkj->gbij", rates, basis) + np.einsum("bik,gjk->gbij", basis, rates)
    return np.einsum("aij,gbij->gab", basis, moved)


def small_rotation(vectors: np.ndarray, dim: int) -> np.ndarray:
    """Return exp(w): the rotation by the angle |w| about w, shape (..., d, d); in the plane w is the angle.

    Source: O. Rodrigues (1840), J. Math. Pures Appl. 5, 380.

    Example:
        >>> np.round(small_rotation(np.array([0.0, 0.0, np.pi / 2]), 3) @ [1.0, 0.0, 0.0], 12).tolist()
        [0.0, 1.0, 0.0]
    """
    if dim == 2:
        cosine, sine = np.cos(vectors[..., 0]), np.sin(vectors[..., 0])
        return np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    # np.sinc(t) is sin(pi t) / (pi t), and smooth at zero.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def spread_rotations(count: int, dim: int) -> np.ndarray:
    """Return rotations that fill the set of all rotations evenly, the same ones every time.

    Args:
        count: how many.
        dim: 2 or 3.

    Returns:
        shape (count, d, d).

    Source: M. Alexa (2022), Super-Fibonacci spirals, CVPR, doi:10.1109/CVPR52688.2022.00811.

    Example:
        >>> turns = spread_rotations(50, 3)
        >>> np.allclose(turns @ np.swapaxes(turns, 1, 2), np.eye(3)), bool(np.all(np.linalg.det(turns) > 0))
        (True, True)
    """
    s = np.arange(count) + 0.5
    if dim == 2:
        return small_rotation(2 * np.pi * s[:, None] / count, 2)
    near, far = np.sqrt(s / count), np.sqrt(1 - s / count)
    one, other = 2 * np.pi * s / _SQRT2, 2 * np.pi * s / _SPREAD
    return _from_quaternions(
        np.stack([near * np.sin(one), near * np.cos(one), far * np.sin(other), far * np.cos(other)], -1)
    )


def _from_quaternions(unit: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(unit, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)
