"""Engineering constants of a stiffness: of its nearest symmetry in the symmetry's frame, and by direction.

Stiffnesses are in Mandel notation (11, 22, 33, 23, 13, 12; in the plane 11, 22, 12).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from scalebridge.core.errors import InputError
from scalebridge.upscaling.rotations import rotate_tensor
from scalebridge.upscaling.symmetry import Anisotropy, SymmetryFit, anisotropy
from scalebridge.upscaling.symmetry_groups import project_symmetry

_TOLERANCE = 0.01
_KINDS = {
    3: ("isotropic", "cubic", "transversely isotropic", "orthotropic"),
    2: ("isotropic", "square", "orthotropic"),
}
_STARTS, _FOLLOWED = 1500, 6


@dataclass(frozen=True, eq=False)
class EngineeringConstants:
    """Constants of the nearest stiffness of a symmetry, along the axes of that symmetry.

    Args:
        symmetry: "isotropic", "cubic" (in the plane "square"), "transversely isotropic" or "orthotropic".
        axes: (d, d), unit vectors of axes 1, 2, 3 in rows; for transverse isotropy the axis of isotropy is 3.
        values: the constants by name: E, E1, ... (Young's moduli), nu12 (strain along 2 by stress along 1), G
            (shear moduli), K (bulk modulus; in the plane that of the area).
        slopes: derivative of each constant by the stiffness, (n, n) in the given axes, at fixed symmetry
            axes.
        distance: |C - C_sym| / |C| of the stiffness that the constants stand for.
    """

    symmetry: str
    axes: np.ndarray
    values: dict[str, float]
    slopes: dict[str, np.ndarray]
    distance: float

    def spreads(self, std: np.ndarray) -> dict[str, float]:
        """Return upper limits of the constants' standard deviations from those of the stiffness.

        To first order sum |dk/dC_ab| std_ab, which is reached where all components move together.

        Args:
            std: standard deviations of the stiffness, (n, n).
        """
        return {name: float(np.sum(np.abs(slope) * np.asarray(std))) for name, slope in self.slopes.items()}


def engineering_constants(
    stiffness: Any,
    symmetry: str | None = None,
    *,
    tolerance: float = _TOLERANCE,
    fits: Anisotropy | None = None,
) -> EngineeringConstants:
    """Return Young's moduli, Poisson's ratios and shear moduli in the principal frame of a symmetry.

    From the compliance S of the nearest stiffness of the symmetry, along its axes: E_i = 1 / S_ii,
    nu_ij = -S_ij / S_ii, G_ij = 1 / (4 S_ijij).

    Args:
        stiffness: Mandel notation, (6, 6), in the plane (3, 3), symmetric positive definite, Pa.
        symmetry: "isotropic", "cubic", "transversely isotropic" or "orthotropic"; in the plane "isotropic",
            "square" or "orthotropic". None: the highest of these within the tolerance, else orthotropic.
        tolerance: relative distance up to which a symmetry is taken for the stiffness's own.
        fits: what `anisotropy(stiffness, order=4)` gave, if it is known.

    Returns:
        the constants with their frame, derivatives, and how far the stiffness is from that symmetry.

    Raises:
        InputError: not a stiffness, not positive definite, or an unknown symmetry.

    Limits: in the plane the constants are those of the plane problem (of plane strain, for an infinite body).

    Cost: 0.15 s where `fits` is not given.

    Source: S. G. Lekhnitskii (1963), Theory of elasticity of an anisotropic elastic body, section 3.

    Example:
        >>> isotropic = 3 * 80e9 / 3 * np.outer([1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0])
        >>> isotropic += 2 * 40e9 * (np.eye(6) - np.outer([1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0]) / 3)
        >>> found = engineering_constants(isotropic)
        >>> found.symmetry, round(found.values["E"] / 1e9, 6), round(found.values["nu"], 6)
        ('isotropic', 102.857143, 0.285714)
    """
    known = fits if fits is not None else anisotropy(checked_stiffness(stiffness), order=4)
    checked_stiffness(known.tensor)
    kinds = _KINDS[3 if len(known.tensor) == 6 else 2]
    if symmetry is not None and symmetry not in kinds:
        wanted = f"one of {', '.join(kinds)}"
        raise InputError(
            "symmetry", got=repr(symmetry), wanted=wanted, cure="choose one of them, or leave it out"
        )
    if symmetry is None:
        near = (name for name in kinds if known.fits[name].distance <= tolerance)
        symmetry = next(near, "orthotropic")
    return _constants(known.fits[symmetry])


def checked_stiffness(stiffness: Any) -> np.ndarray:
    """Return a stiffness as an array, or refuse what is none.

    Raises:
        InputError: not (6, 6) or (3, 3), not finite, not symmetric or not positive definite.
    """
    matrix = np.asarray(stiffness, float)
    cure = "pass the value of an effective stiffness, in Mandel notation"
    if matrix.shape not in ((6, 6), (3, 3)) or not np.all(np.isfinite(matrix)):
        wanted = "finite numbers of shape (6, 6), or (3, 3) in the plane"
        raise InputError("stiffness", got=f"shape {matrix.shape}", wanted=wanted, cure=cure)
    gap = float(np.abs(matrix - matrix.T).max())
    if gap > 1e-6 * float(np.abs(matrix).max()):
        raise InputError("stiffness", got=f"C - C' up to {gap:.3g}", wanted="a symmetric matrix", cure=cure)
    matrix = (matrix + matrix.T) / 2
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest <= 0:
        raise InputError(
            "stiffness",
            got=f"a smallest eigenvalue of {lowest:.3g}",
            wanted="a positive definite matrix",
            cure="a medium that does not hang together has no compliance",
        )
    return matrix


def young_modulus(stiffness: Any, directions: Any) -> np.ndarray:
    """Return Young's modulus along directions: E(n) = 1 / (n n : S : n n).

    Args:
        stiffness: Mandel notation, (6, 6), in the plane (3, 3).
        directions: (..., d), of any length but zero.

    Returns:
        shape (...).

    Source: J. F. Nye (1957), Physical properties of crystals, chapter VIII.

    Example:
        >>> along = young_modulus(np.diag([4.0, 9.0, 1.0, 1.0, 1.0, 1.0]), [[1, 0, 0], [0, 2, 0]])
        >>> along.round(9).tolist()
        [4.0, 9.0]
    """
    compliance = np.linalg.inv(checked_stiffness(stiffness))
    pairs = direction_pairs(directions)
    return 1 / np.einsum("...a,ab,...b->...", pairs, compliance, pairs)


def young_slope(stiffness: Any, direction: Any) -> np.ndarray:
    """Return dE(n)/dC, (n, n): E^2 (S m)(S m)' with m = n n in Mandel notation."""
    compliance = np.linalg.inv(checked_stiffness(stiffness))
    strained = compliance @ direction_pairs(direction)
    return float(young_modulus(stiffness, direction)) ** 2 * np.outer(strained, strained)


def linear_compressibility(stiffness: Any, directions: Any) -> np.ndarray:
    """Return the strain along directions under unit hydrostatic pressure: beta(n) = n n : S : I.

    Args:
        stiffness: Mandel notation, (6, 6), in the plane (3, 3), Pa.
        directions: (..., d), of any length but zero.

    Returns:
        shape (...), 1/Pa; negative where the medium expands under pressure.

    Source: J. F. Nye (1957), Physical properties of crystals, chapter VIII.

    Example:
        >>> linear_compressibility(np.diag([4.0, 2.0, 1.0, 1.0, 1.0, 1.0]), [0, 1, 0]).item()
        0.5
    """
    matrix = checked_stiffness(stiffness)
    dim = 3 if len(matrix) == 6 else 2
    sphere = np.concatenate([np.ones(dim), np.zeros(len(matrix) - dim)])
    return direction_pairs(directions) @ np.linalg.solve(matrix, sphere)


def young_extremes(stiffness: Any) -> tuple[tuple[float, np.ndarray], tuple[float, np.ndarray]]:
    """Return the smallest and the largest Young's modulus over all directions, each with its direction.

    Directions all over are looked at, and the best ones followed by a quasi-Newton method.

    Args:
        stiffness: Mandel notation, (6, 6), in the plane (3, 3).

    Returns:
        (modulus, unit vector) twice, the smallest first.

    Limits: a function of fourth degree has several hills; one narrower than some 4 degrees may be missed.

    Example:
        >>> (low, _), (high, axis) = young_extremes(np.diag([4.0, 9.0, 4.0, 4.0, 4.0, 4.0]))
        >>> round(low, 9), round(high, 9), np.abs(axis).round(6).tolist()
        (4.0, 9.0, [0.0, 1.0, 0.0])
    """
    matrix = checked_stiffness(stiffness)
    compliance = np.linalg.inv(matrix) * np.trace(matrix)
    starts = spread_directions(_STARTS, 3 if len(matrix) == 6 else 2)
    pairs = direction_pairs(starts)
    values = np.einsum("na,ab,nb->n", pairs, compliance, pairs)
    order = np.argsort(values, kind="stable")
    high = _followed(compliance, starts[order[:_FOLLOWED]], 1.0)
    low = _followed(compliance, starts[order[-_FOLLOWED:]], -1.0)
    return (float(young_modulus(matrix, low)), low), (float(young_modulus(matrix, high)), high)


def average_moduli(stiffness: Any) -> dict[str, tuple[float, float, float]]:
    """Return bulk and shear modulus of an aggregate of grains in all orientations: Voigt, Reuss and Hill.

    Args:
        stiffness: of a grain, Mandel notation, (6, 6).

    Returns:
        "bulk" and "shear", each as (Voigt's, Reuss's, their mean).

    Raises:
        InputError: not a stiffness of space.

    Source: R. Hill (1952), Proc. Phys. Soc. A 65, 349, doi:10.1088/0370-1298/65/5/307.

    Example:
        >>> average_moduli(np.diag([6.0, 6.0, 6.0, 2.0, 2.0, 2.0]))["bulk"]
        (2.0, 2.0, 2.0)
    """
    matrix = checked_stiffness(stiffness)
    if len(matrix) != 6:
        raise InputError("stiffness", got="a plane one", wanted="shape (6, 6)", cure="use it for space only")
    voigt, reuss = _isotropic_parts(matrix), _isotropic_parts(np.linalg.inv(matrix))
    ends = {"bulk": (voigt[0] / 3, 1 / (3 * reuss[0])), "shear": (voigt[1] / 2, 1 / (2 * reuss[1]))}
    return {name: (high, low, (high + low) / 2) for name, (high, low) in ends.items()}


def direction_pairs(directions: Any) -> np.ndarray:
    """Return n n of unit vectors along directions in Mandel notation, shape (..., 6), in the plane (..., 3).

    Raises:
        InputError: a direction of length zero, or not of two or three components.
    """
    vectors = np.asarray(directions, float)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True) if vectors.ndim else np.zeros(1)
    if vectors.ndim == 0 or vectors.shape[-1] not in (2, 3) or not np.all(lengths > 0):
        raise InputError(
            "directions",
            got=f"shape {vectors.shape}",
            wanted="vectors of two or three components, none of them zero",
            cure="pass for example [0, 0, 1]",
        )
    unit = vectors / lengths
    others = [(1, 2), (0, 2), (0, 1)] if unit.shape[-1] == 3 else [(0, 1)]
    mixed = [np.sqrt(2) * unit[..., i] * unit[..., j] for i, j in others]
    return np.concatenate([unit**2, np.stack(mixed, axis=-1)], axis=-1)


