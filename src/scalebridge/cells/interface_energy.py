"""The plain question: what gradient energy does an interface see that is wide beside the structure?"""

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scalebridge.cells.conductivity import effective_conductivity
from scalebridge.cells.effective_laminate import effective_laminate
from scalebridge.cells.interface_inputs import (
    BARRIER,
    GRADIENT_ENERGY,
    Kind,
    Layer,
    is_layers,
    numbers_in_si,
    parse_layers,
    tables_in_si,
)
from scalebridge.cells.phase_field import FlatInterface
from scalebridge.cells.phases import is_traced
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.core.spec import Spec
from scalebridge.core.units import parse_quantity
from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage

SEPARATED = 0.5
"""Largest period, in widths of the interface, at which the limit of thin structure is trusted."""
_LAYER_OPTIONS = ("normal",)


def effective_gradient_energy(
    medium: VoxelImage | CompositeImage | np.ndarray | str | os.PathLike[str] | Sequence[tuple[Any, int]],
    gradient_energy: Mapping[int, Any],
    *,
    barrier: Mapping[int, Any] | None = None,
    period: str | float | None = None,
    **options: Any,
) -> Upscaled:
    """Compute the effective gradient-energy tensor of an interface that is wide beside the structure.

    Where kappa(x) in  1/2 int kappa |grad phi|^2  oscillates on a scale well below the interface's width,
    the interface sees the tensor of the cell problem

        div kappa (E + grad u) = 0,    <kappa (E + grad u)> = K E,

    the one of conduction, with its bounds (series and parallel), checks, derivatives and error budget. The
    barrier W multiplies no gradient and is averaged; with it come tension and width of the coarse interface.

    Args:
        medium: an image, as `effective_conductivity` takes it; or layers, (thickness, label) pairs.
        gradient_energy: kappa by label, positive: "1e-9 J/m", a number, a list (diagonal), a tensor, or a
            table with value, std, samples, unit and name.
        barrier: W by label, positive: "2e6 J/m^3" or numbers.
        period: the structure's period, a length; of layers their thickness, of an image with voxel size its
            longest edge unless given. Compared with the interface's width.
        options: further arguments of `effective_conductivity` (voxel, threshold, scheme, rtol, budget, ...);
            for layers `normal`.

    Returns:
        an `Upscaled` whose value is the (dim, dim) tensor, J/m. With a barrier `stats["interface"]` has the
        mean barrier, and tension, length and width across each principal direction (not of values that JAX
        traces).

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: the solver did not converge, and `throw` is true.

    Limits: interfaces much wider than the structure; the failed check "scale separation" says where not.
    Cost: that of `effective_conductivity`.
    Source: A. Bensoussan, J.-L. Lions, G. Papanicolaou, Asymptotic Analysis for Periodic Structures (1978),
    for the cell problem; N. Ansini, A. Braides, V. Chiado Piat, Proc. R. Soc. Edinburgh A 133 (2003) 265,
    for phase transitions.

    Example:
        >>> found = effective_gradient_energy(
        ...     [("5 nm", 0), ("5 nm", 1)], {0: "1e-9 J/m", 1: "3e-9 J/m"},
        ...     barrier={0: "2e6 J/m^3", 1: "4e6 J/m^3"}, normal=(1, 0),
        ... )
        >>> print(np.round(found.value * 1e9, 6), found.unit)
        [[1.5 0. ]
         [0.  2. ]] J/m
        >>> print(f"{found.stats['interface']['tension'][0]:.4g} J/m^2")
        0.01581 J/m^2
    """
    result = homogenised(medium, gradient_energy, GRADIENT_ENERGY, "gradient_energy", options)
    if barrier is None or is_traced(gradient_energy):
        if period is not None and barrier is None:
            raise InputError(
                "period", got=repr(period), wanted="a barrier, which sets the width", cure="pass barrier too"
            )
        return result
    return _with_interface(result, barrier, _period(period, medium, result))


def homogenised(
    medium: Any, given: Any, kind: Kind, argument: str, options: dict[str, Any], positive: bool = True
) -> Upscaled:
    """Ask the conduction cell problem for another coefficient, and name its answer by what it is.

    Args:
        medium: image or layers.
        given: values by label.
        kind: what they are.
        argument: the argument's name, for errors.
        options: further arguments of the verb of conduction.
        positive: whether an exact zero is refused.
    """
    tables, unit = tables_in_si(given, kind, argument)
    if positive:
        _refuse_zeros(tables, kind, argument)
    if is_layers(medium):
        _refuse_options(options, _LAYER_OPTIONS)
        layers, _ = parse_layers(medium)
        result = _of_layers(layers, tables, argument, options)
    else:
        known = inspect.signature(effective_conductivity).parameters
        _refuse_options(options, tuple(name for name in known if name not in ("image", "phases")))
        result = effective_conductivity(medium, tables, **options)
    return restated(result, f"effective {kind.name}", unit)


def restated(result: Upscaled, name: str, unit: str) -> Upscaled:
    """Return a result of conduction under the name and the unit of what was asked."""
    spec = Spec(name, unit, result.spec.shape, symmetric=True)
    if not result.inputs:  # traced
        return replace(result, spec=spec)
    inputs = {key: {**told, "unit": unit} for key, told in result.inputs.items()}
    where = {key: told for key, told in result.provenance.inputs.items() if key not in ("phases", "layers")}
    estimate = None if result.estimate is None else replace(result.estimate, specs=(spec,))
    return replace(
        result,
        spec=spec,
        inputs=inputs,
        estimate=estimate,
        provenance=replace(result.provenance, inputs={**where, "phases": inputs}),
    )


