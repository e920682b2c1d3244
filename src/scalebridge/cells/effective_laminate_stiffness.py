"""The plain questions: what are the effective stiffness and the effective expansion of these layers?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from scalebridge.cells.effective_laminate import (
    checked_layers,
    layer_pair,
    layer_thicknesses,
    stack_direction,
)
from scalebridge.cells.laminate_elasticity import laminate_elasticity, laminate_strains
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound, Upscaled
from scalebridge.laws.elastic_bounds import bound_reuss_elastic, bound_voigt_elastic
from scalebridge.laws.elastic_material import ElasticMaterial, material_from
from scalebridge.laws.temperature_table import parse_temperature
from scalebridge.upscaling.propagation import propagate
from scalebridge.upscaling.rotations import mandel_basis
from scalebridge.upscaling.tensor_checks import check_loewner

_ROUNDING = 1e-12  # a few hundred operations in float64
_MANDEL = (
    "Mandel notation (11, 22, 33, 23, 13, 12): shear components carry sqrt(2), strains and stresses alike."
)
_CURE = (
    "write each layer as (thickness, material), for example ('2 mm', {'young': '70 GPa', 'poisson': 0.33})"
)


@dataclass(frozen=True, eq=False)
class ElasticStack:
    """A stack of elastic layers at one temperature, for pictures and for what is computed from it.

    Args:
        thicknesses: in metres, or relative numbers.
        materials: each layer's material.
        temperature: K, or None where nothing depends on it.
        normal: unit vector across the layers.
    """

    thicknesses: tuple[float, ...]
    materials: tuple[ElasticMaterial, ...]
    temperature: float | None
    normal: tuple[float, ...]


def laminate_stiffness(
    layers: Sequence[tuple[Any, Any]], *, normal: Sequence[float] = (0.0, 0.0, 1.0), temperature: Any = None
) -> Upscaled:
    """Compute the exact effective stiffness of a stack of elastic layers.

    The block formula of `laminate_elasticity`: the traction across is the same in every layer, the strain
    along too.

    Args:
        layers: (thickness, material) for each layer, in any order: a repeated stack does not know its order.
            Thicknesses are text with a unit of length, or plain numbers for all; materials as in
            `elastic_material`, or made by it.
        normal: direction across the layers, 3 components of any length.
        temperature: kelvins, or text such as "20 degC"; needed where a constant depends on it.

    Returns:
        an `Upscaled` whose value is the (6, 6) stiffness in Mandel notation, Pa, with derivatives by every
        constant of every layer ("layer 0: young"), Voigt and Reuss bounds, the spread from the constants'
        standard deviations, and the checks of energy, traction and symmetry.

    Raises:
        InputError: a layer is not a pair, a thickness is not positive, the normal is no direction, or a
            temperature is missing or outside a table.
        PhaseError, UnitError: a material cannot be read.

    Limits: perfect bonding; layers that are many in a stack and thin against the scale of the loading. For
        the bending of a single stack see `lamination_theory`.

    Source: Backus 1962; Milton, The Theory of Composites (2002), ch. 9.

    Example:
        >>> steel, rubber = {"young": "210 GPa", "poisson": 0.3}, {"young": "10 MPa", "poisson": 0.48}
        >>> bearing = laminate_stiffness([("3 mm", steel), ("10 mm", rubber)])
        >>> print(f"{bearing.value[2, 2] / 1e6:.4g} MPa across, {bearing.value[3, 3] / 2e6:.3g} MPa in shear")
        114.2 MPa across, 4.39 MPa in shear
        >>> bearing.passed
        True
    """
    return _answer(layers, normal, temperature, expansion=False)


def laminate_expansion(
    layers: Sequence[tuple[Any, Any]], *, normal: Sequence[float] = (0.0, 0.0, 1.0), temperature: Any = None
) -> Upscaled:
    """Compute the exact effective thermal expansion of a stack of elastic layers.

    C alpha = sum_i f_i A_i' C_i alpha_i, with the layers' strains A_i of `laminate_elasticity`.

    Args:
        layers: as for `laminate_stiffness`; at least one material has an expansion, and
            one without is taken not to expand, which is noted.
        normal: as for `laminate_stiffness`.
        temperature: as for `laminate_stiffness`.

    Returns:
        an `Upscaled` whose value is the tangent expansion (6,) in Mandel notation, 1/K, with derivatives and
        spread as for `laminate_stiffness`.

    Raises:
        InputError: as for `laminate_stiffness`; also no layer expands, or one is a gap: the expansion across
            it means nothing.

    Source: V. M. Levin (1967), Mech. Solids 2, 58; Milton, The Theory of Composites (2002), § 5.3 and ch. 9.

    Example:
        >>> copper = {"young": "120 GPa", "poisson": 0.34, "expansion": "17e-6 1/K"}
        >>> invar = {"young": "140 GPa", "poisson": 0.28, "expansion": "1.2e-6 1/K"}
        >>> clad = laminate_expansion([(1, copper), (1, invar)])
        >>> (clad.value[[0, 2]] * 1e6).round(2).tolist()  # along and across
        [8.83, 10.34]
    """
    return _answer(layers, normal, temperature, expansion=True)


def _answer(layers: Any, normal: Any, temperature: Any, *, expansion: bool) -> Upscaled:
    clock = Stopwatch()
    stack, fractions = _stack(layers, normal, temperature)
    values = [material.values(stack.temperature) for material in stack.materials]
    spec = (
        Spec("effective expansion", "1/K", (6,))
        if expansion
        else Spec("effective stiffness", "Pa", (6, 6), symmetric=True)
    )
    notes = [_MANDEL]
    if expansion:
        notes += _expansion_notes(stack)

    def both(parts: list[Any]) -> tuple[Any, Any]:
        pairs = list(zip(stack.materials, parts, strict=True))
        stiffnesses = jnp.stack([material.stiffness_of(part) for material, part in pairs])
        expansions = jnp.stack([material.expansion_of(part) for material, part in pairs])
        return stiffnesses, expansions

    across = np.asarray(stack.normal)

    def effective(parts: list[Any]) -> Any:
        return laminate_elasticity(fractions, *both(parts), across)[1 if expansion else 0]

    value = effective(values)
    if isinstance(value, Tracer):
        return Upscaled.traced(spec, value)
    value = np.asarray(value)
    slopes = _named(stack, jax.jacfwd(effective)(values), value.shape)
    local = [np.asarray(part) for part in both(values)]
    bound = Bound(
        np.asarray(bound_reuss_elastic(fractions, local[0])),
        np.asarray(bound_voigt_elastic(fractions, local[0])),
        "the tensor",
        "Hill 1952",
    )
    checks = _checks(fractions, local, np.array(stack.normal))
    if not expansion:
        checks.append(check_loewner(value, bound, "Voigt-Reuss"))
        checks.append(_check_degree(value, stack, values, slopes))
    estimate, parts = _spread(stack, slopes, value, spec)
    clock.lap("evaluating")
    inputs = _inputs(stack, fractions, values)
    asked = {"layers": inputs, "normal": list(stack.normal), "temperature": stack.temperature}
    return Upscaled(
        spec=spec,
        value=value,
        derivatives=slopes,
        checks=tuple(checks),
        bounds={} if expansion else {"Voigt-Reuss": bound},
        uncertainty=parts,
        estimate=estimate,
        provenance=Provenance(
            asked, {}, installed_versions(), this_machine(), clock.started, dict(clock.elapsed)
        ),
        notes=tuple(notes),
        inputs=inputs,
        subject=stack,
    )


def _stack(layers: Any, normal: Any, temperature: Any) -> tuple[ElasticStack, np.ndarray]:
    pairs = [
        layer_pair(layer, row, "material", _CURE) for row, layer in enumerate(checked_layers(layers, _CURE))
    ]
    direction = stack_direction(normal)
    if direction.size != 3:
        raise InputError(
            "normal",
            got=repr(normal),
            wanted="3 numbers: stiffness is spatial",
            cure="write normal=(0, 0, 1)",
        )
    thicknesses = layer_thicknesses([thickness for thickness, _ in pairs], _CURE)
    materials = tuple(material_from(material, f"layer {row}") for row, (_, material) in enumerate(pairs))
    kelvin = None if temperature is None else parse_temperature(temperature)
    unit = direction / np.linalg.norm(direction)
    stack = ElasticStack(tuple(thicknesses), materials, kelvin, tuple(unit.tolist()))
    return stack, np.asarray(thicknesses) / sum(thicknesses)


def _expansion_notes(stack: ElasticStack) -> list[str]:
    if any(material.is_void for material in stack.materials):
        raise InputError(
            "layers",
            got="a layer without stiffness",
            wanted="layers that hold together: the expansion across a gap means nothing",
            cure="leave the gap out, or give it a small stiffness",
        )
    silent = [row for row, material in enumerate(stack.materials) if not material.has_expansion]
    if len(silent) == len(stack.materials):
        raise InputError(
            "layers",
            got="no expansion",
            wanted="an expansion in one layer at least",
            cure="add expansion='23e-6 1/K'",
        )
    if not silent:
        return []
    listed = ", ".join(map(str, silent))
    return [f"No expansion was given for layer {listed}, which is taken not to expand."]


def _named(stack: ElasticStack, slopes: list[Any], shape: tuple[int, ...]) -> dict[str, Any]:
    found = {}
    for row, (material, slope) in enumerate(zip(stack.materials, slopes, strict=True)):
        array = np.asarray(slope).reshape(*shape, -1)
        found |= {f"layer {row}: {name}": array[..., at] for at, name in enumerate(material.names)}
    return found


def _spread(stack: ElasticStack, slopes: dict[str, Any], value: np.ndarray, spec: Spec):
    inputs, used = [], []
    for row, material in enumerate(stack.materials):
        values, stds = material.values(stack.temperature), material.stds(stack.temperature)
        for name, unit, centre, std in zip(material.names, material.units, values, stds, strict=True):
            if std > 0:
                key = f"layer {row}: {name}"
                inputs.append((Spec(key, unit), float(centre), float(std)))
                used.append(slopes[key])
    if not inputs:
        return None, {}
    known, part = propagate(value, used, inputs, spec)
    return known, {"inputs": part}


def _inputs(
    stack: ElasticStack, fractions: np.ndarray, values: list[np.ndarray]
) -> dict[str, dict[str, Any]]:
    found = {}
    for row, (material, numbers) in enumerate(zip(stack.materials, values, strict=True)):
        found[f"layer {row}"] = {
            **material.to_dict(),
            "values": {name: float(number) for name, number in zip(material.names, numbers, strict=True)},
            "units": list(material.units),
            "fraction": float(fractions[row]),
            "thickness": stack.thicknesses[row],
        }
    return found


def _checks(fractions: np.ndarray, local: list[np.ndarray], normal: np.ndarray) -> list[Check]:
    stiffnesses, expansions = local
    strains, thermal = (
        np.asarray(part) for part in laminate_strains(fractions, stiffnesses, expansions, normal)
    )
    stiffness, expansion = (
        np.asarray(part) for part in laminate_elasticity(fractions, stiffnesses, expansions, normal)
    )
    stresses = np.einsum("iab,ibc->iac", stiffnesses, strains)
    heated = np.einsum("iab,ib->ia", stiffnesses, thermal - expansions)
    scale = float(np.max(np.abs(stiffnesses))) or 1.0
    heat = float(np.max(np.abs(np.einsum("iab,ib->ia", stiffnesses, expansions)))) or 1.0
    mean = np.einsum("i,iab->ab", fractions, strains)
    work = np.einsum("i,iab,iac->bc", fractions, strains, stresses)
    mean_stress = np.einsum("i,iab->ab", fractions, stresses)
    thermal_mean = fractions @ heated + stiffness @ np.where(np.isfinite(expansion), expansion, 0.0)
    gapped = not np.all(np.isfinite(expansion))
    return [
        Check(
            "mean strain",
            float(np.max(np.abs(mean - np.eye(6)))),
            _ROUNDING,
            meaning="the layers' strains average to the macroscopic one",
        ),
        Check(
            "Hill-Mandel",
            float(np.max(np.abs(work - mean_stress))) / scale,
            _ROUNDING,
            meaning="mean of stress : strain in the layers against mean stress : mean strain",
        ),
        Check(
            "traction across layers",
            max(_jump(stresses, normal) / scale, _jump(heated[..., None], normal) / heat),
            _ROUNDING,
            meaning="the traction across is the same in every layer, under strain and under heating",
        ),
        Check(
            "symmetry",
            float(np.max(np.abs(mean_stress - mean_stress.T))) / scale,
            _ROUNDING,
            meaning="major symmetry of the mean stresses",
        ),
        *(
            []
            if gapped
            else [
                Check(
                    "thermal stress",
                    float(np.max(np.abs(thermal_mean))) / heat,
                    _ROUNDING,
                    meaning="mean stress of the heated layers at zero mean strain against - C alpha",
                )
            ]
        ),
    ]


def _jump(stresses: np.ndarray, normal: np.ndarray) -> float:
    """Largest difference of tractions between layers."""
    tractions = np.einsum("iak,amn,n->imk", stresses, mandel_basis(3), normal)
    return float(np.max(np.ptp(tractions, axis=0)))


def _check_degree(
    value: np.ndarray, stack: ElasticStack, values: list[np.ndarray], slopes: dict[str, Any]
) -> Check:
    """Euler's relation over the constants with the unit of a stress."""
    total = np.zeros_like(value)
    for row, (material, numbers) in enumerate(zip(stack.materials, values, strict=True)):
        for name, unit, number in zip(material.names, material.units, numbers, strict=True):
            if unit == "Pa":
                total += number * slopes[f"layer {row}: {name}"]
    scale = float(np.max(np.abs(value))) or 1.0
    return Check(
        "homogeneity of degree one",
        float(np.max(np.abs(total - value))) / scale,
        1e-10,  # derivatives pass through the engineering constants' determinant
        meaning="Euler's relation: the moduli times the derivatives by them add up to the stiffness",
    )
