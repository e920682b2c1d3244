"""Classical lamination theory: the membrane, coupling and bending stiffness of a thin stack of plies.

A thin plate's strain varies linearly across, strain(z) = strain_0 + z curvature, and the stresses across
vanish. Then forces and moments per length are (N, M) = [[A, B], [B, D]] (strain_0, curvature) - (N_T, M_T)
dT. In-plane tensors are in Mandel notation (11, 22, 12): the third component of strain, curvature, force and
moment carries sqrt(2), and stands for the tensor's 12, which is half the engineering one for strain and
curvature.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.units import parse_quantity
from scalebridge.core.upscaled import plain
from scalebridge.laws.elastic_material import ElasticMaterial, material_from
from scalebridge.laws.elasticity import (
    plane_stress,
    rotate_stiffness,
    rotate_strain,
    voigt_from_mandel,
)
from scalebridge.laws.material_orientation import orientations_from_euler
from scalebridge.laws.temperature_table import parse_temperature

Vector = ArrayLike | Sequence[float]
_ROUNDING = 1e-12  # a few hundred operations in float64
_IN_PLANE = np.array([0, 1, 5])
_CURE = "write each ply as (thickness, material, angle), for example ('0.125 mm', carbon, '45 deg')"


@dataclass(frozen=True, eq=False)
class LaminatedPlate:
    """What a stack of plies is as a plate. In-plane tensors in Mandel notation (11, 22, 12).

    Args:
        extension: A, (3, 3), N/m: forces of strains.
        coupling: B, (3, 3), N: forces of curvatures, moments of strains, about the middle plane.
        bending: D, (3, 3), N m.
        transverse_shear: (2, 2), N/m, forces 23 and 13 of engineering shears, sum of thickness times modulus.
            Multiply by 5/6 for a single material; other stacks have their own factors.
        thermal_force: N_T, (3,), N/m/K: forces that a uniform warming asks for at zero strain and curvature.
        thermal_moment: M_T, (3,), N/K.
        thickness: m.
        temperature: K, or None.
        derivatives: d[[A, B], [B, D]] / d(each ply's constant), (6, 6) each, "ply 0: young1".
        checks: what was measured.
        plies: (thickness, material's name, angle in rad) from the bottom, z = -thickness / 2, upwards.
    """

    extension: np.ndarray
    coupling: np.ndarray
    bending: np.ndarray
    transverse_shear: np.ndarray
    thermal_force: np.ndarray
    thermal_moment: np.ndarray
    thickness: float
    temperature: float | None
    derivatives: dict[str, np.ndarray] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    plies: tuple[tuple[float, str, float], ...] = ()

    @property
    def matrix(self) -> np.ndarray:
        """[[A, B], [B, D]], (6, 6), from (strain, curvature) to (force, moment)."""
        return np.block([[self.extension, self.coupling], [self.coupling, self.bending]])

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def expansion(self) -> np.ndarray:
        """In-plane expansion (3,) of the free plate, 1/K; where B is not zero it also bends."""
        return self.free_warming()[0]

    def free_warming(self) -> tuple[np.ndarray, np.ndarray]:
        """Return strain (3,) and curvature (3,), 1/m, that a kelvin causes in the free plate."""
        found = np.linalg.solve(self.matrix, np.concatenate([self.thermal_force, self.thermal_moment]))
        return found[:3], found[3:]

    def respond(
        self, force: Vector = (0.0, 0.0, 0.0), moment: Vector = (0.0, 0.0, 0.0), warming: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return strain and curvature under forces and moments per length and a uniform warming.

        Args:
            force: (3,) N/m, Mandel notation.
            moment: (3,) N, Mandel notation.
            warming: kelvins.
        """
        load = np.concatenate([np.asarray(force, dtype=float), np.asarray(moment, dtype=float)])
        thermal = np.concatenate([self.thermal_force, self.thermal_moment])
        found = np.linalg.solve(self.matrix, load + warming * thermal)
        return found[:3], found[3:]

    def engineering_constants(self) -> dict[str, float]:
        """Return in-plane moduli of the plate that is free to bend, Pa, and Poisson's ratio.

        young1 = 1 / (h a_11) and so on, with a the membrane part of the inverse of [[A, B], [B, D]].
        """
        flexible = self.thickness * np.linalg.inv(self.matrix)[:3, :3]
        return {
            "young1": float(1 / flexible[0, 0]),
            "young2": float(1 / flexible[1, 1]),
            "shear12": float(1 / (2 * flexible[2, 2])),
            "poisson12": float(-flexible[0, 1] / flexible[0, 0]),
        }

    def voigt(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return A, B and D for engineering shear strain and twist, as textbooks print them."""
        first, second, third = (
            np.asarray(voigt_from_mandel(part)) for part in (self.extension, self.coupling, self.bending)
        )
        return first, second, third

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        found = {name: part for name, part in vars(self).items() if name != "checks"}
        return plain(
            {"notation": "Mandel (11, 22, 12)", **found, "checks": [c.to_dict() for c in self.checks]}
        )

    def __str__(self) -> str:
        lines = [f"{len(self.plies)} plies, {self.thickness:.6g} m; Mandel notation (11, 22, 12)"]
        for name, unit, part in (
            ("A", "N/m", self.extension),
            ("B", "N", self.coupling),
            ("D", "N m", self.bending),
        ):
            scale = float(np.max(np.abs(part)))
            shown = np.where(np.abs(part) < 1e-12 * scale, 0.0, part) + 0.0
            rows = ["  ".join(f"{number:11.4e}" for number in row) for row in shown]
            lines += [f"{name} {unit:<4} {rows[0]}", *(f"{'':7}{row}" for row in rows[1:])]
        return "\n".join(lines + [str(check) for check in self.checks])


def lamination_theory(plies: Sequence[tuple[Any, ...]], *, temperature: Any = None) -> LaminatedPlate:
    """Compute the membrane, coupling and bending stiffness of a stack of plies.

    (A, B, D) = integral of Q(z) (1, z, z^2) over the thickness, Q each ply's stiffness in plane stress, z
    from the middle plane.

    Args:
        plies: (thickness, material) or (thickness, material, angle) from the bottom, z = -h / 2, upwards.
            Thicknesses are text with a unit or numbers in metres; materials as in `elastic_material`, their
            axis 3 across the plate; angles are text with a unit ("45 deg"), counter-clockwise from the
            plate's x axis to the material's axis 1, and nothing or 0 for none.
        temperature: kelvins, or text such as "20 degC"; needed where a constant depends on it.

    Returns:
        a `LaminatedPlate`.

    Raises:
        InputError: no plies, a thickness that is not positive, or an angle that cannot be read.
        PhaseError, UnitError: a material cannot be read.

    Limits: a plate that is thin against the length over which it bends; perfect bonding; no transverse shear
        (its stiffness is given beside), no free edges.

    Source: R. M. Jones, Mechanics of Composite Materials (1999), ch. 4; J. N. Reddy, Mechanics of Laminated
        Composite Plates and Shells (2004), ch. 3.

    Example:
        >>> carbon = {"young1": "181 GPa", "young2": "10.3 GPa", "poisson12": 0.28, "poisson23": 0.4,
        ...           "shear12": "7.17 GPa"}
        >>> plate = lamination_theory([("5 mm", carbon, angle) for angle in (0, "30 deg", "-45 deg")])
        >>> A, B, D = plate.voigt()
        >>> f"{A[0, 0]:.4g} {B[0, 0]:.4g} {D[0, 0]:.4g}"
        '1.739e+09 -3.129e+06 3.343e+04'
    """
    thicknesses, materials, angles = _plies(plies)
    kelvin = None if temperature is None else parse_temperature(temperature)
    values = [material.values(kelvin) for material in materials]
    reduced = [_reduced(*ply) for ply in zip(materials, values, angles, strict=True)]
    stiffnesses, expansions, shears = (np.stack(parts) for parts in list(zip(*reduced, strict=True))[:3])
    bottoms, tops = _levels(np.asarray(thicknesses))
    weights = _weights(bottoms, tops, np)
    A, B, D = np.einsum("pk,kij->pij", weights, stiffnesses)
    heats = np.einsum("kij,kj->ki", stiffnesses, expansions)
    derivatives = {
        f"ply {row}: {name}": np.kron(_blocks(weights[:, row]), slope[..., at])
        for row, (material, (*_, slope)) in enumerate(zip(materials, reduced, strict=True))
        for at, name in enumerate(material.names[: material.elastic_count])
    }
    return LaminatedPlate(
        extension=A,
        coupling=B,
        bending=D,
        transverse_shear=np.tensordot(thicknesses, shears, 1),
        thermal_force=(tops - bottoms) @ heats,
        thermal_moment=(tops**2 - bottoms**2) / 2 @ heats,
        thickness=math.fsum(thicknesses),
        temperature=kelvin,
        derivatives=derivatives,
        checks=tuple(_checks(stiffnesses, bottoms, tops, np.block([[A, B], [B, D]]))),
        plies=tuple(zip(thicknesses, (material.name for material in materials), angles, strict=True)),
    )


def lamination_matrices(
    thicknesses: Vector, stiffnesses: ArrayLike
) -> tuple[Float[Array, "3 3"], Float[Array, "3 3"], Float[Array, "3 3"]]:
    """A, B and D of plies in plane stress; differentiable.

    Args:
        thicknesses: (n,) from the bottom, m.
        stiffnesses: (n, 3, 3) in plane stress, in the plate's axes, Pa, in either notation.

    Returns:
        A (N/m), B (N) and D (N m) about the middle plane, in that notation.

    Example:
        >>> A, B, D = lamination_matrices([1.0, 1.0], jnp.stack([jnp.eye(3), 3 * jnp.eye(3)]))
        >>> [round(float(part[0, 0]), 6) for part in (A, B, D)]
        [4.0, 1.0, 1.333333]
    """
    weights = _weights(*_levels(jnp.asarray(thicknesses)), jnp)
    A, B, D = jnp.einsum("pk,kij->pij", weights, jnp.asarray(stiffnesses))
    return A, B, D


def _weights(bottoms: Any, tops: Any, xp: Any) -> Any:
    """Return the integrals (3, n) of 1, z and z^2 over each ply."""
    # Powers of the distances as products with the thickness: a symmetric stack cancels to rounding.
    middle, thick = (tops + bottoms) / 2, tops - bottoms
    return xp.stack([thick, thick * middle, thick * (middle**2 + thick**2 / 12)])


def _blocks(weights: np.ndarray) -> np.ndarray:
    return np.array([[weights[0], weights[1]], [weights[1], weights[2]]])


def _levels(thicknesses: Any) -> tuple[Any, Any]:
    tops = thicknesses.cumsum() - thicknesses.sum() / 2
    return tops - thicknesses, tops


def _reduced(material: ElasticMaterial, values: Any, angle: float) -> tuple[np.ndarray, ...]:
    """Return stiffness in plane stress, in-plane expansion, transverse shears, and the first's derivatives.

    Along the plate's axes. The derivatives have the elastic constants last.
    """
    turn = orientations_from_euler([angle, 0.0, 0.0])
    if material.is_void:
        return np.zeros((3, 3)), np.zeros(3), np.zeros((2, 2)), np.zeros((3, 3, 0))
    own = material.stiffness_of(values), material.expansion_of(values), material.stiffness_slopes_of(values)
    return tuple(np.asarray(part) for part in _in_plane(*own, turn))


@jax.jit  # as a whole: operation by operation each would be compiled for itself
def _in_plane(stiffness: Any, expansion: Any, slopes: Any, turn: Any) -> tuple[Array, ...]:
    full = rotate_stiffness(stiffness, turn)
    # Inverse of the compliance of 23 and 13 under these stresses alone; one half: engineering shears.
    shears = jnp.linalg.inv(jnp.linalg.inv(full)[3:5, 3:5]) / 2

    def reduced(own: Any) -> Array:
        return plane_stress(rotate_stiffness(own, turn))

    rates = jax.vmap(lambda rate: jax.jvp(reduced, (stiffness,), (rate,))[1], in_axes=-1, out_axes=-1)(slopes)
    return plane_stress(full), rotate_strain(expansion, turn)[_IN_PLANE], shears, rates


def _plies(given: Any) -> tuple[list[float], list[ElasticMaterial], list[float]]:
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if not listed:
        raise InputError("plies", got=repr(given), wanted="at least one ply", cure=_CURE)
    thicknesses, materials, angles = [], [], []
    for row, ply in enumerate(listed):
        if not isinstance(ply, Sequence) or isinstance(ply, str) or len(ply) not in (2, 3):
            raise InputError(
                f"ply {row}", got=repr(ply), wanted="a thickness, a material and an angle", cure=_CURE
            )
        thicknesses.append(_thickness(ply[0], f"thickness of ply {row}"))
        materials.append(material_from(ply[1], f"ply {row}"))
        angles.append(_angle(ply[2] if len(ply) == 3 else 0, f"angle of ply {row}"))
    if all(material.is_void for material in materials):
        raise InputError("plies", got="nothing but voids", wanted="a ply with a stiffness", cure=_CURE)
    return thicknesses, materials, angles


def _thickness(given: Any, argument: str) -> float:
    if isinstance(given, int | float | np.number) and not isinstance(given, bool):
        found = float(given)
    else:
        found = parse_quantity(given, "m", argument)
    if not (math.isfinite(found) and found > 0):
        raise InputError(argument, got=repr(given), wanted="a positive, finite length", cure=_CURE)
    return found


def _angle(given: Any, argument: str) -> float:
    if isinstance(given, str):
        found = parse_quantity(given, "rad", argument)
        if math.isfinite(found):
            return found
    elif isinstance(given, int | float) and given == 0:
        return 0.0
    raise InputError(
        argument, got=repr(given), wanted="an angle with a unit", cure="write '45 deg' or '0.79 rad'"
    )


def _checks(
    stiffnesses: np.ndarray, bottoms: np.ndarray, tops: np.ndarray, matrix: np.ndarray
) -> list[Check]:
    """Energy of unit strains and curvatures ply by ply, by Simpson's rule, which is exact for it."""
    middle, thick = (bottoms + tops) / 2, tops - bottoms
    energy = np.zeros((6, 6))
    for level, weight in ((bottoms, 1 / 6), (middle, 4 / 6), (tops, 1 / 6)):
        for stiffness, z, share in zip(stiffnesses, level, weight * thick, strict=True):
            strain = np.hstack([np.eye(3), z * np.eye(3)])
            energy += share * strain.T @ stiffness @ strain
    height = float(np.sum(thick))
    weights = np.repeat([1.0, 2 / height], 3)  # curvatures are measured by the strain at the surface
    scaled, expected = energy * np.outer(weights, weights), matrix * np.outer(weights, weights)
    scale = float(np.max(np.abs(expected)))
    return [
        Check(
            "Hill-Mandel",
            float(np.max(np.abs(scaled - expected))) / scale,
            _ROUNDING,
            meaning="energy of the plies against that of the plate, for all strains and curvatures",
        ),
        Check(
            "symmetry",
            float(np.max(np.abs(expected - expected.T))) / scale,
            _ROUNDING,
            meaning="A, B and D are symmetric",
        ),
        Check(
            "positive definite",
            float(np.linalg.eigvalsh(expected)[0]) / scale,
            0.0,
            "at least",
            meaning="every strain and curvature costs energy",
        ),
    ]
