"""Parts of a conductivity's uncertainty beside its inputs: algebra, voxel size, the sample's surroundings."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from scalebridge.cells.conduction_host import HostConduction
from scalebridge.cells.conductivity_job import SCHEMES, Job
from scalebridge.cells.conductivity_models import limits_of, model_of, tangent_of
from scalebridge.core.errors import PhaseError
from scalebridge.core.upscaled import Bound, Contribution
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.composite_images import coarsen_composite, smooth_composite
from scalebridge.grids.sampling_scatter import displacement_scatter, sampling_scatter
from scalebridge.upscaling.fraction_scatter import fraction_scatter
from scalebridge.upscaling.tangent import Tangent, Watch
from scalebridge.upscaling.voxel_error import VoxelError, voxel_size_error

_FEWEST = 4  # voxels an edge that a coarsened image has at least
_THICKER = 2.0  # how much farther the interface of an enclosed conductor without resistance may be off
_HALF_WAY = 10.0  # contrast at which it is half of that
_SHARPER = 1e-3  # tolerance of the solves that only tell the error, relative to what methods differ by
_COARSEST = 1e-4  # and at most


def algebraic_part(tangent: Tangent) -> Contribution:
    """Return what the solver leaves: the difference of the flux form and the energy form of the tensor."""
    gap = np.abs(np.asarray(tangent.value) - np.asarray(tangent.from_answers))
    return Contribution(0.5 * (gap + gap.T), "difference of the mean flux and the energy of the fine fields")


def voxel_part(
    job: Job, tangents: dict[str, Tangent], watch: Watch | None, next_case: Callable[[], None]
) -> VoxelError:
    """Estimate the voxels' error.

    A plain image's staircase is smoothed (composite voxels), and that image is solved as it is and coarsened;
    its tensors converge regularly and are extrapolated. The plain tensors of both discretisations say how
    far methods differ, and the faces between phases how far the fractions may be off. A composite image is
    coarsened as it is; its interfaces say how much the mixed voxels' law may leave.
    """
    known = {scheme: np.asarray(found.value, dtype=float) for scheme, found in tangents.items()}
    given = job.image
    smooth = given if isinstance(given, CompositeImage) else smooth_composite(given)
    finest = job.with_image(smooth)
    limits = limits_of(finest, finest.table())  # the finest voxels show best who carries
    rtol = job.settings.rtol
    if isinstance(given, CompositeImage):
        levels, others = [known[job.settings.schemes[0]]], []
        reach = partial(displacement_scatter, given, _reach(job, limits))
        scatter, shift = None, _scatter(job, levels[0], reach)
    else:
        levels = []
        others = [tensor for scheme in SCHEMES for tensor in _by(job, scheme, known, watch, next_case)]
        scatter, shift = _scatter(job, others[0], partial(sampling_scatter, given)), None
        rtol = max(rtol, min(_COARSEST, _SHARPER * _difference(others)))
    finest = replace(finest, limits=limits, settings=replace(finest.settings, rtol=rtol))
    for factor in _factors(job):
        if factor == 1 and levels:
            continue
        image = smooth if factor == 1 else coarsen_composite(smooth, factor)
        levels.append(_tensor(replace(finest, image=image), "hexahedra", watch))
        next_case()
    return voxel_size_error(levels, others, 0.0 if scatter is None else scatter, shift)


def _difference(tensors: list[np.ndarray]) -> float:
    """Return how far apart tensors are, relative to the largest entry; 0 for one of them."""
    largest = max(float(np.abs(tensor).max()) for tensor in tensors)
    return float(np.ptp(tensors, axis=0).max()) / largest if largest > 0 else 0.0


def _reach(job: Job, limits: np.ndarray | None) -> np.ndarray:
    """Return how far the interfaces of two phases may be displaced, relative to others.

    Up to three times as far where a good conductor is enclosed, which acts as if it were thicker, by 0.04 of
    an edge when its contrast is large.
    """
    count = len(job.phases)
    if limits is None:
        return np.ones((count, count))
    values = np.asarray(job.table(), dtype=float)
    enclosed = np.isfinite(limits[:, :, 1])  # by the worse conductor and the better one
    worse, better = np.broadcast_to(values[:, None], enclosed.shape), np.broadcast_to(values, enclosed.shape)
    reach = np.ones(enclosed.shape)
    reach[enclosed] += _THICKER * better[enclosed] / (better[enclosed] + _HALF_WAY * worse[enclosed])
    return np.maximum(reach, reach.T)


def _scatter(job: Job, tensor: np.ndarray, covariance: Callable[[], np.ndarray]) -> np.ndarray | None:
    """Return the tensor's spread by that of the volume fractions; known for isotropic phases."""
    if not all(p.isotropic for p in job.phases):
        return None
    shares = np.array([job.image.fractions[p.label] for p in job.phases])
    return fraction_scatter(tensor, shares, np.asarray(job.table(), dtype=float), covariance())


