"""The plain question: what is the effective conductivity of these layers?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cells.laminate import check_normal, laminate_conductivity, laminate_gradients
from scalebridge.cells.phases import Phase, is_traced, parse_phases
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError, UnitError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.spec import Spec
from scalebridge.core.units import parse_quantity, split_quantity
from scalebridge.core.upscaled import Bound, Upscaled
from scalebridge.grids.coefficients import as_tensors
from scalebridge.upscaling.bounds import bound_reuss, bound_voigt
from scalebridge.upscaling.propagation import propagate
from scalebridge.upscaling.tensor_checks import check_homogeneity, check_loewner

_ROUNDING = 1e-12  # a few hundred operations in float64
_CURE = "write each layer as (thickness, conductivity), for example ('2 mm', '0.6 W/m/K')"


@dataclass(frozen=True)
class LayerStack:
    """A stack of layers, for pictures.

    Args:
        thicknesses: in metres, or relative numbers.
        values: conductivity of each layer: a number, a diagonal or a tensor.
        names: name of each layer.
        normal: unit vector across the layers.
    """

    thicknesses: tuple[float, ...]
    values: tuple[Any, ...]
    names: tuple[str, ...]
    normal: tuple[float, ...]


def effective_laminate(
    layers: Sequence[tuple[Any, Any]], *, normal: Sequence[float] = (0.0, 0.0, 1.0)
) -> Upscaled:
    """Compute the exact effective conductivity tensor of a stack of layers.

    Across isotropic layers the harmonic mean (series), along them the arithmetic mean (parallel); for full
    tensors and any normal the block formula of `laminate_conductivity`.

    Args:
        layers: (thickness, conductivity) for each layer, in any order: a repeated stack does not know its
            order. Thicknesses are text with a unit of length, or plain numbers for all; conductivities as in
            `effective_conductivity`.
        normal: direction across the layers; its length, 2 or 3 components, sets the dimension.

    Returns:
        an `Upscaled` whose value is the (dim, dim) tensor in SI.

    Raises:
        InputError: a layer is not a pair, a thickness is not positive, or the normal is no direction.
        PhaseError, UnitError: a conductivity cannot be read.

    Limits: perfect contact between layers, which are many in a stack and thin against the scale of the
        loading.

    Source: Backus 1962; Milton, The Theory of Composites (2002), ch. 9.

    Example:
        >>> wall = effective_laminate([("24 cm", "0.5 W/m/K"), ("12 cm", "0.04 W/m/K")], normal=(1, 0))
        >>> print(np.round(wall.value, 4), wall.unit)
        [[0.1034 0.    ]
         [0.     0.3467]] W/m/K
    """
    clock = Stopwatch()
    pairs = [layer_pair(layer, row) for row, layer in enumerate(checked_layers(layers))]
    direction = stack_direction(normal)
    dim = direction.size
    thicknesses = layer_thicknesses([thickness for thickness, _ in pairs])
    given = {row: value for row, (_, value) in enumerate(pairs)}
    phases, unit = parse_phases(given, tuple(given), {}, dim, kind="layer")
    fractions = np.asarray(thicknesses) / sum(thicknesses)
    tensors = jnp.stack([as_tensors(jnp.asarray(p.value)[None], dim)[0] for p in phases])
    spec = Spec("effective conductivity", unit, (dim, dim), symmetric=True)
    value = laminate_conductivity(fractions, tensors, direction)
    if is_traced(given):
        return Upscaled.traced(spec, value)
    value = np.asarray(value)
    slopes = _slopes(phases, np.asarray(_tensor_slopes(fractions, tensors, direction)))
    bound = Bound(
        np.asarray(bound_reuss(fractions, tensors)),
        np.asarray(bound_voigt(fractions, tensors)),
        "the tensor",
        "Wiener 1912",
    )
    estimate, parts = _spread(phases, slopes, value, spec, unit)
    clock.lap("evaluating")
    inputs = {
        f"layer {row}": {
            "name": p.name,
            "value": np.asarray(p.value).tolist(),
            "std": p.spread,
            "unit": unit,
            "fraction": float(fractions[row]),
            "thickness": thicknesses[row],
        }
        for row, p in enumerate(phases)
    }
    return Upscaled(
        spec=spec,
        value=value,
        derivatives={f"layer {p.label}": slope for p, slope in zip(phases, slopes, strict=True)},
        checks=tuple(_checks(fractions, tensors, direction, value, bound, phases, slopes)),
        bounds={"Voigt-Reuss": bound},
        uncertainty=parts,
        estimate=estimate,
        provenance=Provenance(
            {"layers": inputs, "normal": direction.tolist()},
            {},
            installed_versions(),
            this_machine(),
            clock.started,
            dict(clock.elapsed),
        ),
        inputs=inputs,
        subject=LayerStack(
            tuple(thicknesses),
            tuple(p.value for p in phases),
            tuple(p.name for p in phases),
            tuple(direction.tolist()),
        ),
    )


def stack_direction(normal: Any) -> np.ndarray:
    """Return the direction across layers, 2 or 3 numbers, or refuse it."""
    try:
        direction = np.asarray(normal, dtype=float)
    except (TypeError, ValueError):
        direction = np.zeros(0)
    if direction.shape not in ((2,), (3,)):
        raise InputError(
            "normal", got=repr(normal), wanted="2 or 3 numbers", cure="write for example normal=(1, 0, 0)"
        )
    check_normal(direction, direction.size)
    return direction


def checked_layers(layers: Any, cure: str = _CURE) -> list[Any]:
    """Return the layers as a list, or refuse what is none."""
    listed = list(layers) if isinstance(layers, Sequence) and not isinstance(layers, str) else []
    if not listed:
        raise InputError("layers", got=repr(layers), wanted="at least one layer", cure=cure)
    return listed


def layer_pair(layer: Any, row: int, what: str = "conductivity", cure: str = _CURE) -> tuple[Any, Any]:
    """Split a layer into its thickness and what it is made of, or refuse it."""
    if not isinstance(layer, Sequence) or isinstance(layer, str) or len(layer) != 2:
        raise InputError(f"layer {row}", got=repr(layer), wanted=f"a thickness and a {what}", cure=cure)
    return layer[0], layer[1]


def layer_thicknesses(given: list[Any], cure: str = _CURE) -> list[float]:
    """Return thicknesses in metres, or plain numbers, or refuse them."""
    bare = [split_quantity(t, f"thickness of layer {row}")[1] is None for row, t in enumerate(given)]
    if any(bare) and not all(bare):
        raise UnitError("layers", got=repr(given), wanted="a unit on every thickness or on none", cure=cure)
    unit = "1" if all(bare) else "m"
    found = [parse_quantity(t, unit, f"thickness of layer {row}") for row, t in enumerate(given)]
    for row, thickness in enumerate(found):
        if not (np.isfinite(thickness) and thickness > 0):
            raise InputError(
                f"thickness of layer {row}",
                got=repr(given[row]),
                wanted="a positive, finite length",
                cure=cure,
            )
    return found


def _tensor_slopes(fractions: np.ndarray, tensors: jax.Array, normal: np.ndarray) -> jax.Array:
    """dK/dK_i from the layers' exact gradients: dK_ab = f_i g_i[:, a] . dK_i g_i[:, b], dK_i symmetric."""
    local = laminate_gradients(fractions, tensors, normal)
    slope = jnp.einsum("i,ica,idb->abicd", jnp.asarray(fractions), local, local)
    return 0.5 * (slope + jnp.swapaxes(slope, -1, -2))


