"""Cell problems that carry their exact answer, for tests, benchmarks and `scalebridge check` alike."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from scalebridge.cells.conductivity import effective_conductivity
from scalebridge.cells.conductivity_job import Scheme
from scalebridge.core.errors import InputError
from scalebridge.grids.balls import cylinder_array, sphere_lattice
from scalebridge.grids.generators import checkerboard, laminate_image, square_inclusion
from scalebridge.grids.image import VoxelImage

_RTOL = 1e-9  # of the solver, far below what the voxels leave
_ROUNDING = 1e-10  # relative; allowed where the voxels represent the exact field
_SIDES = {"hexahedra": 1.0, "finite-volume": -1.0}


@dataclass(frozen=True)
class Problem:
    """A periodic conduction problem with its exact effective tensor.

    Args:
        name: what it is, in a few words.
        image: makes the image with so many voxels along an axis; labels 0 and 1.
        phases: conductivity by label.
        exact: exact effective tensor, in the unit of the phases.
        source: author and year of the exact answer.
        cells: voxels along an axis at which `scalebridge check` looks.
        order: order of convergence: the relative error falls as cells**-order.
        constants: by scheme, what the relative error times cells**order does not exceed from 16 voxels on:
            1.1 to 1.9 times the largest value measured at 16 to 128 (3-D: 48) voxels. None where the voxels
            represent the exact field, so that there is no error but rounding.
        voxels_exact: whether the voxels represent the geometry exactly. If so, hexahedra (a conforming
            potential: minimum of the energy) come from above and finite volumes from below; else the
            staircase of the surface adds an error of order 1 / cells and of either sign.
    """

    name: str
    image: Callable[[int], VoxelImage]
    phases: Mapping[int, float]
    exact: tuple[tuple[float, ...], ...]
    source: str
    cells: int = 32
    order: float = 0.0
    constants: Mapping[str, float] | None = None
    voxels_exact: bool = True

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return len(self.exact)

    def build(self, cells: int | None = None) -> tuple[VoxelImage, dict[int, float]]:
        """Make the image and its phases.

        Args:
            cells: voxels along an axis; those of the problem unless given.
        """
        return self.image(cells or self.cells), dict(self.phases)

    def tolerance(self, scheme: str, cells: int | None = None) -> float:
        """Return the relative error that a scheme is allowed with so many voxels along an axis."""
        if self.constants is None:
            return _ROUNDING
        return self.constants[scheme] * (cells or self.cells) ** -self.order


@dataclass(frozen=True)
class Verdict:
    """A problem solved by a scheme, held against its exact answer.

    Args:
        problem: the problem.
        scheme: the discretisation.
        cells: voxels along an axis.
        value: the tensor found.
        error: the component's difference that is largest, with its sign, relative to the largest exact one.
        tolerance: what is allowed.
        passed: whether the error is within the tolerance, and of the right sign where the theory knows it.
    """

    problem: Problem
    scheme: str
    cells: int
    value: np.ndarray
    error: float
    tolerance: float
    passed: bool


def examine(problem: Problem, scheme: Scheme, cells: int | None = None) -> Verdict:
    """Solve a problem and hold the answer against the exact one.

    Args:
        problem: the problem.
        scheme: "hexahedra" or "finite-volume".
        cells: voxels along an axis; those of the problem unless given.

    Raises:
        InputError: no such scheme.

    Cost: that of `effective_conductivity`; compiling takes most of it.

    Example:
        >>> wall = next(p for p in exact_problems() if p.name == "layers across x, 2-D")
        >>> examine(wall, "hexahedra", 4).passed
        True
    """
    if scheme not in _SIDES:
        raise InputError(
            "scheme", got=repr(scheme), wanted=" or ".join(map(repr, _SIDES)), cure="choose one of them"
        )
    image, phases = problem.build(cells)
    found = effective_conductivity(image, phases, scheme=scheme, rtol=_RTOL, budget="none", progress=False)
    exact = np.array(problem.exact)
    difference = (found.value - exact) / np.abs(exact).max()
    error = float(difference.flat[np.argmax(np.abs(difference))])
    tolerance = problem.tolerance(scheme, cells)
    return Verdict(
        problem,
        scheme,
        cells or problem.cells,
        found.value,
        error,
        tolerance,
        abs(error) <= tolerance and _right_side(problem, scheme, difference),
    )


def exact_problems() -> tuple[Problem, ...]:
    """Return the problems, all of two isotropic phases, in 2-D and 3-D.

    Example:
        >>> [problem.exact[0][0] for problem in exact_problems() if problem.name.startswith("homogeneous")]
        [3.0, 3.0]
    """
    layers = [_laminate(axis, dim) for dim in (2, 3) for axis in range(dim)]
    return (
        *(_homogeneous(dim) for dim in (2, 3)),
        *layers,
        _obnosov(10.0, {"hexahedra": 0.23, "finite-volume": 0.53}),
        _dykhne(2.0, {"hexahedra": 0.18, "finite-volume": 0.42}),
        _dykhne(10.0, {"hexahedra": 0.96, "finite-volume": 1.3}),
        _cylinders(10.0, 1.652036011),
        _spheres(10.0, 1.8877401, {"hexahedra": 1.3, "finite-volume": 0.5}),
        _spheres(0.0, 0.60566125, {"hexahedra": 0.6, "finite-volume": 1.3}),
    )


def corner_exponent(ratio: float) -> float:
    """Return how fast the energy error of a square inclusion's corner falls with the voxel size.

    Near a corner of 90 degrees and conductivity `ratio` in a matrix of 1 the potential behaves as r^s. For
    the mode that is even about the diagonal, ratio sin(s a) cos(s (pi - a)) + cos(s a) sin(s (pi - a)) = 0
    with a = pi / 4; the odd mode is the even one of 1 / ratio. The energy on voxels of size h is in error by
    h^(2 s).

    Args:
        ratio: conductivity of the inclusion relative to the matrix, positive.

    Returns:
        2 s, between 4/3 and 2.

    Source: separation of variables at an interface corner, as in R. B. Kellogg (1974), Applicable Analysis
        4, 101.

    Example:
        >>> round(corner_exponent(10.0), 3), round(corner_exponent(0.1), 3)
        (1.463, 1.463)
    """
    # With products turned into sums both modes read 2 (1 + ratio) cos(s pi / 2) = +-(ratio - 1).
    return 4.0 / math.pi * math.acos(abs(1.0 - ratio) / (2.0 * (1.0 + ratio)))


def checkerboard_exponent(ratio: float) -> float:
    """Return how fast the energy error of a checkerboard's corners falls with the voxel size.

    Where four squares meet the potential behaves as r^s with s = (4 / pi) arctan(1 / sqrt(ratio)) for the
    ratio >= 1 of their conductivities; the energy on voxels of size h is in error by h^(2 s).

    Args:
        ratio: the larger conductivity relative to the smaller one.

    Returns:
        2 s, between 0 and 2.

    Source: R. B. Kellogg (1974), Applicable Analysis 4, 101.

    Example:
        >>> round(checkerboard_exponent(1.0), 3), round(checkerboard_exponent(10.0), 3)
        (2.0, 0.78)
    """
    return 8.0 / math.pi * math.atan(1.0 / math.sqrt(ratio))


def _right_side(problem: Problem, scheme: str, difference: np.ndarray) -> bool:
    if not problem.voxels_exact:
        return True
    lowest = float(np.linalg.eigvalsh(_SIDES[scheme] * (difference + difference.T) / 2)[0])
    return lowest >= -_ROUNDING


def _isotropic(value: float, dim: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(value if i == j else 0.0 for j in range(dim)) for i in range(dim))


def _size(dim: int) -> int:
    """Return the resolution of the check: the same for all problems of a dimension, which compile once."""
    return 64 if dim == 2 else 32


def _homogeneous(dim: int) -> Problem:
    return Problem(
        f"homogeneous, {dim}-D",
        lambda cells: checkerboard(cells, dim=dim),
        {0: 3.0, 1: 3.0},
        _isotropic(3.0, dim),
        "one medium under two labels",
        _size(dim),
    )


def _laminate(axis: int, dim: int) -> Problem:
    across, along = 1.0 / (0.25 / 1.0 + 0.75 / 10.0), 0.25 * 1.0 + 0.75 * 10.0
    exact = tuple(
        tuple((across if i == axis else along) if i == j else 0.0 for j in range(dim)) for i in range(dim)
    )
    return Problem(
        f"layers across {'xyz'[axis]}, {dim}-D",
        lambda cells: laminate_image([0.25, 0.75], cells, axis=axis, dim=dim),
        {0: 1.0, 1: 10.0},
        exact,
        "series and parallel (Wiener 1912)",
        _size(dim),
    )


def _obnosov(ratio: float, constants: Mapping[str, float]) -> Problem:
    return Problem(
        f"square inclusion, contrast {ratio:g}",
        lambda cells: square_inclusion(cells, 0.5),
        {0: 1.0, 1: ratio},
        _isotropic(math.sqrt((1 + 3 * ratio) / (3 + ratio)), 2),
        "Obnosov 1999",
        64,
        corner_exponent(ratio),
        constants,
    )


def _dykhne(ratio: float, constants: Mapping[str, float]) -> Problem:
    return Problem(
        f"checkerboard, contrast {ratio:g}",
        lambda cells: checkerboard(cells, dim=2),
        {0: 1.0, 1: ratio},
        _isotropic(math.sqrt(ratio), 2),
        "Keller 1964, Dykhne 1970",
        64,
        checkerboard_exponent(ratio),
        constants,
    )


def _cylinders(ratio: float, exact: float) -> Problem:
    return Problem(
        f"square array of cylinders 30 %, contrast {ratio:g}",
        lambda cells: cylinder_array(cells, 0.3, "square"),
        {0: 1.0, 1: ratio},
        _isotropic(exact, 2),
        "multipoles to order 50, as Perrins et al. 1979",
        64,
        1.0,
        {"hexahedra": 0.6, "finite-volume": 0.2},
        voxels_exact=False,
    )


def _spheres(ratio: float, exact: float, constants: Mapping[str, float]) -> Problem:
    return Problem(
        f"simple cubic spheres 30 %, contrast {ratio:g}" if ratio else "simple cubic spherical pores 30 %",
        lambda cells: sphere_lattice("sc", cells, volume_fraction=0.3),
        {0: 1.0, 1: ratio},
        _isotropic(exact, 3),
        "multipoles to order 25, as McPhedran & McKenzie 1978",
        32,
        1.0,
        constants,
        voxels_exact=False,
    )
