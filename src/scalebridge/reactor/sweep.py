"""A transport sweep: from sources of regions to their fluxes, and currents and fluxes of faces."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.threads import in_slabs, thread_count
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.materials import MultigroupMaterial
from scalebridge.reactor.sweep_kernels import sweep_tracks
from scalebridge.reactor.tracks import Tracks, track_ends


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

    Args:
        found: the lattice.
        tracks: its tracks.
        materials: by name.
        polar: sines and weights.
    """

    def __init__(
        self,
        found: Lattice,
        tracks: Tracks,
        materials: dict[str, MultigroupMaterial],
        polar: tuple[np.ndarray, np.ndarray],
    ):
        self.lattice, self.tracks = found, tracks
        self.sines, self.weights = polar
        self.total = np.stack([materials[name].total for name in found.materials])
        self.region_total = self.total[found.region_material]
        self.groups = self.total.shape[1]
        self.wide = padded(self.groups)
        self.drops, self.rows = _drops(found, tracks, self.total, self.sines, self.wide)
        self.entering = np.zeros((len(tracks.walk), 2, len(self.sines) * self.wide))
        self._next = np.zeros_like(self.entering)
        self.threads = thread_count()
        self.order = np.concatenate(
            [np.arange(i, len(tracks.walk), self.threads) for i in range(self.threads)]
        )
        ways = tracks.directions
        self.scales = ways.weight * ways.spacing
        lengths = found.pitch[1], found.pitch[0]
        self.areas = np.stack(
            [self.scales / np.cos(ways.angle) / lengths[0], self.scales / np.sin(ways.angle) / lengths[1]],
            axis=1,
        )
        rows, columns = found.shape
        self._faces = rows * (columns + 1), (rows + 1) * columns

    def sweep(self, source: np.ndarray) -> Swept:
        """Sweep once with the sources of all regions, (regions, G) per cm^3; what left enters next time."""
        lost = np.zeros((self.threads, len(source), self.wide))
        currents = np.zeros((self.threads, sum(self._faces), self.wide))
        surfaces = np.zeros_like(currents)
        scaled = np.zeros((len(source), self.wide))
        scaled[:, : self.groups] = source / self.region_total
        tracks = self.tracks
        in_slabs(
            sweep_tracks, len(self.order), self.order, *route(tracks), tracks.segment_start,
            tracks.segment_region, tracks.kind, tracks.base, self.drops, self.rows, scaled, self.scales,
            self.areas, self.weights, self.sines, self.entering, self._next, tracks.link_track,
            tracks.link_way, tracks.link_albedo, lost, currents, surfaces, threads=self.threads,
        )  # fmt: skip
        self.entering, self._next = self._next, self.entering
        gain = lost.sum(axis=0)[:, : self.groups]
        flux = scaled[:, : self.groups] + gain / (self.region_total * self.lattice.region_volume[:, None])
        return Swept(flux, gain, *self._split(currents.sum(axis=0)), *self._split(surfaces.sum(axis=0)))

    def entering_by_group(self) -> np.ndarray:
        """Return what will enter each track, (tracks, 2, P, G)."""
        shaped = self.entering.reshape(len(self.entering), 2, len(self.sines), self.wide)
        return np.ascontiguousarray(shaped[..., : self.groups])

    def scale_entering(self, ratio: np.ndarray) -> None:
        """Scale what will enter each track with the ratio of its first pin, (ny, nx, G) from the bottom."""
        starts = self.track_pins()
        for way in (0, 1):
            factor = np.ones((len(self.entering), self.wide))
            factor[:, : self.groups] = ratio[starts[way][0], starts[way][1]]
            self.entering[:, way] *= np.tile(factor, (1, len(self.sines)))

    def track_pins(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Return row and column of the pin at the start, and at the end, of each track."""
        walk, rows, columns = self.tracks.walk, *self.lattice.shape
        rows_of, columns_of = walk[:, 3].astype(int), walk[:, 2].astype(int)
        ends = [np.zeros(0, int), np.zeros(0, int)]
        for across, along in zip(self.tracks.directions.across, self.tracks.directions.along, strict=True):
            wide, high = columns * int(across), rows * int(along)
            end = track_ends(wide, high)
            top = end < wide
            column = np.where(top, np.where(top, end, 0) // across, columns - 1)
            row = np.where(top, rows - 1, np.where(top, 0, end - wide) // along)
            ends = [
                np.concatenate([ends[0], row, row]),
                np.concatenate([ends[1], column, columns - 1 - column]),
            ]
        return (rows_of, columns_of), (ends[0], ends[1])

    def _split(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = self.lattice.shape
        vertical, horizontal = np.split(faces[:, : self.groups], [self._faces[0]])
        return vertical.reshape(rows, columns + 1, -1), horizontal.reshape(rows + 1, columns, -1)


def padded(groups: int) -> int:
    """Return the length of rows that groups are kept in: of whole registers, once there are some groups.

    Example:
        >>> padded(2), padded(7)
        (2, 8)
    """
    return groups if groups < 3 else -(-groups // 4) * 4


def route(tracks: Tracks) -> tuple[Any, ...]:
    """Return what kernels walk along: tracks of the lattice, and how those of a cell lead to the next."""
    ways = tracks.directions
    pairs = zip(ways.across, ways.along, strict=True)
    ends = np.concatenate([np.tile(track_ends(int(wide), int(high)), 2) for wide, high in pairs])
    return tracks.walk, tracks.first, ends, ways.across


def _drops(
    found: Lattice, tracks: Tracks, total: np.ndarray, sines: np.ndarray, wide: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return 1 - exp(-t) of every segment of every kind of cell and materials, and where a cell's begin."""
    index = {name: i for i, name in enumerate(found.materials)}
    groups, tables, starts, at = total.shape[1], [], {}, 0
    kinds = np.asarray(tracks.kind)[::-1]
    rows = np.zeros(found.shape, np.int64)
    for (row, column), kind in np.ndenumerate(kinds):
        name = found.rows[row][column]
        low, high = tracks.segment_start[kind, 0], tracks.segment_start[kind, -1]
        if name not in starts:
            owners = np.array([index[m] for m in found.cells[name].region_materials])
            depth = total[owners[tracks.segment_region[low:high]]] * tracks.segment_length[low:high, None]
            table = np.zeros((high - low, len(sines), wide))
            table[:, :, :groups] = -np.expm1(-depth[:, None, :] / sines[:, None])
            tables.append(table.reshape(high - low, -1))
            starts[name] = at - low
            at += high - low
        rows[row, column] = starts[name]
    return np.concatenate(tables), np.ascontiguousarray(rows[::-1])
