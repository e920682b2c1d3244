"""The laws of a cell at all its points: stresses, new internal variables, stored tangents, energies.

Arrays have components first and points last. J2 plasticity goes through compiled loops on a processor; any
other law through its own `respond`, mapped over blocks of points of one size, so that it is compiled once.
A phase whose law is linear and knows no state owns no points: its stiffness stands in a table.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.grids.implicit_average import ImplicitAverage
from scalebridge.grids.point_layout import PointLayout
from scalebridge.grids.point_operators import Coupling, StoredTangent, entry_places, packed
from scalebridge.laws.path_law import PathLaw
from scalebridge.laws.plasticity_host import PointAnswers, kernel_parameters, return_points

_BLOCK = 4096
_DRIVING = "averaged driving strain"  # goes along with the state, and is none of it
States = list[dict[str, np.ndarray]]
"""Internal variables of each phase by name, components first, points last."""


def is_linear(law: PathLaw) -> bool:
    """Whether a law is linear elastic always, so that its phase owns no points."""
    if law.finite or law.state_specs():
        return False
    return bool(np.asarray(law.margin(jnp.full(6, 1e6), {})) <= 0)


def averaging_length(law: PathLaw) -> float:
    """Return the length over which a law's driving strain is averaged, m; 0 for local laws."""
    return float(np.asarray(getattr(law, "averaging", 0.0)))