def spread_directions(count: int, dim: int) -> np.ndarray:
    """Return directions that fill half the sphere, or half the circle, evenly.

    Source: A. Gonzalez (2010), Math. Geosci. 42, 49, doi:10.1007/s11004-009-9257-x.
    """
    number = np.arange(count) + 0.5
    if dim == 2:
        angle = np.pi * number / count
        return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    height = number / count
    angle = np.pi * (1 + np.sqrt(5)) * number
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1)


def _isotropic_parts(matrix: np.ndarray) -> tuple[float, float]:
    """Return the eigenvalues of the isotropic part: of spheres, and of deviators."""
    sphere = float(matrix[:3, :3].sum()) / 3
    return sphere, (float(np.trace(matrix)) - sphere) / 5


def _followed(compliance: np.ndarray, starts: np.ndarray, sign: float) -> np.ndarray:
    """Return the direction of the smallest (sign 1) or largest (-1) compliance that the starts lead to."""

    def value(vector: np.ndarray) -> tuple[float, np.ndarray]:
        pairs = direction_pairs(vector)
        length = np.linalg.norm(vector)
        stressed = compliance @ pairs
        total = float(pairs @ stressed)
        # d(n n)/dn : S : n n is 2 (S : n n) n; the part along n is taken off, since n stays a unit vector.
        slope = 4 * (_as_matrix(stressed) @ (vector / length) - total * vector / length) / length
        return sign * total, sign * slope

    found = [minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-10}) for start in starts]
    best = min(found, key=lambda one: float(one.fun)).x
    return best / np.linalg.norm(best)


