"""Derivatives of a cell's answers by the parameters of its laws, through the whole history of a path.

Implicit differentiation, step by step. With t a parameter, s the internal variables and C the converged
tangents, at fixed load

    div [ C : B du/dt ] = - div [ sigma_t + sigma_s s_t ]              one linear solve a parameter and step,
    d Sigma/dt = < sigma_t + sigma_s s_t + C : B du/dt >,
    s_t (new)  = s_t, s and strain pushed through the law,

where what stands at a point is the law's own forward derivative. Where stresses are given, the load follows:
T_ff dE_f/dt = - d Sigma_f/dt. Nothing is differenced.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cells.path_cell import CellState, PathCell
from scalebridge.cells.path_medium import PathMedium
from scalebridge.cells.path_points import States, blocks, phase_arrays
from scalebridge.core.errors import InputError
from scalebridge.grids.point_operators import StoredTangent
from scalebridge.laws.path_law import PathLaw

_TOLERANCE = 1e-9  # of the solves: their error goes on to the next step
Parameter = tuple[int, str]
"""Number of the phase, and the field's name: "shear_modulus", "hardening.yield_stress"."""


def parameters_of(laws: tuple[PathLaw, ...] | list[PathLaw]) -> list[Parameter]:
    """Return every scalar parameter of some laws.

    Example:
        >>> from scalebridge.laws.elastic import IsotropicElastic
        >>> parameters_of([IsotropicElastic(4.0, 3.0)])[:2]
        [(0, 'bulk_modulus'), (0, 'shear_modulus')]
    """
    found = []
    for phase, law in enumerate(laws):
        for path, leaf in jax.tree_util.tree_flatten_with_path(law)[0]:
            if np.ndim(leaf) == 0 and jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating):
                found.append((phase, _name(path)))
    return found


def _name(path: Any) -> str:
    return ".".join(str(getattr(key, "name", getattr(key, "idx", key))) for key in path)


def slopes_along(cell: PathCell, labels: Sequence[int], wanted: Any) -> "PathSlopes | None":
    """Return what carries the wanted derivatives along a path; None if none are wanted.

    Args:
        cell: the cell.
        labels: of its phases, in their order.
        wanted: whether all are, or pairs of label and name.
    """
    if wanted is False or wanted is None:
        return None
    _refuse_secants(cell, labels)
    chosen = parameters_of(cell.laws) if wanted is True else []
    for label, name in [] if wanted is True else wanted:
        if label not in labels:
            raise InputError(
                "derivatives",
                got=f"label {label!r}",
                wanted=", ".join(map(str, labels)),
                cure="name a phase's label",
            )
        chosen.append((list(labels).index(label), name))
    medium = PathMedium(cell.index, cell.laws, cell.medium.operators.spacing, cell.edge, everywhere=True)
    return PathSlopes(medium, chosen)


def _refuse_secants(cell: PathCell, labels: Sequence[int]) -> None:
    for label, law in zip(labels, cell.laws, strict=True):
        if getattr(law, "secant", False):
            raise InputError(
                "derivatives",
                got=f"label {label}, whose tangent is the secant",
                wanted="laws with their true tangent, which derivatives through an equilibrium follow from",
                cure="make the law with tangent='consistent'",
            )


def everywhere(cell: PathCell, state: CellState) -> States:
    """Return a state's internal variables as a medium whose every phase owns points has them."""
    return cell.internal(state)  # linear phases have none


