"""The common elliptic inverse problem as a JAX function, for coarse grids: its gradients drive proposals."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.inference.elliptic_problem import EllipticGrid


def elliptic_model(cells: int) -> Callable[[Any], Any]:
    """Return the model on a grid as a JAX function, θ (10,) -> pressures (25,).

    Args:
        cells: cells along an edge; the dense solve costs the sixth power, so for coarse grids only.

    Example:
        >>> model = elliptic_model(8)
        >>> model(jnp.zeros(10)).shape, round(float(model(jnp.zeros(10))[0]), 6)
        ((25,), 0.9)
    """
    grid = EllipticGrid.of(cells)
    first, second = grid.pairs.T
    sources, sinks = grid.ends

    def model(theta: Any) -> Any:
        conductivity = jnp.exp(jnp.asarray(grid.basis) @ theta)
        faces = 2.0 / (1.0 / conductivity[first] + 1.0 / conductivity[second])
        inflow, outflow = 2.0 * conductivity[sources], 2.0 * conductivity[sinks]
        diagonal = jnp.zeros(cells**2).at[first].add(faces).at[second].add(faces)
        diagonal = diagonal.at[sources].add(inflow).at[sinks].add(outflow)
        matrix = jnp.diag(diagonal).at[first, second].add(-faces).at[second, first].add(-faces)
        load = jnp.zeros(cells**2).at[sources].set(inflow)
        return jnp.asarray(grid.observe) @ cho_solve(cho_factor(matrix), load)

    return model
