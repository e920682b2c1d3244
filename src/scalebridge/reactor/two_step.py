"""The two-step problem: constants made in a lattice's surroundings, used in a core that has others.

What equivalence keeps, it keeps for the surroundings in which the factors were made. An assembly on its own,
with sides that reflect, is not the assembly in its core: the difference is the environment error. It is
stated by `two_step_core` where the fine solution of the whole core is known, and reduced by surroundings that
are more like the core's: every quarter of an assembly takes its constants from the assemblies around its
corner.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.reactor.core_constants import CoreConstants, merge_constants
from scalebridge.reactor.core_inputs import read_boundary
from scalebridge.reactor.core_mesh import SIDES
from scalebridge.reactor.core_methods import solve_volumes
from scalebridge.reactor.core_problem import CoreProblem
from scalebridge.reactor.diffusion_faces import face_factors
from scalebridge.reactor.equivalence_study import EquivalenceMethod, EquivalenceStudy
from scalebridge.reactor.equivalent_constants import Passage, equivalent_constants, study_of
from scalebridge.reactor.pin_regions import PinDiffusion, tally_mesh
from scalebridge.reactor.pin_tally import PinTally
from scalebridge.reactor.window_scales import matched_scales

Surroundings = Literal["itself", "corners"]
Solve = Callable[[list[list[str]], dict[str, Any]], PinTally]
_WEST, _EAST, _SOUTH, _NORTH = SIDES[:4]


@dataclass(frozen=True)
class Window:
    """Assemblies that are solved together, and what is at their sides.

    Args:
        rows: first and last row of the core's map, the last not included.
        columns: likewise.
        names: of the assemblies, row by row.
        boundary: by side.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    names: tuple[tuple[str, ...], ...]
    boundary: tuple[tuple[str, Any], ...]

    @property
    def question(self) -> tuple[Any, ...]:
        """What is asked of the fine solver: windows that ask the same are solved once."""
        return self.names, self.boundary


def two_step_core(
    core: Sequence[Sequence[str]],
    solve: Solve,
    reference: PinTally,
    *,
    fuelled: Collection[str],
    boundary: Mapping[str, Any],
    surroundings: Surroundings = "itself",
    method: EquivalenceMethod = "discontinuity",
    groups: Sequence[Sequence[int]] | None = None,
    diffusion: PinDiffusion = "mean-transport",
    rtol: float = 1e-9,
) -> EquivalenceStudy:
    """Solve a core pin by pin with constants of its parts, and state the environment error.

    Args:
        core: map of names of assemblies, the northern row first.
        solve: fine solution of a map of assemblies with a boundary by side, as a tally of its pins.
        reference: fine solution of the whole core.
        fuelled: names of assemblies with fuel; others are never solved on their own.
        boundary: of the core, by side: a condition of `solve_core`.
        surroundings: "itself" (each fuelled assembly alone, its sides reflect), or "corners".
        method: how the constants of each part are made equivalent.
        groups: fine groups of each coarse one.
        diffusion: coefficients of pins, as in `equivalent_constants`.
        rtol: residual of the coarse core.

    Returns:
        the study of the coarse core: the errors of its rates and powers are the environment error.

    Raises:
        InputError: something cannot be right.

    Cost: a fine solution of each window that is unlike the others: one assembly, or up to four.
    Source: K. S. Smith, Prog. Nucl. Energy 17 (1986) 303; for sets of assemblies, R. Sanchez, Prog. Nucl.
        Energy 51 (2009) 14.
    """
    watch = Stopwatch()
    names = _checked(core, fuelled, surroundings, boundary)
    coarse = reference if groups is None else reference.condensed(tuple(tuple(part) for part in groups))
    parts = _quarters(names, fuelled, boundary, surroundings)
    studies: dict[tuple[Any, ...], EquivalenceStudy] = {}
    for window in parts.values():
        if window.question not in studies:
            sides = dict(window.boundary)
            tally = solve([list(row) for row in window.names], sides)
            given = "measured" if method == "superhomogenization" else sides
            studies[window.question] = equivalent_constants(
                tally, method, boundary=given, groups=groups, diffusion=diffusion
            )
    watch.lap("windows")
    problem, factors = _pasted(names, parts, studies, coarse, boundary)
    found = solve_volumes(problem, rtol)
    passage = Passage(
        problem.constants,
        factors,
        notes=(
            "Two steps: constants of parts in the whole core; what is not kept is the environment error.",
        ),
    )
    return replace(
        study_of(method, coarse, problem, found, passage, watch, lap="core"),
        stats={"windows": len(studies)},
        provenance=Provenance(
            {"core": [list(row) for row in names]},
            {"method": method, "surroundings": surroundings, "diffusion": diffusion},
            installed_versions(),
            this_machine(),
            watch.started,
            watch.elapsed,
        ),
    )


