"""First-order propagation of independent input spreads through known derivatives."""

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np
from jaxtyping import Array

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
    specs = tuple(s for s, _, _ in inputs)
    centres, stds = tuple(centre for _, centre, _ in inputs), tuple(std for _, _, std in inputs)
    pushed, spread = _push(specs, spec, value, tuple(slopes), centres, stds)
    return pushed, Contribution(np.asarray(spread), _METHOD)


@partial(jax.jit, static_argnums=(0, 1))  # as one function: its hundred small operations compile in a second
def _push(
    specs: tuple[Spec, ...], spec: Spec, value: Array, slopes: tuple, centres: tuple, stds: tuple
) -> tuple[Gaussian, Array]:
    def straight(*values):
        return value + sum(s * (v - c) for s, v, c in zip(slopes, values, centres, strict=True))

    pushed = Gaussian.from_std(specs, centres, stds).push(straight, spec)
    return pushed, pushed.std[0]
