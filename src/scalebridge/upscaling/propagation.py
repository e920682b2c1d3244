"""First-order propagation of independent input spreads through known derivatives."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.estimate import Gaussian
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Contribution

_METHOD = "first order: derivatives times the standard deviations of the inputs, taken as independent"


def propagate(
    value: np.ndarray,
    slopes: Sequence[np.ndarray],
    inputs: Sequence[tuple[Spec, float, float]],
    spec: Spec,
) -> tuple[Gaussian, Contribution]:
    """Push positive inputs' standard deviations through the tangent of the answer; no further solve.

    Args:
        value: the answer at the inputs' central values.
        slopes: derivative of the answer by each input.
        inputs: Spec, central value and standard deviation of each input.
        spec: Spec of the answer.

    Returns:
        what is known about the answer, and its contribution to the uncertainty.
    """
    centre = tuple(middle for _, middle, _ in inputs)
    directions = [jnp.asarray(slope) for slope in slopes]

    def straight(*values):
        return jnp.asarray(value) + sum(
            s * (v - c) for s, v, c in zip(directions, values, centre, strict=True)
        )

    known = Gaussian.from_std(tuple(s for s, _, _ in inputs), centre, tuple(std for _, _, std in inputs))
    pushed = known.push(straight, spec)
    return pushed, Contribution(np.asarray(pushed.std[0]), _METHOD)
