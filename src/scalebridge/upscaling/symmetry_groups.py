"""Symmetries as groups of rotations: the mean over a group is the nearest tensor of its symmetry."""

from functools import cache
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.upscaling.rotations import mandel_rotation, rotate_tensor, small_rotation

_SYMMETRIC = 1e-6  # relative; what a solver leaves of asymmetry is below, a transposed index is above

# Proper rotations that generate each symmetry, as (axis, how many make a full turn). Averages over five-fold
# rotations are averages over all, because fourth-order tensors have no harmonics above the fourth.
_GENERATORS: dict[int, dict[str, list[tuple[tuple[int, int, int], int]]]] = {
    3: {
        "cubic": [((0, 0, 1), 4), ((1, 1, 1), 3)],
        "transversely isotropic": [((0, 0, 1), 5), ((1, 0, 0), 2)],
        "tetragonal": [((0, 0, 1), 4), ((1, 0, 0), 2)],
        "trigonal": [((0, 0, 1), 3), ((1, 0, 0), 2)],
        "orthotropic": [((0, 0, 1), 2), ((1, 0, 0), 2)],
        "monoclinic": [((0, 0, 1), 2)],
    },
    2: {"square": [((1, 0, 0), 2), ((0, 0, 1), 4)], "orthotropic": [((1, 0, 0), 2)]},
}


def symmetry_names(dim: int) -> tuple[str, ...]:
    """Return the symmetries that are known for stiffnesses, but "isotropic", the most symmetric first.

    Example:
        >>> symmetry_names(2)
        ('square', 'orthotropic')
    """
    return tuple(_GENERATORS[dim])


def project_symmetry(tensor: np.ndarray, name: str, axes: np.ndarray, order: int = 4) -> np.ndarray:
    """Return the nearest tensor of a symmetry whose axes are known: the mean over the symmetry's rotations.

    Args:
        tensor: (d, d), or a stiffness in Mandel notation, (6, 6), in the plane (3, 3).
        name: a symmetry that `anisotropy` knows for this order and dimension, but "isotropic".
        axes: (d, d), rows are the symmetry's axes, the distinguished one last.
        order: 2 or 4.

    Returns:
        the nearest tensor, in the tensor's own axes.

    Raises:
        InputError: an unknown symmetry, or a tensor of another shape.

    Cost: some thousand multiplications.

    Example:
        >>> found = project_symmetry(np.diag([1.0, 2.0, 4.0]), "tetragonal", np.eye(3), order=2)
        >>> np.round(found, 12).diagonal().tolist()
        [1.5, 1.5, 4.0]
    """
    given, dim = checked_tensor(tensor, order)
    if name not in _GENERATORS[dim]:
        wanted = f"one of {', '.join(_GENERATORS[dim])}"
        raise InputError("name", got=repr(name), wanted=wanted, cure="choose one of them")
    own = rotate_tensor(given, axes, order)
    return rotate_tensor(_group_mean(own, _group(dim, name), order), axes.T, order)


@cache
def group_projector(dim: int, name: str) -> np.ndarray:
    """Return the mean over the group as a matrix on the n^2 components."""
    matrices = mandel_rotation(_group(dim, name))
    return np.mean([np.kron(matrix, matrix) for matrix in matrices], axis=0)


def _group_mean(tensor: np.ndarray, group: np.ndarray, order: int) -> np.ndarray:
    return np.mean([rotate_tensor(tensor, turn, order) for turn in group], axis=0)


@cache
def _group(dim: int, name: str) -> np.ndarray:
    """Return all products of the generators, shape (count, dim, dim)."""
    generators = [_turn(axis, fold)[:dim, :dim] for axis, fold in _GENERATORS[dim][name]]
    found = [np.eye(dim)]
    for known in found:  # grows while it is walked through
        for generator in generators:
            product = generator @ known
            if not any(np.allclose(product, other, atol=1e-9) for other in found):
                found.append(product)
    return np.array(found)


def _turn(axis: tuple[int, int, int], fold: int) -> np.ndarray:
    unit = np.array(axis) / np.linalg.norm(axis)
    return small_rotation(2 * np.pi / fold * unit, 3)


def checked_tensor(tensor: Any, order: int) -> tuple[np.ndarray, int]:
    """Return a tensor made exactly symmetric, and the dimension of its space, or refuse it."""
    if order not in (2, 4):
        cure = "use 2 for a conductivity and 4 for a stiffness in Mandel notation"
        raise InputError("order", got=repr(order), wanted="2 or 4", cure=cure)
    matrix = np.asarray(tensor, dtype=float)
    dims = {(2, 2): 2, (3, 3): 3} if order == 2 else {(3, 3): 2, (6, 6): 3}
    if matrix.shape not in dims or not np.all(np.isfinite(matrix)):
        wanted = f"finite numbers of shape {' or '.join(map(str, dims))} for order {order}"
        cure = "pass order=4 for a stiffness" if matrix.shape == (6, 6) else "pass the tensor's matrix"
        raise InputError("tensor", got=f"shape {matrix.shape}", wanted=wanted, cure=cure)
    gap = float(np.max(np.abs(matrix - matrix.T)))
    if gap > _SYMMETRIC * float(np.max(np.abs(matrix))):
        cure = "pass (T + T') / 2 if the asymmetry means nothing"
        raise InputError("tensor", got=f"T - T' up to {gap:.3g}", wanted="a symmetric matrix", cure=cure)
    return (matrix + matrix.T) / 2, dims[matrix.shape]
