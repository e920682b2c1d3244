"""The plain questions: what do Mori and Tanaka, and the self-consistent scheme, say of this composite?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound, Upscaled
from scalebridge.laws.elastic_bounds import bound_reuss_elastic, bound_voigt_elastic
from scalebridge.laws.elastic_material import ElasticMaterial, material_from
from scalebridge.laws.elasticity import isotropic_stiffness, rotate_stiffness, rotate_strain
from scalebridge.laws.eshelby import shape_axes
from scalebridge.laws.material_orientation import parse_orientation
from scalebridge.laws.mean_field import SPREADS, mori_tanaka, self_consistent
from scalebridge.laws.temperature_table import parse_temperature
from scalebridge.upscaling.propagation import propagate
from scalebridge.upscaling.tensor_checks import check_loewner

Quantity = Literal["stiffness", "expansion"]
_ROUNDING = 1e-10  # a few thousand operations in float64, and inverses of contrasts up to 1e5
_NOTE = (
    "An estimate, not a bound: it knows fractions, shapes and orientations, and nothing of the arrangement."
)
_MANDEL = "Mandel notation (11, 22, 33, 23, 13, 12): shear components carry sqrt(2)."
_CURE = (
    "write each family as (fraction, material) for spheres, or (fraction, material, {'axes': (10, 1, 1), "
    "'orientation': {'axis': [0, 0, 1]}, 'spread': 'aligned'})"
)
_KEYS = ("axes", "orientation", "spread")


@dataclass(frozen=True, eq=False)
class Family:
    """Ellipsoids of one material, shape and orientation.

    Args:
        fraction: of the whole volume.
        material: what they are of.
        axes: half-axes, any unit; one may be infinite or zero.
        turn: (3, 3), rows are the ellipsoid's axes in the sample.
        spread: "aligned", "planar" (turned about z by all angles) or "random".
    """

    fraction: float
    material: ElasticMaterial
    axes: tuple[float, ...] = (1.0, 1.0, 1.0)
    turn: np.ndarray | None = None
    spread: str = "aligned"


def estimate_mori_tanaka(
    matrix: Any,
    inclusions: Sequence[tuple[Any, ...]],
    *,
    quantity: Quantity = "stiffness",
    temperature: Any = None,
) -> Upscaled:
    """Estimate a composite's stiffness or expansion by Mori and Tanaka's scheme.

    Each ellipsoid sees the mean strain of the matrix, as `laws.mean_field.mori_tanaka` has it.

    Args:
        matrix: an isotropic material, as in `elastic_material`.
        inclusions: families of ellipsoids, (fraction, material) for spheres or (fraction, material, shape)
            with a table of `axes` (three half-axes, a cylinder has an infinite one), `orientation` (of the
            ellipsoid's axes, as in `elastic_material`) and `spread`: "aligned", "planar" or "random". A
            material without an orientation of its own lies along the ellipsoid's axes. Pores are {"void":
            True}.
        quantity: "stiffness", or "expansion".
        temperature: kelvins, or text such as "20 degC"; needed where a constant depends on it.

    Returns:
        an `Upscaled` of the (6, 6) stiffness, Pa, or the (6,) expansion, 1/K, in Mandel notation, with
        derivatives by every constant and fraction and the spread of the constants.

    Raises:
        InputError: fractions of inclusions that are not positive with a sum below 1, or an impossible shape.
        PhaseError, UnitError: a material cannot be read, or the matrix is not isotropic.

    Limits: an estimate, best at moderate fractions (up to about 0.3). With families of different shape or
        orientation the stiffness may be asymmetric, and its symmetric part is handed up; the check "symmetry"
        measures it.

    Source: T. Mori and K. Tanaka 1973; Y. Benveniste 1987.

    Example:
        >>> epoxy, glass = {"young": 3.5e9, "poisson": 0.35}, {"young": 72.5e9, "poisson": 0.22}
        >>> filled = estimate_mori_tanaka(epoxy, [(0.3, glass)])
        >>> print(f"{filled.value[:3, :3].sum() / 9:.6g} {filled.value[5, 5] / 2:.6g}")  # K, G: HS- here
        5.88779e+09 2.35107e+09
    """
    clock = Stopwatch()
    families = [_family(given, row) for row, given in enumerate(_listed(inclusions))]
    own = material_from(matrix, "matrix")
    if own.kind != "isotropic":
        raise PhaseError(
            "matrix",
            got=f"a material that is {own.kind}",
            wanted="an isotropic one, for which Eshelby's tensor is known",
            cure="use the voxel cell problem for other matrices",
        )
    total = sum(family.fraction for family in families)
    if not total < 1:
        raise InputError(
            "inclusions",
            got=f"fractions with sum {total:g}",
            wanted="a sum below 1",
            cure="leave some matrix",
        )
    everything = [Family(1 - total, own), *families]
    turns = [np.eye(3) if family.turn is None else family.turn for family in families]

    def answer(shares: Any, values: list[Any]) -> tuple[Any, Any]:
        whole = jnp.concatenate([jnp.atleast_1d(1 - jnp.sum(shares)), shares])
        stiffnesses, expansions = _tensors(everything, values)
        axes, spreads = [family.axes for family in families], [family.spread for family in families]
        return mori_tanaka(whole, stiffnesses, expansions, axes, turns, spreads)

    names = ["matrix", *(f"family {row}" for row in range(len(families)))]
    return _upscaled(everything, names, answer, quantity, temperature, clock, "Mori-Tanaka")


def estimate_self_consistent(phases: Sequence[tuple[Any, ...]], *, temperature: Any = None) -> Upscaled:
    """Estimate the isotropic stiffness of a mixture without a matrix by the self-consistent scheme.

    Each phase is an ellipsoid, in all orientations, in a medium that has the effective moduli.

    Args:
        phases: (fraction, material) for grains that are spheres, or (fraction, material, {"axes": (10, 1,
            1)}); fractions with sum 1. Anisotropic materials are grains of a polycrystal without texture.
        temperature: kelvins, or text such as "20 degC".

    Returns:
        an `Upscaled` of the (6, 6) stiffness, Pa, in Mandel notation, isotropic.

    Raises:
        InputError: fractions that are none, or an impossible shape.
        PhaseError, UnitError: a material cannot be read.

    Limits: all orientations are equally likely, whatever a material's own one; aligned grains need the voxel
        cell problem. Pores of half the volume (as spheres) take all stiffness away.

    Source: R. Hill 1965; B. Budiansky 1965; polycrystals E. Kröner (1958), Z. Phys. 151, 504.

    Example:
        >>> copper = {"c11": "168.4 GPa", "c12": "121.4 GPa", "c44": "75.4 GPa"}
        >>> found = estimate_self_consistent([(1.0, copper)])
        >>> print(f"shear modulus {found.value[5, 5] / 2e9:.2f} GPa")
        shear modulus 48.17 GPa
    """
    clock = Stopwatch()
    families = [_family(given, row) for row, given in enumerate(_listed(phases))]
    total = sum(family.fraction for family in families)
    if abs(total - 1) > 1e-9:
        raise InputError(
            "phases", got=f"fractions with sum {total!r}", wanted="sum 1", cure="divide by their sum"
        )
    if all(family.material.is_void for family in families):
        raise InputError("phases", got="nothing but voids", wanted="a phase with a stiffness", cure=_CURE)
    axes = [tuple(np.asarray(shape_axes(family.axes)).tolist()) for family in families]

    def answer(shares: Any, values: list[Any]) -> tuple[Any, Any]:
        stiffnesses, _ = _tensors(families, values)
        moduli = self_consistent(shares, stiffnesses, axes)
        return isotropic_stiffness(moduli[0], moduli[1]), jnp.zeros(6)

    names = [f"phase {row}" for row in range(len(families))]
    return _upscaled(families, names, answer, "stiffness", temperature, clock, "self-consistent")


def _listed(given: Any) -> list[Any]:
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if not listed:
        raise InputError("inclusions", got=repr(given), wanted="at least one family", cure=_CURE)
    return listed


def _family(given: Any, row: int) -> Family:
    name = f"family {row}"
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) not in (2, 3):
        raise InputError(
            name, got=repr(given), wanted="a fraction, a material and if wanted a shape", cure=_CURE
        )
    fraction = given[0]
    number = isinstance(fraction, int | float | np.number) and not isinstance(fraction, bool)
    if not number or not 0 < fraction <= 1:
        raise InputError(
            f"fraction of {name}", got=repr(fraction), wanted="a number above 0, at most 1", cure=_CURE
        )
    material = material_from(given[1], name)
    shape = given[2] if len(given) == 3 else {}
    if not isinstance(shape, Mapping) or set(shape) - set(_KEYS):
        raise InputError(
            f"shape of {name}", got=repr(shape), wanted=f"a table of {', '.join(_KEYS)}", cure=_CURE
        )
    axes = shape.get("axes", (1.0, 1.0, 1.0))
    shape_axes(axes)
    spread = shape.get("spread", "aligned")
    if spread not in SPREADS:
        raise InputError(f"spread of {name}", got=repr(spread), wanted=" or ".join(SPREADS), cure=_CURE)
    if material.is_void and 0 in tuple(axes):
        raise InputError(
            f"shape of {name}",
            got="a flat void, which is a crack",
            wanted="a thickness above 0",
            cure="give its axes, for example (1, 1, 0.01)",
        )
    turn = parse_orientation(shape["orientation"], name) if "orientation" in shape else None
    return Family(float(fraction), material, tuple(float(size) for size in axes), turn, spread)


def _tensors(families: list[Family], values: list[Any]) -> tuple[Any, Any]:
    """Stiffnesses and expansions along the sample's axes."""
    stiffnesses, expansions = [], []
    for family, numbers in zip(families, values, strict=True):
        stiffness = family.material.stiffness_of(numbers)
        expansion = family.material.expansion_of(numbers)
        if family.turn is not None and family.material.axes is None:
            stiffness, expansion = (
                rotate_stiffness(stiffness, family.turn),
                rotate_strain(expansion, family.turn),
            )
        stiffnesses.append(stiffness)
        expansions.append(expansion)
    return jnp.stack(stiffnesses), jnp.stack(expansions)


