"""What a Darcy problem is asked with: a field of permeabilities, a fluid, and what drives it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError, PhaseError
from scalebridge.core.units import parse_quantity

_ASYMMETRY = 1e-6  # relative; what a cell's solver leaves in a permeability is a hundred times smaller
_FIELD = "numbers (x, y) or (x, y, z), or symmetric tensors (2, 2, x, y) or (3, 3, x, y, z), components first"


def permeability_field(given: Any, unit: str) -> np.ndarray:
    """Read a field of permeabilities in m^2.

    Args:
        given: numbers (x, y) or (x, y, z), or tensors (2, 2, x, y) or (3, 3, x, y, z).
        unit: their unit: "m^2", "mD", ...

    Returns:
        an array of the same shape; of tensors the symmetric part.

    Raises:
        PhaseError: another shape, numbers that are not finite or negative, tensors that are not symmetric or
            have a negative principal value, or nothing that lets fluid through.
        UnitError: no unit of permeability.
    """
    try:
        field = np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise PhaseError("permeability", got=repr(given), wanted=_FIELD, cure="pass an array") from error
    tensors = field.ndim in (4, 5)
    if field.size == 0 or field.ndim not in (2, 3, 4, 5) or (tensors and not _square(field)):
        raise PhaseError(
            "permeability", got=f"shape {field.shape}", wanted=_FIELD, cure="put components first"
        )
    if not np.all(np.isfinite(field)):
        raise PhaseError(
            "permeability",
            got=f"{np.count_nonzero(~np.isfinite(field))} numbers that are not finite",
            wanted="finite permeabilities",
            cure="fill in what is missing; an exact zero is a barrier",
        )
    field *= parse_quantity(f"1 {unit}", "m^2", "unit")
    if tensors:
        field = _symmetric(field)
    _refuse_negative(field)
    return field


def grid_shape(field: np.ndarray) -> tuple[int, ...]:
    """Return the number of blocks along each axis."""
    return field.shape if field.ndim < 4 else field.shape[2:]


def as_rows(field: np.ndarray) -> np.ndarray:
    """Return a row for every block in C order: (blocks,) numbers or (blocks, dim, dim) tensors."""
    if field.ndim < 4:
        return field.reshape(-1)
    dim = field.shape[0]
    return np.ascontiguousarray(np.moveaxis(field.reshape(dim, dim, -1), -1, 0))


def is_diagonal(field: np.ndarray) -> bool:
    """Return whether numbers or tensors have no part off the axes."""
    if field.ndim < 4:
        return True
    off = ~np.eye(field.shape[0], dtype=bool)
    return not np.any(field[off])


def driving_vector(given: Any, dim: int) -> np.ndarray:
    """Read the mean of -grad p in Pa/m.

    Args:
        given: one value an axis, numbers in Pa/m or text such as "1 bar/m".
        dim: number of axes.

    Raises:
        InputError: not one finite value an axis, or only zeros.
        UnitError: a unit of another kind.
    """
    values = list(given) if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str) else []
    numbers = [parse_quantity(v, "Pa/m", "driving") if isinstance(v, str) else float(v) for v in values]
    if len(numbers) != dim or not all(map(math.isfinite, numbers)) or not any(numbers):
        raise InputError(
            "driving",
            got=repr(given),
            wanted=f"{dim} values, one an axis, not all of them zero",
            cure=f"pass driving={('1 bar/m',) + (0.0,) * (dim - 1)}",
        )
    return np.array(numbers)


def _square(field: np.ndarray) -> bool:
    return field.shape[0] == field.shape[1] == field.ndim - 2


def _symmetric(field: np.ndarray) -> np.ndarray:
    other = np.swapaxes(field, 0, 1)
    gap, scale = float(np.max(np.abs(field - other))), float(np.max(np.abs(field)))
    if gap > _ASYMMETRY * scale:
        raise PhaseError(
            "permeability",
            got=f"tensors whose halves differ by {gap / scale:.1e} of the largest component",
            wanted="symmetric tensors",
            cure="pass what permeability returned, or (K + K.T) / 2 if you know why they differ",
        )
    return 0.5 * (field + other)


def _refuse_negative(field: np.ndarray) -> None:
    lowest = field if field.ndim < 4 else np.linalg.eigvalsh(np.moveaxis(field, (0, 1), (-2, -1)))
    largest = float(np.max(np.abs(lowest)))
    if np.min(lowest) < -1e-12 * largest:  # a principal value of zero comes out of eigvalsh with a rounding
        raise PhaseError(
            "permeability",
            got=f"a smallest value of {np.min(lowest):.3g} m^2",
            wanted="permeabilities that are not negative",
            cure="look for what does not percolate or did not converge; an exact zero is a barrier",
        )
    if largest == 0:
        raise PhaseError(
            "permeability", got="only zeros", wanted="blocks that let fluid through", cure="check"
        )
