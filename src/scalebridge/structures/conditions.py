"""What is prescribed: supports, periodic sides, equations between displacements; and forces.

Every condition is an equation  sum a_i u_i = factor b  with the load factor. Each decides one unknown by
others; together they give  u = T q + factor g,  with q free. Forces are dead loads times the factor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import skfem
from scipy.sparse import csr_matrix

from scalebridge.core.errors import InputError
from scalebridge.core.units import parse_quantity
from scalebridge.structures.kinematics import Kinematics
from scalebridge.structures.solid_mesh import KINDS, SolidMesh

AXES = ("x", "y", "z")
Equation = tuple[list[tuple[int, float]], float]
_TINY = 1e-12


@dataclass(frozen=True)
class Reduction:
    """u = T q + factor g.

    Args:
        transform: (unknowns, free) T.
        offset: (unknowns,) g, m.
        held: (unknowns,) whether a condition decides an unknown: where there are reactions.
    """

    transform: csr_matrix
    offset: np.ndarray
    held: np.ndarray


@dataclass(frozen=True)
class Conditions:
    """What acts on a structure, in words of its mesh.

    Args:
        supports: boundary name -> {"x": displacement, ...}; text with a unit or numbers in m; at factor 1.
        tractions: boundary name -> vector, text with units or numbers in Pa; at factor 1.
        body_force: vector, text with units or numbers in N/m^3; at factor 1.
        periodic: pairs of boundaries (minus, plus), or (minus, plus, jump of the displacement at factor 1).
        equal: boundary name -> components that all its nodes share, "x", "xy", ...
        equations: each a list of (place, component, coefficient) whose sum is zero, or that list and a value.
    """

    supports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tractions: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    body_force: Sequence[Any] | None = None
    periodic: Sequence[Sequence[Any]] = ()
    equal: Mapping[str, str] = field(default_factory=dict)
    equations: Sequence[Any] = ()


def component_dofs(kinematics: Kinematics, facets: np.ndarray | None = None) -> list[np.ndarray]:
    """Return the unknowns of each component, of some facets or of all nodes, in the same order of nodes."""
    basis = kinematics.basis
    dim = basis.mesh.dim()
    every = np.arange(basis.N) if facets is None else np.sort(basis.get_dofs(facets).all())
    component = components_of(kinematics)
    found = [every[component[every] == axis] for axis in range(dim)]
    scale = float(np.ptp(np.asarray(basis.mesh.p)))
    return [dofs[np.lexsort(np.round(_places(kinematics, dofs) / scale, 9))] for dofs in found]


def components_of(kinematics: Kinematics) -> np.ndarray:
    """Return which component each unknown is of: element by element they alternate."""
    dim = kinematics.basis.mesh.dim()
    found = np.zeros(kinematics.unknowns, dtype=np.int64)
    local = np.arange(kinematics.dofs.shape[1]) % dim
    found[kinematics.dofs.ravel()] = np.tile(local, len(kinematics.dofs))
    return found


def _places(kinematics: Kinematics, dofs: np.ndarray) -> np.ndarray:
    return np.asarray(kinematics.basis.doflocs)[:, dofs]


def reduce_unknowns(solid: SolidMesh, kinematics: Kinematics, given: Conditions) -> Reduction:
    """Turn conditions into  u = T q + factor g.

    Raises:
        InputError: an unknown boundary or component, conditions that contradict each other, sides that do not
            match, or nothing that holds the structure.
    """
    fixed = _support_values(solid, kinematics, given.supports)
    equations = _equations(solid, kinematics, given)
    slaves = _eliminated(equations, fixed)
    _refuse_floating(kinematics, [*fixed, *(dof for dof, (terms, _) in slaves.items() if not terms)])
    size = kinematics.unknowns
    held, offset = np.zeros(size, dtype=bool), np.zeros(size)
    held[list(fixed)] = True
    offset[list(fixed)] = list(fixed.values())
    held[list(slaves)] = True
    free = np.flatnonzero(~held)
    column = np.full(size, -1)
    column[free] = np.arange(len(free))
    rows, columns, data = [free], [column[free]], [np.ones(len(free))]
    for slave, (terms, value) in slaves.items():
        offset[slave] = value
        rows.append(np.full(len(terms), slave))
        columns.append(column[list(terms)])
        data.append(np.array(list(terms.values())))
    parts = (np.concatenate(part) for part in (data, rows, columns))
    values, row, col = parts
    transform = csr_matrix((values, (row.astype(int), col.astype(int))), shape=(size, len(free)))
    return Reduction(transform, offset, held)


def _support_values(
    solid: SolidMesh, kinematics: Kinematics, supports: Mapping[str, Mapping[str, Any]]
) -> dict[int, float]:
    fixed: dict[int, float] = {}
    for name, values in supports.items():
        by_component = component_dofs(kinematics, solid.facets(name))
        for component, given in values.items():
            axis = axis_of(component, solid.dim, f"supports.{name}")
            value = as_length(given, f"supports.{name}.{component}")
            for dof in by_component[axis].tolist():
                if dof in fixed and abs(fixed[dof] - value) > _TINY * max(abs(value), abs(fixed[dof])):
                    raise InputError(
                        f"supports.{name}.{component}",
                        got=f"{value:g} m where another boundary has {fixed[dof]:g} m",
                        wanted="one displacement at a node that two boundaries share",
                        cure="give both the same, or leave one of them out",
                    )
                fixed[dof] = value
    return fixed


def _equations(solid: SolidMesh, kinematics: Kinematics, given: Conditions) -> list[Equation]:
    found: list[Equation] = []
    for pair in given.periodic:
        found += _periodic_equations(solid, kinematics, pair)
    for name, components in given.equal.items():
        by_component = component_dofs(kinematics, solid.facets(name))
        for component in components:
            dofs = by_component[axis_of(component, solid.dim, f"equal.{name}")].tolist()
            found += [([(dof, 1.0), (dofs[0], -1.0)], 0.0) for dof in dofs[1:]]
    for number, equation in enumerate(given.equations):
        found.append(_equation(solid, kinematics, equation, f"equations[{number}]"))
    return found


def _periodic_equations(solid: SolidMesh, kinematics: Kinematics, pair: Sequence[Any]) -> list[Equation]:
    if len(pair) not in (2, 3):
        raise InputError(
            "periodic",
            got=repr(pair),
            wanted="(minus, plus) or (minus, plus, jump)",
            cure="name two boundaries",
        )
    minus, plus = (component_dofs(kinematics, solid.facets(name)) for name in pair[:2])
    jump = [as_length(v, "periodic.jump") for v in pair[2]] if len(pair) == 3 else [0.0] * solid.dim
    first, second = (_places(kinematics, side[0]) for side in (minus, plus))
    shift = second - first if first.shape == second.shape else np.full((solid.dim, 1), np.nan)
    if len(jump) != solid.dim or not np.allclose(shift, shift[:, :1], atol=1e-6 * float(solid.size.max())):
        raise InputError(
            "periodic",
            got=f"{pair[0]} with {first.shape[1]} nodes and {pair[1]} with {second.shape[1]}",
            wanted=f"two sides whose nodes match by one shift, and a jump of {solid.dim} components",
            cure="mesh the two sides alike",
        )
    return [
        ([(int(q), 1.0), (int(p), -1.0)], jump[axis])
        for axis in range(solid.dim)
        for p, q in zip(minus[axis], plus[axis], strict=True)
    ]


def _equation(solid: SolidMesh, kinematics: Kinematics, given: Any, name: str) -> Equation:
    terms, value = given if len(given) == 2 and isinstance(given[0], list) else (given, 0.0)
    every = component_dofs(kinematics)
    found = []
    for place, component, coefficient in terms:
        axis = axis_of(component, solid.dim, name)
        point = np.array([as_length(x, name) for x in place])
        distance = np.linalg.norm(_places(kinematics, every[axis]) - point[:, None], axis=0)
        if distance.min() > 1e-6 * float(solid.size.max()):
            raise InputError(
                name,
                got=f"no node at {point.tolist()} m",
                wanted="places of nodes",
                cure=f"the nearest node is {distance.min():.3g} m away; give its coordinates",
            )
        found.append((int(every[axis][distance.argmin()]), float(coefficient)))
    return found, as_length(value, name)


def _eliminated(
    equations: list[Equation], fixed: Mapping[int, float]
) -> dict[int, tuple[dict[int, float], float]]:
    """Solve each equation for one of its unknowns; return those by the free ones."""
    solved: dict[int, tuple[dict[int, float], float]] = {}
    users: dict[int, set[int]] = {}
    for terms, value in equations:
        row: dict[int, float] = {}
        for dof, coefficient in terms:
            if dof in fixed:
                value -= coefficient * fixed[dof]  # noqa: PLW2901 (the right side is being worked out)
            elif dof in solved:
                value -= coefficient * solved[dof][1]  # noqa: PLW2901
                for other, part in solved[dof][0].items():
                    row[other] = row.get(other, 0.0) + coefficient * part
            else:
                row[dof] = row.get(dof, 0.0) + coefficient
        row = {dof: c for dof, c in row.items() if abs(c) > _TINY}
        if not row:
            _refuse_contradiction(value)
            continue
        slave = max(row, key=lambda dof: abs(row[dof]))
        pivot = row.pop(slave)
        rule = {dof: -c / pivot for dof, c in row.items()}, value / pivot
        for user in users.pop(slave, ()):
            _substitute(solved, users, user, slave, rule)
        solved[slave] = rule
        for dof in rule[0]:
            users.setdefault(dof, set()).add(slave)
    return solved


def _substitute(
    solved: dict[int, tuple[dict[int, float], float]],
    users: dict[int, set[int]],
    user: int,
    slave: int,
    rule: tuple[dict[int, float], float],
) -> None:
    terms, value = dict(solved[user][0]), solved[user][1]
    factor = terms.pop(slave)
    for dof, c in rule[0].items():
        terms[dof] = terms.get(dof, 0.0) + factor * c
        users.setdefault(dof, set()).add(user)
    solved[user] = terms, value + factor * rule[1]


def _refuse_contradiction(value: float) -> None:
    if abs(value) > _TINY:
        raise InputError(
            "supports",
            got=f"conditions that contradict each other by {value:.3g} m",
            wanted="periodic sides, equations and supports that can hold together",
            cure="leave one of them out",
        )


def _refuse_floating(kinematics: Kinematics, held: list[int]) -> None:
    """Refuse what can move freely: a component of which nothing is held."""
    known = set(components_of(kinematics)[held].tolist())
    free = [AXES[axis] for axis in range(kinematics.basis.mesh.dim()) if axis not in known]
    if free:
        raise InputError(
            "supports",
            got=f"no displacement prescribed along {', '.join(free)}",
            wanted="supports that hold every direction, besides periodic sides and ties",
            cure=f"write for example supports = {{'left': {{'{free[0]}': 0}}}}",
        )


def force_vector(solid: SolidMesh, kinematics: Kinematics, given: Conditions) -> np.ndarray:
    """Return the forces on the unknowns at factor 1, N (in the plane: of a unit thickness).

    Raises:
        InputError: an unknown boundary, or a vector of another length.
    """
    total = np.zeros(kinematics.unknowns)
    element = kinematics.basis.elem
    for name, vector in given.tractions.items():
        facets = skfem.FacetBasis(
            solid.mesh, element, facets=solid.facets(name), intorder=KINDS[solid.kind].degrees[1]
        )
        total += _weighed(facets, _vector(vector, solid.dim, f"tractions.{name}", "Pa"))
    if given.body_force is not None:
        total += _weighed(kinematics.basis, _vector(given.body_force, solid.dim, "body_force", "N/m^3"))
    return total


def _weighed(basis: Any, vector: np.ndarray) -> np.ndarray:
    total = np.zeros(basis.N)
    for number in range(basis.Nbfun):
        values = np.einsum("i,ieq->eq", vector, np.asarray(basis.basis[number][0]))
        total += np.bincount(basis.element_dofs[number], (values * basis.dx).sum(axis=1), basis.N)
    return total


def _vector(given: Sequence[Any], dim: int, name: str, unit: str) -> np.ndarray:
    if isinstance(given, str) or len(given) != dim:
        raise InputError(
            name, got=repr(given), wanted=f"{dim} components", cure="write one number or text for each axis"
        )
    return np.array([_number(value, name, unit) for value in given])


def as_length(given: Any, name: str) -> float:
    """Read a displacement: a number in m, or text with a unit."""
    return _number(given, name, "m")


def _number(given: Any, name: str, unit: str) -> float:
    number = parse_quantity(given, unit, name) if isinstance(given, str) else given
    if (
        isinstance(number, bool)
        or not isinstance(number, int | float | np.floating)
        or not np.isfinite(number)
    ):
        raise InputError(name, got=repr(given), wanted=f"a number in {unit}, or text", cure=f"correct {name}")
    return float(number)


def axis_of(component: Any, dim: int, name: str) -> int:
    """Return the number of an axis by its letter."""
    if component not in AXES[:dim]:
        raise InputError(
            name,
            got=repr(component),
            wanted=f"one of {', '.join(AXES[:dim])}",
            cure="name an axis of the mesh",
        )
    return AXES.index(component)