def _upscaled(
    families: list[Family],
    names: list[str],
    answer: Callable[[Any, list[Any]], tuple[Any, Any]],
    quantity: Quantity,
    temperature: Any,
    clock: Stopwatch,
    scheme: str,
) -> Upscaled:
    if quantity not in ("stiffness", "expansion"):
        raise InputError(
            "quantity", got=repr(quantity), wanted="'stiffness' or 'expansion'", cure="choose one of them"
        )
    kelvin = None if temperature is None else parse_temperature(temperature)
    values = [family.material.values(kelvin) for family in families]
    free = families if scheme == "self-consistent" else families[1:]
    shares = jnp.array([family.fraction for family in free])
    of_quantity = 1 if quantity == "expansion" else 0
    (stiffness, expansion) = (np.asarray(part) for part in answer(shares, values))
    by_shares, by_values = jax.jacfwd(lambda f, v: answer(f, v)[of_quantity], argnums=(0, 1))(shares, values)
    symmetric = (stiffness + stiffness.T) / 2
    value = expansion if of_quantity else symmetric
    shape = value.shape

    def even(slope: Any) -> np.ndarray:
        found = np.asarray(slope)
        return found if of_quantity else (found + found.T) / 2

    derivatives = {}
    for name, family, slope in zip(names, families, by_values, strict=True):
        array = np.asarray(slope).reshape(*shape, -1)
        derivatives |= {
            f"{name}: {key}": even(array[..., at]) for at, key in enumerate(family.material.names)
        }
    if scheme != "self-consistent":  # there the fractions are not free: their sum is 1
        derivatives |= {f"{name}: fraction": even(by_shares[..., at]) for at, name in enumerate(names[1:])}
    spec = (
        Spec("estimated expansion", "1/K", (6,))
        if of_quantity
        else Spec("estimated stiffness", "Pa", (6, 6), symmetric=True)
    )
    estimate, parts = _spread(families, names, values, kelvin, derivatives, value, spec)
    bound, checks = _checks(families, values, stiffness, scheme)
    inputs = {
        name: {
            **family.material.to_dict(),
            "fraction": family.fraction,
            "axes": list(family.axes),
            "spread": family.spread,
        }
        for name, family in zip(names, families, strict=True)
    }
    clock.lap("evaluating")
    return Upscaled(
        spec=spec,
        value=value,
        derivatives=derivatives,
        checks=tuple(checks),
        bounds={} if of_quantity else {"Voigt-Reuss": bound},
        uncertainty=parts,
        estimate=estimate,
        provenance=Provenance(
            {"scheme": scheme, "phases": inputs, "temperature": kelvin},
            *({}, installed_versions(), this_machine(), clock.started, dict(clock.elapsed)),
        ),
        notes=(_MANDEL, _NOTE),
        inputs=inputs,
    )