def voxel_cases(job: Job) -> int:
    """Return how many solves `voxel_part` adds."""
    plain = not isinstance(job.image, CompositeImage)
    missing = sum(scheme not in job.settings.schemes and _takes(job, scheme) for scheme in SCHEMES)
    return len(_factors(job)) - 1 + (1 + missing if plain else 0)


def why_no_voxel_part(job: Job) -> str:
    """Return why the voxels' error cannot be assessed, or nothing if it can."""
    if len(_factors(job)) > 1:
        return ""
    shape = " x ".join(map(str, job.image.shape))
    return f"an image of {shape} voxels cannot be coarsened"


def bracket_of(
    job: Job, scheme: str, watch: Watch | None, next_case: Callable[[], None]
) -> tuple[Bound, Contribution]:
    """Solve with a uniform flux and with a uniform gradient on the sample's faces: they bracket the answer.

    The spread is that of a value of which no more is known than that it lies between the two.
    """
    upper = np.asarray(_solved(job, scheme, "uniform-gradient", watch).value)
    next_case()
    flux_job = replace(job, settings=replace(job.settings, boundary="uniform-flux", scheme="hexahedra"))
    try:
        flux_job.refuse_impossible()
        lower = np.asarray(_solved(flux_job, "hexahedra", "uniform-flux", watch).value)
    except PhaseError:  # an insulating phase on the faces: a uniform flux cannot enter
        lower = np.zeros_like(upper)
    next_case()
    bound = Bound(lower, upper, "the tensor of this sample", "uniform flux and uniform gradient: Huet 1990")
    std = np.abs(upper - lower) / np.sqrt(12.0)
    return bound, Contribution(std, "between uniform flux and uniform gradient on the sample's faces")


def _solved(job: Job, scheme: str, boundary: Any, watch: Watch | None) -> Tangent:
    model = model_of(job, scheme, boundary=boundary)
    assert isinstance(model, HostConduction)  # noqa: S101 (only the kernels know these boundaries)
    return tangent_of(model, (), watch)


def _factors(job: Job) -> list[int]:
    """Return by how much the image can be coarsened: 1, and 2 and 4 where whole voxels come out."""
    return [
        factor
        for factor in (1, 2, 4)
        if all(n % factor == 0 and n // factor >= _FEWEST for n in job.image.shape) or factor == 1
    ]


def _takes(job: Job, scheme: str) -> bool:
    rank = max(np.ndim(p.value) for p in job.phases)
    return SCHEMES[scheme](job.image.shape, job.image.aspect).refuses(rank) is None


def _by(
    job: Job, scheme: str, known: dict[str, np.ndarray], watch: Watch | None, next_case: Callable[[], None]
) -> list[np.ndarray]:
    """Return the tensor of a scheme, solved if it is not known; nothing if the scheme cannot take it."""
    if scheme in known:
        return [known[scheme]]
    if not _takes(job, scheme):
        return []
    found = _tensor(job, scheme, watch)
    next_case()
    return [found]


def _tensor(job: Job, scheme: str, watch: Watch | None) -> np.ndarray:
    """Tensor of a job; zero along axes that are blocked there."""
    try:
        found = job.connection(scheme)
    except PhaseError:  # the only conducting phase got lost
        return np.zeros((job.dim, job.dim))
    open_axes = (True,) * job.dim if found is None else found.directions
    blocked = tuple(axis for axis, is_open in enumerate(open_axes) if not is_open)
    if len(blocked) == job.dim:
        return np.zeros((job.dim, job.dim))
    return np.asarray(tangent_of(model_of(job, scheme), blocked, watch).value)
