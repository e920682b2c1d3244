"""What a study of a representative volume found, and how it is told: text, tables of numbers, JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.saved import Saved
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Contribution, Upscaled, plain
from scalebridge.upscaling.rve_statistics import Drift, Sample, Spread, VarianceLaw
from scalebridge.upscaling.subvolumes import Size

SCHEMA = "scalebridge/rve-study/1"
SIGMAS = 2.0
"""Standard deviations in an error, as Kanit et al. have it."""
_DOUBT = 0.01  # probability below which a fit is called bad


@dataclass(frozen=True)
class SizeSummary:
    """What was found in the subvolumes of one size.

    Args:
        size: voxels along each axis.
        count: number of subvolumes solved.
        available: how many such subvolumes the image holds side by side.
        mean: mean of their answers.
        std: standard deviation of one answer, component by component.
        scalar: the same of the number that stands for an answer.
        zeros: number of subvolumes whose answer is zero.
    """

    size: Size
    count: int
    available: int
    mean: np.ndarray
    std: np.ndarray
    scalar: Spread
    zeros: int

    @property
    def volume(self) -> int:
        """Voxels of a subvolume."""
        return math.prod(self.size)

    @property
    def edge(self) -> float:
        """Edge in voxels of the cube (square) of the same volume."""
        return self.volume ** (1 / len(self.size))


@dataclass(frozen=True)
class Wanted:
    """What a wanted error asks for.

    Args:
        error: the wanted relative error, of two standard deviations.
        volume: voxels at which one subvolume has it.
        factor: the volume's 95 % interval is from volume / factor to volume * factor.
        counts: by edge in voxels, the number of such subvolumes whose mean has it.
    """

    error: float
    volume: float
    factor: float
    counts: dict[int, int]


@dataclass(frozen=True)
class RveStudy(Saved):
    """Apparent answers by size, the law of their variance, and what both say of the image and of larger ones.

    The number that stands for a tensor is the mean of its principal values, for a stiffness in Mandel
    notation that of its six.

    Args:
        spec: name, unit and shape of the answer.
        sizes: what was found, in rising order of volume.
        samples: every answer by size, in the same order.
        shape: voxels of the image.
        law: the law of the variance; None where nothing varies.
        drift: drift of the mean with the size; None where it cannot be seen.
        std: standard deviation of the whole image's answer, component by component.
        wanted: what the wanted error asks for; None without a law.
        wanted_error: the wanted relative error.
        voxel: edges of a voxel, m; None when not known.
        notes: what a reader has to know.
        inputs: inputs that a reader would want to see again, by name.
        provenance: where it all came from.
        stats: numbers about the work.
        subject: what was studied, for pictures; not saved.
    """

    spec: Spec
    sizes: tuple[SizeSummary, ...]
    samples: tuple[Sample, ...]
    shape: tuple[int, ...]
    law: VarianceLaw | None
    drift: Drift | None
    std: np.ndarray
    wanted: Wanted | None
    wanted_error: float
    voxel: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))
    stats: dict[str, Any] = field(default_factory=dict)
    subject: Any = None

    @property
    def unit(self) -> str:
        """SI unit of the answer, "1" when it is dimensionless."""
        return self.spec.unit

    @property
    def value(self) -> np.ndarray:
        """Mean answer of the largest subvolumes."""
        return self.sizes[-1].mean

    @property
    def volume(self) -> int:
        """Voxels of the image."""
        return math.prod(self.shape)

    @property
    def mean(self) -> float:
        """The number that stands for `value`."""
        return self.sizes[-1].scalar.mean

    @property
    def image_error(self) -> float:
        """Relative error of the whole image's answer, of two standard deviations, from its size alone."""
        if self.law is None:
            return 0.0
        return _relative(SIGMAS * math.sqrt(self.law.expected_variance(self.volume)), self.mean)

    @property
    def image_drift(self) -> float:
        """What is left of the mean's drift at the whole image's size, relative to the mean."""
        if self.drift is None:
            return 0.0
        return _relative(self.drift.at(self.volume ** (1 / len(self.shape))), self.mean)

    @property
    def checks(self) -> tuple[Check, ...]:
        """What has to hold for the image to be representative, measured."""
        return tuple(_checks(self))

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def error_of(self, volume: float, count: int = 1) -> float:
        """Return the relative error of the mean of subvolumes, of two standard deviations: 2 D(V) / (K √n).

        Args:
            volume: voxels of a subvolume.
            count: how many independent ones are averaged.
        """
        if self.law is None:
            return 0.0
        return _relative(SIGMAS * math.sqrt(float(self.law.variance(volume)) / count), self.mean)

    def length_of(self, volume: float) -> float:
        """Return the edge in metres of a cube (square) of so many voxels, NaN without a voxel size."""
        dim = len(self.shape)
        return math.nan if self.voxel is None else (volume * math.prod(self.voxel)) ** (1 / dim)

    def contribution(self) -> Contribution:
        """Return the part of the whole image's uncertainty that comes from its size."""
        smallest, largest = (" x ".join(map(str, s.size)) for s in (self.sizes[0], self.sizes[-1]))
        total = sum(s.count for s in self.sizes)
        law = "nothing varies between them"
        if self.law is not None:
            exponent = f"{self.law.exponent:.2f} ± {self.law.exponent_std:.2f}"
            law = f"their variance extrapolated to the image, which falls as V^-g with g = {exponent}"
        return Contribution(self.std, f"{total} subvolumes of {smallest} to {largest} voxels: {law}")

    def upscaled(self) -> Upscaled:
        """Return the mean of the largest subvolumes as a result, with its checks, notes and origin."""
        largest = self.sizes[-1]
        part = Contribution(
            largest.std / math.sqrt(largest.count), f"spread of the {largest.count} largest subvolumes"
        )
        return Upscaled(
            self.spec,
            self.value,
            checks=self.checks,
            uncertainty={"sample size": part},
            stats=self.stats,
            provenance=self.provenance,
            notes=self.notes,
            inputs=self.inputs,
            subject=self.subject,
        )

    def __str__(self) -> str:
        return "\n".join(_summary(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the subject."""
        return _as_dict(self)


def _checks(study: RveStudy) -> list[Check]:
    found = [
        Check(
            "error of the image from its size",
            study.image_error,
            study.wanted_error,
            meaning="two standard deviations of the whole image's answer, relative; the wanted error",
        ),
        Check(
            "drift of the mean at the image's size",
            abs(study.image_drift),
            study.wanted_error,
            meaning="what the boundary condition still changes, relative; the wanted error",
        ),
    ]
    if study.law is not None and math.isfinite(study.law.misfit):
        meaning = "probability of variances so far from the law D²(V) = C / V^g if it holds"
        found.append(Check("law of the variance", study.law.misfit, _DOUBT, "at least", meaning))
    return found


def _summary(study: RveStudy) -> list[str]:
    unit = "" if study.unit == "1" else f" {study.unit}"
    lines = [f"{study.spec.name}{unit}, subvolumes of {_times(study.shape)} voxels"]
    lines.append(
        f"  {'edge':>6}  {'boxes':>9}  {'mean ± 95 %':>22}  {'std':>9}  {'std/mean':>8}  {'zero':>4}"
    )
    for s in study.sizes:
        mean = f"{s.scalar.mean:.5g} ± {s.scalar.half_width:.2g}"
        share = f"{s.scalar.std / s.scalar.mean:.2%}" if s.scalar.mean else "-"
        boxes = f"{s.count} of {s.available}" if s.count < s.available else str(s.count)
        lines.append(
            f"  {s.edge:6.4g}  {boxes:>9}  {mean:>22}  {s.scalar.std:9.3g}  {share:>8}  {s.zeros:4d}"
        )
    lines += [f"  {line}" for line in (*findings(study), *map(str, study.checks))]
    return [*lines, *(f"  note: {note}" for note in study.notes)]


def findings(study: RveStudy) -> list[str]:
    """Return what the study found, in sentences."""
    law, dim = study.law, len(study.shape)
    if law is None:
        return []
    edge = law.integral_range ** (1 / dim)
    gamma = f"{law.exponent:.2f} ± {law.exponent_std:.2f}"
    cube = "cube" if dim == 3 else "square"
    said = [
        f"integral range {law.integral_range:.3g} voxels (a {cube} of edge {edge:.3g}), exponent {gamma}",
        f"the image is worth {law.independent_volumes(study.volume):.3g} independent points; its size leaves "
        f"an error of {study.image_error:.2%} (two standard deviations)",
    ]
    if study.wanted is not None:
        said.append(_wanted_sentence(study, study.wanted, cube))
    if study.drift is not None:
        said.append(
            f"the mean still drifts by {study.image_drift:+.2%} at the size of the image "
            f"(p = {study.drift.p_value:.2g} for no drift)"
        )
    return said


def _wanted_sentence(study: RveStudy, wanted: Wanted, cube: str) -> str:
    dim = len(study.shape)
    edge, factor = wanted.volume ** (1 / dim), wanted.factor ** (1 / dim)
    metres = study.length_of(wanted.volume)
    length = f" ({metres:.3g} m)" if math.isfinite(metres) else ""
    return (
        f"for an error of {wanted.error:.3g}: a {cube} of edge {edge:.3g} voxels{length}, "
        f"from {edge / factor:.3g} to {edge * factor:.3g}"
    )


def _as_dict(study: RveStudy) -> dict[str, Any]:
    law, drift = study.law, study.drift
    fitted = (
        None
        if law is None
        else {
            **vars(law),
            "exponent_std": law.exponent_std,
            "integral_range": law.integral_range,
            "integral_range_log_std": law.integral_range_uncertainty,
            "independent_points": law.independent_volumes(study.volume),
        }
    )
    rows = [
        {**vars(s), "scalar": vars(s.scalar), "values": sample.values, "origins": sample.origins}
        for s, sample in zip(study.sizes, study.samples, strict=True)
    ]
    told = {
        "schema": SCHEMA,
        "quantity": study.spec.name,
        "unit": study.unit,
        "value": study.value,
        "std of the image": study.std,
        "relative error of the image": study.image_error,
        "wanted": None if study.wanted is None else vars(study.wanted),
        "law": fitted,
        "drift": None if drift is None else {**vars(drift), "at the image": study.image_drift},
        "sizes": rows,
        "shape": study.shape,
        "voxel": study.voxel,
        "checks": [check.to_dict() for check in study.checks],
        "passed": study.passed,
        "notes": study.notes,
        "inputs": study.inputs,
        "stats": study.stats,
        "provenance": study.provenance.to_dict(),
    }
    return plain(told)


def _relative(number: float, mean: float) -> float:
    return number / abs(mean) if mean else math.nan


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))