def window_around(
    names: Sequence[Sequence[str]],
    rows: tuple[int, int],
    columns: tuple[int, int],
    boundary: Mapping[str, Any],
) -> Window:
    """Return a part of a core: its sides are the core's where they are at its edge, and reflect elsewhere.

    Args:
        names: of the whole core.
        rows: first and last row, the last not included; cut to the core.
        columns: likewise.
        boundary: of the core, by side.
    """
    top, bottom = max(rows[0], 0), min(rows[1], len(names))
    left, right = max(columns[0], 0), min(columns[1], len(names[0]))
    at_edge = {
        _WEST: left == 0,
        _EAST: right == len(names[0]),
        _SOUTH: bottom == len(names),
        _NORTH: top == 0,
    }
    sides = tuple((side, boundary[side] if edge else "reflective") for side, edge in at_edge.items())
    part = tuple(tuple(row[left:right]) for row in names[top:bottom])
    return Window((top, bottom), (left, right), part, sides)


def _quarters(
    names: list[list[str]], fuelled: Collection[str], boundary: Mapping[str, Any], surroundings: Surroundings
) -> dict[tuple[int, int, int, int], Window]:
    """Return the window of each quarter: row and column of the assembly, lower half, right half."""
    found = {}
    for i, row in enumerate(names):
        for j, name in enumerate(row):
            for down in (0, 1):
                for right in (0, 1):
                    if surroundings == "itself" and name in fuelled:
                        alone = window_around(names, (i, i + 1), (j, j + 1), boundary)
                        sides = tuple((side, "reflective") for side, _ in alone.boundary)
                        window = Window(alone.rows, alone.columns, alone.names, sides)
                    else:
                        window = _corner(names, (i, j), (down, right), fuelled, boundary)
                    found[i, j, down, right] = window
    return found


def _corner(
    names: list[list[str]],
    place: tuple[int, int],
    half: tuple[int, int],
    fuelled: Collection[str],
    boundary: Mapping[str, Any],
) -> Window:
    """Return the assemblies around a corner of one; without fuel there, around another of its corners."""
    for turn in ((0, 0), (1, 0), (0, 1), (1, 1)):
        i, j = (p + (h + t) % 2 for p, h, t in zip(place, half, turn, strict=True))
        window = window_around(names, (i - 1, i + 1), (j - 1, j + 1), boundary)
        if any(name in fuelled for row in window.names for name in row):
            return window
    i, j = place  # no fuel at any corner: all assemblies around
    return window_around(names, (i - 2, i + 3), (j - 2, j + 3), boundary)


