"""Seeded microstructures whose effective conductivity is known, as shapes that any grid can sample.

Families: square and hexagonal arrays of cylinders at random fraction, contrast and offset (multipoles of 60
orders, as Perrins, McKenzie and McPhedran 1979, doi:10.1098/rspa.1979.0160, with the lattice sums computed
here); simple cubic spheres (published values, interpolated); layers at random rational slope (exact); coated
discs and spheres of several sizes in the matrix that they leave undisturbed (Hashin 1962, exact).
"""

import csv
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import gammaln

from scalebridge.cells.laminate import laminate_conductivity
from scalebridge.grids.composite_shapes import composite_from_shape
from scalebridge.grids.image import VoxelImage

REFERENCE = Path(__file__).parent / "reference"


@dataclass(frozen=True)
class Structure:
    """A shape in a periodic box, its phases and its exact tensor."""

    family: str
    seed: int
    edges: tuple[float, ...]
    values: tuple[float, ...]
    label_at: Callable[[np.ndarray], np.ndarray]
    exact: np.ndarray

    @property
    def dim(self):
        return len(self.edges)

    def shape(self, cells):
        """Cells along x, and along the others such that voxels are near to cubes and divide by 8."""
        return tuple(max(8, 8 * round(cells * edge / 8)) for edge in self.edges)

    def voxel(self, shape):
        return tuple(edge / n for edge, n in zip(self.edges, shape, strict=True))

    def plain(self, cells):
        """The plain image: each voxel has the label at its middle."""
        shape = self.shape(cells)
        middles = [(np.arange(n) + 0.5) * h for n, h in zip(shape, self.voxel(shape), strict=True)]
        points = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, self.dim)
        return VoxelImage(self.label_at(points).reshape(shape), voxel=self.voxel(shape))

    def composite(self, cells):
        shape = self.shape(cells)
        return composite_from_shape(self.label_at, shape, dim=self.dim, voxel=self.voxel(shape))

    def phases(self, image):
        return {label: self.values[label] for label in image.phases}


def structure(family, seed):
    """Draw a structure of a family; the same seed gives the same one."""
    rng = np.random.default_rng([seed, *family.encode()])
    kind, dim = (family[:-1], int(family[-1])) if family[-1].isdigit() else (family, 3)
    if kind in ("square", "hexagonal"):
        return _cylinders(family, kind, seed, rng)
    return {"laminate": _layers, "hashin": _coated, "spheres": _spheres}[kind](family, seed, rng, dim)


def contrast(rng, insulators=0.1):
    """Between 1 : 1000 and 1000 : 1, not within a quarter of 1; some insulators."""
    if rng.random() < insulators:
        return 0.0
    return float(10 ** (rng.choice([-1, 1]) * rng.uniform(0.1, 3)))


def balls(centres, radii, edges):
    """How many balls hold each point, counting all periodic images of each once."""
    box = np.asarray(edges)

    def count(points):
        found = np.zeros(len(points), dtype=int)
        for centre, radius in zip(centres, radii, strict=True):
            away = points - centre
            away -= box * np.round(away / box)
            found += (away**2).sum(axis=1) <= radius**2
        return found

    return count


def _cylinders(family, kind, seed, rng):
    ratio, share = contrast(rng), rng.uniform(0.05, 0.65)
    edges = (1.0, 1.0) if kind == "square" else (1.0, math.sqrt(3))
    offset = rng.random(2) * edges
    centres = [offset] if kind == "square" else [offset, offset + np.array(edges) / 2]
    radius = math.sqrt(share * edges[1] / len(centres) / math.pi)
    exact = cylinder_conductivity(kind, share, ratio) * np.eye(2)
    label_at = balls(centres, [radius] * len(centres), edges)
    return Structure(family, seed, edges, (1.0, ratio), label_at, exact)


def _spheres(family, seed, rng, dim):
    ratio, share, offset = (
        float(rng.choice([0.0, 0.1, 2, 10, 100, 1000])),
        rng.uniform(0.05, 0.45),
        rng.random(3),
    )
    radius = (share / (4 / 3 * math.pi)) ** (1 / 3)
    exact = sphere_table(ratio)(share) * np.eye(3)
    return Structure(family, seed, (1.0,) * 3, (1.0, ratio), balls([offset], [radius], np.ones(3)), exact)


def _layers(family, seed, rng, dim):
    ratio, share, offset = contrast(rng, insulators=0), rng.uniform(0.2, 0.8), rng.random()
    steps = np.zeros(dim, dtype=int)
    while np.count_nonzero(steps) < 2 or np.gcd.reduce(steps) != 1:
        steps = rng.integers(-3, 4, dim) if dim == 2 else rng.integers(-2, 3, dim)
    tensors = np.array([1.0, ratio])[:, None, None] * np.eye(dim)
    exact = np.asarray(laminate_conductivity([1 - share, share], tensors, steps.astype(float)))

    def label_at(points):
        return ((points @ steps + offset) % 1 < share).astype(int)

    return Structure(family, seed, (1.0,) * dim, (1.0, ratio), label_at, exact)