def _slopes(phases: tuple[Phase, ...], slopes: np.ndarray) -> list[np.ndarray]:
    found = []
    for row, phase in enumerate(phases):
        slope = slopes[:, :, row]
        if phase.isotropic:
            slope = np.trace(slope, axis1=2, axis2=3)
        elif np.ndim(phase.value) == 1:
            slope = np.diagonal(slope, axis1=2, axis2=3)
        found.append(slope)
    return found


def _spread(phases: tuple[Phase, ...], slopes: list[np.ndarray], value: np.ndarray, spec: Spec, unit: str):
    rows = [row for row, p in enumerate(phases) if p.spread > 0]
    if not rows:
        return None, {}
    inputs = [
        (
            Spec(f"conductivity of layer {row}", unit, support="positive"),
            float(phases[row].value),
            phases[row].spread,
        )
        for row in rows
    ]
    known, part = propagate(value, [slopes[row] for row in rows], inputs, spec)
    return known, {"inputs": part}


def _checks(fractions, tensors, normal, value, bound, phases, slopes) -> list[Check]:
    local = np.asarray(laminate_gradients(fractions, tensors, normal))
    scale = float(np.max(np.abs(value))) or 1.0
    mean = np.einsum("i,iab->ab", fractions, local)
    power = np.einsum("i,ica,icd,idb->ab", fractions, local, np.asarray(tensors), local)
    across = np.einsum("c,icd,idb->ib", normal / np.linalg.norm(normal), np.asarray(tensors), local)
    return [
        Check(
            "mean gradient",
            float(np.max(np.abs(mean - np.eye(normal.size)))),
            _ROUNDING,
            meaning="the layers' gradients average to the macroscopic one",
        ),
        Check(
            "Hill-Mandel",
            float(np.max(np.abs(power - value))) / scale,
            _ROUNDING,
            meaning="mean local power against macroscopic power",
        ),
        Check(
            "flux across layers",
            float(np.max(np.ptp(across, axis=0))) / scale,
            _ROUNDING,
            meaning="the flux across is the same in every layer",
        ),
        check_loewner(value, bound, "Voigt-Reuss"),
        check_homogeneity(value, [np.asarray(p.value) for p in phases], slopes, _ROUNDING),
    ]
