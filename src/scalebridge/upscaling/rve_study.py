"""The study of a representative volume: apparent answers of subvolumes of growing size, and what they say.

Knows no physics: apparent tensors come in, whoever solved for them.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.spec import Spec
from scalebridge.upscaling.rve_result import SIGMAS, RveStudy, SizeSummary, Wanted
from scalebridge.upscaling.rve_statistics import (
    BELIEF,
    Drift,
    Sample,
    VarianceLaw,
    fit_drift,
    fit_variance_law,
    spread_of,
)

_MOST_DRIFT = 0.2  # of the mean, relative, at a size that the law is asked of
_SPACE = 3  # dimensions; a larger tensor is a stiffness
_BLANK = 1e-9  # relative size of off-diagonal components that are zero by construction


def study_samples(
    samples: Sequence[Sample],
    spec: Spec,
    shape: tuple[int, ...],
    *,
    point_variance: float,
    wanted: float = 0.02,
    belief: float = BELIEF,
    **described: Any,
) -> RveStudy:
    """Draw from apparent answers what they say of the image that they were cut from.

    For the number that stands for an answer (a number itself; of a tensor the mean of its principal
    values): mean, spread and 95 % interval at every size; the law of the variance with its integral range;
    the relative error 2 D(V) / (mean √n) and the volume at which it falls under the wanted one; the drift of
    the mean. For every component of the answer: the standard deviation at the size of the whole image.

    Args:
        samples: the answers by size, each (n, dim, dim), (n, 6, 6) of stiffnesses in Mandel notation, or
            (n,).
        spec: what the answer is.
        shape: voxels of the whole image.
        point_variance: variance of the local property, of the number that stands for it; in the unit of the
            answer, squared.
        wanted: wanted relative error, of two standard deviations.
        belief: standard deviation about 1 of what is known of the law's exponent beforehand.
        described: further fields of `RveStudy`: voxel, notes, inputs, provenance, stats, subject.

    Raises:
        InputError: no sample, one of fewer than two subvolumes, or a wanted error outside (0, 1).

    Source: T. Kanit, S. Forest, I. Galliet, V. Mounoury, D. Jeulin (2003), Int. J. Solids Struct. 40, 3647.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> def sample(edge, count):  # means over voxels that know nothing of each other
        ...     origins = edge * np.stack(np.unravel_index(np.arange(count), (64 // edge,) * 2), axis=1)
        ...     return Sample((edge, edge), 5 + rng.normal(0, 1 / edge, count), origins, (64 // edge) ** 2)
        >>> study = study_samples(
        ...     [sample(8, 64), sample(16, 16)], Spec("porosity"), (64, 64), point_variance=1.0
        ... )
        >>> bool(abs(np.log(study.law.integral_range)) < 3 * study.law.integral_range_uncertainty)
        True
    """
    ordered = tuple(sorted(samples, key=lambda s: s.volume))
    _refuse(ordered, wanted)
    numbers = [scalar_of(s.values) for s in ordered]
    sizes = tuple(_summarised(s, n) for s, n in zip(ordered, numbers, strict=True))
    drift = fit_drift(ordered, numbers)
    settled = _settled(sizes, drift)
    drift = fit_drift(ordered[settled:], numbers[settled:]) if settled else drift
    law = fit_variance_law(
        ordered[settled:], [s.scalar.std**2 for s in sizes[settled:]], point_variance, belief
    )
    found = RveStudy(
        spec=spec,
        sizes=sizes,
        samples=ordered,
        shape=shape,
        law=law,
        drift=drift,
        std=_whole_std(ordered[settled:], law, math.prod(shape)),
        wanted=None,
        wanted_error=wanted,
        **described,
    )
    return replace(found, wanted=_wanted(found), notes=(*found.notes, *_notes(found)))


def scalar_of(values: np.ndarray) -> np.ndarray:
    """Return the number that stands for each answer: of a tensor the mean of its principal values.

    Args:
        values: (n,), (n, dim, dim), or (n, 6, 6) in Mandel notation: tr C / 6, if isotropic (3 K + 10 G) / 6.
    """
    return values if values.ndim == 1 else np.trace(values, axis1=1, axis2=2) / values.shape[-1]


def _refuse(samples: tuple[Sample, ...], wanted: Any) -> None:
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or not 0 < wanted < 1:
        raise InputError(
            "wanted", got=repr(wanted), wanted="a relative error between 0 and 1", cure="pass wanted=0.02"
        )
    if not samples or any(s.count < 2 for s in samples):
        got = "no sample" if not samples else "a single subvolume of a size"
        raise InputError(
            "samples", got=got, wanted="at least two subvolumes of every size", cure="add subvolumes"
        )


def _summarised(sample: Sample, numbers: np.ndarray) -> SizeSummary:
    return SizeSummary(
        sample.size,
        sample.count,
        sample.available,
        sample.values.mean(axis=0),
        _varying(sample.values).std(axis=0, ddof=1),
        spread_of(sample, numbers),
        int(np.count_nonzero(~sample.values.reshape(sample.count, -1).any(axis=1))),
    )


def _varying(values: np.ndarray) -> np.ndarray:
    """Return tensors with half the difference of the diagonals in place of blank off-diagonals.

    Reflected subvolumes have no off-diagonal components. In a medium without a preferred direction they vary
    as those of a tensor turned by 45 degrees, which are half the difference of the diagonals.
    """
    if not _blank(values):
        return values
    diagonal = np.diagonal(values, axis1=1, axis2=2)
    half = 0.5 * (diagonal[:, :, None] - diagonal[:, None, :])
    return np.where(np.eye(values.shape[-1], dtype=bool), values, half)


def _blank(values: np.ndarray) -> bool:
    """Whether second-order tensors of the plane or of space have no off-diagonal components."""
    if values.ndim == 1 or values.shape[-1] > _SPACE:
        return False
    off = values[:, ~np.eye(values.shape[-1], dtype=bool)]
    return bool(np.all(np.abs(off) <= _BLANK * np.max(np.abs(values), initial=0.0)))


def _settled(sizes: tuple[SizeSummary, ...], drift: Drift | None) -> int:
    """Return from which size on the mean has settled, so that the law holds; at most the last but one.

    Where the boundary condition decides the mean, it decides the spread as well.
    """
    if drift is None:
        return 0
    far = [abs(drift.at(s.edge)) > _MOST_DRIFT * abs(sizes[-1].scalar.mean) for s in sizes[:-2]]
    return len(far) - far[::-1].index(True) if any(far) else 0


def _whole_std(samples: tuple[Sample, ...], law: VarianceLaw | None, volume: int) -> np.ndarray:
    """Extrapolate every component's variance by the law of the number that stands for the tensor.

    The ratio of a component's variance to that number's is averaged over the sizes, weighted by their
    degrees of freedom.
    """
    shape = samples[0].values.shape[1:]
    if law is None:
        return np.zeros(shape)
    used = [s for s in samples if np.var(scalar_of(s.values)) > 0]
    weights = np.array([s.count - 1.0 for s in used])
    ratios = [np.var(_varying(s.values), axis=0) / np.var(scalar_of(s.values)) for s in used]
    ratio = np.tensordot(weights / weights.sum(), np.stack(ratios), axes=1)
    return np.sqrt(law.expected_variance(volume) * ratio)


def _wanted(study: RveStudy) -> Wanted | None:
    if study.law is None or study.mean == 0.0:
        return None
    variance = (study.wanted_error * study.mean / SIGMAS) ** 2
    factor = math.exp(min(1.96 * study.law.volume_uncertainty(variance), 700.0))
    counts = {
        round(s.edge): math.ceil((study.error_of(s.volume) / study.wanted_error) ** 2) for s in study.sizes
    }
    return Wanted(study.wanted_error, study.law.volume_for(variance), factor, counts)


def _notes(study: RveStudy) -> list[str]:
    notes = [
        f"{s.zeros} of {s.count} subvolumes of {_times(s.size)} voxels answer zero, because nothing in "
        "them connects: their zeros are part of mean and spread."
        for s in study.sizes
        if s.zeros
    ]
    if study.law is None:
        notes.append("Nothing varies between subvolumes, so that there is no error from the sample's size.")
    elif len(study.law.sizes) == 1:
        notes.append(
            "One size does not show how the variance falls: the exponent is what is known beforehand."
        )
    elif study.law.integral_range > study.sizes[0].volume:
        notes.append(
            f"The smallest subvolumes, {_times(study.sizes[0].size)} voxels, are smaller than the integral "
            "range: the law is asked of volumes well above it."
        )
    if study.law is not None and (early := [s for s in study.sizes if s.size not in study.law.sizes]):
        notes.append(
            f"Left out of the law: {', '.join(_times(s.size) for s in early)} voxels, where the boundary "
            "condition still moves the mean by more than a fifth, or nothing varies."
        )
    if all(_blank(s.values) for s in study.samples):
        notes.append(
            "Reflected subvolumes have no off-diagonal components; their spread was taken from the "
            "differences of the diagonals, as in a medium without a preferred direction."
        )
    return notes


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))
