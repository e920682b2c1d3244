"""Scales of values on a regular grid in a plane or in space: products of the scales along its axes.

A product of one column from each axis belongs to the finest scale among them. Of wavelets this is exactly the
scale of the isotropic wavelets in several dimensions (S. Mallat, IEEE Trans. Pattern Anal. 11 (1989) 674), of
waves a square ring of wave numbers, of block means quarters (eighths) of quarters, of polynomials the highest
degree.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.inference.scale_bases import BasisName, ScaleBasis, make_basis, own_columns

MOST = 4096
"""Values of a grid: its columns are kept, as many as there are values."""


def read_grid(values: Any, at: Any, models: Any, block: int) -> tuple[Any, tuple[int, ...]]:
    """Return values in a row, and the shape of their grid, which has one axis along a line.

    Raises:
        InputError: a grid with positions, models or blocks, too large, or of more than three axes.
    """
    shape = np.shape(values)
    if len(shape) < 2:
        return values, (len(values) if len(shape) == 1 else 0,)
    beside = {"positions": at is not None, "models": models is not None, "blocks of neighbours": block != 1}
    wrong = next((name for name, given in beside.items() if given), None)
    if wrong or len(shape) > 3 or np.size(values) > MOST or min(shape) < 4:
        raise InputError(
            "values",
            got=f"shape {shape}{f' with {wrong}' if wrong else ''}",
            wanted=f"(n,), or a regular grid of two or three axes of 4 or more, at most {MOST} values in all",
            cure="coarsen the grid by block averages, or pass values (n,)",
        )
    return np.reshape(values, -1), shape


def make_grid_basis(
    basis: BasisName | Mapping[str, Any],
    shape: tuple[int, ...],
    wavelet: str,
    boundary: Literal["periodic", "interval"],
    levels: int | None,
) -> ScaleBasis:
    """Make the columns of every scale of a grid; its values are in a row, the last axis fastest.

    Args:
        basis: as `scale_bases.make_basis` takes it; own columns are in a row too, or on the grid.
        shape: of the grid.
        wavelet: name of an orthonormal wavelet.
        boundary: of wavelets.
        levels: number of scales.

    Raises:
        InputError: see `scale_bases.make_basis`.

    Cost: the square of the number of values, in memory.
    """
    count = int(np.prod(shape))
    if isinstance(basis, Mapping):
        flat = {name: _in_a_row(columns, shape) for name, columns in basis.items()}
        return own_columns(flat, count)
    lines = [make_basis(basis, edge, None, wavelet, boundary, _of_axis(levels, edge)) for edge in shape]
    longest = max(lines, key=lambda line: len(line.names))
    deepest = len(longest.names)
    columns, owner = np.ones((1, 1)), np.zeros(1, int)
    for edge, line in zip(shape, lines, strict=True):
        # Wavelets and blocks are counted from the finest, which a short axis shares with a long one.
        shift = deepest - len(line.names) if basis in ("wavelet", "blocks") else 0
        own = np.concatenate([np.full((edge, 1), edge**-0.5), line.columns], axis=1)
        which = np.r_[0, line.owner + 1 + shift]
        columns, owner = np.kron(columns, own), np.maximum(owner[:, None], which).ravel()
    kept = np.flatnonzero(owner > 0)
    order = kept[np.argsort(owner[kept], kind="stable")]
    present = np.unique(owner[order])
    names = tuple(longest.names[scale - 1] for scale in present)
    return ScaleBasis(names, columns[:, order], np.searchsorted(present, owner[order]), orthonormal=True)


def _of_axis(levels: int | None, edge: int) -> int | None:
    return None if levels is None else min(levels, max(1, edge - 2))


def _in_a_row(columns: Any, shape: tuple[int, ...]) -> Any:
    own = np.shape(columns)
    return np.reshape(columns, (-1, *own[len(shape) :])) if own[: len(shape)] == shape else columns
