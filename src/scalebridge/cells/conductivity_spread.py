"""What the inputs' spread does to the effective conductivity: by derivatives, or by solving samples."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from scalebridge.cells.conductivity_job import Job
from scalebridge.cells.conductivity_models import model_of, tangent_of
from scalebridge.cells.phases import Phase
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import PhaseError
from scalebridge.core.estimate import Estimate, Gaussian, Samples
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Contribution
from scalebridge.upscaling.propagation import propagate
from scalebridge.upscaling.tangent import Watch

Derivatives = dict[str, np.ndarray | None]


def uncertain(job: Job) -> tuple[Phase, ...]:
    """Return the phases whose value has a spread."""
    return tuple(p for p in job.phases if p.spread > 0)


def propagate_linear(
    job: Job, value: np.ndarray, derivatives: Derivatives, spec: Spec
) -> tuple[Estimate, Contribution]:
    """Push the spread through by the derivatives: exact to first order, at no further solve."""
    phases = uncertain(job)
    inputs = [(s, float(p.value), p.spread) for s, p in zip(_specs(phases, job.unit), phases, strict=True)]
    return propagate(value, [np.asarray(derivatives[f"phase {p.label}"]) for p in phases], inputs, spec)


def propagate_samples(
    job: Job,
    scheme: str,
    skip: tuple[int, ...],
    spec: Spec,
    watch: Watch | None,
    next_case: Callable[[], None],
) -> tuple[Estimate, Contribution]:
    """Solve the cell problem again for every joint sample of the phases' values."""
    draws = draw_inputs(job)
    solved = []
    for row in range(next(iter(draws.values())).size):
        values = {label: float(column[row]) for label, column in draws.items()}
        solved.append(tangent_of(model_of(job, scheme, values), skip, watch).value)
        next_case()
    found = Samples.from_values((spec,), (jnp.stack(solved),))
    spread = np.std(np.asarray(jnp.stack(solved)), axis=0, ddof=1)
    return found, Contribution(
        spread, f"the cell problem solved for {len(solved)} samples of the phases' values"
    )


def sample_count(job: Job) -> int:
    """Return how many solves `propagate_samples` will do.

    Raises:
        PhaseError: phases have different numbers of samples.
    """
    sizes = {p.samples.size for p in job.phases if p.samples is not None}
    if len(sizes) > 1:
        raise PhaseError(
            "samples",
            got=f"{sorted(sizes)} samples of different phases",
            wanted="the same number for all, because row i of each belongs together",
            cure="thin the longer list",
        )
    return sizes.pop() if sizes else job.settings.samples


def draw_inputs(job: Job) -> dict[int, np.ndarray]:
    """Return joint samples by label: those given, and seeded log-normal draws where a std is given."""
    given = {p.label: p.samples for p in job.phases if p.samples is not None}
    phases = tuple(p for p in uncertain(job) if p.samples is None)
    if not phases:
        return given
    centres, stds = tuple(float(p.value) for p in phases), tuple(p.std for p in phases)
    key = jax.random.key(job.settings.seed)
    drawn = _draw(_specs(phases, job.unit), sample_count(job), centres, stds, key)
    return {**given, **{p.label: np.asarray(d) for p, d in zip(phases, drawn, strict=True)}}


@partial(jax.jit, static_argnums=(0, 1))  # as one function, which compiles faster than its parts
def _draw(specs: tuple[Spec, ...], count: int, centres: tuple, stds: tuple, key: Array) -> tuple[Array, ...]:
    return Gaussian.from_std(specs, centres, stds).sample(key, count)


def _specs(phases: tuple[Phase, ...], unit: str) -> tuple[Spec, ...]:
    return tuple(Spec(f"conductivity of phase {p.label}", unit, support="positive") for p in phases)
