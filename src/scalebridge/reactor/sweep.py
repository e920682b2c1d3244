"""A transport sweep: from sources of regions to their fluxes, and currents and fluxes of faces."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.lanes import lanes_of
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import thread_count
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.linear_sources import linear_regions
from scalebridge.reactor.materials import MultigroupMaterial
from scalebridge.reactor.segment_tables import segment_tables
from scalebridge.reactor.sweep_kernels import polars_of, sweep_tracks
from scalebridge.reactor.tracks import Tracks


@dataclass(frozen=True, eq=False)
class Swept:
    """What a sweep gives; regions as of the lattice, rows of faces from the bottom.

    Args:
        flux: (regions, G).
        gain: (regions, G) what tracks brought in less what they took out, 1/cm/s.
        vertical: (ny, nx + 1, G) net currents along +x through vertical faces, 1/cm/s.
        horizontal: (ny + 1, nx, G) the same along +y.
        vertical_flux: (ny, nx + 1, G) scalar flux of these faces.
        horizontal_flux: (ny + 1, nx, G).
    """

    flux: np.ndarray
    gain: np.ndarray
    vertical: np.ndarray
    horizontal: np.ndarray
    vertical_flux: np.ndarray
    horizontal_flux: np.ndarray


class Sweeper:
    """A lattice ready to be swept; keeps the fluxes that enter its tracks from sweep to sweep.

    Fluxes and sources have rows in each region: those of the first angular moment, then of the others; each
    a mean and, if sources are linear, slopes along x and y. All but the scalar flux are kept as `higher`.

    Args:
        found: the lattice.
        tracks: its tracks.
        materials: by name.
        polar: sines and weights.
        order: of scattering that is taken with its angle.
        linear: whether sources are linear in each region.
    """

    def __init__(
        self,
        found: Lattice,
        tracks: Tracks,
        materials: dict[str, MultigroupMaterial],
        polar: tuple[np.ndarray, np.ndarray],
        order: int = 0,
        linear: bool = False,
    ):
        self.lattice, self.tracks = found, tracks
        self.sines, self.weights = polar
        self.total = np.stack([materials[name].total for name in found.materials])
        self.region_total = self.total[found.region_material]
        self.groups = self.total.shape[1]
        self.wide = padded(self.groups)
        self.tables = segment_tables(found, tracks, self.total, self.sines, self.wide, linear)
        self.regions = linear_regions(found, tracks) if linear else None
        self.entering = np.zeros((len(tracks.walk), 2, len(self.sines) * self.wide))
        self._next = np.zeros_like(self.entering)
        self.order_of_scattering = order
        self.harmonics = harmonics_of(tracks.directions.angle, self.sines, order)
        self.overlaps = _overlaps(self.harmonics, tracks.directions.weight, self.weights)
        self._scatter = np.stack([_higher(materials[name], order) for name in found.materials])
        self.shapes = 3 if linear else 1
        rows = len(self.overlaps) * self.shapes
        self.higher = np.zeros((len(self.region_total), rows - 1, self.groups))
        self.threads = thread_count()
        self.order = np.concatenate(
            [np.arange(i, len(tracks.walk), self.threads) for i in range(self.threads)]
        )
        ways = tracks.directions
        self.scales = ways.weight * ways.spacing
        self.areas = self.scales[:, None] / np.stack([np.cos(ways.angle), np.sin(ways.angle)], axis=1)
        rows, columns = found.shape
        self._faces = rows * (columns + 1), (rows + 1) * columns

    @property
    def slopes(self) -> np.ndarray:
        """(regions, 2, G) of the scalar flux along x and y; (regions, 0, G) where sources are flat."""
        return self.higher[:, : self.shapes - 1]

    def sweep(self, source: np.ndarray, slopes: np.ndarray | None = None) -> Swept:
        """Sweep once; what left enters next time.

        Args:
            source: (regions, G) of all regions per cm^3; with linear sources, the mean.
            slopes: (regions, 2, G) of linear sources along x and y, per cm^4.
        """
        scaled = np.zeros((len(source), 1 + self.higher.shape[1], self.wide))
        scaled[..., : self.groups] = self.rows_of(source, slopes)
        lost = np.zeros((self.threads, scaled.size))
        currents = np.zeros((self.threads, sum(self._faces) * self.wide))
        surfaces = np.zeros_like(currents)
        tracks, tables = self.tracks, self.tables
        harmonics = self.harmonics if self.order_of_scattering else None
        bends, midpoints = (tables.bends, self.regions.midpoints) if self.regions else (None, None)
        in_slabs(
            sweep_tracks, len(self.order), self.order, *route(tracks), tracks.segment_start,
            tracks.segment_region, tracks.kind, tracks.base, tables.rows, tables.drops, scaled.ravel(),
            harmonics, bends, midpoints, self.scales, self.areas, self.weights, self.sines, self.entering,
            self._next, tracks.link_track, tracks.link_way, tracks.link_albedo, self.wide, lost, currents,
            surfaces, polars_of(len(self.sines)),
            lanes_of(self.wide), threads=self.threads,
        )  # fmt: skip
        self.entering, self._next = self._next, self.entering
        gains = lost.sum(axis=0).reshape(scaled.shape)[..., : self.groups]
        flux = self._fluxes(scaled[..., : self.groups], gains)
        net, scalar = (self._split(tally.sum(axis=0)) for tally in (currents, surfaces))
        seen = (side / length[..., None] for side, length in zip(scalar, tracks.seen_faces, strict=True))
        return Swept(flux, gains[:, 0], *net, *seen)

    def _fluxes(self, born: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """Return fluxes of sources over totals and what tracks lost, both in rows; keep the higher rows."""
        mean = gains / (self.region_total * self.lattice.region_volume[:, None])[:, None]
        shape = len(mean), len(self.overlaps), self.shapes, self.groups
        mean, born = mean.reshape(shape), born.reshape(shape)
        if self.regions:
            mean[:, :, 1:] = np.einsum("rij,rmjg->rmig", self.regions.inverse, mean[:, :, 1:])
        if self.order_of_scattering:
            born = np.einsum("mn,rnsg->rmsg", self.overlaps, born)
        rows = (born + mean).reshape(len(mean), -1, self.groups)
        self.higher = rows[:, 1:].copy()
        return rows[:, 0]

    def rows_of(self, source: np.ndarray, slopes: np.ndarray | None = None) -> np.ndarray:
        """Return sources over totals in rows, (regions, rows, G), with the scattering of the higher moments.

        Args:
            source: (regions, G) per cm^3.
            slopes: (regions, 2, G) per cm^4, of linear sources.
        """
        rows = np.zeros((len(source), 1 + self.higher.shape[1], self.groups))
        rows[:, 0] = source
        if slopes is not None:
            rows[:, 1 : self.shapes] = slopes
        if self.order_of_scattering:
            moments = self.higher[:, self.shapes - 1 :].reshape(len(source), -1, self.shapes, self.groups)
            scatter = self._scatter[self.lattice.region_material]
            rows[:, self.shapes :] = np.einsum("rmsg,rmgh->rmsh", moments, scatter).reshape(
                len(source), -1, self.groups
            )
        return rows / self.region_total[:, None]

    def kept(self) -> np.ndarray:
        """Return all that is kept from sweep to sweep, as a copy: (n,)."""
        return np.concatenate([part.ravel() for part in (self.entering, self.higher)])

    def keep(self, state: np.ndarray) -> None:
        """Go on from what `kept` gave, or a combination of such."""
        at = 0
        for part in (self.entering, self.higher):
            part[:] = state[at : at + part.size].reshape(part.shape)
            at += part.size

    def scale(self, factor: float) -> None:
        """Scale all that is kept from sweep to sweep."""
        self.entering *= factor
        self.higher *= factor

    def entering_by_group(self) -> np.ndarray:
        """Return what will enter each track, (tracks, 2, P, G)."""
        shaped = self.entering.reshape(len(self.entering), 2, len(self.sines), self.wide)
        return np.ascontiguousarray(shaped[..., : self.groups])

    def scale_entering(self, ratio: np.ndarray) -> None:
        """Scale what will enter each track with the ratio of its first pin, (ny, nx, G) from the bottom."""
        shaped = ratio[::-1].reshape(-1, self.groups)[self.lattice.region_pin]
        self.higher *= shaped[:, None]
        walk, last = self.tracks.walk, self.tracks.last
        for way, (row, column) in enumerate(((walk[:, 3], walk[:, 2]), (last[:, 0], last[:, 1]))):
            factor = np.ones((len(self.entering), self.wide))
            factor[:, : self.groups] = ratio[row, column]
            self.entering[:, way] *= np.tile(factor, (1, len(self.sines)))

    def _split(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = self.lattice.shape
        shaped = faces.reshape(-1, self.wide)[:, : self.groups]
        vertical, horizontal = np.split(shaped, [self._faces[0]])
        return vertical.reshape(rows, columns + 1, -1), horizontal.reshape(rows + 1, columns, -1)


def padded(groups: int) -> int:
    """Return the length of rows that groups are kept in: of whole registers, once there are some groups.

    Example:
        >>> padded(2), padded(7)
        (2, 8)
    """
    return groups if groups < 3 else -(-groups // 4) * 4


def harmonics_of(angles: np.ndarray, sines: np.ndarray, order: int) -> np.ndarray:
    """Return real spherical harmonics of all directions, even in the polar cosine: (A, 2, 2, P, M).

    They are such that P_l of the angle between two directions is the sum of products over m. The turns mirror
    x, the ways turn round. Orders: 1, 3, 6, 10 of them up to order 0, 1, 2, 3.

    Example:
        >>> both = harmonics_of(np.array([0.3]), np.array([0.6]), 3)[0, 0, :, 0]
        >>> bool(np.allclose(both[0, 3:6], both[1, 3:6])), bool(np.allclose(both[0, 1:3], -both[1, 1:3]))
        (True, True)
    """
    turned = np.stack([angles, math.pi - angles], axis=1)
    around = np.stack([turned, turned + math.pi], axis=2)[..., None]
    sine = np.broadcast_to(sines, (*around.shape[:3], len(sines)))
    square = 1.0 - sine**2
    cos, sin = (lambda m: np.cos(m * around)), (lambda m: np.sin(m * around))
    one = np.ones_like(around)
    orders = [
        [(1.0 + 0.0 * sine, one)],
        [(sine, cos(1)), (sine, sin(1))],
        [(1.5 * square - 0.5, one), *((math.sqrt(3.0) / 2.0 * sine**2, f(2)) for f in (cos, sin))],
        [
            *((math.sqrt(6.0) / 4.0 * sine * (5.0 * square - 1.0), f(1)) for f in (cos, sin)),
            *((math.sqrt(10.0) / 4.0 * sine**3, f(3)) for f in (cos, sin)),
        ],
    ]
    return np.stack([part * f for row in orders[: order + 1] for part, f in row], axis=-1)


def _overlaps(harmonics: np.ndarray, azimuthal: np.ndarray, polar: np.ndarray) -> np.ndarray:
    """Mean products of the harmonics by the quadrature, (M, M).

    Those of the first with the others are zero but for the quadrature, and taken so: neutrons are then in
    balance, and the matrix of a sweep is its own adjoint.
    """
    weight = azimuthal[:, None, None, None] * polar
    found = np.einsum("atwpm,atwpn,atwp->mn", harmonics, harmonics, weight + 0.0 * harmonics[..., 0])
    found[0, :] = found[:, 0] = 0.0
    found[0, 0] = 1.0
    return found


def _higher(material: MultigroupMaterial, order: int) -> np.ndarray:
    """Scattering of every moment above the first, (M - 1, G, G), with 2 l + 1."""
    found = [
        (2 * n + 1) * (material.scatter[n] if n <= material.order else 0.0 * material.scatter[0])
        for n in range(1, order + 1)
        for _ in range(n + 1)
    ]
    return np.stack(found) if found else np.zeros((0, material.groups, material.groups))


def route(tracks: Tracks) -> tuple[Any, ...]:
    """Return what kernels walk along: tracks of the lattice, corners they pass, and segments of lines."""
    return tracks.walk, tracks.corner, tracks.first
