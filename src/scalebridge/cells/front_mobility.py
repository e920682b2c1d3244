"""The kinetic mobility that gives the coarse equation the fine front's speed: a front, matched."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.cells.front_medium import LayeredMedium
from scalebridge.cells.front_result import COEFFICIENTS, FrontQuestion, Slopes, front_result, moving_fronts
from scalebridge.cells.front_sensitivity import speed_slopes
from scalebridge.cells.front_speed import FrontSpeed, depinning_threshold, front_speed
from scalebridge.cells.interface_inputs import (
    BARRIER,
    GRADIENT_ENERGY,
    KINETIC,
    driving_forces,
    numbers_in_si,
    parse_layers,
)
from scalebridge.cells.travelling_front import Pace
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, UnitError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.upscaling.match import Matched, match_answers


@dataclass(frozen=True)
class FrontOptions:
    """How a front is followed: cells to its length, time steps, whether to search the threshold, to raise."""

    resolution: float = 8.0
    max_steps: int = 40_000
    depinning: bool = False
    throw: bool = True

    def __post_init__(self):
        if not 2.0 <= self.resolution <= 200.0:
            raise InputError(
                "resolution", got=repr(self.resolution), wanted="cells, from 2 to 200", cure="pass 8"
            )
        if isinstance(self.max_steps, bool) or not isinstance(self.max_steps, int) or self.max_steps < 1:
            raise InputError(
                "max_steps", got=repr(self.max_steps), wanted="an integer of at least 1", cure="pass 40000"
            )


def front_mobility(
    layers: Any, mobility: Any, gradient_energy: Any, barrier: Any, driving: Any, options: FrontOptions
) -> Upscaled:
    """Follow fronts through layers and match the coarse mobility; see `effective_mobility`."""
    clock = Stopwatch()
    asked = _read(layers, (mobility, gradient_energy, barrier), driving)
    pace = Pace(max_steps=options.max_steps)
    speeds = tuple(
        front_speed(asked.medium, m, resolution=options.resolution, pace=pace) for m in asked.driving
    )
    clock.lap("following fronts")
    outcome = worst_outcome([one.outcome for one in speeds])
    if options.throw:
        require_converged(outcome, "effective kinetic mobility")
    moving = moving_fronts(speeds)
    matched = _match(asked.medium, moving) if moving else None
    clock.lap("matching")
    slopes = _slopes(asked, moving, matched, pace) if matched else Slopes({}, 0.0)
    clock.lap("deriving")
    threshold = None
    if options.depinning:
        threshold = depinning_threshold(asked.medium, resolution=2.0 * options.resolution, pace=pace)
        clock.lap("searching the threshold")
        outcome = worst_outcome([outcome, threshold.outcome])
        if options.throw:
            require_converged(outcome, "driving force at which the front begins to move")
    settings = {
        "kind": "kinetic",
        "driving": list(asked.driving),
        "resolution": options.resolution,
        "max_steps": options.max_steps,
    }
    return front_result(
        asked, speeds, matched, slopes, threshold=threshold, outcome=outcome, settings=settings, clock=clock
    )


def _read(layers: Any, given: tuple[Any, Any, Any], driving: Any) -> FrontQuestion:
    stack, lengths = parse_layers(layers)
    labels = sorted({layer.label for layer in stack})
    kinds = zip(
        given, (KINETIC, GRADIENT_ENERGY, BARRIER), ("mobility", "gradient_energy", "barrier"), strict=True
    )
    read = [numbers_in_si(values, kind, argument, labels) for values, kind, argument in kinds]
    tables, units = tuple(table for table, _ in read), tuple(unit for _, unit in read)
    plain = [unit == "1" for unit in units]
    if any(plain) != all(plain) or plain[0] == lengths:
        raise UnitError(
            "layers",
            got=f"thicknesses {'with' if lengths else 'without'} unit, coefficients in {', '.join(units)}",
            wanted="units on thicknesses and on all coefficients, or nowhere",
            cure="write for example [('20 nm', 0), ...] with '1e-9 J/m'",
        )
    medium = LayeredMedium(
        tuple(layer.thickness for layer in stack),
        *(tuple(table[layer.label][0] for layer in stack) for table in tables),
    )
    forces = tuple(sorted(driving_forces(driving, "1" if plain[0] else "J/m^3")))
    for force in forces:
        medium.check_driving(force)
    return FrontQuestion(stack, tables, units, medium, forces)


def _match(medium: LayeredMedium, moving: list[FrontSpeed]) -> Matched:
    """Match one mobility to all fronts: relative speeds count alike, and what it cannot meet is noise."""
    length = medium.coarse_interface.length()
    forces = jnp.array([one.driving for one in moving])
    speeds = np.array([one.speed for one in moving])
    spec = Spec("kinetic mobility", "m^3/J/s", support="positive")
    start = [float(np.mean(speeds / (6.0 * np.asarray(forces) * length)))]

    def coarse(mobility: Any) -> Any:
        return 6.0 * mobility * forces * length

    pilot = match_answers(coarse, speeds, [spec], start, noise=speeds)
    left = np.sqrt(np.mean((pilot.answers / speeds - 1.0) ** 2)) * speeds
    errors = np.array([one.error for one in moving])
    noise = np.sqrt(errors**2 + left**2 + (1e-12 * speeds) ** 2)
    return match_answers(coarse, speeds, [spec], start, noise=noise)


def _slopes(asked: FrontQuestion, moving: list[FrontSpeed], matched: Matched, pace: Pace) -> Slopes:
    """Derivatives by every number of the layers: through the speeds, and the coarse front's length."""
    medium, interface = asked.medium, asked.medium.coarse_interface
    by_layer, by_length, wander = np.zeros((4, len(asked.stack))), 0.0, 0.0
    for one, weight in zip(moving, matched.derivatives[0], strict=True):
        found = speed_slopes(one.run, pace)
        by_layer += weight * one.speed * found.of_layers(one.run.grid.layer, len(asked.stack))
        by_length += weight * interface.speed(float(matched.values[0]), one.driving)
        wander = max(wander, found.wander)
    numbers = np.array([medium.thicknesses, medium.mobilities, medium.gradient_energies, medium.barriers])
    by_layer *= medium.scaled / numbers  # from the front's own units
    by_layer -= by_length * _length_slopes(medium)
    found = {
        f"phase {label}, {name}": np.asarray(
            sum(by_layer[kind, row] for row, layer in enumerate(asked.stack) if layer.label == label)
        )
        for label in asked.labels
        for kind, name in enumerate(COEFFICIENTS, 1)
    }
    found |= {f"layer {row}, thickness": np.asarray(slope) for row, slope in enumerate(by_layer[0])}
    return Slopes(found, wander)


def _length_slopes(medium: LayeredMedium) -> np.ndarray:
    """(4, layers): d(ln l) / d(thickness, mobility, gradient energy, barrier), l = sqrt(kappa / 2 W)."""
    kappa, mean = medium.coarse_interface.gradient_energy, medium.coarse_interface.barrier
    kappas, barriers = np.asarray(medium.gradient_energies), np.asarray(medium.barriers)
    stiff, high = kappa / kappas, barriers / mean
    by_thickness = (2.0 - stiff - high) / (2.0 * medium.period)
    shares = medium.fractions
    return np.array(
        [by_thickness, np.zeros_like(shares), 0.5 * shares * stiff / kappas, -0.5 * shares / mean]
    )
