"""Conjugate gradients in plain memory: what float32 may do by itself, and when float64 has to take over."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from scalebridge.cells.conduction_host import HostConduction, Medium
from scalebridge.core.results import Outcome
from scalebridge.grids.balls import spheres_image
from scalebridge.grids.voxel_kernels import voxel_table
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.solvers.host_conjugate_gradients import begin, run

REFERENCE = Path(__file__).parent / "reference"
SIZE = 60


@dataclass
class Identity:
    """No preconditioner, in the protocol of the planes."""

    def sweep(self, r, update, then):
        if update is not None:
            update(0, len(r))
        rz = float(np.dot(r, r))
        if (use := then(rz)) is not None:
            use(0, len(r), r)
        return rz


@dataclass
class Dense:
    """A matrix, and another one for float32: a bad kernel on purpose."""

    matrix: np.ndarray
    single: np.ndarray
    b: np.ndarray

    def product(self, p, out):
        out[...] = (self.single if p.dtype == np.float32 else self.matrix) @ p
        return float(np.dot(p.astype(float), out.astype(float)))

    def load(self, out):
        out[...] = self.b

    def residual(self, x, out):
        out[...] = self.b - self.matrix @ x

    def preconditioner(self, dtype):
        return Identity()


def problem(condition, wrong=0.0):
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
    values = np.geomspace(1.0 / condition, 1.0, SIZE)
    others = values * (1.0 + wrong * rng.uniform(-1.0, 1.0, SIZE))
    return Dense((basis * values) @ basis.T, (basis * others) @ basis.T, rng.standard_normal(SIZE))


def solved(dense, residual_rtol):
    energy = 2.0 * dense.b @ np.linalg.solve(dense.matrix, dense.b)
    state = begin(dense, (SIZE,), energy, 0.0, np.dtype(np.float32))
    return run(state, ConjugateGradients(rtol=np.inf, residual_rtol=residual_rtol, max_steps=5000), 5000)


@pytest.mark.parametrize(
    ("condition", "wrong", "single"), [(30.0, 0.0, True), (30.0, 3e-3, True), (30.0, 0.5, False)]
)
def test_the_true_residual_decides_and_float64_takes_over_only_where_float32_cannot(condition, wrong, single):
    dense = problem(condition, wrong)
    done = solved(dense, 1e-6)
    assert done.code == Outcome.converged
    true = np.linalg.norm(dense.b - dense.matrix @ done.x) / np.linalg.norm(dense.b)
    assert true <= 1e-6
    assert done.residuals[-1] == pytest.approx(true, rel=1e-6)  # both in float64; 1e-16 / 1e-6 of rounding
    assert done.single == single


@pytest.mark.parametrize("scheme", ["hexahedra", "finite-volume"])
def test_a_high_contrast_to_a_small_residual_takes_no_more_memory_than_a_low_one(scheme):
    known = np.loadtxt(REFERENCE / "rve_spheres.csv", delimiter=",", skiprows=1)
    labels = spheres_image(known[:, :3], known[:, 3], 24).labels
    values = np.array([1.0, 1000.0])
    tensors = values[:, None, None] * np.eye(3)
    mean = np.tensordot(np.bincount(labels.reshape(-1)) / labels.size, tensors, 1)
    solver = ConjugateGradients(rtol=np.inf, residual_rtol=5e-7)  # float32 still begins
    model = HostConduction(
        labels.shape, (1.0,) * 3, voxel_table(values, labels), scheme,
        Medium.of(tensors, mean, diagonal=False), solver,
    )  # fmt: skip
    works = [model.advance(model.begin(load), 1000) for load in np.eye(3)]
    for work in works:
        assert work.code == Outcome.converged
        assert work.residuals[-1] <= solver.residual_rtol  # the true one
        assert work.single
        arrays = (work.x, work.dx, work.r, work.p, work.q)
        assert sum(array.nbytes for array in arrays) == 24 * labels.size  # 8 and 4 x 4 bytes
    assert min(work.checked for work in works) < 1.0  # one of them had to start anew


def textbook(matrix, b, steps):
    """Iterates of conjugate gradients, the start included (Hestenes & Stiefel 1952)."""
    x, r = np.zeros_like(b), b.copy()
    p, found = r.copy(), [x.copy()]
    for _ in range(steps):
        q = matrix @ p
        alpha = (r @ r) / (p @ q)
        x, old = x + alpha * p, r @ r
        r = r - alpha * q
        p = r + (r @ r) / old * p
        found.append(x.copy())
    return found


def test_a_point_on_the_last_way_is_the_answer_where_only_its_residual_is_small_enough():
    dense = problem(1e3)
    iterates = textbook(dense.matrix, dense.b, 30)
    residuals = [dense.b - dense.matrix @ x for x in iterates]
    last = 20
    here, before = residuals[last], residuals[last - 1]
    change = before - here
    share = -(here @ change) / (change @ change)  # of the way back
    point = iterates[last] + share * (iterates[last - 1] - iterates[last])
    least = np.linalg.norm(here + share * change)
    assert least < 0.9 * min(np.linalg.norm(r) for r in residuals[: last + 1])  # or it would show nothing

    goal = float(1.0001 * least / np.linalg.norm(dense.b))
    energy = dense.b @ np.linalg.solve(dense.matrix, dense.b)
    state = begin(dense, (SIZE,), energy, 0.0, np.dtype(float))
    done = run(state, ConjugateGradients(rtol=np.inf, residual_rtol=goal, max_steps=100), 100)

    assert done.code == Outcome.converged
    assert done.steps <= last  # an earlier way may have had such a point, no iterate has
    left = np.linalg.norm(dense.b - dense.matrix @ done.x)
    assert done.residuals[-1] == pytest.approx(left / np.linalg.norm(dense.b), rel=1e-9)  # 1e-16 x condition
    assert left <= goal * np.linalg.norm(dense.b)
    if done.steps == last:
        np.testing.assert_allclose(done.x, point, rtol=0, atol=1e-10 * np.abs(point).max())
    short = np.linalg.solve(dense.matrix, dense.b) - done.x
    assert done.energy == pytest.approx(short @ dense.matrix @ short, rel=1e-6)  # what its energy lacks
    assert energy - sum(done.falls) == pytest.approx(done.energy, rel=1e-6)