class PointLaws:
    """Laws over the points of a layout.

    Args:
        laws: one a phase.
        layout: where the points are.
        spacing: length of a voxel's edges, in `unit`.
        unit: m; what lengths of laws are measured with.
    """

    def __init__(
        self, laws: Sequence[PathLaw], layout: PointLayout, spacing: Sequence[float], unit: float = 1.0
    ):
        self.laws, self.layout = tuple(laws), layout
        self.components = 9 if self.laws[0].finite else 6
        self.phases = [phase for phase in range(len(self.laws)) if layout.size(phase) > 0]
        lengths = [averaging_length(law) for law in self.laws]
        self.driven = [phase for phase in self.phases if lengths[phase] > 0]
        self._average = None
        if self.driven:
            length = (
                max(lengths) / math.sqrt(2) / unit
            )  # c = averaging^2 / 2 in front of the second derivatives
            self._average = ImplicitAverage(layout, spacing, length, self.driven)
        self.symmetric = all(law.symmetric for law in self.laws) and not self.driven
        self._host = [kernel_parameters(law) for law in self.laws]

    @cached_property
    def stiffnesses(self) -> np.ndarray:
        """Elastic stiffness of every law, (phases, 6, 6), Mandel."""
        return np.stack([np.asarray(law.stiffness()) for law in self.laws])

    @cached_property
    def compact(self) -> bool:
        """Whether all tangents are K 1x1 + s Idev + g n x n."""
        tables = (self.stiffnesses[p] for p in range(len(self.laws)) if not self.laws[p].compact)
        return all(law.compact or p not in self.phases for p, law in enumerate(self.laws)) and all(
            _isotropic(table) for table in tables
        )

    @cached_property
    def elastic(self) -> np.ndarray:
        """Upper triangles of the stiffnesses, (phases, 21), Mandel, for phases without points."""
        return np.ascontiguousarray(self.stiffnesses[:, *np.triu_indices(6)])

    def rest(self) -> States:
        """Return the internal variables before any load."""
        found: States = []
        for phase, law in enumerate(self.laws):
            size = self.layout.size(phase)
            found.append(
                {
                    name: np.repeat(np.asarray(value, float)[..., None], size, axis=-1)
                    for name, value in law.rest().items()
                }
                if size
                else {}
            )
        return found

    def respond(
        self, strains: np.ndarray, states: States, dt: float, stress: np.ndarray, *, advance: bool = False
    ) -> States:
        """Write the stresses; return the new internal variables if asked to advance.

        Args:
            strains: flat, phase by phase (components, points).
            states: before the step.
            dt: its time, s.
            stress: flat, written.
            advance: whether new internal variables are wanted.
        """
        found: States = [{} for _ in self.laws]
        averages = self._averages(strains)
        for phase in self.phases:
            strain, out = (self.layout.block(one, phase, self.components) for one in (strains, stress))
            if self._host[phase] is not None:
                found[phase] = _return_radially(self._host[phase], strain, states[phase], out, advance)
                continue
            kept = phase_arrays(states[phase]) if advance else {}
            more = {_DRIVING: averages[phase]} if phase in averages else {}
            for part, e, state in blocks(strain, states[phase] | more):
                answer, new = _respond(self.laws[phase], e, state, dt)
                out[:, part] = np.asarray(answer)[:, : part.stop - part.start]
                for name in kept:
                    kept[name][..., part] = np.asarray(new[name])[..., : part.stop - part.start]
            found[phase] = kept
        return found

    def tangent(self, strains: np.ndarray, states: States, dt: float) -> StoredTangent:
        """Return the consistent tangents at all points."""
        if self.compact:
            return self._compact(strains, states, dt)
        place = entry_places(self.components, self.symmetric)
        table = self._table
        numbers = np.empty(table.shape[1] * self.layout.points)
        averages = self._averages(strains)
        for phase in self.phases:
            out = self.layout.block(numbers, phase, table.shape[1])
            strain = self.layout.block(strains, phase, self.components)
            more = {_DRIVING: averages[phase]} if phase in averages else {}
            for part, e, state in blocks(strain, states[phase] | more):
                found = np.asarray(_tangent(self.laws[phase], e, state, dt))
                out[:, part] = packed(found, self.symmetric)[:, : part.stop - part.start]
        return StoredTangent(numbers, table, place, coupling=self._coupling(strains, states, averages, dt))

    def _averages(self, strains: np.ndarray) -> dict[int, np.ndarray]:
        """Average the driving strains of driven phases, one number a point."""
        if self._average is None:
            return {}
        local = {}
        for phase in self.driven:
            strain = self.layout.block(strains, phase, self.components)
            local[phase] = np.empty(strain.shape[1])
            for part, e, _ in blocks(strain, {}):
                found = np.asarray(_driving(self.laws[phase], e, {}))
                local[phase][part] = found[: part.stop - part.start]
        return self._average.average(local)

    def _coupling(
        self, strains: np.ndarray, states: States, averages: dict[int, np.ndarray], dt: float
    ) -> Coupling | None:
        if self._average is None:
            return None
        stress, slope = {}, {}
        for phase in self.driven:
            strain = self.layout.block(strains, phase, self.components)
            stress[phase], slope[phase] = np.empty_like(strain), np.empty_like(strain)
            for part, e, state in blocks(strain, states[phase] | {_DRIVING: averages[phase]}):
                b, m = _driven_slopes(self.laws[phase], e, state, dt)
                width = part.stop - part.start
                stress[phase][:, part], slope[phase][:, part] = (
                    np.asarray(b)[:, :width],
                    np.asarray(m)[:, :width],
                )
        return Coupling(self._average, stress, slope)

    def energy(self, strains: np.ndarray, states: States) -> float:
        """Return the sum over the points of the stored energies, of phases that own points."""
        total = 0.0
        for phase in self.phases:
            strain = self.layout.block(strains, phase, self.components)
            for part, e, state in blocks(strain, states[phase]):
                found = np.asarray(_energy(self.laws[phase], e, state))
                total += float(found[: part.stop - part.start].sum())
        return total

    def margin(self, strains: np.ndarray, states: States) -> float:
        """Return the largest margin of all points, minus infinity where no phase owns any."""
        largest = -np.inf
        for phase in self.phases:
            strain = self.layout.block(strains, phase, self.components)
            for _, e, state in blocks(strain, states[phase]):
                largest = max(largest, float(_margin(self.laws[phase], e, state)))
        return largest

    @cached_property
    def _table(self) -> np.ndarray:
        if self.components == 9:
            return np.zeros((len(self.laws), 45 if self.symmetric else 81))
        return np.ascontiguousarray(packed(np.moveaxis(self.stiffnesses, 0, -1), self.symmetric).T)

    @cached_property
    def _moduli(self) -> tuple[np.ndarray, np.ndarray]:
        """Bulk modulus (phases,) and 2 G (phases,)."""
        c = self.stiffnesses
        return (c[:, 0, 0] + 2 * c[:, 0, 1]) / 3, c[:, 0, 0] - c[:, 0, 1]

    def _compact(self, strains: np.ndarray, states: States, dt: float) -> StoredTangent:
        bulk, shear = self._moduli
        table = np.zeros((len(self.laws), 8))
        table[:, 0] = shear
        numbers = np.empty(8 * self.layout.points)
        for phase in self.phases:
            out = self.layout.block(numbers, phase, 8)
            strain = self.layout.block(strains, phase, 6)
            if self._host[phase] is not None:
                _radial_tangents(self._host[phase], strain, states[phase], out)
            else:
                for part, e, state in blocks(strain, states[phase]):
                    s, g, n = _compact_tangent(self.laws[phase], e, state, dt)
                    width = part.stop - part.start
                    out[0, part], out[1, part] = np.asarray(s)[:width], np.asarray(g)[:width]
                    out[2:, part] = np.asarray(n)[:, :width]
            out[5:] *= np.sqrt(0.5)  # plain components of n, to go with doubled shears
        return StoredTangent(numbers, table, None, bulk)