def named_slopes(
    slopes: "PathSlopes | None", labels: Sequence[int], found: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return derivatives of stresses and of loads, (steps, components), by "phase LABEL NAME"."""
    stresses: dict[str, np.ndarray] = {}
    loads: dict[str, np.ndarray] = {}
    for k, (phase, name) in enumerate([] if slopes is None or not found else slopes.parameters):
        key = f"phase {labels[phase]} {name.replace('_', ' ').replace('.', ' ')}"
        stresses[key] = np.array([stress[k] for stress, _ in found])
        loads[key] = np.array([load[k] for _, load in found])
    return stresses, loads


class PathSlopes:
    """Derivatives by parameters, carried along a path.

    Args:
        medium: a cell whose every phase owns points (`everywhere`), as the laws of linear ones have
            parameters, too.
        parameters: which.

    Limits: of laws without averages over a neighbourhood, and steps that were not cut.
    """

    def __init__(self, medium: PathMedium, parameters: list[Parameter]):
        if medium.laws.driven:
            raise InputError(
                "derivatives",
                got="a law that follows an average",
                wanted="local laws",
                cure="leave derivatives out, or set averaging=0",
            )
        self.medium, self.parameters = medium, parameters
        self._changes = [_unit_changes(medium.laws.laws, one) for one in parameters]
        rest = medium.laws.rest()
        self._states: list[States] = [
            [{name: np.zeros_like(value) for name, value in one.items()} for one in rest] for _ in parameters
        ]
        size = medium.operators.components
        self.load_slopes = np.zeros((len(parameters), size))

    def step(
        self,
        u: np.ndarray,
        load: np.ndarray,
        states: States,
        dt: float,
        tangent: np.ndarray,
        mask: np.ndarray,
    ) -> np.ndarray:
        """Go on to the end of a step; return the derivatives of the mean stress, (parameters, components).

        Args:
            u: fluctuation at the end, in the medium's unit.
            load: mean strain or gradient at the end.
            states: internal variables before the step.
            dt: its time, s.
            tangent: consistent tangent of the cell.
            mask: which components have their stress given, whose slopes are zero.
        """
        operators = self.medium.operators
        strains = operators.strains(u, load)
        stored = self.medium.laws.tangent(strains, states, dt)
        count, none = len(self.parameters), np.zeros((len(self.medium.laws.laws), 21))
        zero, still = np.zeros(self.medium.nodes), np.zeros(operators.components)
        forces, means = np.empty((count, *self.medium.nodes)), np.empty((count, operators.components))
        for k in range(count):
            pushed, _ = self._push(k, strains, np.zeros_like(strains), states, dt)
            means[k], _ = operators.forces(zero, still, pushed, none, forces[k])
        moved = self._solve(stored, forces, np.zeros((count, operators.components)))
        room = np.empty_like(forces)
        fixed = means + operators.products(stored, moved, np.zeros_like(means), room)
        loads = np.zeros_like(means)
        if mask.any():
            loads[:, mask] = -np.linalg.solve(tangent[np.ix_(mask, mask)], fixed[:, mask].T).T
            moved = self._solve(stored, forces, loads)
            fixed = means + operators.products(stored, moved, loads, room)
        for k in range(count):
            changes = operators.strains(moved[k], loads[k])
            self._states[k] = self._push(k, strains, changes, states, dt)[1]
        self.load_slopes = loads
        return fixed

    def _solve(self, stored: StoredTangent, forces: np.ndarray, loads: np.ndarray) -> np.ndarray:
        """Solve for the changes of the fluctuation."""
        x, r = np.zeros_like(forces), np.empty_like(forces)
        self.medium.operators.products(stored, x, loads, r)
        r += forces
        sizes = np.array([np.abs(one).max() for one in r])
        sizes[sizes == 0] = 1.0
        r /= -sizes[:, None, None, None, None]
        goals = np.array([_TOLERANCE * self.medium.norm(one) for one in r])
        self.medium.solve(stored, r, x, goals, 10000)
        return x * sizes[:, None, None, None, None]

    def _push(
        self, k: int, strains: np.ndarray, changes: np.ndarray, states: States, dt: float
    ) -> tuple[np.ndarray, States]:
        """Push changes of strain, state and parameter through the laws; return those of stress and state."""
        laws, layout = self.medium.laws, self.medium.layout
        out, new = np.empty_like(strains), [{} for _ in laws.laws]
        for phase in laws.phases:
            strain, change, stress = (
                layout.block(one, phase, laws.components) for one in (strains, changes, out)
            )
            moving = {"strain": change, **{f"d/{n}": v for n, v in self._states[k][phase].items()}}
            kept: States = [phase_arrays(states[phase])]
            for part, e, both in blocks(strain, states[phase] | moving):
                own = {n: both[n] for n in states[phase]}
                turned = {n: both[f"d/{n}"] for n in states[phase]}
                ds, dn = _pushed(
                    laws.laws[phase], self._changes[k][phase], e, both["strain"], own, turned, dt
                )
                width = part.stop - part.start
                stress[:, part] = np.asarray(ds)[:, :width]
                for name in kept[0]:
                    kept[0][name][..., part] = np.asarray(dn[name])[..., :width]
            new[phase] = kept[0]
        return out, new


def _unit_changes(laws: tuple[PathLaw, ...], parameter: Parameter) -> list[PathLaw]:
    """Return laws whose every leaf is zero but the parameter, which is one."""
    phase, name = parameter
    found, hit = [], False
    for number, law in enumerate(laws):
        leaves, tree = jax.tree_util.tree_flatten_with_path(law)
        mine = [number == phase and _name(path) == name for path, _ in leaves]
        hit = hit or any(mine)
        values = [
            jnp.ones_like(leaf) if own else jnp.zeros_like(leaf)
            for own, (_, leaf) in zip(mine, leaves, strict=True)
        ]
        found.append(jax.tree_util.tree_unflatten(tree, values))
    if not hit:
        known = ", ".join(name for number, name in parameters_of(laws) if number == phase)
        raise InputError(
            "derivatives",
            got=f"{name!r} of phase {phase}",
            wanted=known or "a phase that there is",
            cure="name one",
        )
    return found


@eqx.filter_jit
def _pushed(law: PathLaw, dlaw: Any, strain: Any, dstrain: Any, state: Any, dstate: Any, dt: Any) -> Any:
    def one(e: Any, de: Any, s: Any, ds: Any) -> Any:
        def answer(given: Any, strain: Any, state: Any) -> Any:
            stress, new = given.respond(strain.reshape(3, 3) if law.finite else strain, state, dt)
            return stress.ravel(), new

        return jax.jvp(answer, (law, e, s), (dlaw, de, ds))[1]

    return jax.vmap(one, in_axes=-1, out_axes=-1)(strain, dstrain, state, dstate)
