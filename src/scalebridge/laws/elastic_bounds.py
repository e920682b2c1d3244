"""Bounds of the effective stiffness from the phases' fractions and stiffnesses.

Voigt and Reuss need nothing but the fractions. Hashin and Shtrikman's hold for an isotropic mixture of
isotropic phases. All functions are differentiable; an exact zero (a pore) is a value like any other.
Stiffnesses are in Mandel notation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.core.upscaled import Bound, plain
from scalebridge.laws.elastic_material import ElasticMaterial, material_from
from scalebridge.laws.temperature_table import parse_temperature
from scalebridge.upscaling.bounds import mean_with_reference
from scalebridge.upscaling.mixture import as_scalar_phases, check_dim, check_fractions

Pair = tuple[Float[Array, ""], Float[Array, ""]]
_CURE = "write each phase as (fraction, material), for example (0.3, {'young': '70 GPa', 'poisson': 0.2})"


def bound_voigt_elastic(fractions: ArrayLike, stiffnesses: ArrayLike) -> Float[Array, "m m"]:
    """Upper bound of the stiffness: the same strain everywhere.

    C = sum_i f_i C_i

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1.
        stiffnesses: (n, 6, 6), in the plane (n, 3, 3), Mandel notation.

    Returns:
        (6, 6) or (3, 3); the bound less the effective stiffness is positive semidefinite.

    Raises:
        InputError, PhaseError: fractions that are none, or shapes that do not fit.

    Source: W. Voigt (1889); as a bound R. Hill (1952), Proc. Phys. Soc. A 65, 349.

    Example:
        >>> float(bound_voigt_elastic([0.5, 0.5], jnp.stack([jnp.eye(6), 3 * jnp.eye(6)]))[0, 0])
        2.0
    """
    fractions, stiffnesses = _checked(fractions, stiffnesses)
    return jnp.tensordot(fractions, stiffnesses, 1)


def bound_reuss_elastic(fractions: ArrayLike, stiffnesses: ArrayLike) -> Float[Array, "m m"]:
    """Lower bound of the stiffness: the same stress everywhere.

    C = (sum_i f_i C_i^-1)^-1, and zero where a phase that is present has no stiffness.

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1.
        stiffnesses: (n, 6, 6) or (n, 3, 3), Mandel notation, positive definite or exactly zero.

    Returns:
        (6, 6) or (3, 3).

    Raises:
        InputError, PhaseError: as for `bound_voigt_elastic`.

    Source: A. Reuss (1929); as a bound R. Hill 1952.

    Example:
        >>> float(bound_reuss_elastic([0.5, 0.5], jnp.stack([jnp.eye(6), 3 * jnp.eye(6)]))[0, 0])
        1.5
    """
    fractions, stiffnesses = _checked(fractions, stiffnesses)
    unit = jnp.eye(stiffnesses.shape[-1])
    void = jnp.max(jnp.abs(stiffnesses), axis=(1, 2)) == 0
    empty = jnp.any(void & (fractions > 0))
    compliances = jnp.linalg.inv(jnp.where(void[:, None, None], unit, stiffnesses))
    mean = jnp.tensordot(fractions, compliances, 1)
    found = jnp.linalg.inv(mean)
    return jnp.where(empty, 0.0, 0.5 * (found + found.T))


def bound_hashin_shtrikman_elastic(
    fractions: ArrayLike, bulks: ArrayLike, shears: ArrayLike, dim: int = 3
) -> tuple[Pair, Pair]:
    """Bounds of bulk and shear modulus of an isotropic mixture of isotropic phases.

    K = <1 / (K_i + k_0)>^-1 - k_0 and G = <1 / (G_i + g_0)>^-1 - g_0, with k_0 = 4 G_0 / 3 and
    g_0 = G_0 (9 K_0 + 8 G_0) / (6 (K_0 + 2 G_0)); in the plane k_0 = G_0, g_0 = K_0 G_0 / (K_0 + 2 G_0). K_0
    and G_0 are the smallest moduli present for the lower bounds, and the largest for the upper ones.

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1. An absent phase does not count.
        bulks: (n,) bulk moduli; with dim=2 those of plane strain, K + G / 3.
        shears: (n,) shear moduli, in the same unit.
        dim: 3, or 2 for plane strain with cylinders across the plane.

    Returns:
        (lower, upper) of the bulk modulus, and (lower, upper) of the shear modulus.

    Raises:
        InputError, PhaseError: fractions that are none, impossible moduli, another dimension.

    Limits: where the phase of largest bulk modulus has also the largest shear modulus (and so on) the bounds
        are the best that fractions give. Otherwise they hold all the same, with K_0 and G_0 of different
        phases (Walpole), and are not attained.

    Source: Z. Hashin and S. Shtrikman (1963), J. Mech. Phys. Solids 11, 127; L. J. Walpole (1966), J. Mech.
        Phys. Solids 14, 151; in the plane Z. Hashin (1965), J. Mech. Phys. Solids 13, 119.

    Example:
        >>> bulk, shear = bound_hashin_shtrikman_elastic([0.7, 0.3], [5 / 6, 25 / 3], [5 / 13, 50 / 13])
        >>> [round(float(b), 4) for b in (*bulk, *shear)]
        [1.2925, 2.0297, 0.6442, 1.0656]
    """
    check_dim(dim)
    fractions, first = as_scalar_phases(fractions, bulks)
    _, second = as_scalar_phases(fractions, shears)
    present = fractions > 0
    lowest = [jnp.min(jnp.where(present, modulus, jnp.inf)) for modulus in (first, second)]
    highest = [jnp.max(jnp.where(present, modulus, 0.0)) for modulus in (first, second)]
    by_bulk, by_shear = zip(
        *(embedding_moduli(bulk, shear, dim) for bulk, shear in (lowest, highest)), strict=True
    )
    # With dim=2 the shared expression is <v / (v + r)> / <1 / (v + r)>, whatever the problem's dimension.
    bulk = tuple(mean_with_reference(fractions, first, reference, 2) for reference in by_bulk)
    shear = tuple(mean_with_reference(fractions, second, reference, 2) for reference in by_shear)
    return (bulk[0], bulk[1]), (shear[0], shear[1])


def embedding_moduli(bulk: ArrayLike, shear: ArrayLike, dim: int = 3) -> Pair:
    """Return k_0 and g_0: how a medium resists a sphere (or cylinder) in it that swells, and one that shears.

    Args:
        bulk: the medium's bulk modulus; with dim=2 that of plane strain.
        shear: its shear modulus.
        dim: 3 or 2.

    Source: J. D. Eshelby (1957), Proc. R. Soc. A 241, 376; R. Hill (1965), J. Mech. Phys. Solids 13, 213.

    Example:
        >>> [round(float(modulus), 6) for modulus in embedding_moduli(1.0, 1.0)]
        [1.333333, 0.944444]
    """
    bulk, shear = jnp.asarray(bulk, dtype=float), jnp.asarray(shear, dtype=float)
    sum_of = bulk + 2 * shear
    safe = jnp.where(sum_of > 0, sum_of, 1.0)
    if dim == 2:
        return shear, bulk * shear / safe
    return 4 * shear / 3, shear * (9 * bulk + 8 * shear) / (6 * safe)


@dataclass(frozen=True, eq=False)
class ElasticBounds:
    """Bounds of a mixture's elastic moduli.

    Args:
        bulk: bounds of the bulk modulus by name, Pa; empty unless all phases are isotropic.
        shear: bounds of the shear modulus by name, Pa.
        young: bounds of Young's modulus by name, Pa: it rises with both moduli.
        stiffness: Voigt and Reuss bounds of the tensor, (6, 6) in Mandel notation, Pa.
        ordered: whether the phases' bulk and shear moduli rise together, as the sharpness of the
            Hashin-Shtrikman bounds needs.
    """

    bulk: dict[str, Bound]
    shear: dict[str, Bound]
    young: dict[str, Bound]
    stiffness: Bound
    ordered: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        parts = {"bulk": self.bulk, "shear": self.shear, "young": self.young}
        shown = {name: {key: vars(bound) for key, bound in part.items()} for name, part in parts.items()}
        return plain({**shown, "stiffness": vars(self.stiffness), "ordered": self.ordered})

    def __str__(self) -> str:
        lines = []
        for name, part in (("bulk", self.bulk), ("shear", self.shear), ("young", self.young)):
            for key, bound in part.items():
                lines.append(
                    f"{name:<6} {key:<18} {float(bound.lower):12.6g} to {float(bound.upper):12.6g} Pa"
                )
        if not lines:
            lines = ["anisotropic phases: Voigt and Reuss bounds of the tensor only (Mandel notation)"]
        return "\n".join(lines)


def bound_elastic(phases: Sequence[tuple[float, Any]], *, temperature: Any = None) -> ElasticBounds:
    """Bounds of a mixture's elastic moduli from nothing but its fractions.

    Args:
        phases: (fraction, material) for each phase, fractions with sum 1; materials as in `elastic_material`.
        temperature: kelvins, or text such as "20 degC"; needed where a constant depends on it.

    Returns:
        Voigt-Reuss bounds of the stiffness tensor, and for isotropic phases Voigt-Reuss and Hashin-Shtrikman
        bounds of the bulk, shear and Young's modulus.

    Raises:
        InputError: the fractions are none, or a temperature is missing or outside a table.
        PhaseError, UnitError: a material cannot be read.

    Limits: the Hashin-Shtrikman bounds are those of a statistically isotropic mixture.

    Source: R. Hill 1952; Z. Hashin and S. Shtrikman 1963; L. J. Walpole 1966.

    Example:
        >>> epoxy, glass = {"young": 3.5e9, "poisson": 0.35}, {"young": 72.5e9, "poisson": 0.22}
        >>> found = bound_elastic([(0.7, epoxy), (0.3, glass)])
        >>> print(found)
        bulk   Voigt-Reuss         5.34897e+09 to  1.56687e+10 Pa
        bulk   Hashin-Shtrikman    5.88779e+09 to  1.11079e+10 Pa
        shear  Voigt-Reuss         1.81786e+09 to  9.82134e+09 Pa
        shear  Hashin-Shtrikman    2.35107e+09 to  6.52302e+09 Pa
        young  Voigt-Reuss         4.89865e+09 to  2.43718e+10 Pa
        young  Hashin-Shtrikman    6.22468e+09 to  1.63655e+10 Pa
    """
    fractions, materials, kelvin = parse_mixture(phases, temperature)
    stiffnesses = np.stack([material.stiffness(kelvin) for material in materials])
    tensor = Bound(
        np.asarray(bound_reuss_elastic(fractions, stiffnesses)),
        np.asarray(bound_voigt_elastic(fractions, stiffnesses)),
        "the tensor",
        "Hill 1952",
    )
    if not all(material.kind in {"isotropic", "void"} for material in materials):
        return ElasticBounds({}, {}, {}, tensor, ordered=False)
    bulks, shears = moduli_of(stiffnesses)
    means = [
        (fractions @ part, float(mean_with_reference(fractions, part, 0.0, 2))) for part in (bulks, shears)
    ]
    bulk, shear = bound_hashin_shtrikman_elastic(fractions, bulks, shears)
    pairs = {
        "Voigt-Reuss": ([(low, high) for high, low in means], "Hill 1952"),
        "Hashin-Shtrikman": ([bulk, shear], "Hashin and Shtrikman 1963"),
    }
    found: dict[str, dict[str, Bound]] = {"bulk": {}, "shear": {}, "young": {}}
    for name, (pair, source) in pairs.items():
        for key, (low, high) in zip(("bulk", "shear", "young"), [*pair, _young(*pair)], strict=True):
            found[key][name] = Bound(np.asarray(low), np.asarray(high), f"the {key} modulus", source)
    by_bulk = np.argsort(bulks, kind="stable")
    ordered = bool(np.all(np.diff(shears[by_bulk]) >= 0))
    return ElasticBounds(found["bulk"], found["shear"], found["young"], tensor, ordered)


def parse_mixture(
    phases: Any, temperature: Any
) -> tuple[np.ndarray, tuple[ElasticMaterial, ...], float | None]:
    """Read pairs of fraction and material, and a temperature.

    Raises:
        InputError: not pairs, or fractions that are none.
        PhaseError, UnitError: a material cannot be read.
    """
    listed = list(phases) if isinstance(phases, Sequence) and not isinstance(phases, str) else []
    for row, phase in enumerate(listed):
        if not isinstance(phase, Sequence) or isinstance(phase, str) or len(phase) != 2:
            raise InputError(f"phase {row}", got=repr(phase), wanted="a fraction and a material", cure=_CURE)
    if not listed:
        raise InputError("phases", got=repr(phases), wanted="at least one phase", cure=_CURE)
    numbers = [fraction for fraction, _ in listed]
    if any(isinstance(number, bool) or not isinstance(number, int | float | np.number) for number in numbers):
        raise InputError("fractions", got=repr(numbers), wanted="numbers with sum 1", cure=_CURE)
    fractions = np.array(numbers, dtype=float)
    check_fractions(fractions)
    materials = tuple(material_from(material, f"phase {row}") for row, (_, material) in enumerate(listed))
    return fractions, materials, None if temperature is None else parse_temperature(temperature)


def moduli_of(stiffnesses: ArrayLike) -> tuple[Any, Any]:
    """Bulk and shear modulus of isotropic stiffnesses (..., 6, 6), or of the nearest isotropic ones.

    Example:
        >>> from scalebridge.laws.elasticity import isotropic_stiffness
        >>> [float(modulus) for modulus in moduli_of(isotropic_stiffness(4.0, 3.0))]
        [4.0, 3.0]
    """
    tensors = jnp.asarray(stiffnesses)
    bulk = jnp.sum(tensors[..., :3, :3], axis=(-1, -2)) / 9
    shear = (jnp.trace(tensors, axis1=-2, axis2=-1) - 3 * bulk) / 10
    if isinstance(tensors, Tracer):
        return bulk, shear
    return np.asarray(bulk), np.asarray(shear)


def _young(bulk: Any, shear: Any) -> tuple[Any, Any]:
    """Young's modulus of the lower and of the upper pair; zero where a modulus is."""
    found = [9 * K * G / (3 * K + G) if K > 0 and G > 0 else 0.0 for K, G in zip(bulk, shear, strict=True)]
    return found[0], found[1]


def _checked(fractions: ArrayLike, stiffnesses: ArrayLike) -> tuple[Array, Array]:
    check_fractions(fractions)
    shape = np.shape(stiffnesses)
    if len(shape) != 3 or shape[1:] not in ((3, 3), (6, 6)) or shape[0] != np.shape(fractions)[0]:
        raise PhaseError(
            "stiffnesses",
            got=f"shape {shape} for {np.shape(fractions)[0]} fractions",
            wanted="(n, 6, 6), in the plane (n, 3, 3), Mandel notation",
            cure="give one stiffness a fraction",
        )
    return jnp.asarray(fractions, dtype=float), jnp.asarray(stiffnesses, dtype=float)
