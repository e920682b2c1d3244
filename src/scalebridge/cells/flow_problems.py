"""Flow in pores with known permeability, for tests and `scalebridge check` alike."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scalebridge.cells.permeability import permeability

_RTOL = 1e-7  # of the solver, far below what the voxels leave


@dataclass(frozen=True)
class FlowProblem:
    """Pores whose permeability along x is known.

    Args:
        name: what it is, in a few words.
        pores: makes the pores with so many voxels along the known length.
        exact: permeability along x over the square of the known length, over the whole cell.
        source: author and year of the exact answer.
        cells: voxels along the known length at which `scalebridge check` looks.
        order: order of convergence: the relative error falls as cells**-order.
        constant: what the relative error times cells**order does not exceed; for walls that are planes its
            own value within a part in a hundred, else 1.5 times the largest seen from 16 to 96 voxels (3-D:
            40).
        slip: slip length over the known length.
    """

    name: str
    pores: Callable[[int], np.ndarray]
    exact: Callable[[np.ndarray], float]
    source: str
    cells: int
    order: float
    constant: float
    slip: float = 0.0

    def tolerance(self, cells: int | None = None) -> float:
        """Return the relative error that is allowed with so many voxels along the known length."""
        return self.constant * (cells or self.cells) ** -self.order


@dataclass(frozen=True)
class FlowVerdict:
    """A flow problem solved, held against its exact answer, both in squares of the known length."""

    problem: FlowProblem
    cells: int
    value: float
    exact: float

    @property
    def error(self) -> float:
        """Relative error."""
        return self.value / self.exact - 1.0

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return bool(abs(self.error) <= self.problem.tolerance(self.cells))


def examine_flow(problem: FlowProblem, cells: int | None = None) -> FlowVerdict:
    """Solve a flow problem and hold the answer against the exact one.

    Args:
        problem: the problem.
        cells: voxels along the known length; those of the problem unless given.

    Example:
        >>> channel = next(p for p in flow_problems() if p.name == "plane channel")
        >>> examine_flow(channel, 8).passed
        True
    """
    used = cells or problem.cells
    pores = problem.pores(used)
    found = permeability(
        pores,
        voxel="cubic",
        slip_length=problem.slip * used,
        rtol=_RTOL,
        budget="none",
        progress=False,
    )
    return FlowVerdict(problem, used, float(found.value[0, 0]) / used**2, problem.exact(pores))


def flow_problems() -> tuple[FlowProblem, ...]:
    """Return the problems: channels and a duct with plane walls, and arrays of cylinders and spheres."""
    poiseuille = "plane Poiseuille flow, h^2/12 (1 + 6 slip/h)"
    return (
        FlowProblem("plane channel", _channel, lambda p: p.mean() / 12, poiseuille, 16, 2.0, 2.02),
        FlowProblem(
            "plane channel with slip",
            _channel,
            lambda p: p.mean() / 12 * 1.6,
            poiseuille,
            16,
            2.0,
            1.27,
            slip=0.1,
        ),
        FlowProblem(
            "square duct",
            _duct,
            lambda p: p.mean() * 0.03514425374,
            "Fourier series, Boussinesq 1868",
            16,
            2.0,
            3.9,
        ),
        FlowProblem(
            "cylinders across the flow, fraction 0.2",
            lambda n: _outside(n, 2, np.sqrt(0.2 / np.pi)),
            lambda p: 0.01940732025,
            "finite elements of order 11; Sangani & Acrivos 1982",
            32,
            1.0,
            1.7,
        ),
        FlowProblem(
            "simple cubic spheres, fraction 0.125",
            lambda n: _outside(n, 3, (0.75 * 0.125 / np.pi) ** (1 / 3)),
            lambda p: 0.03985034,
            "Zick & Homsy 1982",
            24,
            1.0,
            2.0,
        ),
    )


def _channel(count: int) -> np.ndarray:
    pores = np.zeros((2, count + 2), bool)
    pores[:, 1:-1] = True
    return pores


def _duct(count: int) -> np.ndarray:
    pores = np.zeros((2, count + 2, count + 2), bool)
    pores[:, 1:-1, 1:-1] = True
    return pores


def _outside(count: int, dim: int, radius: float) -> np.ndarray:
    """Return the outside of a ball or disc in the middle of a unit cell, by the voxels' centres."""
    along = (np.arange(count) + 0.5) / count - 0.5
    return np.sum([axis**2 for axis in np.meshgrid(*[along] * dim, indexing="ij")], axis=0) > radius**2
