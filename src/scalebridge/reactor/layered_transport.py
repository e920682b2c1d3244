"""Slabs, cylinders and spheres of layers: k by discrete directions along rays, for cases with exact answers.

The flux of every cell by the source of every other is a matrix for each group, with sources that are
parabolas in the cells of slabs and flat in thin shells; scattering and fission then make an eigenproblem that
is solved directly, without sweeps.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.lattice_cells import length, whole
from scalebridge.reactor.layer_rays import ray_response, rays_of, shell_volumes
from scalebridge.reactor.layer_slabs import SHAPES, slab_response
from scalebridge.reactor.materials import MultigroupMaterial, materials_from, same_groups
from scalebridge.solvers.dominant_mode import dominant_mode

Geometry = Literal["slab", "cylinder", "sphere"]
_BACK = {"vacuum": 0.0, "reflective": 1.0}


@dataclass(frozen=True, eq=False)
class LayeredSolution:
    """The fundamental mode of layers.

    Args:
        multiplication: k; of curved layers extrapolated from two meshes.
        edges: (cells + 1,) cm, of cells.
        flux: (cells, G) scalar flux, of one neutron of fission over k.
        balance: leakage plus absorption less fission over k, a neutron.
        leakage: part of neutrons that leaves.
        on_mesh: k of the finer mesh, whose flux is told.
        mesh_change: what k changed by from the coarser mesh, of half as many cells.
    """

    multiplication: float
    edges: np.ndarray
    flux: np.ndarray
    balance: float
    leakage: float
    on_mesh: float = math.nan
    mesh_change: float = math.nan


def solve_layers(
    geometry: Geometry,
    thicknesses: Sequence[Any],
    layers: Sequence[str],
    materials: Mapping[str, Any],
    *,
    inner: str = "reflective",
    outer: str = "vacuum",
    cells: int = 200,
    directions: int = 24,
    order: int | None = None,
) -> LayeredSolution:
    """Compute k of layers: of a slab from its left face, of a cylinder or a sphere from its middle.

    Args:
        geometry: "slab", "cylinder" (infinitely long) or "sphere".
        thicknesses: of each layer: cm, or text.
        layers: material of each.
        materials: by name.
        inner: of a slab's left face: "reflective" or "vacuum".
        outer: of the right or outer face.
        cells: in all layers together, at least four in each; shared by optical thickness. A slab has a
            third of them, each with a parabola.
        directions: a hemisphere (slab), polar ones (cylinder); of a curved cell two rays through each shell.
        order: highest order of scattering; the data's unless given (in a cylinder at most 1).

    Raises:
        InputError: something in the input cannot be right.

    Limits: one dimension; flat sources of shells are of second order in their size, which extrapolation takes
        away, parabolas in slabs of sixth.
    Cost: cells^2 times rays, and a dense system of cells times groups times moments; some seconds for 200
        cells of two groups.
    Source: E. E. Lewis, W. F. Miller, Computational Methods of Neutron Transport (1984), chapter 5.

    Example:
        >>> fuel = {"total": [0.32640], "scatter": [[0.225216]], "nu_fission": [3.24 * 0.0816], "chi": [1.0]}
        >>> found = solve_layers("slab", ["1.853722 cm"], ["Pu"], {"Pu": fuel}, cells=40)
        >>> round(found.multiplication, 3)  # half a critical slab: A. Sood et al. (2003), case 2
        1.0
    """
    _refuse(geometry, thicknesses, layers, inner, outer)
    unknown = sorted(set(layers) - set(materials))
    if unknown:
        raise InputError("layers", got=", ".join(unknown), wanted="names among materials", cure="define them")
    used = materials_from({name: materials[name] for name in dict.fromkeys(layers)})
    same_groups(used)
    if not any(material.fissile for material in used.values()):
        raise InputError(
            "layers", got="none that makes neutrons", wanted="a layer with nu_fission", cure="add fuel"
        )
    most = max(m.order for m in used.values()) if order is None else order
    most = min(most, 1) if geometry == "cylinder" else most
    widths = [length(f"thicknesses[{i}]", given) for i, given in enumerate(thicknesses)]
    media, back = [used[name] for name in layers], (_BACK[inner] if geometry == "slab" else 1.0)
    counts = _counts(widths, media, whole("cells", cells) // (SHAPES if geometry == "slab" else 1))
    open_ends = (geometry == "slab" and inner == "vacuum", True)

    def solved(scale: int) -> LayeredSolution:
        edges, owner = _mesh(widths, scale * counts, open_ends)
        placed = _placed(geometry, edges, [media[i] for i in owner])
        respond = _responder(geometry, edges, (back, _BACK[outer]), whole("directions", directions), most + 1)
        return _solve(respond, placed, edges, most + 1)

    half, full = solved(1), solved(2)
    change = full.multiplication - half.multiplication
    # Flat sources err with the square of the cells' size, so that two solutions tell the limit.
    limit = full.multiplication + (0.0 if geometry == "slab" else change / 3.0)
    return replace(full, multiplication=limit, on_mesh=full.multiplication, mesh_change=change)


def _refuse(geometry: Any, thicknesses: Any, layers: Any, inner: Any, outer: Any) -> None:
    if geometry not in get_args(Geometry):
        raise InputError(
            "geometry", got=repr(geometry), wanted="'slab', 'cylinder' or 'sphere'", cure="choose one"
        )
    if len(thicknesses) != len(layers) or not len(layers):
        raise InputError(
            "layers",
            got=f"{len(layers)} for {len(thicknesses)} thicknesses",
            wanted="one each",
            cure="correct it",
        )
    for name, given in (("inner", inner), ("outer", outer)):
        if given not in _BACK:
            raise InputError(name, got=repr(given), wanted="'vacuum' or 'reflective'", cure="choose one")


def _counts(widths: list[float], media: list[MultigroupMaterial], cells: int) -> np.ndarray:
    """Cells of each layer on the coarser mesh; layers share them by the root of optical thickness."""
    depth = np.sqrt([w * float(m.total.max()) for w, m in zip(widths, media, strict=True)])
    return np.maximum(4, np.round(0.5 * cells * depth / depth.sum())).astype(int)


def _mesh(
    widths: list[float], counts: np.ndarray, open_ends: tuple[bool, bool]
) -> tuple[np.ndarray, np.ndarray]:
    """Edges of cells, closer to each other near interfaces, and the layer of each cell."""
    edges, start = [np.zeros(1)], 0.0
    for i, (width, count) in enumerate(zip(widths, counts, strict=True)):
        t = np.arange(1, count + 1) / count
        both = i > 0 or open_ends[0]
        edges.append(start + width * (0.5 - 0.5 * np.cos(math.pi * t) if both else np.sin(0.5 * math.pi * t)))
        start += width
    return np.concatenate(edges), np.repeat(np.arange(len(widths)), counts)


@dataclass(frozen=True, eq=False)
class _Placed:
    """Where sources are: material and volume of every shape of every cell; only the first shape has any."""

    media: list[MultigroupMaterial]
    volumes: np.ndarray
    shapes: int


def _placed(geometry: Geometry, edges: np.ndarray, media: list[MultigroupMaterial]) -> _Placed:
    if geometry != "slab":
        return _Placed(media, shell_volumes(geometry, edges), 1)
    volumes = np.zeros((len(media), SHAPES))
    volumes[:, 0] = np.diff(edges)
    return _Placed([m for m in media for _ in range(SHAPES)], volumes.ravel(), SHAPES)


def _responder(
    geometry: Geometry, edges: np.ndarray, back: tuple[float, float], directions: int, moments: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives the flux of every place by the source over total of every other, from totals."""
    if geometry == "slab":
        return lambda total: slab_response(edges, total[::SHAPES], *back, directions, moments)
    rays, volumes = rays_of(geometry, edges, directions), shell_volumes(geometry, edges)
    return lambda total: ray_response(rays, volumes, total, back[1], moments)