def _as_matrix(vector: np.ndarray) -> np.ndarray:
    root = np.sqrt(2)
    if len(vector) == 3:
        return np.array([[vector[0], vector[2] / root], [vector[2] / root, vector[1]]])
    return np.array(
        [
            [vector[0], vector[5] / root, vector[4] / root],
            [vector[5] / root, vector[1], vector[3] / root],
            [vector[4] / root, vector[3] / root, vector[2]],
        ]
    )


def _constants(fit: SymmetryFit) -> EngineeringConstants:
    own = fit.components
    compliance = np.linalg.inv(own)
    dim = 3 if len(own) == 6 else 2
    slopes = {name: -compliance @ weight @ compliance for name, weight in _weights(compliance, dim).items()}
    table = _names(fit.name, dim)
    found, rates = {}, {}
    for name, key in table.items():
        found[name] = _value(compliance, key, dim)
        # By the given stiffness: the projection on the symmetry is its own adjoint.
        rates[name] = rotate_tensor(_symmetric_part(slopes[key], fit.name, dim), fit.axes.T, 4)
    return EngineeringConstants(fit.name, fit.axes, found, rates, fit.distance)


def _symmetric_part(matrix: np.ndarray, symmetry: str, dim: int) -> np.ndarray:
    """Return the nearest matrix of a symmetry whose axes are those of the components."""
    if symmetry != "isotropic":
        return project_symmetry(matrix, symmetry, np.eye(dim), order=4)
    sphere = np.concatenate([np.ones(dim), np.zeros(len(matrix) - dim)]) / np.sqrt(dim)
    projector = np.outer(sphere, sphere)
    bulk = float(sphere @ matrix @ sphere)
    shear = (float(np.trace(matrix)) - bulk) / (len(matrix) - 1)
    return bulk * projector + shear * (np.eye(len(matrix)) - projector)