def _pasted(
    names: list[list[str]],
    parts: Mapping[tuple[int, int, int, int], Window],
    studies: Mapping[tuple[Any, ...], EquivalenceStudy],
    reference: PinTally,
    boundary: Mapping[str, Any],
) -> tuple[CoreProblem, np.ndarray | None]:
    """Return the coarse core whose pins have the constants and factors of their quarters' windows."""
    height, width = (
        whole // count for whole, count in zip(reference.volume.shape, np.shape(names), strict=True)
    )
    order = {question: number for number, question in enumerate(studies)}
    sizes = [study.regions.size for study in studies.values()]
    first = np.concatenate([[0], np.cumsum(sizes)])
    groups = reference.flux.shape[-1]
    label = np.zeros(reference.volume.shape, dtype=int)
    windows = {window: number for number, window in enumerate(dict.fromkeys(parts.values()))}
    owner = np.zeros_like(label)
    factors, outer = np.ones((2, *label.shape, 4, groups))
    for (i, j, down, right), window in parts.items():
        study = studies[window.question]
        rows, columns = _half(height, down), _half(width, right)
        there = np.ix_(i * height + rows, j * width + columns)
        inside = np.ix_((i - window.rows[0]) * height + rows, (j - window.columns[0]) * width + columns)
        label[there] = first[order[window.question]] + study.regions[inside]
        outer[there] = study.gamma[inside]
        owner[there] = windows[window]
        if study.factors is not None:
            factors[there] = study.factors[inside]
    mesh = tally_mesh(reference)
    conditions = read_boundary(dict(boundary), 2, groups)
    gamma = np.array([conditions[SIDES[side]][1] for side in mesh.side]).reshape(-1, groups)
    own = outer.reshape(mesh.cells, 4, groups)[mesh.rim, mesh.side]
    scale = _scales(windows, studies, owner, (height, width)).reshape(mesh.cells, groups)
    gamma = np.where(np.isfinite(own) & (gamma > 0), own * scale[mesh.rim], gamma)
    constants = merge_constants([study.constants for study in studies.values()]).of(label.ravel())
    factor = face_factors(mesh, factors.reshape(mesh.cells, 4, groups), groups)
    problem = CoreProblem(mesh, np.arange(mesh.cells), _scaled(constants, scale), gamma, factor)
    jumped = any(study.factors is not None for study in studies.values())
    return problem, factors if jumped else None


def _scales(
    windows: Mapping[Window, int],
    studies: Mapping[tuple[Any, ...], EquivalenceStudy],
    owner: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Return by what superhomogenization factors of each pin's window are multiplied, (ny, nx, G)."""
    found = []
    for window in windows:
        study = studies[window.question]
        if study.superhomogenization is None:
            return np.ones((*owner.shape, study.constants.groups))
        there = np.full((*owner.shape, study.constants.groups), np.nan)
        rows, columns = (
            slice(*(n * at for at in ends))
            for n, ends in zip(size, (window.rows, window.columns), strict=True)
        )
        there[rows, columns] = study.superhomogenization[study.regions]
        found.append(there)
    return matched_scales(owner, found)[owner]


def _scaled(constants: CoreConstants, scale: np.ndarray) -> CoreConstants:
    """Return constants multiplied as by superhomogenization factors, (R, G)."""
    named = ("diffusion", "absorption", "nu_fission", "fission", "total")
    values: dict[str, Any] = {name: getattr(constants, name) for name in named}
    known = {name: value * scale for name, value in values.items() if value is not None}
    return replace(constants, **known, scatter=constants.scatter * scale[:, :, None])


def _half(count: int, second: int) -> np.ndarray:
    middle = (count + 1) // 2
    return np.arange(middle, count) if second else np.arange(middle)


def _checked(core: Any, fuelled: Any, surroundings: Any, boundary: Any) -> list[list[str]]:
    names = [list(row) for row in core]
    if not names or len({len(row) for row in names}) != 1:
        raise InputError("core", got=repr(core), wanted="rows of one length", cure="fill the short ones")
    if not any(name in fuelled for row in names for name in row):
        raise InputError(
            "fuelled", got=repr(fuelled), wanted="names of assemblies of the core", cure="name one at least"
        )
    if surroundings not in get_args(Surroundings):
        raise InputError(
            "surroundings", got=repr(surroundings), wanted="'itself' or 'corners'", cure="choose one of them"
        )
    missing = [side for side in SIDES[:4] if side not in boundary]
    if missing:
        raise InputError(
            "boundary", got=f"nothing for {missing[0]}", wanted="all four sides", cure="name every side"
        )
    return names