def _solve(
    respond: Callable[[np.ndarray], np.ndarray], placed: _Placed, edges: np.ndarray, moments: int
) -> LayeredSolution:
    media = placed.media
    groups, places = media[0].groups, len(media)
    totals = np.stack([m.total for m in media])
    reach = moments * places
    response = np.stack([respond(np.ascontiguousarray(totals[:, g])) for g in range(groups)])
    response /= np.tile(totals.T, moments)[:, None, :]
    scatter = np.zeros((moments, places, groups, groups))
    for c, medium in enumerate(media):
        known = medium.scatter[:moments]
        scatter[: len(known), c] = known
    # fluxes = response (scatter fluxes + chi F / k), all groups and moments together
    full = np.eye(groups * reach)
    for g in range(groups):
        for h in range(groups):
            into = scatter[:, :, h, g].ravel()
            full[g * reach : (g + 1) * reach, h * reach : (h + 1) * reach] -= response[g] * into[None, :]
    return _eigen(full, response[:, :, :places], placed, edges)


def _eigen(full: np.ndarray, born: np.ndarray, placed: _Placed, edges: np.ndarray) -> LayeredSolution:
    """Largest eigenvalue of the matrix that takes fission neutrons to those of the next generation."""
    made = np.stack([m.nu_fission for m in placed.media])
    chi = np.stack([m.chi_matrix for m in placed.media])
    (groups, reach, places), volumes = born.shape, placed.volumes
    group, place = np.nonzero(made.T > 0)  # of neutrons made by a group in a place
    columns = born[:, :, place] * chi[place, group].T[:, None, :]
    answers = np.linalg.solve(full, columns.reshape(groups * reach, -1))
    answers = answers.reshape(groups, reach, -1)[:, :places]
    fission = made[place, group][:, None] * answers[group, place]
    found = dominant_mode(lambda x: fission @ x, volumes[place] / volumes.sum() + 1e-6, rtol=1e-12)
    flux = (answers @ found.vector).T / found.value
    neutrons = float(np.sum((flux * made).sum(axis=1) * volumes)) / found.value
    flux /= neutrons
    absorbed = np.stack([m.removal_absorption for m in placed.media])
    lost = float(np.sum((flux * absorbed).sum(axis=1) * volumes))
    spectrum = float(np.sum(np.einsum("cg,cgh->c", flux * made, chi) * volumes)) / found.value
    means = flux[:: placed.shapes]
    return LayeredSolution(found.value, edges, means, spectrum - lost, (spectrum - lost) / spectrum)
