"""Rays through the shells of cylinders and spheres, and the flux of every shell by the source of every other.

With sources flat in thin shells a ray that comes in, turns and leaves is a row of segments; impact parameters
take the place of directions.

Source: E. E. Lewis, W. F. Miller, Computational Methods of Neutron Transport (1984), chapter 5.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import thread_count
from scalebridge.reactor.layer_kernels import respond

Curved = Literal["cylinder", "sphere"]


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays, each a row of segments from the outer face in and out again.

    Args:
        start: (rays + 1,) first segment of each.
        cells: shell of every segment.
        lengths: cm.
        cosines: of the angle to the radius, in the middle.
        weights: (rays,) of what each stands for.
    """

    start: np.ndarray
    cells: np.ndarray
    lengths: np.ndarray
    cosines: np.ndarray
    weights: np.ndarray


def rays_of(geometry: Curved, edges: np.ndarray, directions: int) -> Rays:
    """Return rays whose lengths are scaled so that the volumes of shells are exact.

    Args:
        geometry: "cylinder" or "sphere".
        edges: (cells + 1,) cm, radii.
        directions: polar ones of a cylinder.
    """
    rays = _RAYS[geometry](edges, directions)
    seen = np.bincount(rays.cells, rays.lengths * np.repeat(rays.weights, np.diff(rays.start)))
    return replace(rays, lengths=rays.lengths * (shell_volumes(geometry, edges) / seen)[rays.cells])


def shell_volumes(geometry: Curved, edges: np.ndarray) -> np.ndarray:
    """Return volumes of shells, cm^3, or cm^2 a cm of height."""
    power, factor = {"cylinder": (2, math.pi), "sphere": (3, 4.0 * math.pi / 3.0)}[geometry]
    return factor * np.diff(edges**power)


def _half_gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1.0), 0.5 * weights


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


def _sphere_rays(edges: np.ndarray, _count: int) -> Rays:
    cells, lengths, rises, impact, step = _chords(edges)
    starts = np.cumsum([0, *map(len, cells)])
    cosines = np.concatenate(rises) / np.concatenate(lengths)
    weights = 2.0 * math.pi * impact * step
    return Rays(starts, np.concatenate(cells), np.concatenate(lengths), cosines, weights)


def _cylinder_rays(edges: np.ndarray, count: int) -> Rays:
    cells, lengths, rises, _, step = _chords(edges)
    mu, weight = _half_gauss(count)
    sines = np.sqrt(1.0 - mu**2)
    starts = np.cumsum([0, *np.tile([len(c) for c in cells], count)])
    flat = np.concatenate(lengths)
    return Rays(
        starts,
        np.tile(np.concatenate(cells), count),
        np.concatenate([flat / s for s in sines]),
        np.concatenate([np.concatenate(rises) * s / flat for s in sines]),
        np.concatenate([2.0 * step * w * s for w, s in zip(weight, sines, strict=True)]),
    )


_RAYS = {"cylinder": _cylinder_rays, "sphere": _sphere_rays}


def ray_response(
    rays: Rays, volumes: np.ndarray, total: np.ndarray, outer: float, moments: int
) -> np.ndarray:
    """Return the mean fluxes of all moments and shells by such sources over total, one group.

    Args:
        rays: the rays.
        volumes: (cells,) of shells.
        total: (cells,) 1/cm.
        outer: part that comes back at the outer face.
        moments: of direction.

    Returns:
        (n, n) with n = moments times cells, the cells innermost.
    """
    count = moments * len(total)
    threads = thread_count()
    found = np.zeros((threads, count, count))
    in_slabs(
        respond, len(rays.weights), rays.start, rays.cells, rays.lengths, rays.cosines, rays.weights, total,
        outer, moments, found, threads=threads,
    )  # fmt: skip
    return found.sum(axis=0) / np.tile(volumes, moments)[:, None]