def _return_radially(
    parameters: np.ndarray, strain: np.ndarray, state: dict[str, np.ndarray], out: np.ndarray, advance: bool
) -> dict[str, np.ndarray]:
    plastic, accumulated = state["plastic strain"], state["accumulated plastic strain"]
    none, nothing = np.empty(0), np.empty((6, 0))
    room = PointAnswers(out, np.empty_like(plastic), np.empty_like(accumulated), none, none, nothing)
    return_points(parameters, strain, plastic, accumulated, tangent=False, out=room)
    if not advance:
        return {}
    return {"plastic strain": room.plastic, "accumulated plastic strain": room.accumulated}


def _radial_tangents(
    parameters: np.ndarray, strain: np.ndarray, state: dict[str, np.ndarray], out: np.ndarray
) -> None:
    plastic, accumulated = state["plastic strain"], state["accumulated plastic strain"]
    room = PointAnswers(
        np.empty_like(strain), np.empty_like(plastic), np.empty_like(accumulated), out[0], out[1], out[2:]
    )
    return_points(parameters, strain, plastic, accumulated, out=room)


def _isotropic(stiffness: np.ndarray) -> bool:
    bulk, shear = (stiffness[0, 0] + 2 * stiffness[0, 1]) / 3, stiffness[0, 0] - stiffness[0, 1]
    ones = np.r_[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    again = bulk * np.outer(ones, ones) + shear * (np.eye(6) - np.outer(ones, ones) / 3)
    return bool(np.allclose(again, stiffness, rtol=1e-13, atol=1e-13 * np.abs(stiffness).max()))


def blocks(
    strain: np.ndarray, state: dict[str, np.ndarray]
) -> Iterator[tuple[slice, np.ndarray, dict[str, np.ndarray]]]:
    """Yield blocks of points of one size; the last point fills up the last block."""
    points = strain.shape[1]
    size = min(_BLOCK, 1 << (points - 1).bit_length())
    for low in range(0, points, size):
        part = slice(low, min(low + size, points))
        short = size - (part.stop - part.start)
        yield (
            part,
            _filled(strain[:, part], short),
            {n: _filled(v[..., part], short) for n, v in state.items()},
        )


def phase_arrays(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return memory for the internal variables of a phase."""
    return {name: np.empty_like(value) for name, value in state.items()}


def _filled(values: np.ndarray, short: int) -> np.ndarray:
    if short == 0:
        return values
    return np.concatenate([values, np.repeat(values[..., -1:], short, axis=-1)], axis=-1)


def over_points(function: Callable[..., Any]) -> Callable[..., Any]:
    """Map a function of a law, a strain and a state over points, which are the last axis; compile it once."""

    @eqx.filter_jit
    def mapped(law: PathLaw, strain: Any, state: Any, *rest: Any) -> Any:
        def one(e: Any, s: Any) -> Any:
            return function(law, e.reshape(3, 3) if law.finite else e, s, *rest)

        return jax.vmap(one, in_axes=-1, out_axes=-1)(strain, state)

    return mapped


def _answer(law: Any, strain: Any, state: Any, dt: Any) -> Any:
    """Respond, to an average where the state brings one along."""
    if _DRIVING not in state:
        return law.respond(strain, state, dt)
    own = {name: value for name, value in state.items() if name != _DRIVING}
    return law.respond_driven(strain, state[_DRIVING], own, dt)


def _stress_and_state(law: PathLaw, strain: Any, state: Any, dt: Any) -> Any:
    stress, new = _answer(law, strain, state, dt)
    return stress.ravel(), new


def _local_tangent(law: PathLaw, strain: Any, state: Any, dt: Any) -> Any:
    if _DRIVING not in state:
        return law.tangent(strain, state, dt)
    return jax.jacfwd(lambda e: _answer(law, e, state, dt)[0])(strain)


def _slopes_of_driven(law: Any, strain: Any, state: Any, dt: Any) -> Any:
    """Derivatives of the stress by the average, and of the driving strain by the strain."""
    by_average = jax.jacfwd(lambda a: _answer(law, strain, state | {_DRIVING: a}, dt)[0])
    return by_average(state[_DRIVING]), jax.grad(law.driving)(strain)


_respond = over_points(_stress_and_state)
_tangent = over_points(_local_tangent)
_driving = over_points(lambda law, strain, state: law.driving(strain))
_driven_slopes = over_points(_slopes_of_driven)
_compact_tangent = over_points(lambda law, strain, state, dt: law.compact_tangent(strain, state, dt))
_energy = over_points(lambda law, strain, state: law.free_energy(strain, state))
_margins = over_points(lambda law, strain, state: law.margin(strain, state))


def _margin(law: PathLaw, strain: np.ndarray, state: dict[str, np.ndarray]) -> float:
    return float(np.max(np.asarray(_margins(law, strain, state))))
