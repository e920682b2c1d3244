"""From the end of a path to what is handed back: fields, checks, memory, notes, origin."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scalebridge.cells.path_inputs import LARGEST_STRAIN
from scalebridge.cells.path_result import HILL_MANDEL
from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.engine.history_unit import HistoryUnit
from scalebridge.structures.conditions import Conditions
from scalebridge.structures.march import Journey, outer_forces
from scalebridge.structures.point_units import describe_unit, scale_notes, volume_edge
from scalebridge.structures.solid_mesh import SolidMesh, edge_lengths
from scalebridge.structures.structure_files import node_displacements
from scalebridge.structures.structure_study import StructureStudy, von_mises

_SUM_TOLERANCE = 1e-9
_SOFTENS = -1e-9  # smallest eigenvalue of a tangent over the largest, below which a point softens
_SAME_WIDTH = 1.5  # a crack that runs across a square element at 45 degrees has a band sqrt(2) times as wide


def assemble_study(
    journey: Journey,
    solid: SolidMesh,
    unit: HistoryUnit,
    given: Conditions,
    asked: dict[str, Any],
    watched: Sequence[int],
    clock: Stopwatch,
) -> StructureStudy:
    """Gather what was found along a path.

    Args:
        journey: the path.
        solid: the mesh.
        unit: what each point asked.
        given: supports and loads.
        asked: settings.
        watched: points whose internal variables are kept, besides the most stressed one.
        clock: wall time by part.
    """
    trial = journey.trial
    structure, k = trial.structure, trial.structure.kinematics
    loads = k.loads(trial.u, trial.across)
    critical = int(von_mises(trial.answers, loads).argmax())
    points = dict.fromkeys([critical, *watched])
    memory = _memory(structure.engine.memory(), k.points)
    softened = _softening_note(journey, solid, unit)
    return StructureStudy(
        records=tuple(journey.records),
        iterations=tuple(journey.iterations),
        displacement=node_displacements(k, trial.u),
        strains=loads,
        stresses=trial.answers,
        places=k.places,
        weights=k.weights.ravel(),
        driven=_driven(solid, given),
        critical=critical,
        micro={point: structure.engine.state(point) for point in points},
        memory=memory,
        checks=_checks(journey, float(asked["rtol"])),
        outcome=journey.outcome,
        stats={
            "unknowns": k.unknowns,
            "points": k.points,
            "evaluations": sum(row.of == "equilibrium" for row in journey.iterations),
            "corrections": [record.iterations for record in journey.records],
            "bytes moved": getattr(structure.engine, "bytes_moved", 0),
        },
        notes=(
            *solid.notes,
            *scale_notes(solid, unit, int(solid.mesh.nelements)),
            *softened,
            *getattr(unit, "notes", ()),
            *_large_strain_note(journey, loads),
            *_inexact_notes(journey),
        ),
        inputs={
            "mesh": solid.source,
            **describe_unit(unit),
            **{name: value for name, value in asdict(given).items() if value},
        },
        provenance=Provenance(
            {"mesh": solid.source, "material": unit.signature()},
            dict(asked),
            installed_versions(),
            this_machine(),
            clock.started,
            dict(clock.elapsed),
        ),
        solid=solid,
        unit=unit,
    )


def _memory(found: dict[str, float], points: int) -> dict[str, float]:
    """Add what the state would take if every point had its own."""
    return {**found, "points": float(points), "without sharing": found["bytes a point"] * points}


def _driven(solid: SolidMesh, given: Conditions) -> tuple[str, int]:
    """Return the boundary and axis that is moved or pulled most: the curve of load against displacement."""
    for name, values in given.supports.items():
        moved = [component for component, value in values.items() if _nonzero(value)]
        if moved:
            return name, "xyz".index(moved[0])
    for name, vector in given.tractions.items():
        sizes = [_nonzero(value) for value in vector]
        return name, sizes.index(True) if True in sizes else 0
    return next(iter(given.supports)), solid.dim - 1


def _nonzero(value: Any) -> bool:
    return value not in (0, 0.0) and not (isinstance(value, str) and value.split()[0].strip("0.+-") == "")


def _checks(journey: Journey, rtol: float) -> tuple[Check, ...]:
    rows = [row for row in journey.iterations if row.of == "equilibrium" and np.isfinite(row.residual)]
    reached = [row.residual for row in rows if row.outcome == "converged"] or [r.residual for r in rows[-1:]]
    last = journey.records[-1] if journey.records else None
    works = (0.0, 0.0) if last is None else (last.external, last.internal)
    turned = sum(
        abs(b.external - a.external) for a, b in zip(journey.records, journey.records[1:], strict=False)
    ) + abs(journey.records[0].external if journey.records else 0.0)
    return (
        *_micro_checks(journey),
        *_sharing_checks(journey),
        Check(
            "equilibrium",
            max(reached, default=1.0),  # without any, all is out of balance
            rtol,
            meaning="largest relative residual at a committed increment, the last one where there is none, "
            "against the rtol asked for",
        ),
        Check(
            "forces from outside",
            _unbalanced(journey),
            max(_SUM_TOLERANCE, 10 * rtol),
            meaning="sum of reactions and loads, relative to their sizes, the largest of the path; ten times "
            "the residual's tolerance, and roundings",
        ),
        Check(
            "energy",
            abs(works[0] - works[1]) / turned if turned else 0.0,
            max(_SUM_TOLERANCE, 10 * rtol),
            meaning="work of reactions and loads against the work of the stresses (Hill-Mandel of the "
            "structure), relative to what was turned over; ten times the residual's tolerance",
        ),
    )


def _micro_checks(journey: Journey) -> tuple[Check, ...]:
    """Hill-Mandel of every representative volume at each committed increment; none where points are laws."""
    size = max((record.micro_size for record in journey.records), default=0.0)
    if size == 0.0:
        return ()
    gap = max(record.micro_gap for record in journey.records)
    return (
        Check(
            "Hill-Mandel of the points, worst step",
            gap / size,
            HILL_MANDEL,
            meaning="In every representative volume the mean of stress times strain is the product of the "
            "stress and strain that are handed up, relative to the largest of any point and step, or to "
            "1e-4 of what its phases' mean stiffness would store where it carries less; the tolerance is a "
            "hundred times that of its equilibrium.",
        ),
    )


def _sharing_checks(journey: Journey) -> tuple[Check, ...]:
    """What sharing answers cost, as far as the samples saw it; none where points do not share."""
    share = journey.trial.structure.share
    if share is None:
        return ()
    return (
        Check(
            "points that share an answer, worst of the samples",
            max((record.sharing_error for record in journey.records), default=0.0),
            share.error,
            meaning="Points that shared an answer and were solved anew along their own strains: largest "
            "error of their stresses, relative to the largest stress of any point at that increment; the "
            "tolerance is the error asked for.",
        ),
    )


def _large_strain_note(journey: Journey, loads: np.ndarray) -> tuple[str, ...]:
    """Say where strains are not small though laws take them so; of a crack they are its smeared opening."""
    cracked = any(record.lowest < _SOFTENS for record in journey.records)
    largest = 0.0 if cracked or loads.shape[1] == 9 else float(np.abs(loads).max(initial=0.0))
    if largest <= LARGEST_STRAIN:
        return ()
    return (
        f"Strains reach {largest:.3g}, where laws of small strain mean nothing: check displacements and "
        "their units, or take laws of finite strain.",
    )


def _inexact_notes(journey: Journey) -> tuple[str, ...]:
    """Say where the path went on from an archive in reduced precision."""
    told = []
    for one in journey.inexact:
        bounds = ", ".join(f"{name.removeprefix('state/')} {b:.1e}" for name, b in one["bounds"].items())
        told.append(
            f"After step {one['step']} the path went on from an archive in {one['precision']}: internal "
            f"variables were off by at most {bounds or 'nothing'}."
        )
    return tuple(told)


def _unbalanced(journey: Journey) -> float:
    trial = journey.trial
    outer = outer_forces(trial)
    dofs = trial.structure.kinematics.basis.nodal_dofs
    every = trial.structure.kinematics
    component = np.zeros(every.unknowns, dtype=int)
    component[every.dofs.ravel()] = np.tile(np.arange(every.dofs.shape[1]) % len(dofs), len(every.dofs))
    sums = np.bincount(component, outer, len(dofs))
    records = journey.records
    passed = [abs(force) for record in records for one in record.reactions.values() for force in one]
    size = max(float(np.abs(outer).sum()), *passed, 0.0)  # at the end there may be none
    return float(np.abs(sums).max()) / size if size else 0.0


def _softening_note(journey: Journey, solid: SolidMesh, unit: HistoryUnit) -> tuple[str, ...]:
    """Say from where on a point softens, unless its law was given the width of the elements."""
    first = next((record for record in journey.records if record.lowest < _SOFTENS), None)
    if first is None or journey.trial.structure.kinematics.finite:  # dP/dF turns with the point, and may
        return ()
    said = f"From factor {first.factor:.4g} on a point softens. "
    if (edge := volume_edge(unit)) > 0:
        return (
            f"{said}What the zone of failure takes is right where elements are as wide as the volume "
            f"({edge:.4g} m), and grows with their width: a crack in it is one in each of its copies.",
        )
    band = float(getattr(getattr(unit, "law", None), "band", 0.0))
    if band == 0.0:
        return (
            f"{said}Its law has no length: what the zone of failure takes falls with the size of the elements"
            ". Give the law the width of an element (a crack band: fracture_energy with length).",
        )
    shortest, longest = edge_lengths(solid)
    if shortest / _SAME_WIDTH <= band <= longest * _SAME_WIDTH:
        return ()
    return (
        f"{said}Its law gives the fracture energy to a band {band:.4g} m wide, and edges of elements are "
        f"{shortest:.4g} to {longest:.4g} m long: what the zone of failure takes is off by about the ratio.",
    )
