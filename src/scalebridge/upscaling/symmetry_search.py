"""The axes in which a stiffness is nearest to a symmetry: Newton's method on rotations, from many starts."""

import numpy as np

from scalebridge.upscaling.rotations import (
    mandel_basis,
    mandel_rotation,
    rotate_tensor,
    rotation_rates,
    small_rotation,
    spread_rotations,
)
from scalebridge.upscaling.symmetry_groups import group_projector

_STARTS = {2: 24, 3: 600}  # for stiffnesses; the landscape has wavelengths of 45 degrees and more
_KEPT = 40  # best starts that are followed
_STEPS = 40
_STILL, _IDLE = 1e-14, 3
_LONGEST = 0.3  # radians of a step


def nearest_axes(tensor: np.ndarray, dim: int, name: str) -> np.ndarray:
    """Return the axes in which a stiffness is nearest to a symmetry.

    Args:
        tensor: in Mandel notation, (6, 6), in the plane (3, 3).
        dim: 3 or 2.
        name: the symmetry.

    Returns:
        (d, d), unit vectors in rows; one choice of those that are equivalent.

    Cost: about 25 ms in space.
    """
    scale = float(np.linalg.norm(tensor)) or 1.0
    remainder = np.eye(tensor.size) - group_projector(dim, name)
    starts = _starts(tensor, dim)
    squares = _squares(_residuals(tensor / scale, starts, remainder))
    best = starts[np.argsort(squares, kind="stable")[:_KEPT]]
    turns, squares = _descended(tensor / scale, best, remainder, dim)
    return _ordered(turns[int(np.argmin(squares))], tensor, name)


def _ordered(axes: np.ndarray, tensor: np.ndarray, name: str) -> np.ndarray:
    """Choose one of the equivalent frames: stiffest axis first, or the last one's largest part positive."""
    if name == "orthotropic" and len(axes) == 3:
        stiff = np.diagonal(rotate_tensor(tensor, axes, 4))[:3]
        axes = axes[np.argsort(-stiff, kind="stable")]
        return axes * np.linalg.det(axes)
    if len(axes) == 3 and leading_part(axes[2:])[0] < 0:
        return axes * np.array([[1], [-1], [-1]])
    return axes


def _descended(
    tensor: np.ndarray, turns: np.ndarray, remainder: np.ndarray, dim: int
) -> tuple[np.ndarray, np.ndarray]:
    """Follow Newton's steps on half the squared distance; curvatures are taken as positive, and damped.

    With the rates G_k of small rotations the tensor in turned axes changes by M_k = G_k T + T G_k', and these
    by the same rule. The remainder r = (1 - P) T of a projection P has the slope r . M_k.
    """
    rates = rotation_rates(dim)
    damping, idle = np.full(len(turns), 1e-6), 0
    residuals = _residuals(tensor, turns, remainder)
    squares = _squares(residuals)
    for _ in range(_STEPS):
        first = _moved(rates, _turned(tensor, turns)[:, None])
        second = _moved(rates[:, None], first[:, None])
        flat = first.reshape(len(turns), len(rates), -1)
        slopes = np.einsum("nkx,nx->nk", flat, residuals)
        bend = np.einsum("nklx,nx->nkl", second.reshape(*second.shape[:3], -1), residuals)
        curvature = flat @ remainder @ np.swapaxes(flat, 1, 2) + (bend + np.swapaxes(bend, 1, 2)) / 2
        steps = _newton_steps(curvature, slopes, damping)
        trial = small_rotation(steps, dim) @ turns
        found = _residuals(tensor, trial, remainder)
        better = _squares(found) < squares
        # Arrived when no descent has gained a part in 10^14 for a few steps, while the damping goes both
        # ways.
        idle = 0 if np.any(squares - _squares(found) > _STILL * squares + _STILL**2) else idle + 1
        turns = np.where(better[:, None, None], trial, turns)
        residuals = np.where(better[:, None], found, residuals)
        squares = _squares(residuals)
        damping = np.clip(np.where(better, damping / 10, damping * 10), 1e-15, 1e3)
        if idle > _IDLE:
            break
    return turns, squares


def _newton_steps(curvature: np.ndarray, slopes: np.ndarray, damping: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(curvature)
    own = (np.swapaxes(vectors, 1, 2) @ slopes[..., None])[..., 0] / (np.abs(values) + damping[:, None])
    steps = -(vectors @ own[..., None])[..., 0]
    length = np.linalg.norm(steps, axis=1)
    return steps * np.minimum(1, _LONGEST / np.maximum(length, 1e-300))[:, None]


def _moved(rates: np.ndarray, tensors: np.ndarray) -> np.ndarray:
    half = rates @ tensors
    return half + np.swapaxes(half, -1, -2)


def _turned(tensor: np.ndarray, turns: np.ndarray) -> np.ndarray:
    matrices = mandel_rotation(turns)
    return matrices @ tensor @ np.swapaxes(matrices, -1, -2)


def _residuals(tensor: np.ndarray, turns: np.ndarray, remainder: np.ndarray) -> np.ndarray:
    return _turned(tensor, turns).reshape(len(turns), -1) @ remainder.T


def _squares(residuals: np.ndarray) -> np.ndarray:
    return np.sum(residuals**2, axis=-1)


def _starts(tensor: np.ndarray, dim: int) -> np.ndarray:
    """Return the principal axes of both contractions, in every order, and rotations all over."""
    near, basis = [], mandel_basis(dim)
    full = np.einsum("ab,aij,bkl->ijkl", tensor, basis, basis)
    for contraction in (np.einsum("ijkk->ij", full), np.einsum("ikjk->ij", full)):
        axes = np.linalg.eigh(contraction)[1].T
        axes[-1] *= np.linalg.det(axes)
        near += [np.roll(axes, shift, axis=0) if dim == 3 else axes for shift in range(dim)]
    return np.concatenate([near, spread_rotations(_STARTS[dim], dim)])


def leading_part(vectors: np.ndarray) -> np.ndarray:
    """Return the component of largest size of each row, shape (rows, 1)."""
    at = np.argmax(np.round(np.abs(vectors), 9), axis=1)
    return np.take_along_axis(vectors, at[:, None], axis=1)
