"""Slabs, cylinders and spheres of layers: k by discrete directions along rays, for cases with exact answers.

With sources flat in thin cells, the flux of every cell by the source of every other is a matrix for each
group; scattering and fission then make an eigenproblem that is solved directly, without iterating.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.threads import in_slabs, thread_count
from scalebridge.reactor.lattice_cells import length, whole
from scalebridge.reactor.layer_kernels import respond
from scalebridge.reactor.materials import MultigroupMaterial, materials_from, same_groups

Geometry = Literal["slab", "cylinder", "sphere"]
_BACK = {"vacuum": 0.0, "reflective": 1.0}


@dataclass(frozen=True, eq=False)
class LayeredSolution:
    """The fundamental mode of layers.

    Args:
        multiplication: k, extrapolated from two meshes.
        edges: (cells + 1,) cm, of cells.
        flux: (cells, G) scalar flux, of one neutron of fission over k.
        balance: leakage plus absorption less fission over k, a neutron.
        leakage: part of neutrons that leaves.
        on_mesh: k of the finer mesh, whose flux is told.
    """

    multiplication: float
    edges: np.ndarray
    flux: np.ndarray
    balance: float
    leakage: float
    on_mesh: float = math.nan


@dataclass(frozen=True, eq=False)
class _Rays:
    start: np.ndarray
    cells: np.ndarray
    lengths: np.ndarray
    cosines: np.ndarray
    weights: np.ndarray
    turning: np.ndarray


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
        cells: in all layers together, at least four in each; shared by optical thickness.
        directions: a hemisphere (slab), polar ones (cylinder); of a curved cell two rays through each shell.
        order: highest order of scattering; the data's unless given (in a cylinder at most 1).

    Raises:
        InputError: something in the input cannot be right.

    Limits: one dimension; flat sources, second order in the size of cells, which extrapolation takes away.
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
    most = max(m.order for m in used.values()) if order is None else order
    most = min(most, 1) if geometry == "cylinder" else most
    widths = [length(f"thicknesses[{i}]", given) for i, given in enumerate(thicknesses)]
    media, back = [used[name] for name in layers], (_BACK[inner] if geometry == "slab" else 1.0)
    counts = _counts(widths, media, whole("cells", cells))
    open_ends = (geometry == "slab" and inner == "vacuum", True)

    def solved(scale: int) -> LayeredSolution:
        edges, owner = _mesh(widths, scale * counts, open_ends)
        rays, exact = _rays_of(geometry, edges, whole("directions", directions))
        return _solve(rays, [media[i] for i in owner], exact, edges, back, _BACK[outer], most)

    half, full = solved(1), solved(2)
    # Flat sources err with the square of the cells' size, so that two solutions tell the limit.
    limit = full.multiplication + (full.multiplication - half.multiplication) / 3.0
    return replace(full, multiplication=limit, on_mesh=full.multiplication)


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


def _rays_of(geometry: Geometry, edges: np.ndarray, directions: int) -> tuple[_Rays, np.ndarray]:
    """Rays whose lengths are scaled so that volumes are exact, and the volumes."""
    rays = _RAYS[geometry](edges, directions)
    seen = np.bincount(rays.cells, rays.lengths * np.repeat(rays.weights, np.diff(rays.start)))
    exact = _volumes(geometry, edges)
    return replace(rays, lengths=rays.lengths * (exact / seen)[rays.cells]), exact


def _volumes(geometry: Geometry, edges: np.ndarray) -> np.ndarray:
    power = {"slab": 1, "cylinder": 2, "sphere": 3}[geometry]
    factor = {"slab": 1.0, "cylinder": math.pi, "sphere": 4.0 * math.pi / 3.0}[geometry]
    return factor * np.diff(edges**power)


def _half_gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1.0), 0.5 * weights


def _slab_rays(edges: np.ndarray, count: int) -> _Rays:
    mu, weight = _half_gauss(count)
    number = len(edges) - 1
    cells = np.concatenate([np.arange(number)[::-1], np.arange(number)])
    sign = np.repeat([-1.0, 1.0], number)
    far = np.diff(edges)[cells]
    starts = np.arange(count + 1) * 2 * number
    lengths = np.concatenate([far / m for m in mu])
    cosines = np.concatenate([sign * m for m in mu])
    return _Rays(starts, np.tile(cells, count), lengths, cosines, 0.5 * weight * mu, starts[:-1] + number)


def _chords(
    edges: np.ndarray,
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]:
    """Chords through shells: cells, lengths, rise of the radius, impact parameters, their weights."""
    nodes, weights = _half_gauss(2)
    low, width = edges[:-1], np.diff(edges)
    # Squared: the lengths of chords have a root at the shell's edge, which this takes away.
    impact = np.concatenate([low + width * (1.0 - (1.0 - t) ** 2) for t in nodes])
    step = np.concatenate([width * 2.0 * (1.0 - t) * w for t, w in zip(nodes, weights, strict=True)])
    cells, lengths, rises = [], [], []
    for h in impact:
        first = int(np.searchsorted(edges, h, side="right")) - 1
        radii = np.concatenate([[h], edges[first + 1 :]])
        far, rise = np.diff(np.sqrt(np.maximum((radii - h) * (radii + h), 0.0))), np.diff(radii)
        inside = np.arange(first, len(edges) - 1)
        cells.append(np.concatenate([inside[::-1], inside]))
        lengths.append(np.concatenate([far[::-1], far]))
        rises.append(np.concatenate([-rise[::-1], rise]))
    return cells, lengths, rises, impact, step


def _sphere_rays(edges: np.ndarray, _count: int) -> _Rays:
    cells, lengths, rises, impact, step = _chords(edges)
    starts = np.cumsum([0, *map(len, cells)])
    cosines = np.concatenate(rises) / np.concatenate(lengths)
    turning = starts[:-1] + np.diff(starts) // 2
    return _Rays(
        starts,
        np.concatenate(cells),
        np.concatenate(lengths),
        cosines,
        2.0 * math.pi * impact * step,
        turning,
    )


def _cylinder_rays(edges: np.ndarray, count: int) -> _Rays:
    cells, lengths, rises, _, step = _chords(edges)
    mu, weight = _half_gauss(count)
    sines = np.sqrt(1.0 - mu**2)
    starts = np.cumsum([0, *np.tile([len(c) for c in cells], count)])
    flat = np.concatenate(lengths)
    return _Rays(
        starts,
        np.tile(np.concatenate(cells), count),
        np.concatenate([flat / s for s in sines]),
        np.concatenate([np.concatenate(rises) * s / flat for s in sines]),
        np.concatenate([2.0 * step * w * s for w, s in zip(weight, sines, strict=True)]),
        starts[:-1] + np.diff(starts) // 2,
    )


_RAYS = {"slab": _slab_rays, "cylinder": _cylinder_rays, "sphere": _sphere_rays}


def _solve(
    rays: _Rays,
    media: list[MultigroupMaterial],
    volumes: np.ndarray,
    edges: np.ndarray,
    inner: float,
    outer: float,
    order: int,
) -> LayeredSolution:
    groups, cells, moments = media[0].groups, len(media), order + 1
    totals = np.stack([m.total for m in media])
    reach = moments * cells
    response = np.zeros((groups, reach, reach))
    for g in range(groups):
        response[g] = _response(rays, np.ascontiguousarray(totals[:, g]), inner, outer, moments)
        response[g] /= np.tile(volumes, moments)[:, None]
        response[g] /= np.tile(totals[:, g], moments)[None, :]
    scatter = np.zeros((moments, cells, groups, groups))
    for c, medium in enumerate(media):
        known = medium.scatter[:moments]
        scatter[: len(known), c] = known
    # fluxes = response (scatter fluxes + chi F / k), all groups and moments together
    full = np.eye(groups * reach)
    for g in range(groups):
        for h in range(groups):
            into = scatter[:, :, h, g].ravel()
            full[g * reach : (g + 1) * reach, h * reach : (h + 1) * reach] -= response[g] * into[None, :]
    made = np.stack([m.nu_fission for m in media])
    chi = np.stack([m.chi_matrix for m in media])
    return _eigen(full, response, made, chi, volumes, edges, media)


def _eigen(full, response, made, chi, volumes, edges, media) -> LayeredSolution:
    """Largest eigenvalue of the matrix that takes fission neutrons to those of the next generation."""
    groups, cells, reach = len(response), len(volumes), response.shape[1]
    columns = np.zeros((groups * reach, groups * cells))  # by neutrons made by group h in cell c
    for h in range(groups):
        for g in range(groups):
            born = response[g][:, :cells] * chi[:, h, g]
            columns[g * reach : (g + 1) * reach, h * cells : (h + 1) * cells] = born
    answers = np.linalg.solve(full, columns).reshape(groups, reach, groups * cells)[:, :cells]
    fission = (made.T[:, :, None] * answers).reshape(groups * cells, groups * cells)
    kept = np.flatnonzero(made.T.ravel() > 0)
    values, vectors = np.linalg.eig(fission[np.ix_(kept, kept)])
    best = int(np.argmax(np.real(values)))
    k = float(np.real(values[best]))
    source = np.zeros(groups * cells)
    source[kept] = np.abs(np.real(vectors[:, best]))
    flux = (answers @ source).T / k
    neutrons = float(np.sum((flux * made).sum(axis=1) * volumes)) / k
    flux /= neutrons
    absorbed = np.stack([m.removal_absorption for m in media])
    lost = float(np.sum((flux * absorbed).sum(axis=1) * volumes))
    spectrum = float(np.sum(np.einsum("cg,cgh->c", flux * made, chi) * volumes)) / k
    return LayeredSolution(k, edges, flux, spectrum - lost, (spectrum - lost) / spectrum)


def _response(rays: _Rays, total: np.ndarray, inner: float, outer: float, moments: int) -> np.ndarray:
    count = moments * len(total)
    threads = thread_count()
    found = np.zeros((threads, count, count))
    in_slabs(
        respond, len(rays.weights), rays.start, rays.cells, rays.lengths, rays.cosines, rays.weights,
        rays.turning, total, inner, outer, moments, found, threads=threads,
    )  # fmt: skip
    return found.sum(axis=0)