def _of_layers(
    layers: tuple[Layer, ...], tables: dict[int, dict[str, Any]], argument: str, options: dict[str, Any]
) -> Upscaled:
    """Layers of the same phase are one layer to the formula, which does not know their order."""
    thickness: dict[int, float] = {}
    for layer in layers:
        thickness[layer.label] = thickness.get(layer.label, 0.0) + layer.thickness
    if set(tables) != set(thickness):
        raise PhaseError(
            argument,
            got=f"values for {sorted(tables)}",
            wanted=f"a value for each of {sorted(thickness)}",
            cure="give every label of the layers its value",
        )
    stacked = [(thickness[label], table) for label, table in tables.items()]
    result = effective_laminate(stacked, **options)
    names = {f"layer {row}": f"phase {label}" for row, label in enumerate(tables)}
    inputs = {names[key]: told for key, told in result.inputs.items()}
    for key, told in inputs.items():
        told["name"] = key if told["name"].startswith("layer ") else told["name"]
    return replace(
        result,
        inputs=inputs,
        derivatives={names[key]: slope for key, slope in result.derivatives.items()},
    )


def _with_interface(result: Upscaled, barrier: Any, period: float | None) -> Upscaled:
    labels = [int(key.removeprefix("phase ")) for key in result.inputs]
    heights, unit = numbers_in_si(barrier, BARRIER, "barrier", labels)
    if (unit == "1") != (result.unit == "1"):
        raise InputError(
            "barrier",
            got=f"unit {unit} with a gradient energy in {result.unit}",
            wanted="units on both or on neither",
            cure=f"write for example '{BARRIER.example}'",
        )
    shares = {label: float(result.inputs[f"phase {label}"]["fraction"]) for label in labels}
    mean = sum(shares[label] * heights[label][0] for label in labels)
    numbers, axes = np.linalg.eigh(np.asarray(result.value, dtype=float))
    across = [FlatInterface(float(number), mean) for number in numbers]
    told = {
        "barrier": mean,
        "barrier std": sum((shares[label] * heights[label][1]) ** 2 for label in labels) ** 0.5,
        "normals": axes.T.tolist(),
        "tension": [one.tension() for one in across],
        "length": [one.length() for one in across],
        "width": [one.width() for one in across],
        "period": period,
    }
    checks = result.checks
    if period is not None:
        checks = (*checks, scale_check(period, min(told["width"])))
    inputs = {
        key: {**given, "barrier": heights[int(key.removeprefix("phase "))][0]}
        for key, given in result.inputs.items()
    }
    origin = replace(result.provenance, inputs={**result.provenance.inputs, "phases": inputs})
    stats = {**result.stats, "interface": told}
    return replace(result, checks=checks, stats=stats, inputs=inputs, provenance=origin)


def scale_check(period: float, width: float) -> Check:
    """Check that the structure is fine beside the interface.

    Args:
        period: the structure's period, m.
        width: distance between phi = 0.1 and 0.9, m.
    """
    return Check(
        "scale separation",
        period / width,
        SEPARATED,
        meaning="the structure's period in widths (10 to 90 %) of the coarse interface; above it the "
        "interface feels single layers: its speed differs from the limit's, and it may be pinned",
    )


def _period(given: Any, medium: Any, result: Upscaled) -> float | None:
    """Return the period in the unit of lengths; None where lengths are not known."""
    if given is not None:
        found = parse_quantity(given, "1" if result.unit == "1" else "m", "period")
        if not (np.isfinite(found) and found > 0):
            raise InputError("period", got=repr(given), wanted="a positive length", cure="write '20 nm'")
        return found
    if is_layers(medium):
        layers, lengths = parse_layers(medium)
        known = lengths or result.unit == "1"
        return sum(layer.thickness for layer in layers) if known else None
    image = result.subject
    if image is None or getattr(image, "voxel", None) is None or result.unit == "1":
        return None
    return max(n * v for n, v in zip(image.shape, image.voxel, strict=True))


def _refuse_zeros(tables: dict[int, dict[str, Any]], kind: Kind, argument: str) -> None:
    """Refuse numbers that are not positive, and tensors that are not positive definite."""
    for label, table in tables.items():
        for value in (table.get("value"), table.get("samples")):
            if value is not None and not is_traced({label: value}) and _least(value) <= 0:
                raise PhaseError(
                    f"{argument}, phase {label}",
                    got=repr(value),
                    wanted=f"a positive {kind.name}",
                    cure=f"write for example '{kind.example}'",
                )


def _least(value: Any) -> float:
    """Return the smallest number of a list, or eigenvalue of a tensor; other forms are refused later."""
    array = np.asarray(value, dtype=float)
    square = array.ndim == 2 and array.shape[0] == array.shape[1] and np.all(np.isfinite(array))
    return float(np.min(np.linalg.eigvalsh(array) if square else array, initial=np.inf))


def _refuse_options(options: dict[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InputError(
            unknown[0],
            got=repr(options[unknown[0]]),
            wanted=f"options among {', '.join(known)}",
            cure="correct its name, or leave it out",
        )