def _coated(family, seed, rng, dim):
    ratio, core, count = contrast(rng), rng.uniform(0.1, 0.7), int(rng.integers(1, 4))
    largest = {2: (0.42, 0.33, 0.27), 3: (0.45, 0.38, 0.33)}[dim][count - 1]
    centres, radii = _apart(rng, count, dim, largest)
    pull = core * (ratio - 1) / (ratio + dim - 1)
    matrix = (1 + (dim - 1) * pull) / (1 - pull)
    outer, inner = (balls(centres, radii * factor, np.ones(dim)) for factor in (1, core ** (1 / dim)))

    def label_at(points):
        return outer(points) + inner(points)

    return Structure(family, seed, (1.0,) * dim, (matrix, 1.0, ratio), label_at, matrix * np.eye(dim))


def _apart(rng, count, dim, largest):
    """Places and radii of balls that keep off each other."""
    while True:
        centres, radii = rng.random((count, dim)), largest * rng.uniform(0.6, 1, count)
        away = centres[:, None] - centres
        away -= np.round(away)
        gaps = np.linalg.norm(away, axis=-1) - 1.02 * (radii[:, None] + radii)
        if np.all(gaps[~np.eye(count, dtype=bool)] > 0):
            return centres, radii


# ------------------------------------------------------------------------------------- exact values


@functools.cache
def lattice_sums(kind, most):
    """Sums of 1 / z^n over the lattice points z except 0, for even n; that of n = 2 by convention."""
    second = 1j if kind == "square" else 0.5 + 0.5j * math.sqrt(3)
    n = np.arange(-60, 61)
    z = np.add.outer(n, n * second).ravel()
    z = z[np.abs(z) > 1e-9]
    found = {2: math.pi / second.imag}
    fold = 4 if kind == "square" else 6
    # The lowest sum that does not vanish converges slowly: Eisenstein's series in q = exp(2 pi i second).
    q, zeta = np.exp(2j * math.pi * second), {4: math.pi**4 / 90, 6: math.pi**6 / 945}[fold]
    series = sum(sum(d ** (fold - 1) for d in range(1, m + 1) if m % d == 0) * q**m for m in range(1, 40))
    for power in range(4, most + 1, 2):
        found[power] = float(np.sum(z ** -float(power)).real) if power % fold == 0 else 0.0
    found[fold] = float((2 * zeta + 2 * (2j * math.pi) ** fold / math.factorial(fold - 1) * series).real)
    return found


def cylinder_conductivity(kind, share, ratio, orders=60):
    """Conductivity across an array of cylinders, relative to the matrix.

    Outside a cylinder of radius a the potential is sum_n (A_n r^n + B_n r^-n) cos(n t), with
    B_n = g a^2n A_n, g = (1 - ratio) / (1 + ratio); the other cylinders make
    A_n = E [n = 1] - sum_m binomial(n + m - 1, n) S_(n + m) B_m;  k = 1 - 2 pi B_1 / (E area).
    """
    area = 1.0 if kind == "square" else math.sqrt(3) / 2
    radius, g = math.sqrt(share * area / math.pi), (1 - ratio) / (1 + ratio)
    n, m = np.meshgrid(*[np.arange(1, orders, 2)] * 2, indexing="ij")
    sums = lattice_sums(kind, 2 * orders)
    binomials = np.exp(gammaln(n + m) - gammaln(n + 1) - gammaln(m))
    coupling = binomials * np.vectorize(sums.get)(n + m) * radius ** (n + m)
    right = np.zeros(len(n))
    right[0] = radius
    strengths = np.linalg.solve(np.eye(len(n)) / g + coupling, right)
    return float(1 - 2 * math.pi * strengths[0] * radius / area)


@functools.cache
def sphere_table(ratio):
    """Conductivity of the simple cubic lattice by fraction, through the published values.

    Interpolated is f (k + 2) / (k - 1), which hardly changes with f (Rayleigh 1892).
    """
    with (REFERENCE / "arrays_of_spheres_conductivity.csv").open(newline="") as file:
        table = [row for row in csv.DictReader(file) if float(row["k_sphere/k_matrix"]) == ratio]
    share = np.array([0.0] + [float(row["volume_fraction"]) for row in table])
    k = np.array([float(row["k_eff/k_matrix"]) for row in table])
    level = CubicSpline(share, np.concatenate([[(ratio + 2) / (ratio - 1)], share[1:] * (k + 2) / (k - 1)]))

    def conductivity(fraction):
        pull = fraction / level(fraction)
        return float((1 + 2 * pull) / (1 - pull))

    return conductivity
