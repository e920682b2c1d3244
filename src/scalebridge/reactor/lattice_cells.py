"""The cells of a lattice: pins of concentric rings, or rectangles of one material, cut into regions.

A pin's rings are cut by rays from its centre into sectors; a box is cut into a grid. Areas are exact.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.units import parse_quantity

_TINY = 1e-12


@dataclass(frozen=True)
class PinCell:
    """Concentric rings in a rectangle. Made by `pin_cell`.

    Args:
        radii: cm, of the circles, ascending.
        materials: name of each ring, inner first, then of what is outside.
        sectors: rays that cut every ring, the first along +x; 1 cuts none.
    """

    radii: tuple[float, ...]
    materials: tuple[str, ...]
    sectors: int = 8

    @property
    def shape_key(self) -> tuple[Any, ...]:
        """What its geometry depends on."""
        return ("pin", self.radii, self.sectors)

    @property
    def region_materials(self) -> tuple[str, ...]:
        """Material of every region: ring by ring, sectors within."""
        return tuple(name for name in self.materials for _ in range(self.sectors))

    def areas(self, width: float, height: float) -> np.ndarray:
        """Return the area of every region, cm^2."""
        angles = 2.0 * math.pi * np.arange(self.sectors + 1) / self.sectors
        discs = [0.0, *(0.5 * r**2 * 2.0 * math.pi / self.sectors for r in self.radii)]
        rings = [np.full(self.sectors, b - a) for a, b in pairwise(discs)]
        slices = np.array([_slice(width, height, a, b) for a, b in pairwise(angles)])
        return np.concatenate([*rings, slices - discs[-1]])

    def cuts(self, x: np.ndarray, y: np.ndarray, cosine: float, sine: float) -> np.ndarray:
        """Return distances at which rays from (x, y) from the centre cross circles and sectors, (n, cuts).

        What a ray does not cross is at zero.
        """
        along, across = x * cosine + y * sine, x * sine - y * cosine
        found = [np.zeros_like(x)]
        for radius in self.radii:
            inside = radius**2 - across**2
            root = np.sqrt(np.maximum(inside, 0.0))
            found += [np.where(inside > 0, way * root - along, 0.0) for way in (-1.0, 1.0)]
        lines = np.unique(np.arange(self.sectors) * 2 % self.sectors) * (math.pi / self.sectors)
        for angle in lines if self.sectors > 1 else ():
            slope = sine * math.cos(angle) - cosine * math.sin(angle)
            if abs(slope) > _TINY:
                found.append((x * math.sin(angle) - y * math.cos(angle)) / slope)
        return np.stack(found, axis=1)

    def regions_at(self, x: np.ndarray, y: np.ndarray, _width: float, _height: float) -> np.ndarray:
        """Return the region of points given from the centre."""
        ring = np.searchsorted(np.array(self.radii), np.hypot(x, y))
        turn = np.arctan2(y, x) % (2.0 * math.pi) / (2.0 * math.pi)
        return ring * self.sectors + np.minimum((turn * self.sectors).astype(int), self.sectors - 1)


@dataclass(frozen=True)
class BoxCell:
    """A rectangle of one material in a grid. Made by `box_cell`.

    Args:
        material: its name.
        mesh: cells of the grid along x and y.
    """

    material: str
    mesh: tuple[int, int] = (3, 3)

    @property
    def shape_key(self) -> tuple[Any, ...]:
        """What its geometry depends on."""
        return ("box", self.mesh)

    @property
    def materials(self) -> tuple[str, ...]:
        """The one material, as a pin has several."""
        return (self.material,)

    @property
    def region_materials(self) -> tuple[str, ...]:
        """Material of every region."""
        return (self.material,) * (self.mesh[0] * self.mesh[1])

    def areas(self, width: float, height: float) -> np.ndarray:
        """Return the area of every region, cm^2."""
        count = self.mesh[0] * self.mesh[1]
        return np.full(count, width * height / count)

    def regions_at(self, x: np.ndarray, y: np.ndarray, width: float, height: float) -> np.ndarray:
        """Return the region of points given from the centre."""
        nx, ny = self.mesh
        i = np.clip(((x / width + 0.5) * nx).astype(int), 0, nx - 1)
        j = np.clip(((y / height + 0.5) * ny).astype(int), 0, ny - 1)
        return j * nx + i


Cell = PinCell | BoxCell


def pin_cell(radii: Any, materials: Any, *, subdivisions: Any = None, sectors: int = 8) -> PinCell:
    """Make a pin of concentric rings.

    Args:
        radii: outer radii, ascending: numbers in cm, or text ("0.54 cm").
        materials: name of each ring and, last, of what is around.
        subdivisions: rings of equal area that each is cut into, one number each; 1 unless given.
        sectors: in how many each ring and the surroundings are cut.

    Raises:
        InputError: radii do not ascend, materials are not one more than radii, or a number is not positive.

    Example:
        >>> cell = pin_cell([0.4, "0.54 cm"], ["fuel", "clad", "water"], subdivisions=[2, 1])
        >>> len(cell.radii), len(cell.region_materials)
        (3, 32)
    """
    given = [length(f"radii[{i}]", radius) for i, radius in enumerate(_listed("radii", radii))]
    names = [str(name) for name in _listed("materials", materials)]
    if any(b <= a for a, b in pairwise(given)):
        raise InputError(
            "radii", got=str(given), wanted="radii that ascend", cure="sort the rings, inner first"
        )
    if len(names) != len(given) + 1:
        raise InputError(
            "materials",
            got=f"{len(names)} names for {len(given)} rings",
            wanted="a name for each ring and one for what is around",
            cure="add or drop a name",
        )
    parts = [1] * len(given) if subdivisions is None else _listed("subdivisions", subdivisions)
    if len(parts) != len(given):
        raise InputError(
            "subdivisions", got=f"{len(parts)} numbers", wanted=f"{len(given)}, one a ring", cure="correct it"
        )
    rings: list[float] = []
    owners: list[str] = []
    inner = 0.0
    for outer, name, count in zip(given, names[:-1], parts, strict=True):
        share = np.arange(1, whole("subdivisions", count) + 1) / count
        rings += np.sqrt(inner**2 + share * (outer**2 - inner**2)).tolist()
        owners += [name] * count
        inner = outer
    return PinCell(tuple(rings), (*owners, names[-1]), whole("sectors", sectors))


def box_cell(material: str, *, mesh: Any = 3) -> BoxCell:
    """Make a rectangle of one material.

    Args:
        material: its name.
        mesh: cells of its grid along each axis, or (x, y).

    Raises:
        InputError: a number is not positive.
    """
    pair = (mesh, mesh) if isinstance(mesh, int) else tuple(_listed("mesh", mesh))
    if len(pair) != 2:
        raise InputError("mesh", got=repr(mesh), wanted="a number, or one each along x and y", cure="pass 3")
    return BoxCell(str(material), (whole("mesh", pair[0]), whole("mesh", pair[1])))


def length(argument: str, given: Any) -> float:
    """Return a positive length in cm: a number, or text with a unit.

    Raises:
        InputError: it is none.
    """
    value = parse_quantity(given, "cm", argument) if isinstance(given, str) else given
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InputError(
            argument,
            got=repr(given),
            wanted="a positive length: a number in cm, or text",
            cure="write '0.54 cm'",
        )
    return float(value)


def whole(argument: str, given: Any) -> int:
    """Return a whole number of at least one.

    Raises:
        InputError: it is none.
    """
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        raise InputError(argument, got=repr(given), wanted="a whole number of at least 1", cure="correct it")
    return int(given)


def region_areas(cell: Cell, width: float, height: float) -> np.ndarray:
    """Return the area of every region of a cell, cm^2, all of it inside the rectangle.

    Raises:
        InputError: the largest ring does not fit.
    """
    if isinstance(cell, PinCell) and cell.radii and 2.0 * cell.radii[-1] > min(width, height) * (1 + 1e-9):
        raise InputError(
            "radii",
            got=f"{cell.radii[-1]:.6g} cm in a cell of {width:.6g} by {height:.6g} cm",
            wanted="rings inside their cell, so that pins do not overlap",
            cure="reduce the radius, or widen the pitch",
        )
    return cell.areas(width, height)


def cell_cuts(
    cell: Cell, start: tuple[np.ndarray, np.ndarray], way: tuple[float, float], size: tuple[float, float]
) -> np.ndarray:
    """Return distances from points (from the centre) at which rays change regions, (n, cuts)."""
    if isinstance(cell, PinCell):
        return cell.cuts(*start, *way)
    lines = [(np.arange(1, cell.mesh[axis]) / cell.mesh[axis] - 0.5) * size[axis] for axis in (0, 1)]
    return np.concatenate([(lines[i] - start[i][:, None]) / way[i] for i in (0, 1)], axis=1)


def _listed(argument: str, given: Any) -> list[Any]:
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        return [given]
    return list(given)


def _slice(width: float, height: float, start: float, stop: float) -> float:
    """Area of the part of a rectangle that its centre sees between two angles."""
    corner = math.atan2(height, width)
    corners = [corner, math.pi - corner, math.pi + corner, 2.0 * math.pi - corner]
    angles = [start, *(a for a in corners if start < a < stop), stop]
    reach = [
        min(0.5 * width / max(abs(math.cos(a)), _TINY), 0.5 * height / max(abs(math.sin(a)), _TINY))
        for a in angles
    ]
    pairs = zip(zip(angles, reach, strict=True), zip(angles[1:], reach[1:], strict=True), strict=False)
    if stop - start > 1.9 * math.pi:
        return width * height
    return sum(0.5 * r * s * math.sin(b - a) for (a, r), (b, s) in pairs)
