"""The plain question: how does a body conduct, whose conductivity was handed up?

    div q + s = 0,     q = - k grad u

on the coarse finite elements of structures: heat, charge or matter, by the tensor of a representative image.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import skfem
from scipy.sparse import csr_matrix

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError, SolverError
from scalebridge.core.units import parse_quantity
from scalebridge.structures.handed_up import conductivity_of
from scalebridge.structures.linear_solver import LinearMethod, LinearSolver, check_linear_method
from scalebridge.structures.solid_mesh import KINDS, SolidMesh
from scalebridge.structures.structure_inputs import refuse_mesh

_TOLERANCE = 1e-8  # of a sparse solve in float64, with what multigrid leaves
UNITS = {
    "W/m/K": ("K", "W"),
    "S/m": ("V", "A"),
    "F/m": ("V", "C"),
    "m^2/s": ("mol/m^3", "mol/s"),
}
"""Units of potential and flow by that of the conductivity."""


@dataclass(frozen=True)
class ConductionStudy:
    """How a body conducts, in SI; in the plane, flows are those of a metre of thickness.

    Args:
        potential: (nodes,) at the mesh's nodes.
        gradient: (points, dim) of the potential at the integration points.
        flux: (points, dim) flux density there, - k grad u.
        places: (points, dim) m.
        weights: (points,) their volumes, m^3.
        flows: by boundary, into the body; a node of two boundaries counts for the first.
        conductivity: (dim, dim) what was used.
        units: of conductivity, potential and flow.
        checks: what was preserved, measured.
        stats: numbers about the work.
    """

    potential: np.ndarray
    gradient: np.ndarray
    flux: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    flows: dict[str, float]
    conductivity: np.ndarray
    units: tuple[str, str, str]
    checks: tuple[Check, ...]
    stats: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True)
class _Given:
    """What is prescribed: potentials of unknowns, by boundary, and what flows in at unknowns."""

    owners: dict[str, np.ndarray]
    values: np.ndarray
    held: np.ndarray
    inflow: np.ndarray


def solve_conduction(
    mesh: SolidMesh,
    material: Any,
    *,
    potentials: Mapping[str, Any],
    fluxes: Mapping[str, Any] | None = None,
    source: Any = 0.0,
    unit: str | None = None,
    order: int = 1,
    linear_solver: LinearMethod = "auto",
) -> ConductionStudy:
    """Solve steady conduction of a body whose conductivity was handed up by a cell.

    div q + s = 0, q = - k grad u, u given on some boundaries and the flux density on others.

    Args:
        mesh: what `box_mesh`, `notched_plate` or `read_mesh` returned.
        material: a conductivity as `effective_conductivity` returns it; a cell of conduction itself, any
            linear model that answers a mean gradient; a number; or a tensor (dim, dim).
        potentials: boundary -> potential: numbers in SI, or text such as "300 K".
        fluxes: boundary -> flux density into the body: numbers in SI, or text such as "5 W/m^2".
        source: made in a volume: a number in SI, or text such as "1 kW/m^3".
        unit: of the conductivity, "W/m/K", "S/m", "F/m" or "m^2/s"; that of the result handed up, else
            "W/m/K".
        order: of the potential, 1 or 2.
        linear_solver: "auto", "direct", "pardiso", "multigrid".

    Returns:
        a `ConductionStudy`.

    Raises:
        InputError: something in the input cannot be right; nothing has been solved yet.
        UnitError: a unit is missing or of another kind.
        SolverError: the system is singular.

    Limits: steady; one material; no radiation or transfer at a boundary.
    Cost: one sparse solve; a cell passed as material is solved once an axis first.

    Example:
        >>> from scalebridge.structures.solid_mesh import box_mesh
        >>> rod = box_mesh(("2 m", "1 m"), (4, 2))
        >>> found = solve_conduction(rod, 3.0, potentials={"left": "300 K", "right": "280 K"})
        >>> round(found.flows["left"], 9), found.passed  # 3 W/m/K, 10 K/m, a section of 1 m by 1 m
        (30.0, True)
    """
    _refuse(mesh, order, potentials)
    check_linear_method(linear_solver)
    tensor, own = conductivity_of(material, mesh.dim)
    units = _units(own, unit)
    element = KINDS[mesh.kind].elements[order - 1]()
    basis = skfem.Basis(mesh.mesh, element, intorder=KINDS[mesh.kind].degrees[order - 1])
    stiffness = csr_matrix(_form(tensor).assemble(basis))
    given = _conditions(mesh, basis, potentials, fluxes or {}, source, units)
    u = _solved(
        stiffness, given, LinearSolver(linear_solver, np.ones((int((~given.held).sum()), 1)), mesh.dim)
    )
    at_points: Any = basis.interpolate(u)
    gradient = np.moveaxis(np.asarray(at_points.grad), 0, -1).reshape(-1, mesh.dim)
    out = stiffness @ u - given.inflow
    flows = {name: float(out[dofs].sum()) for name, dofs in given.owners.items()}
    flows |= {name: _inflow_of(mesh, element, name, value, units) for name, value in (fluxes or {}).items()}
    return ConductionStudy(
        potential=u[np.asarray(basis.nodal_dofs)[0]],
        gradient=gradient,
        flux=-gradient @ tensor.T,
        places=np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1).reshape(-1, mesh.dim),
        weights=np.asarray(basis.dx).ravel(),
        flows=flows,
        conductivity=tensor,
        units=units,
        checks=_checks(u, out, given, gradient, tensor, np.asarray(basis.dx).ravel()),
        stats={"unknowns": int(basis.N), "points": len(gradient)},
    )


def _form(tensor: np.ndarray) -> Any:
    @skfem.BilinearForm
    def conducts(u: Any, v: Any, _: Any) -> Any:
        return np.einsum("ij,j...,i...->...", tensor, u.grad, v.grad)

    return conducts


def _solved(stiffness: csr_matrix, given: _Given, solver: LinearSolver) -> np.ndarray:
    free = np.flatnonzero(~given.held)
    rows: Any = stiffness[free]
    u = given.values.copy()
    u[free] = solver(csr_matrix(rows[:, free]), given.inflow[free] - rows @ u)
    if not np.isfinite(u).all():
        raise SolverError(
            "solve_conduction: the system is singular; is a part of the mesh without potential?"
        )
    return u


def _conditions(
    mesh: SolidMesh,
    basis: Any,
    potentials: Mapping[str, Any],
    fluxes: Mapping[str, Any],
    source: Any,
    units: tuple[str, str, str],
) -> _Given:
    values, held = np.zeros(basis.N), np.zeros(basis.N, dtype=bool)
    owners: dict[str, np.ndarray] = {}
    for name, given in potentials.items():
        wanted = _number(given, units[1], f"potentials.{name}")
        dofs = np.unique(np.asarray(basis.get_dofs(mesh.facets(name)).flatten()))
        taken = dofs[held[dofs]]
        if np.any(values[taken] != wanted):
            raise InputError(
                f"potentials.{name}",
                got=f"{wanted:.6g} {units[1]} at a node where another boundary has another potential",
                wanted="boundaries that do not meet, or one potential where they do",
                cure="leave a gap of an element between them",
            )
        owners[name] = dofs[~held[dofs]]
        values[dofs], held[dofs] = wanted, True
    inflow = np.zeros(basis.N)
    density = _number(source, f"{units[2]}/m^3", "source")
    inflow += density * _weights(basis)
    for name, given in fluxes.items():
        inflow += _number(given, f"{units[2]}/m^2", f"fluxes.{name}") * _on(mesh, basis.elem, name)
    return _Given(owners, values, held, inflow)


def _on(mesh: SolidMesh, element: Any, name: str) -> np.ndarray:
    facets = skfem.FacetBasis(
        mesh.mesh, element, facets=mesh.facets(name), intorder=KINDS[mesh.kind].degrees[1]
    )
    return _weights(facets)


def _weights(basis: Any) -> np.ndarray:
    @skfem.LinearForm
    def one(v: Any, _: Any) -> Any:
        return v

    return np.asarray(one.assemble(basis))


def _inflow_of(mesh: SolidMesh, element: Any, name: str, given: Any, units: tuple[str, str, str]) -> float:
    return _number(given, f"{units[2]}/m^2", f"fluxes.{name}") * float(_on(mesh, element, name).sum())


def _checks(
    u: np.ndarray, out: np.ndarray, given: _Given, gradient: np.ndarray, tensor: np.ndarray, dx: np.ndarray
) -> tuple[Check, ...]:
    passed = out[given.held]
    size = float(np.abs(passed).sum() + np.abs(given.inflow).sum()) or 1.0
    lost = float((dx * np.einsum("pi,ij,pj->p", gradient, tensor, gradient)).sum())
    level = u - given.values[given.held].mean()  # of which the work of a balanced flow does not depend
    work = float(out @ np.where(given.held, level, 0.0) + given.inflow @ level)
    return (
        Check(
            "balance",
            abs(float(passed.sum() + given.inflow.sum())) / size,
            _TOLERANCE,
            meaning="what flows in through boundaries and from sources adds up to nothing, relative to the "
            "sizes of all of it; the sparse solve's roundings",
        ),
        Check(
            "power",
            abs(lost - work) / max(abs(lost), abs(work)) if max(abs(lost), abs(work)) > 0 else 0.0,
            _TOLERANCE,
            meaning="what the points dissipate, grad u . k . grad u, is the flows times their potentials",
        ),
    )


def _units(own: str | None, asked: str | None) -> tuple[str, str, str]:
    chosen = asked or own or "W/m/K"
    if chosen not in UNITS or (own is not None and asked not in (None, own)):
        raise InputError(
            "unit",
            got=repr(chosen) + (f" with a conductivity in {own}" if own and asked else ""),
            wanted=f"one of {', '.join(UNITS)}, that of the conductivity",
            cure="give the phases' conductivities with their unit",
        )
    return chosen, *UNITS[chosen]


def _number(given: Any, unit: str, name: str) -> float:
    number = parse_quantity(given, unit, name) if isinstance(given, str) else given
    real = isinstance(number, int | float | np.number) and not isinstance(number, bool)
    if not real or not math.isfinite(number):
        raise InputError(
            name, got=repr(given), wanted=f"a number, or text with a unit of {unit}", cure=f"correct {name}"
        )
    return float(number)


def _refuse(mesh: Any, order: Any, potentials: Any) -> None:
    refuse_mesh(mesh)
    if order not in (1, 2):
        raise InputError("order", got=repr(order), wanted="1 or 2", cure="choose one of them")
    if not isinstance(potentials, Mapping) or isinstance(potentials, Sequence) or not potentials:
        raise InputError(
            "potentials",
            got=repr(potentials),
            wanted="a potential on at least one boundary: without any, it is known up to a constant",
            cure='pass potentials={"left": "300 K"}',
        )