def _spread(
    families: list[Family],
    names: list[str],
    values: list[Any],
    kelvin: float | None,
    slopes: dict[str, Any],
    value: np.ndarray,
    spec: Spec,
):
    inputs = [
        (Spec(f"{name}: {key}", unit), float(centre), float(std))
        for name, family, numbers in zip(names, families, values, strict=True)
        for key, unit, centre, std in zip(
            family.material.names, family.material.units, numbers, family.material.stds(kelvin), strict=True
        )
        if std > 0
    ]
    if not inputs:
        return None, {}
    known, part = propagate(value, [slopes[given.name] for given, _, _ in inputs], inputs, spec)
    return known, {"inputs": part}


def _checks(
    families: list[Family], values: list[Any], stiffness: np.ndarray, scheme: str
) -> tuple[Bound, list[Check]]:
    shares = np.array([family.fraction for family in families])
    tensors = np.asarray(_tensors(families, values)[0])
    bound = Bound(
        np.asarray(bound_reuss_elastic(shares, tensors)),
        np.asarray(bound_voigt_elastic(shares, tensors)),
        "the tensor",
        "Hill 1952",
    )
    scale = float(np.max(np.abs(stiffness))) or 1.0
    even = (stiffness + stiffness.T) / 2
    checks = [
        Check(
            "symmetry",
            float(np.max(np.abs(stiffness - stiffness.T))) / scale,
            _ROUNDING,
            meaning="major symmetry, which the scheme keeps for families of one shape and orientation only",
        ),
        Check(
            "positive semidefinite",
            float(np.linalg.eigvalsh(even)[0]) / scale,
            -_ROUNDING,
            "at least",
            meaning="smallest principal value, relative to the largest component",
        ),
    ]
    turned = scheme == "self-consistent" or any(family.spread != "aligned" for family in families)
    isotropic = all(family.material.kind in {"isotropic", "void"} for family in families)
    if isotropic or not turned:  # else the phases' mean over orientations would have to be bounded
        checks.append(check_loewner(even, bound, "Voigt-Reuss", _ROUNDING))
    return bound, checks
