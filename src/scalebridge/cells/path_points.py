"""The laws of a cell at all its points: stresses, new internal variables, stored tangents, energies.

Arrays have components first and points last. J2 plasticity goes through compiled loops on a processor; any
other law through its own `respond`, mapped over blocks of points of one size, so that it is compiled once.
A phase whose law is linear and knows no state owns no points: its stiffness stands in a table.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.grids.point_layout import PointLayout
from scalebridge.grids.point_operators import StoredTangent, entry_places, packed
from scalebridge.laws.path_law import PathLaw
from scalebridge.laws.plasticity_host import PointAnswers, kernel_parameters, return_points

_BLOCK = 4096
States = list[dict[str, np.ndarray]]
"""Internal variables of each phase by name, components first, points last."""


def is_linear(law: PathLaw) -> bool:
    """Whether a law is linear elastic always, so that its phase owns no points."""
    if law.finite or law.state_specs():
        return False
    return bool(np.asarray(law.margin(jnp.full(6, 1e6), {})) <= 0)


class PointLaws:
    """Laws over the points of a layout.

    Args:
        laws: one a phase.
        layout: where the points are.
    """

    def __init__(self, laws: Sequence[PathLaw], layout: PointLayout):
        self.laws, self.layout = tuple(laws), layout
        self.components = 9 if self.laws[0].finite else 6
        self.phases = [phase for phase in range(len(self.laws)) if layout.size(phase) > 0]
        self.symmetric = all(law.symmetric for law in self.laws)
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
        for phase in self.phases:
            strain, out = (self.layout.block(one, phase, self.components) for one in (strains, stress))
            if self._host[phase] is not None:
                found[phase] = _return_radially(self._host[phase], strain, states[phase], out, advance)
                continue
            kept = {name: np.empty_like(value) for name, value in states[phase].items()} if advance else {}
            for part, e, state in _blocks(strain, states[phase]):
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
        for phase in self.phases:
            out = self.layout.block(numbers, phase, table.shape[1])
            strain = self.layout.block(strains, phase, self.components)
            for part, e, state in _blocks(strain, states[phase]):
                found = np.asarray(_tangent(self.laws[phase], e, state, dt))
                out[:, part] = packed(found, self.symmetric)[:, : part.stop - part.start]
        return StoredTangent(numbers, table, place)

    def energy(self, strains: np.ndarray, states: States) -> float:
        """Return the sum over the points of the stored energies, of phases that own points."""
        total = 0.0
        for phase in self.phases:
            strain = self.layout.block(strains, phase, self.components)
            for part, e, state in _blocks(strain, states[phase]):
                found = np.asarray(_energy(self.laws[phase], e, state))
                total += float(found[: part.stop - part.start].sum())
        return total

    def margin(self, strains: np.ndarray, states: States) -> float:
        """Return the largest margin of all points, minus infinity where no phase owns any."""
        largest = -np.inf
        for phase in self.phases:
            strain = self.layout.block(strains, phase, self.components)
            for part, e, state in _blocks(strain, states[phase]):
                largest = max(largest, float(_margin(self.laws[phase], e, state)))
        return largest

    @cached_property
    def _table(self) -> np.ndarray:
        size = len(entry_places(self.components, self.symmetric)[0])
        if self.components == 9:
            return np.zeros((len(self.laws), 45 if self.symmetric else 81))
        del size
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
                for part, e, state in _blocks(strain, states[phase]):
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


def _blocks(
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


def _stress_and_state(law: PathLaw, strain: Any, state: Any, dt: Any) -> Any:
    stress, new = law.respond(strain, state, dt)
    return stress.ravel(), new


_respond = over_points(_stress_and_state)
_tangent = over_points(lambda law, strain, state, dt: law.tangent(strain, state, dt))
_compact_tangent = over_points(lambda law, strain, state, dt: law.compact_tangent(strain, state, dt))
_energy = over_points(lambda law, strain, state: law.free_energy(strain, state))
_margins = over_points(lambda law, strain, state: law.margin(strain, state))


def _margin(law: PathLaw, strain: np.ndarray, state: dict[str, np.ndarray]) -> float:
    return float(np.max(np.asarray(_margins(law, strain, state))))
