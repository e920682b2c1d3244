"""The published cubes' time loop: where poreFoam ends, beside where its own equations end.

`benchmarks.collocated_flow` solves the equations of poreFoam to convergence. The program itself steps in time
and stops by a change. This file walks the same way, read from its public sources (ImperialCollegeLondon/
poreFoam-singlePhase, the state of 2017: `iPotentialFoam`, `iInterFoamSP`, `scripts/singlePhase`):

1. A start: pressures of a conductor, then of one whose conductivity is 1/|grad p|^2; velocities of a viscous
   fluid in these pressures, not free of divergence; eleven sweeps that bring the two together.
2. Steps, each: the pressure is the mean of those after the last three steps; one Jacobi sweep of momentum,
   relaxed by 1/2; two corrections of the pressure, each after another sweep, by few conjugate gradients. The
   step is 0.025 voxel^2 rho/mu at first, grows by 5 % each time, and ends at 20.
3. Stop, when the mean speed changed by less than 0.025 % over five steps, twice in a row.
4. The permeability is the flux through the inlet over the pressures' difference, over length and area of the
   whole cube. No layers are added, no voxels refined.

`python -m benchmarks.stepped_flow --image berea_400.tif --cube 6 --axis 2` prints the course, the stop, and
what the steps go to if they are not stopped. With `--distribution FILE`, a published file
`berea_sample_128_summary_distributions_6_Z.txt`, it also holds the velocities found against the published
distribution, in its own classes. Pressures fall by one per voxel, viscosity is one.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pyamg
import tifffile
from scipy.sparse import csr_array

from benchmarks.collocated_flow import Cells
from benchmarks.rock_distribution import corner_of, published
from scalebridge.grids.percolation import isolated

_WALL_FACTOR = 0.25  # cBC = 250 thousandths
_ALPHA = 0.5  # relaxation of velocities, as set by the program's own script
_FIRST_STEP, _LAST_STEP, _GROWTH = 0.025, 20.0, 1.05  # 1e-7 s and 8e-5 s at voxels of 2 um in water
_CHANGE, _EVERY = 2.5e-4, 5
_FLOOR = 1e-3
_LOOSE, _FINAL = 0.016, 0.008  # of the pressure's residual, in its first and last correction
_MIX = (0.33, 0.33, 0.34)


class Stepper:
    """Velocities, pressures and face fluxes of one cube under one difference of pressures."""

    def __init__(
        self, pores: np.ndarray, axis: int, *, alpha: float = _ALPHA, wall_factor: float = _WALL_FACTOR
    ):
        self.cells = Cells(pores & ~isolated(pores, periodic=False), axis, 1.0)
        self.alpha, self.wall_factor, self.area = alpha, wall_factor, pores.size / pores.shape[axis]
        n = self.cells.count
        self.velocity, self.pressure = np.zeros((n, 3)), np.zeros(n)
        self.multigrid, self.age, self.iterations = None, 0, 0
        self.neighbours = self._neighbours()
        self.downhill = csr_array(-self.cells.divergence.T)  # gradients, walls taking their voxel's pressure
        self.past = [self.pressure, self.pressure]
        self.flux: list[np.ndarray] | None = None

    def _neighbours(self) -> csr_array:
        cells = self.cells
        rows = [np.concatenate(side) for side in zip(*cells.pairs, strict=True)]
        ones = np.ones(2 * rows[0].size)
        places = [np.concatenate(rows)], [np.concatenate(rows[::-1])]
        return cells._matrix(*places, [ones])

    def gradient(self, pressure: np.ndarray) -> np.ndarray:
        """Return the cell gradients (voxels, 3), with the pressures given on inlet and outlet."""
        cells = self.cells
        found = (self.downhill @ pressure).reshape(3, cells.count).T.copy()
        found[cells.inlet, cells.axis] -= cells.length
        return found

    def laplacian(self, ease: np.ndarray) -> tuple[csr_array, np.ndarray]:
        """Return the operator of a conductivity in voxels, and the right side of the given pressures."""
        cells, ends, right = self.cells, np.zeros(self.cells.count), np.zeros(self.cells.count)
        for end in (cells.inlet, cells.outlet):
            ends[end] += 2.0 * ease[end]
        right[cells.inlet] = 2.0 * ease[cells.inlet] * cells.length
        weights = [0.5 * (ease[low] + ease[high]) for low, high in cells.pairs]
        return cells._laplacian(weights, ends), right

    def solve_pressure(self, system: csr_array, right: np.ndarray, rtol: float, limit: int = 10) -> None:
        """Take few preconditioned conjugate gradients from the pressure at hand."""
        if self.multigrid is None or self.age >= 40:
            self.multigrid = pyamg.smoothed_aggregation_solver(system, max_coarse=200).aspreconditioner()
            self.age = 0
        self.age += 1
        p, residual = self.pressure, right - system @ self.pressure
        start, direction, before = np.abs(residual).sum(), np.zeros_like(p), 1.0
        for step in range(limit):
            if np.abs(residual).sum() <= rtol * start:
                break
            self.iterations += 1
            smoothed = self.multigrid @ residual
            now = residual @ smoothed
            direction = smoothed + (now / before if step else 0.0) * direction
            product = system @ direction
            length = now / (direction @ product)
            p, residual, before = p + length * direction, residual - length * product, now
        self.pressure = p

    def raised(self) -> np.ndarray:
        """Return the wall viscosity beyond one, from the pressure and velocity at hand."""
        speed = np.linalg.norm(self.velocity, axis=1)
        at_walls = speed[self.cells.walls > 0].mean() if speed.any() else 0.0
        reach = 0.25 * np.linalg.norm(self.gradient(self.pressure), axis=1)
        return self.wall_factor * reach / (speed + _FLOOR * at_walls + 1e-15)

    def correct(
        self, diagonal: np.ndarray, source: np.ndarray, inertia: float, rtol: float, share: float = 1.0
    ):
        """Take a sweep of momentum without pressure, then the pressure that closes the balance of volume."""
        cells, ease = self.cells, 1.0 / diagonal
        free = (self.neighbours @ self.velocity + source) * ease[:, None]
        faces = [0.5 * (free[low, a] + free[high, a]) for a, (low, high) in enumerate(cells.pairs)]
        if inertia and self.flux is not None:
            for a, (low, high) in enumerate(cells.pairs):
                behind = self.flux[a] - 0.5 * (self.old[low, a] + self.old[high, a])
                kept = 1.0 - np.minimum(np.abs(behind) / (np.abs(self.flux[a]) + 1e-300), 1.0)
                faces[a] = faces[a] + inertia * 0.5 * (ease[low] + ease[high]) * kept * behind
        out = np.zeros(cells.count)
        for flow, (low, high) in zip(faces, cells.pairs, strict=True):
            out += np.bincount(low, flow, cells.count) - np.bincount(high, flow, cells.count)
        out[cells.inlet] -= free[cells.inlet, cells.axis]
        out[cells.outlet] += free[cells.outlet, cells.axis]
        system, given = self.laplacian(ease)
        right = given - out
        if share < 1.0:
            right = share * right + (1.0 - share) * (system @ self.pressure)
        self.solve_pressure(system, right, rtol)
        self.new_flux = [
            flow - 0.5 * (ease[low] + ease[high]) * (self.pressure[high] - self.pressure[low])
            for flow, (low, high) in zip(faces, cells.pairs, strict=True)
        ]
        end = cells.inlet
        self.through = float(
            np.sum(free[end, cells.axis] + 2 * ease[end] * (cells.length - self.pressure[end]))
        )
        self.velocity = free - ease[:, None] * self.gradient(self.pressure)

    def begin(self) -> None:
        """Make the start: pressures of conductors, velocities under them, eleven sweeps."""
        cells = self.cells
        system, right = self.laplacian(np.ones(cells.count))
        self.solve_pressure(system, right, _FINAL, 100)
        steep = np.sum(self.gradient(self.pressure) ** 2, axis=1)
        system, right = self.laplacian(1.0 / (steep + 1e-3 * steep.mean()))
        self.multigrid = None
        self.solve_pressure(system, right, _FINAL, 100)
        self.multigrid = None
        for wall in (0.0, None):
            self.velocity = self._viscous(self.raised() if wall is None else np.zeros(cells.count))
        for sweep in range(1, 12):
            diagonal = self._diagonal()
            share = min(sweep / 8.0, 1.0) if sweep < 10 else 1.0
            self.correct(diagonal, np.zeros((cells.count, 3)), 0.0, _LOOSE, share)
        self.multigrid, self.past = None, [self.pressure, self.pressure]
        self.flux = self.new_flux

    def _diagonal(self) -> np.ndarray:
        held = 2.0 * self.cells.walls * (1.0 + self.raised())
        return np.asarray(self.neighbours.sum(axis=1)).ravel() + held

    def _viscous(self, raised: np.ndarray) -> np.ndarray:
        ones = [np.ones(low.size) for low, _ in self.cells.pairs]
        system = self.cells._laplacian(ones, 2.0 * self.cells.walls * (1.0 + raised))
        grid, push = pyamg.smoothed_aggregation_solver(system), -self.gradient(self.pressure)
        return np.column_stack([grid.solve(push[:, a], tol=1e-6, accel="cg") for a in range(3)])

    def step(self, duration: float) -> None:
        """Take one step in time."""
        last = self.pressure
        self.pressure = _MIX[0] * self.past[1] + _MIX[1] * self.past[0] + _MIX[2] * last
        self.past = [last, self.past[0]]
        self.old, inertia = self.velocity, 1.0 / duration
        plain = self._diagonal() + inertia
        diagonal = plain / self.alpha
        source = inertia * self.old + (diagonal - plain)[:, None] * self.old
        free = self.neighbours @ self.velocity + source
        self.velocity = (free - self.gradient(self.pressure)) / diagonal[:, None]
        for rtol in (_LOOSE, _FINAL):
            self.correct(diagonal, source, inertia, rtol)
        self.flux = self.new_flux

    def permeability(self) -> float:
        return self.through / self.area


def course(stepper: Stepper, most: int, *, first: float = _FIRST_STEP, change: float = _CHANGE):
    """Yield (step, duration, mean speed, permeability, has stopped) every five steps."""
    duration, old_speed, old_change, stopped = first, 0.0, np.inf, False
    for count in range(1, most + 1):
        duration = min(duration * _GROWTH, _LAST_STEP)
        stepper.step(duration)
        if count % _EVERY == 0:
            speed = float(np.linalg.norm(stepper.velocity, axis=1).mean())
            moved, bound = abs(speed - old_speed), change * max(speed, old_speed)
            stopped = stopped or (moved < bound and old_change < bound)
            old_speed, old_change = speed, moved
            yield count, duration, speed, stepper.permeability(), stopped


def read_distribution(text: str, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return classes and densities of the velocity along an axis, in Darcy velocities, as published."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(f"x=U_{'xyz'[axis]}/U_D")) + 1
    rows = []
    for line in lines[first:]:
        if not line.strip():
            break
        rows.append([float(word) for word in line.split()[:2]])
    values, density = np.array(rows).T
    return values, density


def carried(velocity: np.ndarray, darcy: float, values: np.ndarray, density: np.ndarray) -> float:
    """Return the mean of the published velocities over that of others, sorted into the same classes.

    The program counts a velocity in the class whose middle is the next one below it and half a class: classes
    are named half a width too high, alike for both.

    Args:
        velocity: (voxels,) of the flow to hold against it.
        darcy: the published Darcy velocity, in the same unit.
        values: (classes,) as `read_distribution` returns them.
        density: (classes,) of the same.

    Example:
        >>> found = np.array([0.0, 1.0, 2.0, 3.0])
        >>> carried(found, 1.0, np.array([0.5, 1.5, 2.5, 3.5]), np.array([0.25, 0.25, 0.25, 0.25]))
        1.0
    """
    width = float(values[1] - values[0])
    low = values[0] - width / 2
    places = np.clip((velocity / darcy - low) / width + 0.5, 0, len(values) - 1).astype(int)
    ours = np.bincount(places, minlength=len(values)) / len(velocity) / width
    middle = values - width / 2
    return float((middle @ density) / (middle @ ours))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stepped_flow", description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="the 400^3 image, 0 in the pores")
    parser.add_argument("--cube", type=int, default=6)
    parser.add_argument("--axis", type=int, default=2)
    parser.add_argument("--edge", type=int, default=128)
    parser.add_argument("--alpha", type=float, default=_ALPHA)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--first", type=float, default=_FIRST_STEP, help="duration of the first step")
    parser.add_argument("--distribution", type=Path, help="a published distribution of velocities")
    chosen = parser.parse_args()
    volume = np.transpose(tifffile.imread(chosen.image), (2, 1, 0)) == 0
    pores = volume[tuple(slice(low, low + chosen.edge) for low in corner_of(chosen.cube))]
    start = time.perf_counter()
    stepper = Stepper(np.ascontiguousarray(pores), chosen.axis, alpha=chosen.alpha)
    stepper.begin()
    print(f"start: K {stepper.permeability():.6f}, {time.perf_counter() - start:.0f} s", flush=True)
    told = False
    for count, duration, speed, value, stopped in course(stepper, chosen.steps, first=chosen.first):
        mark = " <- stop" if stopped and not told else ""
        told = told or stopped
        seconds = time.perf_counter() - start
        print(
            f"{count:5d} dt {duration:8.3f} speed {speed:.6f} K {value:.6f} {seconds:6.0f} s{mark}",
            flush=True,
        )
    if chosen.edge == 128:
        known, found = float(published()[chosen.cube, chosen.axis]), stepper.permeability()
        print(f"published {known:.6f}, these steps {found / known:.4f} of it")
        if chosen.distribution:
            values, density = read_distribution(chosen.distribution.read_text(), chosen.axis)
            share = carried(stepper.velocity[:, chosen.axis], known, values, density)
            print(f"published velocities carry {share:.4f} of these: {share * found / known:.4f} of that K")


if __name__ == "__main__":
    main()
