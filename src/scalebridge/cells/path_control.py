"""Mixed control of a cell with history: some components of the mean strain are given, and some of the stress.

    T_ff dE_f = Sigma_f - answer_f(E)        f: components whose stress is given

is Newton's method on the consistent tangent of the whole cell. With finite strain the components are those
of the deformation gradient and of the nominal stress, and the gradients that keep the cell from turning
(12, 13, 23 below the diagonal) are best given.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalebridge.cells.path_cell import CellState, Hint, PathAnswer, PathCell
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome

COMPONENTS = {
    6: ("11", "22", "33", "23", "13", "12"),
    9: ("11", "12", "13", "21", "22", "23", "31", "32", "33"),
}
_KINDS = {
    "strain": {6: (), 9: ()},
    "uniaxial stress": {6: (1, 2, 3, 4, 5), 9: (4, 8)},
    "plane stress": {6: (2, 3, 4), 9: (8,)},
}
_TOLERANCE = 1e-8  # of the stress, that given components may be off by
_ITERATIONS = 20


@dataclass(frozen=True)
class Controlled:
    """What a mixed step found.

    Args:
        load: mean strain or gradient, all components.
        found: the cell's answer there.
        iterations: number of solves of the cell.
    """

    load: np.ndarray
    found: PathAnswer
    iterations: int


def parse_control(control: Any, components: int) -> np.ndarray:
    """Return which components have their stress given, (components,) booleans.

    Args:
        control: "strain", "uniaxial stress" (along 1), "plane stress" (in 1 and 2), or the names of the
            components whose stress is given, such as ("22", "33").
        components: 6, or 9 with finite strain.

    Example:
        >>> parse_control("plane stress", 6).tolist()
        [False, False, True, True, True, False]
    """
    names, mask = COMPONENTS[components], np.zeros(components, bool)
    if isinstance(control, str):
        if control not in _KINDS:
            raise InputError("control", got=repr(control), wanted=", ".join(_KINDS), cure='pass "strain"')
        mask[list(_KINDS[control][components])] = True
        return mask
    given = list(control)
    wrong = [one for one in given if one not in names]
    if wrong or len(set(given)) != len(given) or len(given) == components:
        raise InputError(
            "control",
            got=repr(control),
            wanted=f"some of the components {', '.join(names)}, each once, and not all of them",
            cure='pass ("22", "33") for no or given stress across 1',
        )
    mask[[names.index(one) for one in given]] = True
    return mask


def respond_controlled(
    cell: PathCell,
    given: np.ndarray,
    mask: np.ndarray,
    state: CellState,
    dt: float = 0.0,
    *,
    hint: Hint | None = None,
) -> Controlled:
    """Answer a mixed load at the end of a step.

    Args:
        cell: the cell.
        given: strain or gradient of each component, or its stress where the mask says so.
        mask: which components have their stress given.
        state: committed state.
        dt: time of the step, s.
        hint: of an earlier answer.
    """
    given = np.asarray(given, float).ravel()
    load = _predicted(cell, given, mask, state, hint)
    before = last = state["load"]
    found = cell.respond(load, state, dt, hint=hint)
    for count in range(1, _ITERATIONS + 1):
        if found.outcome is not Outcome.converged or found.tangent is None:
            load = last + 0.5 * (load - last)
            load[~mask] = given[~mask]
        else:
            hint = {**found.hint, "answer": found.answer, "tangent": found.tangent}
            found = replace(found, hint=hint)
            missing = (given - found.answer)[mask]
            change = 1e-3 * float(np.abs(found.tangent @ (load - before)).max())
            if np.abs(missing).max() <= _TOLERANCE * max(float(np.abs(found.answer).max()), change):
                return Controlled(load, found, count)
            last, load = load, load.copy()
            load[mask] += np.linalg.solve(found.tangent[np.ix_(mask, mask)], missing)
        found = cell.respond(load, state, dt, hint=hint)
    return Controlled(load, replace(found, outcome=_worse(found.outcome)), _ITERATIONS)


def _worse(outcome: Outcome) -> Outcome:
    return Outcome.step_limit if outcome is Outcome.converged else outcome


def _predicted(
    cell: PathCell, given: np.ndarray, mask: np.ndarray, state: CellState, hint: Hint | None
) -> np.ndarray:
    """Guess the components that are sought by the last tangent; where there is none, leave them."""
    load = state["load"].copy()
    if hint and "tangent" in hint:
        load = hint["load"].copy()
        change = (given - load)[~mask]
        missing = (given - hint["answer"])[mask] - hint["tangent"][np.ix_(mask, ~mask)] @ change
        load[mask] += np.linalg.solve(hint["tangent"][np.ix_(mask, mask)], missing)
    elif not cell.finite:
        tangent = cell.medium.reference_stiffness
        change = (given - load)[~mask]
        load[mask] -= np.linalg.solve(tangent[np.ix_(mask, mask)], tangent[np.ix_(mask, ~mask)] @ change)
    load[~mask] = given[~mask]
    return load
