"""The plain question: which constants make a coarse core keep the rates, leakage and k of a fine solution?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import Outcome, require_converged
from scalebridge.reactor.core_constants import CoreConstants
from scalebridge.reactor.core_inputs import PERIODIC, read_boundary
from scalebridge.reactor.core_mesh import SIDES, CoreMesh
from scalebridge.reactor.core_methods import solve_volumes
from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import face_factors
from scalebridge.reactor.discontinuity import face_discontinuity
from scalebridge.reactor.equivalence_audit import audit, audit_checks
from scalebridge.reactor.equivalence_study import EquivalenceMethod, EquivalenceStudy
from scalebridge.reactor.pin_regions import (
    PinDiffusion,
    merged_pins,
    region_labels,
    tally_constants,
    tally_mesh,
)
from scalebridge.reactor.pin_tally import PinTally
from scalebridge.reactor.superhomogenization import (
    Superhomogenization,
    corrected_constants,
    superhomogenization_factors,
)


def equivalent_constants(
    tally: PinTally,
    method: EquivalenceMethod = "discontinuity",
    *,
    boundary: Any = "reflective",
    groups: Sequence[Sequence[int]] | None = None,
    boxes: tuple[Sequence[int], Sequence[int]] | None = None,
    regions: Any = "pins",
    diffusion: PinDiffusion = "mean-transport",
    rtol: float = 1e-10,
    max_steps: int = 300,
    throw: bool = True,
) -> EquivalenceStudy:
    """Homogenise a fine solution into constants with which a diffusion core keeps its rates, leakage and k.

    "flux weighting" keeps no rate once the coarse core is solved; "superhomogenization" multiplies all
    constants of a region and group by a number, and keeps every rate; "discontinuity" lets the flux jump
    at faces, and keeps every current too (generalised equivalence), in one pass.

    Args:
        tally: the fine solution, by pins: what transport or `core_tally` hands up.
        method: "discontinuity", "superhomogenization" or "flux weighting".
        boundary: of the coarse core, as in `solve_core`; or "measured": an albedo by face and group from the
            fine solution. Superhomogenization of pins is then normalised, and the albedo belongs to it.
        groups: fine groups of each coarse one, all of them in order; none are merged unless given.
        boxes: numbers of pins in the rows and in the columns of each coarse node; single pins unless given.
        regions: which nodes share constants: "pins" (each its own), "whole", or (ny, nx) labels.
        diffusion: in each pin and fine group 1 / (3 mean of the total cross-section), "mean-transport", or
            the mean of 1 / (3 transport), "inverse-transport"; means over groups and boxes are of D. No rate
            depends on it, but how well factors serve in other surroundings does.
        rtol: wanted change of the superhomogenization factors, and residual of the coarse core.
        max_steps: of the factors, by group.
        throw: whether to raise when the factors are not found.

    Returns:
        an `EquivalenceStudy`. Factors that do not exist are a failed check "superhomogenization exists".

    Raises:
        InputError: something in the input cannot be right.
        SolverError: the factors or the coarse core were not found, and `throw` is true.

    Limits: factors belong to one coarse volume a node, this boundary and this environment.
    Cost: a coarse core; superhomogenization some twenty sparse solves a group.
    Source: K. S. Smith, Prog. Nucl. Energy 17 (1986) 303; A. Hebert, Nucl. Sci. Eng. 113 (1993) 227.

    Example:
        >>> from scalebridge.reactor.core_tally import core_tally
        >>> from scalebridge.reactor.solve_core import solve_core
        >>> fuel = {"diffusion": [1.4, 0.4], "absorption": [0.01, 0.08], "nu_fission": [0, 0.135],
        ...     "chi": [1, 0], "scatter": [[0, 0.02], [0, 0]]}
        >>> rod = fuel | {"absorption": [0.01, 0.3], "nu_fission": [0, 0]}
        >>> fine = solve_core([["fuel", "rod"]], {"fuel": fuel, "rod": rod}, pitch=4.0,
        ...     boundary={"west": "vacuum", "others": 1.0}, method="volumes", largest_cell=0.5)
        >>> pins = core_tally(fine.problem, fine.solution)
        >>> edge = {"west": "vacuum", "others": "reflective"}
        >>> found = equivalent_constants(pins, boxes=([8], [8, 8]), boundary=edge)
        >>> abs(found.k_error) < 0.01, found.passed
        (True, True)
    """
    watch = Stopwatch()
    _refuse(tally, method, groups, boundary)
    _refuse_diffusion(diffusion)
    if diffusion == "mean-transport":
        tally = replace(tally, transport=tally.total)
    reference = tally if groups is None else tally.condensed(tuple(tuple(part) for part in groups))
    reference = reference if boxes is None else merged_pins(reference, *boxes)
    label = region_labels(regions, reference.volume.shape)
    if method == "discontinuity" and len(np.unique(label)) != label.size:
        raise InputError(
            "regions",
            got="regions of several nodes with discontinuity factors",
            wanted="'pins', because factors of single faces need constants of single nodes",
            cure="merge nodes by boxes=, or use method='superhomogenization'",
        )
    mesh = tally_mesh(reference)
    gamma = _gamma(boundary, reference, mesh)
    constants = tally_constants(reference, label)
    if method == "discontinuity":
        passage = _discontinuous(reference, mesh, constants, gamma)
    elif method == "superhomogenization":
        measured = isinstance(boundary, str) and boundary == "measured" and len(constants.names) == mesh.cells
        current = _rim_current(reference, mesh) if measured else None
        passage = _superhomogenized(
            reference, mesh, constants, gamma, label.ravel(), rtol, max_steps, current=current
        )
        gamma = gamma if passage.mu is None else passage.mu.gamma
    else:
        passage = Passage(constants)
    by_cell = None if passage.factors is None else passage.factors.reshape(mesh.cells, 4, -1)
    factor = face_factors(mesh, by_cell, constants.groups)
    problem = CoreProblem(mesh, label.ravel(), passage.constants, gamma, factor)
    study = study_of(method, reference, problem, solve_volumes(problem, rtol), passage, watch)
    if throw:
        require_converged(study.outcome, f"equivalent_constants ({method})")
    return study


@dataclass(frozen=True, eq=False)
class Passage:
    """Constants of regions and what makes them equivalent."""

    constants: CoreConstants
    factors: np.ndarray | None = None
    mu: Superhomogenization | None = None
    notes: tuple[str, ...] = ()


def study_of(
    method: EquivalenceMethod,
    reference: PinTally,
    problem: CoreProblem,
    found: CoreSolution,
    passage: Passage,
    watch: Stopwatch,
    lap: str = "equivalence",
) -> EquivalenceStudy:
    """Hold a coarse solution against the fine one, and gather what was found.

    Args:
        method: how the constants were made equivalent.
        reference: what the fine solution tells of its nodes.
        problem: the coarse one.
        found: its solution.
        passage: the constants, and what makes them equivalent.
        watch: wall time by part.
        lap: the part that ends here.
    """
    seen, mu = audit(reference, problem, found), passage.mu
    watch.lap(lap)
    return EquivalenceStudy(
        method=method,
        constants=problem.constants,
        regions=problem.regions.reshape(reference.volume.shape),
        factors=passage.factors,
        superhomogenization=None if mu is None else mu.factors,
        gamma=outer_gamma(problem, reference.volume.shape),
        k=reference.multiplication,
        k_coarse=found.k,
        power=reference.power,
        power_coarse=seen.power,
        rate_error=seen.rate_error,
        leakage_error=seen.leakage_error,
        history=() if mu is None else mu.history,
        checks=tuple(audit_checks(reference, seen, mu)),
        outcome=found.outcome if mu is None else max(found.outcome, mu.outcome),
        stats={"nodes": reference.volume.size, "steps": [] if mu is None else [len(h) for h in mu.history]},
        notes=passage.notes,
        provenance=Provenance(
            {"fine k": reference.multiplication, "nodes": list(reference.volume.shape)},
            {"method": method, "regions": len(problem.constants.names)},
            installed_versions(),
            this_machine(),
            watch.started,
            watch.elapsed,
        ),
    )


def _discontinuous(
    reference: PinTally, mesh: CoreMesh, constants: CoreConstants, gamma: np.ndarray
) -> Passage:
    shape = reference.flux.shape
    jump = face_discontinuity(reference, constants.diffusion.reshape(shape), mesh, gamma)
    note = (
        f"{jump.raised} diffusion coefficients were raised to keep homogenised face fluxes positive; "
        "generalised equivalence does not depend on them."
    )
    raised = replace(constants, diffusion=jump.diffusion.reshape(mesh.cells, -1))
    return Passage(raised, jump.factors, notes=(note,) if jump.raised else ())


def _superhomogenized(
    reference: PinTally,
    mesh: CoreMesh,
    constants: CoreConstants,
    gamma: np.ndarray,
    regions: np.ndarray,
    rtol: float,
    max_steps: int,
    *,
    current: np.ndarray | None,
) -> Passage:
    flat = (mesh.cells, constants.groups)
    mu = superhomogenization_factors(
        mesh,
        regions,
        constants,
        reference.flux.reshape(flat),
        reference.multiplication,
        gamma,
        rim_current=current,
        fixed_source=reference.source.reshape(flat),
        leaving=reference.current.sum(axis=2).reshape(flat),
        atol=rtol,
        max_steps=max_steps,
    )
    notes = []
    if mu.normalised.any() and not mu.normalised.all():
        notes.append(f"Groups {np.flatnonzero(mu.normalised).tolist()} leak nothing and were normalised.")
    if mu.outcome is not Outcome.converged:
        notes.append("No superhomogenization factors were found for some groups; see the checks.")
    return Passage(corrected_constants(constants, mu.factors), mu=mu, notes=tuple(notes))


def _gamma(boundary: Any, reference: PinTally, mesh: CoreMesh) -> np.ndarray:
    """Return (rims, G) outward current by flux of the coarse core."""
    groups = reference.flux.shape[-1]
    if isinstance(boundary, str) and boundary == "measured":
        at = mesh.rim, mesh.side
        surface = reference.surface_flux.reshape(mesh.cells, 4, groups)[at]
        return np.maximum(_rim_current(reference, mesh) / surface, 0.0)
    conditions = read_boundary(boundary, 2, groups)
    found = np.array([conditions[SIDES[side]][1] for side in mesh.side])
    return found.reshape(-1, groups)


def _rim_current(reference: PinTally, mesh: CoreMesh) -> np.ndarray:
    """Return (rims, G) outward currents of the reference by area."""
    density = reference.current / reference.face_length[..., None]
    return density.reshape(mesh.cells, 4, -1)[mesh.rim, mesh.side]


def outer_gamma(problem: CoreProblem, shape: tuple[int, ...]) -> np.ndarray:
    """Return (ny, nx, 4, G) outward current by flux at the outer faces of a coarse core, NaN at inner ones.

    Args:
        problem: the core.
        shape: (ny, nx).
    """
    found = np.full((problem.mesh.cells, 4, problem.gamma.shape[1]), np.nan)
    found[problem.mesh.rim, problem.mesh.side] = problem.gamma
    return found.reshape(*shape, 4, -1)


def _refuse_diffusion(diffusion: Any) -> None:
    if diffusion not in get_args(PinDiffusion):
        raise InputError(
            "diffusion",
            got=repr(diffusion),
            wanted=", ".join(map(repr, get_args(PinDiffusion))),
            cure="choose one of them",
        )


def _refuse(tally: Any, method: Any, groups: Any, boundary: Any) -> None:
    if not isinstance(tally, PinTally):
        raise InputError(
            "tally",
            got=f"a {type(tally).__name__}",
            wanted="the pins of a fine solution",
            cure="pass core_tally(...) or the tally of solve_transport",
        )
    if method not in get_args(EquivalenceMethod):
        raise InputError(
            "method",
            got=repr(method),
            wanted=", ".join(map(repr, get_args(EquivalenceMethod))),
            cure="choose one of them",
        )
    fine = tally.flux.shape[-1]
    listed = None if groups is None else [g for part in groups for g in part]
    if listed is not None and listed != list(range(fine)):
        raise InputError(
            "groups",
            got=repr(groups),
            wanted=f"all of 0 to {fine - 1}, in order, cut into parts",
            cure="write for example [[0, 1], [2]]",
        )
    periodic = boundary.values() if isinstance(boundary, Mapping) else [boundary]
    if any(isinstance(one, str) and one == PERIODIC for one in periodic):
        raise InputError(
            "boundary",
            got=repr(PERIODIC),
            wanted="'reflective', 'vacuum', an albedo, or 'measured'",
            cure="use a lattice that reflects",
        )
    if not (tally.flux > 0).all():
        raise InputError(
            "tally",
            got=f"a mean flux of {tally.flux.min():.3g}",
            wanted="positive mean fluxes in every pin and group",
            cure="converge the fine solution, or merge groups that nothing reaches",
        )
