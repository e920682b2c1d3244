"""Where an iteration of ours spends its time: stiffness, transforms, vector operations, each looped alone."""

import json
import math
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contender_scalebridge import cell_of
from benchmarks.measure import best_seconds
from scalebridge.cells.conduction import ConductionCell
from scalebridge.grids.discretisation import GreenOperator
from scalebridge.solvers.conjugate_gradients import CGState, ConjugateGradients

_STEPS = 10


def parts(labels: np.ndarray, conductivities: list[float], scheme: str) -> dict[str, float]:
    """Return seconds an iteration: of the parts, and of the whole step.

    Every part is applied to its own last result in a compiled loop, as in the solver. The vector operations
    are a step in which a product with one field stands for the stiffness and nothing for the preconditioner.
    """
    endless = ConjugateGradients(rtol=0.0, residual_rtol=0.0, max_steps=1000)
    cell = cell_of(scheme, labels, conductivities, endless)
    start = jax.block_until_ready(jax.jit(lambda c: c.begin(jnp.eye(3)[0]))(cell))
    field = start.state.r
    loops = {
        "stiffness": jax.jit(_stiffness_loop),
        "transforms": jax.jit(_green_loop),
        "vector operations": jax.jit(_vector_loop),
        "whole step": jax.jit(lambda c, work: c.advance(work, _STEPS)),
    }
    values = jnp.asarray(conductivities)[labels]
    inputs = {"vector operations": (endless, start.state, values), "whole step": (cell, start)}
    found = {}
    for name, loop in loops.items():
        work = inputs.get(name, (cell, field))
        # bound as defaults, because a loop's variables change under a function that closes over them
        found[name] = best_seconds(lambda f=loop, w=work: jax.block_until_ready(f(*w))) / _STEPS
    return found


def _stiffness_loop(cell: ConductionCell, field: jax.Array) -> jax.Array:
    # scaled by a bound of the spectrum, so that no number grows
    scale = 1.0 / (12.0 * jnp.max(cell.coefficients.table))
    apply = cell.discretisation.forces
    return jax.lax.fori_loop(0, _STEPS, lambda _, u: scale * apply(cell.coefficients, u, None), field)


def _green_loop(cell: ConductionCell, field: jax.Array) -> jax.Array:
    green = GreenOperator.of(cell.discretisation, cell.reference)
    return jax.lax.fori_loop(0, _STEPS, lambda _, u: green(u), field)


def _vector_loop(solver: ConjugateGradients, start: CGState, values: jax.Array) -> CGState:
    def one(_, work: CGState) -> CGState:
        return solver.step(work, lambda p: values * p, lambda r: r)

    return jax.lax.fori_loop(0, _STEPS, one, start)


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text())
    table = {
        name: {
            scheme: parts(np.load(image), [1.0, 1000.0], scheme) for scheme in ("hexahedra", "finite-volume")
        }
        for name, image in job["images"].items()
    }
    assert all(math.isfinite(t) for case in table.values() for row in case.values() for t in row.values())  # noqa: S101
    Path(sys.argv[2]).write_text(json.dumps(table))
