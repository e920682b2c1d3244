"""The plain question: how mobile is an interface, or a solute, in a structured medium, seen from afar?"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.cells.front_mobility import FrontOptions, front_mobility
from scalebridge.cells.image_input import as_given
from scalebridge.cells.interface_energy import homogenised
from scalebridge.cells.interface_inputs import CONSERVED, KINETIC, is_layers, numbers_in_si, parse_layers
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound, Upscaled
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage
from scalebridge.upscaling.propagation import propagate

Kind = Literal["conserved", "kinetic"]
_ROUNDING = 1e-12
_RESOLUTION = 8.0
_IMAGE_OPTIONS = ("voxel", "threshold", "interfaces", "read_options")


def effective_mobility(
    medium: VoxelImage | CompositeImage | np.ndarray | str | os.PathLike[str] | Sequence[tuple[Any, int]],
    mobility: Mapping[int, Any],
    *,
    kind: Kind,
    gradient_energy: Mapping[int, Any] | None = None,
    barrier: Mapping[int, Any] | None = None,
    driving: Any = None,
    depinning: bool = False,
    resolution: float = _RESOLUTION,
    max_steps: int | None = None,
    throw: bool = True,
    **options: Any,
) -> Upscaled:
    """Compute the effective mobility of a conserved field, or of an interface.

    "conserved", Cahn and Hilliard's c_t = div M(x) grad mu: mu varies slowly over the structure, and M is
    homogenised as a conductivity; the answer is a tensor.

    "kinetic", Allen and Cahn's phi_t = -L(x) dF/dphi: for an interface that is wide beside the structure
    phi varies slowly, phi_t / L is averaged, and the answer is 1 / <1/L>. With layers, a gradient energy, a
    barrier and a driving force m, the interface is not taken to be wide: the front is followed through the
    layers until it repeats, and the answer is the L with which the coarse equation (kappa in series, W on
    average) has a front of the same speed, v = 6 L m l. A front that the layers stop has the answer 0 and a
    failed check that says so.

    Args:
        medium: an image, as `effective_conductivity` takes it; or layers, (thickness, label) pairs in the
            order in which the front meets them.
        mobility: by label. Conserved: "1e-24 m^5/J/s" (or mol^2/J/m/s), numbers, lists, tensors, tables.
            Kinetic: "1e-3 m^3/J/s", positive numbers, or tables with value, std and name.
        kind: "conserved" or "kinetic".
        gradient_energy: kappa by label, J/m, for a front.
        barrier: W by label, J/m^3, for a front.
        driving: m, J/m^3, for a front: one or several, below a third of the smallest barrier. One mobility is
            matched to all of them.
        depinning: whether to search the driving force below which the layers stop the front.
        resolution: cells to the interface's length l; a second grid has twice as many.
        max_steps: limit of iterations, or of a front's time steps.
        throw: whether to raise when a solver does not converge.
        options: conserved: further arguments of `effective_conductivity`, or `normal` for layers; kinetic:
            voxel, threshold, interfaces and read_options of an image.

    Returns:
        an `Upscaled`: a (dim, dim) tensor, or a number.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: a solver did not converge, and `throw` is true.

    Limits: fronts are flat and run across the layers, towards phi = 0. 1 / <1/L> holds for interfaces that
        are wide beside the structure.
    Cost: a front takes a second or less, unless it is close to standing; its threshold ten times that.
    Source: J. W. Cahn, Acta Metall. 9 (1961) 795; S. M. Allen, J. W. Cahn, Acta Metall. 27 (1979) 1085;
    fronts in periodic media: J. Xin, SIAM Rev. 42 (2000) 161.

    Example:
        >>> layers, kappa, well = [(0.1, 0), (0.1, 1)], {0: 2.0, 1: 2.0}, {0: 1.0, 1: 1.0}
        >>> found = effective_mobility(
        ...     layers, {0: 1.0, 1: 3.0}, kind="kinetic", gradient_energy=kappa, barrier=well, driving=0.1
        ... )
        >>> print(f"{found.value:.3f}, and 1.5 in the limit of thin layers")
        1.500, and 1.5 in the limit of thin layers
    """
    _refuse_kind(kind)
    front = {"gradient_energy": gradient_energy, "barrier": barrier, "driving": driving}
    given = [name for name, value in front.items() if value is not None]
    if not given and (depinning or resolution != _RESOLUTION):
        raise InputError(
            "depinning" if depinning else "resolution",
            got="no front",
            wanted="layers, gradient_energy, barrier and driving, which make a front",
            cure="pass all four, or leave it out",
        )
    if kind == "conserved":
        if given:
            raise InputError(
                given[0],
                got=f"{given[0]} with kind='conserved'",
                wanted="the mobility alone",
                cure="leave it out, or pass kind='kinetic'",
            )
        told = {"throw": throw} if not is_layers(medium) else {}
        told |= {} if max_steps is None or is_layers(medium) else {"max_steps": max_steps}
        return homogenised(medium, mobility, CONSERVED, "mobility", {**options, **told}, positive=False)
    if not given:
        return _thin_limit(medium, mobility, options)
    missing = [name for name in front if name not in given]
    if missing or not is_layers(medium):
        raise InputError(
            missing[0] if missing else "medium",
            got="nothing" if missing else f"a {type(medium).__name__}",
            wanted="layers, gradient_energy, barrier and driving, all four, for a front",
            cure="pass all four; or the mobility alone, for the limit of thin structure",
        )
    _refuse_options(options, ())
    asked = FrontOptions(resolution, 40_000 if max_steps is None else max_steps, depinning, throw)
    return front_mobility(medium, mobility, gradient_energy, barrier, driving, asked)


def _thin_limit(medium: Any, mobility: Any, options: dict[str, Any]) -> Upscaled:
    """1 / <1/L>, of any structure."""
    clock = Stopwatch()
    fractions, subject = _fractions(medium, options)
    values, unit = numbers_in_si(mobility, KINETIC, "mobility", list(fractions))
    labels = list(fractions)
    numbers = np.array([values[label][0] for label in labels])
    shares = np.array([fractions[label] for label in labels])
    value = np.asarray(1.0 / float(shares @ (1.0 / numbers)))
    slopes = [np.asarray(s * float(value) ** 2 / n**2) for s, n in zip(shares, numbers, strict=True)]
    spec = Spec("effective kinetic mobility", unit)
    uncertain = [row for row, label in enumerate(labels) if values[label][1] > 0]
    specs = {row: Spec(f"mobility of phase {labels[row]}", unit, support="positive") for row in uncertain}
    known, parts = None, {}
    if uncertain:
        inputs = [(specs[row], float(numbers[row]), values[labels[row]][1]) for row in uncertain]
        known, parts["inputs"] = propagate(value, [slopes[row] for row in uncertain], inputs, spec)
    euler = float(sum(n * s for n, s in zip(numbers, slopes, strict=True)))
    told = {
        f"phase {label}": {
            "name": values[label][2] or f"phase {label}",
            "value": values[label][0],
            "std": values[label][1],
            "unit": unit,
            "fraction": fractions[label],
        }
        for label in labels
    }
    return Upscaled(
        spec,
        value,
        derivatives={f"phase {label}": slope for label, slope in zip(labels, slopes, strict=True)},
        checks=(
            Check(
                "homogeneity of degree one",
                abs(euler - float(value)) / float(value),
                _ROUNDING,
                meaning="Euler's relation: the mobilities times the derivatives add up to the answer",
            ),
        ),
        bounds={"series-parallel": Bound(value, np.asarray(shares @ numbers), "the mobility", "Wiener 1912")},
        uncertainty=parts,
        estimate=known,
        provenance=Provenance(
            {"phases": told}, {"kind": "kinetic"}, installed_versions(), this_machine(), clock.started, {}
        ),
        notes=(
            "The limit of structure that is thin beside the interface; for layers, a front says how far it "
            "holds.",
        ),
        inputs=told,
        subject=subject,
    )


def _fractions(medium: Any, options: dict[str, Any]) -> tuple[dict[int, float], Any]:
    if not is_layers(medium):
        _refuse_options(options, _IMAGE_OPTIONS)
        image = as_given(
            medium,
            voxel=options.get("voxel"),
            threshold_at=options.get("threshold"),
            interfaces=options.get("interfaces", "sharp"),
            read_options=options.get("read_options"),
        ).image
        return dict(image.fractions), image.majority if isinstance(image, CompositeImage) else image
    _refuse_options(options, ())
    layers, _ = parse_layers(medium)
    total, shares = sum(layer.thickness for layer in layers), {}
    for layer in layers:
        shares[layer.label] = shares.get(layer.label, 0.0) + layer.thickness / total
    return shares, None


def _refuse_kind(kind: Any) -> None:
    if kind not in get_args(Kind):
        raise InputError(
            "kind",
            got=repr(kind),
            wanted=" or ".join(map(repr, get_args(Kind))),
            cure="'conserved' for diffusion of a solute, 'kinetic' for the motion of an interface",
        )


def _refuse_options(options: dict[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InputError(
            unknown[0],
            got=repr(options[unknown[0]]),
            wanted=f"options among {', '.join(known)}" if known else "no further options here",
            cure="correct its name, or leave it out",
        )
