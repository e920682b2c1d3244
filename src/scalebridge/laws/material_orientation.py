"""How a material lies in the sample: Euler angles, quaternions, matrices or an axis, all to one matrix.

The orientation matrix has the material's own axes as rows, in the sample's components: it takes components in
the sample to components in the material, v_material = R v_sample. In texture analysis it is called g.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import PhaseError
from scalebridge.core.units import parse_quantity

_ORTHOGONAL = 1e-6  # what numbers of single precision leave; the matrix is then made exactly orthogonal
_WAYS = ("euler", "quaternion", "matrix", "axis")
_CURE = (
    "write {'euler': ['30 deg', '45 deg', '0 deg']}, {'quaternion': [w, x, y, z]}, a 3 x 3 matrix whose rows "
    "are the material's axes, or for a material about its axis 1 {'axis': [0, 0, 1]}"
)


def orientations_from_euler(angles: Any) -> np.ndarray:
    """Orientation matrices from Bunge's Euler angles phi1, Phi, phi2.

    g = Z(phi2) X(Phi) Z(phi1): the sample's axes are turned by phi1 about z, by Phi about the new x, and by
    phi2 about the newest z, and are then the material's.

    Args:
        angles: (..., 3) in radians.

    Returns:
        (..., 3, 3), rows are the material's axes.

    Source: H.-J. Bunge, Texture Analysis in Materials Science (1982), eq. (2.18).

    Example:
        >>> np.round(orientations_from_euler([np.pi / 2, 0.0, 0.0]), 12)[0].tolist()
        [0.0, 1.0, 0.0]
    """
    first, tilt, second = np.moveaxis(np.asarray(angles, dtype=float), -1, 0)
    return _about_z(second) @ _about_x(tilt) @ _about_z(first)


def orientations_from_quaternions(quaternions: Any) -> np.ndarray:
    """Orientation matrices from quaternions of the turns from the sample's axes to the material's.

    Args:
        quaternions: (..., 4) w, x, y, z, the scalar part first; any length but zero. A turn by t about the
            unit vector u is (cos t/2, u sin t/2); q and -q are the same.

    Returns:
        (..., 3, 3), rows are the material's axes.

    Example:
        >>> half = np.sqrt(0.5)
        >>> turned = orientations_from_quaternions([half, 0, 0, half])  # 90 degrees about z
        >>> (np.round(turned, 12) + 0.0)[0].tolist()
        [0.0, 1.0, 0.0]
    """
    given = np.asarray(quaternions, dtype=float)
    w, x, y, z = np.moveaxis(given / np.linalg.norm(given, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
        [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
        [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def orientation_along(axis: Any) -> np.ndarray:
    """Orientation whose axis 1 has a direction, by the smallest turn from the x axis.

    Args:
        axis: 3 numbers, not all zero.

    Returns:
        (3, 3), rows are the material's axes; the first is the direction.

    Example:
        >>> (np.round(orientation_along([0, 0, 2.0]), 12) + 0.0).tolist()
        [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
    """
    x, y, z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    if x < -1 + 1e-12:  # half a turn has no smallest one: that about z is taken
        return np.diag([-1.0, -1.0, 1.0])
    over = 1 / (1 + x)
    return np.array([[x, y, z], [-y, 1 - y * y * over, -y * z * over], [-z, -y * z * over, 1 - z * z * over]])


def parse_orientation(given: Any, argument: str) -> np.ndarray:
    """Read an orientation as people write it.

    Args:
        given: a table with one of the keys euler (three angles, text with a unit, or numbers beside "unit":
            "deg"), quaternion, matrix, axis; or a (3, 3) matrix.
        argument: whose orientation this is, for errors.

    Returns:
        (3, 3) proper orthogonal matrix, rows are the material's axes.

    Raises:
        PhaseError: it cannot be read, or is no rotation.

    Example:
        >>> parse_orientation({"euler": [90, 0, 0], "unit": "deg"}, "phase 1").round(12)[0].tolist()
        [0.0, 1.0, 0.0]
    """
    if not isinstance(given, Mapping):
        return _proper(_numbers(given, (3, 3), argument), argument)
    ways = [way for way in _WAYS if way in given]
    extra = sorted(set(given) - {*ways, "unit"})
    if len(ways) != 1 or extra or ("unit" in given and ways != ["euler"]):
        raise _refusal(argument, f"the keys {sorted(given)}", f"one of the keys {', '.join(_WAYS)}")
    value = given[ways[0]]
    match ways[0]:
        case "euler":
            return orientations_from_euler(_angles(value, given.get("unit"), argument))
        case "quaternion":
            return orientations_from_quaternions(_not_zero(_numbers(value, (4,), argument), argument))
        case "axis":
            return orientation_along(_not_zero(_numbers(value, (3,), argument), argument))
    return _proper(_numbers(value, (3, 3), argument), argument)


def _angles(given: Any, unit: Any, argument: str) -> np.ndarray:
    if isinstance(given, str) or np.ndim(given) != 1 or len(given) != 3:
        raise _refusal(argument, f"euler {given!r}", "three angles phi1, Phi, phi2")
    if unit is None and not all(isinstance(angle, str) for angle in given):
        raise _refusal(
            argument, f"euler {given!r} without a unit", "angles with a unit, or a 'unit' beside them"
        )
    texts = [angle if isinstance(angle, str) else f"{float(angle)!r} {unit}" for angle in given]
    return _finite(np.array([parse_quantity(text, "rad", argument) for text in texts]), argument)


def _numbers(given: Any, shape: tuple[int, ...], argument: str) -> np.ndarray:
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != shape:
        raise _refusal(argument, f"orientation {given!r}", f"numbers of shape {shape}")
    return _finite(found, argument)


def _finite(numbers: np.ndarray, argument: str) -> np.ndarray:
    if not np.all(np.isfinite(numbers)):
        raise _refusal(argument, f"orientation {numbers.tolist()}", "finite numbers")
    return numbers


def _not_zero(numbers: np.ndarray, argument: str) -> np.ndarray:
    if not np.any(numbers):
        raise _refusal(argument, "an orientation of zeros", "numbers that are not all zero")
    return numbers


def _proper(matrix: np.ndarray, argument: str) -> np.ndarray:
    """Refuse what is no rotation; return the nearest exactly orthogonal matrix."""
    defect = float(np.max(np.abs(matrix @ matrix.T - np.eye(3))))
    if not defect <= _ORTHOGONAL or np.linalg.det(matrix) < 0:
        said = f"R R' differs from the identity by {defect:.3g}" if defect > _ORTHOGONAL else "a reflection"
        raise _refusal(argument, f"a matrix that is no rotation: {said}", "a proper orthogonal matrix")
    left, _, right = np.linalg.svd(matrix)
    return left @ right


def _refusal(argument: str, got: str, wanted: str) -> PhaseError:
    return PhaseError(f"{argument}, orientation", got=got, wanted=wanted, cure=_CURE)


def _about_z(angle: np.ndarray) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    zero, one = np.zeros_like(cosine), np.ones_like(cosine)
    return _rows([[cosine, sine, zero], [-sine, cosine, zero], [zero, zero, one]])


def _about_x(angle: np.ndarray) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    zero, one = np.zeros_like(cosine), np.ones_like(cosine)
    return _rows([[one, zero, zero], [zero, cosine, sine], [zero, -sine, cosine]])


def _rows(rows: list[list[np.ndarray]]) -> np.ndarray:
    return np.stack([np.stack(row, -1) for row in rows], -2)
