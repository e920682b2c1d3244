"""From what a person writes of a coarse core to arrays: map, widths, constants, boundaries, factors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.units import parse_quantity
from scalebridge.reactor.core_constants import CoreConstants, merge_constants
from scalebridge.reactor.core_mesh import LOWER_SIDE, SIDES, UPPER_SIDE, CoreMesh, core_mesh
from scalebridge.reactor.core_problem import CoreProblem
from scalebridge.reactor.diffusion_faces import face_factors
from scalebridge.reactor.region_constants import region_constants

VOID = ("", ".", None)
"""What stands in a map where there is nothing."""
VACUUM, ZERO, REFLECTIVE, PERIODIC = "vacuum", "zero flux", "reflective", "periodic"
_GAMMA = {VACUUM: 0.5, ZERO: math.inf, REFLECTIVE: 0.0, PERIODIC: 0.0}
_MOST = 600_000  # unknowns of a group that are factorised; beyond, a direct solver's fill takes over
_MOST_3D = 60_000


@dataclass(frozen=True, eq=False)
class CoreInput:
    """A coarse core as it was asked for, in arrays.

    Args:
        nodes: (map...) region of each node, -1 in empty ones.
        widths: of the nodes along x, y, z, cm.
        counts: into how many volumes they are cut.
        constants: of the regions.
        gamma: (G,) outward current by flux of each side.
        periodic: axes along which the core repeats.
        factors: (map..., 2 dim, G) discontinuity factors, or None.
        buckling: of the direction that the map does not have, 1/cm^2.
    """

    nodes: np.ndarray
    widths: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
    constants: CoreConstants
    gamma: dict[str, np.ndarray]
    periodic: tuple[int, ...]
    factors: np.ndarray | None
    buckling: float


def read_core(
    core: Any,
    materials: Mapping[str, Any],
    *,
    pitch: Any,
    boundary: Any,
    largest_cell: Any = None,
    buckling: Any = 0.0,
    factors: Any = None,
) -> CoreInput:
    """Return the core as arrays.

    Args:
        core: see `solve_core`, and so is all else.
        materials: constants by name.
        pitch: edges of the nodes.
        boundary: conditions at the outer faces.
        largest_cell: volumes are no longer than this.
        buckling: of the direction that the map does not have.
        factors: discontinuity factors.

    Raises:
        InputError: something cannot be right.
    """
    names = _names(core)
    used = _needed(names, materials)
    constants = merge_constants([region_constants(name, materials[name]) for name in used])
    nodes = np.full(names.shape, -1)
    for number, name in enumerate(constants.names):
        nodes[names == name] = number
    if not constants.nu_fission.any():
        raise InputError(
            "materials", got="no nu_fission in any node", wanted="fuel somewhere", cure="check nu_fission"
        )
    widths = _widths(pitch, names.shape)
    conditions = read_boundary(boundary, names.ndim, constants.groups)
    return CoreInput(
        nodes,
        tuple(widths),
        tuple(_counts(widths, largest_cell)),
        constants,
        {side: gamma for side, (_, gamma) in conditions.items()},
        tuple(_periodic_axes(conditions, nodes)),
        read_factors(factors, constants, nodes),
        _length("buckling", buckling, "1/cm^2", least=-math.inf),
    )


def on_mesh(given: CoreInput, counts: Sequence[np.ndarray] | None = None) -> CoreProblem:
    """Return the core on a mesh.

    Args:
        given: the core.
        counts: into how many volumes the nodes are cut along each axis, in place of what was asked.

    Raises:
        InputError: there are more volumes than a direct solver can factorise.
    """
    cuts = given.counts if counts is None else counts
    cells = math.prod(int(row.sum()) for row in cuts) * float((given.nodes >= 0).mean())
    most = _MOST_3D if given.nodes.ndim == 3 else _MOST
    if cells > most:
        raise InputError(
            "largest_cell",
            got=f"some {cells:.0f} volumes",
            wanted=f"at most {most} in {given.nodes.ndim} dimensions, which a direct solver can factorise",
            cure="raise largest_cell, or use method='nodal', which needs fewer",
        )
    mesh = core_mesh(given.nodes, given.widths, cuts, given.periodic)
    groups = given.constants.groups
    gamma = np.array([given.gamma[SIDES[side]] for side in mesh.side]).reshape(-1, groups)
    factor = face_factors(mesh, cell_factors(given.factors, mesh), groups)
    regions = given.nodes.ravel()[mesh.node]
    return CoreProblem(mesh, regions, given.constants, gamma, factor, given.buckling)


def read_boundary(given: Any, dim: int, groups: int) -> dict[str, tuple[Any, np.ndarray]]:
    """Return the condition and (G,) outward current by flux of each side.

    Args:
        given: a condition for all sides, or conditions by side, with "others" for the rest.
        dim: number of axes.
        groups: number of groups.

    Raises:
        InputError: an unknown side or condition, or a side without one.
    """
    sides = SIDES[: 2 * dim]
    table = dict(given) if isinstance(given, Mapping) else {"others": given}
    wrong = [key for key in table if key not in (*sides, "others")]
    missing = [side for side in sides if side not in table and "others" not in table]
    if wrong or missing:
        raise InputError(
            "boundary",
            got=f"{wrong[0]!r}" if wrong else f"nothing for {missing[0]}",
            wanted=f"conditions for {', '.join(sides)}, or for 'others'",
            cure="name every side, or give one condition for all",
        )
    return {side: _condition(side, table.get(side, table.get("others")), groups) for side in sides}


def _condition(side: str, given: Any, groups: int) -> tuple[Any, np.ndarray]:
    if isinstance(given, str):
        if given in _GAMMA:
            return given, np.full(groups, _GAMMA[given])
    else:
        albedo = np.asarray(given, dtype=float) if not isinstance(given, bool | None) else np.empty(0)
        if albedo.shape in ((), (groups,)) and (albedo >= 0).all() and (albedo <= 1).all():
            return albedo, np.broadcast_to((1 - albedo) / (2 * (1 + albedo)), groups)
    raise InputError(
        f"boundary.{side}",
        got=repr(given),
        wanted=f"{', '.join(map(repr, _GAMMA))}, or an albedo from 0 to 1, one or {groups} by group",
        cure="choose one of them",
    )


def _periodic_axes(conditions: Mapping[str, tuple[Any, np.ndarray]], nodes: np.ndarray) -> list[int]:
    found = []
    for axis in range(nodes.ndim):
        pair = [conditions[side][0] for side in SIDES[2 * axis : 2 * axis + 2]]
        repeats = [isinstance(one, str) and one == PERIODIC for one in pair]
        ends = np.take(nodes, [0, -1], axis=nodes.ndim - 1 - axis)
        if any(repeats) and not (all(repeats) and (ends >= 0).all()):
            raise InputError(
                "boundary",
                got=f"'periodic' on {' and '.join(SIDES[2 * axis : 2 * axis + 2])} that do not match",
                wanted="both sides periodic, and no empty nodes along them",
                cure="make both of them periodic, or none",
            )
        if all(repeats):
            found.append(axis)
    return found


def read_factors(given: Any, constants: CoreConstants, nodes: np.ndarray) -> np.ndarray | None:
    """Return (map..., 2 dim, G) discontinuity factors of the nodes, or None.

    Args:
        given: None; an array (map..., 2 dim, G); or by region name an array (G,) for all sides or (2 dim, G).
        constants: of the regions.
        nodes: region of each node.

    Raises:
        InputError: a shape or a value cannot be right.
    """
    if given is None:
        return None
    shape = (2 * nodes.ndim, constants.groups)
    if isinstance(given, Mapping):
        wrong = [name for name in given if name not in constants.names]
        if wrong:
            raise InputError(
                "factors",
                got=repr(wrong[0]),
                wanted=", ".join(constants.names),
                cure="name regions of the map",
            )
        by_region = np.ones((len(constants.names), *shape))
        for name, value in given.items():
            by_region[constants.names.index(name)] = _shaped(f"factors.{name}", value, shape)
        found = by_region[nodes]
    else:
        found = _shaped("factors", given, (*nodes.shape, *shape))
    if not (found[nodes >= 0] > 0).all():
        raise InputError(
            "factors", got=f"{found[nodes >= 0].min():.4g}", wanted="numbers above zero", cure="check them"
        )
    return found


def cell_factors(by_node: np.ndarray | None, mesh: CoreMesh) -> np.ndarray | None:
    """Return (cells, 2 dim, G) factors of the volumes: those inside a node are one."""
    if by_node is None:
        return None
    found = by_node.reshape(-1, *by_node.shape[-2:])[mesh.node]
    inside = mesh.node[mesh.lower] == mesh.node[mesh.upper]
    for cells, side in ((mesh.lower, UPPER_SIDE), (mesh.upper, LOWER_SIDE)):
        found[cells[inside], side[mesh.axis[inside]]] = 1.0
    return found


def _shaped(name: str, given: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.broadcast_to(np.asarray(given, dtype=float), shape)
    except (ValueError, TypeError) as error:
        raise InputError(
            name,
            got=f"shape {np.shape(given)}",
            wanted=f"shape {shape}",
            cure="sides, then groups, come last",
        ) from error


def _names(core: Any) -> np.ndarray:
    try:
        found = np.array(core, dtype=object)
    except ValueError:
        found = np.empty(())
    flat = [item for item in found.ravel() if not isinstance(item, str | None)]
    if found.ndim not in (1, 2, 3) or not found.size or flat:
        raise InputError(
            "core",
            got=f"{flat[0]!r} in it" if flat and not isinstance(flat[0], list) else "rows of unequal length",
            wanted="rows of names of regions, all of one length, the northern row first",
            cure="write '' where there is nothing",
        )
    return found


def _needed(names: np.ndarray, materials: Any) -> list[str]:
    used = list(dict.fromkeys(name for name in names.ravel() if name not in VOID))
    known = list(materials) if isinstance(materials, Mapping) else []
    unknown = [name for name in used if name not in known]
    if unknown or not used:
        raise InputError(
            "core",
            got=repr(unknown[0]) if unknown else "nothing but empty nodes",
            wanted=f"names among {', '.join(map(str, known)) or 'no materials'}",
            cure="add it to materials, or correct the map",
        )
    return used


def _widths(pitch: Any, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return the widths of nodes along x, y, z."""
    counts = shape[::-1]
    single = isinstance(pitch, str | int | float)
    given = [pitch] * len(counts) if single else list(pitch)
    if len(counts) == 1 and not single and len(given) == counts[0] and counts[0] != 1:
        given = [given]
    if len(given) != len(counts):
        raise InputError(
            "pitch",
            got=f"{len(given)} entries",
            wanted=f"one for all axes, or one each for {', '.join('xyz'[: len(counts)])}",
            cure="give a length, or a list of widths, along each axis",
        )
    found = []
    for axis, (item, count) in enumerate(zip(given, counts, strict=True)):
        row = [item] * count if isinstance(item, str | int | float) else list(item)
        if len(row) != count:
            raise InputError(
                f"pitch ({'xyz'[axis]})",
                got=f"{len(row)} widths",
                wanted=f"{count}, one for each node of the map",
                cure="give one length, or a width for each node",
            )
        found.append(np.array([_length(f"pitch ({'xyz'[axis]})", one, "cm") for one in row]))
    return found


def _counts(widths: Sequence[np.ndarray], largest: Any) -> list[np.ndarray]:
    if largest is None:
        return [np.ones(len(row), dtype=int) for row in widths]
    edge = _length("largest_cell", largest, "cm")
    return [np.maximum(1, np.ceil(row / edge - 1e-9)).astype(int) for row in widths]


def _length(name: str, given: Any, unit: str, least: float = 0.0) -> float:
    number = parse_quantity(given, unit, name) if isinstance(given, str) else given
    plain = isinstance(number, int | float | np.number) and not isinstance(number, bool)
    if not plain or not math.isfinite(number) or number <= least:
        raise InputError(
            name, got=repr(given), wanted=f"a number above zero in {unit}, or text", cure=f"correct {name}"
        )
    return float(number)