def _names(symmetry: str, dim: int) -> dict[str, str]:
    """Return the constants that a symmetry has, each with the general one that it equals."""
    if dim == 2:
        plain = {"E1": "E1", "E2": "E2", "nu12": "nu12", "nu21": "nu21", "G12": "G12", "K": "K"}
        short = {"E": "E1", "nu": "nu12", "G": "G12", "K": "K"}
        return plain if symmetry == "orthotropic" else short
    if symmetry in ("isotropic", "cubic"):
        return {"E": "E1", "nu": "nu12", "G": "G12", "K": "K"}
    if symmetry == "transversely isotropic":
        return {name: name for name in ("E1", "E3", "nu12", "nu13", "nu31", "G12", "G13", "K")}
    pairs = ("12", "13", "23")
    ratios = [f"nu{i}{j}" for i, j in ("12", "21", "13", "31", "23", "32")]
    return {name: name for name in ("E1", "E2", "E3", *ratios, *(f"G{p}" for p in pairs), "K")}


def _value(compliance: np.ndarray, key: str, dim: int) -> float:
    if key == "K":
        return float(1 / compliance[:dim, :dim].sum())
    if key[0] == "G":
        place = _shear_place(key, dim)
        return float(1 / (2 * compliance[place, place]))
    i = int(key[-2 if key.startswith("nu") else -1]) - 1
    if key[0] == "E":
        return float(1 / compliance[i, i])
    j = int(key[-1]) - 1
    return float(-compliance[i, j] / compliance[i, i])


def _weights(compliance: np.ndarray, dim: int) -> dict[str, np.ndarray]:
    """Return the derivative of every constant by the compliance, symmetric matrices."""
    size = len(compliance)

    def unit(i: int, j: int) -> np.ndarray:
        matrix = np.zeros((size, size))
        matrix[i, j] += 0.5
        matrix[j, i] += 0.5
        return matrix

    found = {}
    for i in range(dim):
        found[f"E{i + 1}"] = -unit(i, i) / compliance[i, i] ** 2
        for j in range(dim):
            if i != j:
                ratio = compliance[i, j] / compliance[i, i]
                found[f"nu{i + 1}{j + 1}"] = (ratio * unit(i, i) - unit(i, j)) / compliance[i, i]
    for key in ("G12", "G13", "G23")[: 3 if dim == 3 else 1]:
        place = _shear_place(key, dim)
        found[key] = -unit(place, place) / (2 * compliance[place, place] ** 2)
    sphere = np.zeros((size, size))
    sphere[:dim, :dim] = 1
    found["K"] = -sphere / compliance[:dim, :dim].sum() ** 2
    return found


def _shear_place(key: str, dim: int) -> int:
    return 2 if dim == 2 else {"G23": 3, "G13": 4, "G12": 5}[key]
