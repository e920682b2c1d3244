"""Facts of a stiffness for its reader: constants, symmetry, the stiffest and the softest direction."""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.core.upscaled import Upscaled
from scalebridge.laws.engineering_constants import EngineeringConstants, engineering_constants, young_extremes
from scalebridge.report.figures_modulus import pressure_unit
from scalebridge.upscaling.symmetry import Anisotropy, anisotropy

COMPONENTS = {6: ("xx", "yy", "zz", "yz", "xz", "xy"), 3: ("xx", "yy", "xy")}
_SOFT = 1e-12  # smallest over largest eigenvalue below which a stiffness holds nothing in some strain


@dataclass(frozen=True, eq=False)
class StiffnessFacts:
    """A stiffness, looked at from all sides.

    Args:
        value: Mandel notation, Pa, symmetric.
        std: its standard deviations, None without any.
        parts: the same by part of the uncertainty.
        scale: the unit in which moduli are shown, in pascals.
        unit: its name.
        fits: nearest tensors of each symmetry.
        isotropic: constants of the nearest isotropic stiffness.
        own: constants of the highest symmetry within one percent, else of the nearest orthotropic stiffness.
        softest: smallest Young's modulus, and its direction.
        stiffest: the largest.
    """

    value: np.ndarray
    std: np.ndarray | None
    parts: dict[str, np.ndarray]
    scale: float
    unit: str
    fits: Anisotropy
    isotropic: EngineeringConstants
    own: EngineeringConstants
    softest: tuple[float, np.ndarray]
    stiffest: tuple[float, np.ndarray]

    @property
    def dim(self) -> int:
        """Dimension of space."""
        return len(self.own.axes)

    def spread(self, constants: EngineeringConstants, name: str) -> float | None:
        """Return an upper limit of a constant's standard deviation; parts add as squares."""
        if self.std is None:
            return None
        return math.sqrt(sum(constants.spreads(part)[name] ** 2 for part in self.parts.values()))


def is_stiffness(result: Upscaled) -> bool:
    """Whether a result is a stiffness in Mandel notation."""
    named = "stiffness" in result.spec.name
    return named and np.shape(result.value) in ((6, 6), (3, 3))


def is_expansion(result: Upscaled) -> bool:
    """Whether a result is a thermal expansion in Mandel notation."""
    return "expansion" in result.spec.name and np.shape(result.value) in ((6,), (3,))


def stiffness_facts(result: Upscaled) -> StiffnessFacts | None:
    """Look at a stiffness; None where it is not finite, or holds nothing in some strain.

    Args:
        result: a result for which `is_stiffness` holds.

    Cost: 0.3 s.
    """
    given = np.asarray(result.value, dtype=float)
    if not np.all(np.isfinite(given)):
        return None
    value = (given + given.T) / 2
    ends = np.linalg.eigvalsh(value)
    if ends[0] <= _SOFT * ends[-1]:
        return None
    fits = anisotropy(value, order=4)
    softest, stiffest = young_extremes(value)
    scale, unit = pressure_unit(float(np.abs(value).max()))
    std = None if result.std is None else np.broadcast_to(np.asarray(result.std, float), value.shape)
    return StiffnessFacts(
        value=value,
        std=std,
        parts={name: np.asarray(part.std, dtype=float) for name, part in result.uncertainty.items()},
        scale=scale,
        unit=unit,
        fits=fits,
        isotropic=engineering_constants(value, "isotropic", fits=fits),
        own=engineering_constants(value, fits=fits),
        softest=softest,
        stiffest=stiffest,
    )


def isotropic_moduli(matrix: np.ndarray) -> tuple[float, float]:
    """Return bulk and shear modulus of the isotropic part of a stiffness: also of one that holds nothing.

    In the plane the bulk modulus is that of the area.
    """
    array = np.asarray(matrix, float)
    dim = 3 if len(array) == 6 else 2
    bulk = float(array[:dim, :dim].sum()) / dim**2
    shear = (float(np.trace(array)) - dim * bulk) / (2 * (len(array) - 1))
    return bulk, shear
