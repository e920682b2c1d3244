"""What a reader wants to know of a tensor: principal values, axes, mean, anisotropy, formation factor."""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.core.upscaled import Upscaled

AXES = "xyz"


@dataclass(frozen=True)
class Principal:
    """One principal value of a symmetric tensor.

    Args:
        value: the eigenvalue.
        std: its standard deviation, None when nothing has a spread.
        axis: unit eigenvector (dim,), turned so that its largest component is positive.
        nearest: the image axis that it is closest to, "x", "y" or "z".
        angle: angle to that axis in degrees, 0 to 54.8.
    """

    value: float
    std: float | None
    axis: np.ndarray
    nearest: str
    angle: float


@dataclass(frozen=True)
class Formation:
    """A conductor in an insulating frame: what its geometry costs.

    Args:
        factors: formation factor F = 1 / k along each image axis (diagonal of K), and of the mean principal
            value.
        stds: their standard deviations, None without any.
        fraction: volume fraction of the conductor (the porosity, if it is the pore fluid).
    """

    factors: np.ndarray
    stds: np.ndarray | None
    fraction: float

    @property
    def tortuosities(self) -> np.ndarray:
        """Tortuosity factor: volume fraction times formation factor."""
        return self.fraction * self.factors

    @property
    def exponents(self) -> np.ndarray:
        """Archie's cementation exponent m in F = fraction^-m (Archie, Trans. AIME 146 (1942) 54)."""
        return -np.log(self.factors) / math.log(self.fraction)


def is_space_tensor(value: np.ndarray) -> bool:
    """Whether a value is a second-order tensor of the plane or of space, finite everywhere."""
    value = np.asarray(value)
    return value.shape in ((2, 2), (3, 3)) and bool(np.all(np.isfinite(value)))


def principal_values(result: Upscaled) -> list[Principal]:
    """Return the principal values of a tensor, largest first.

    The standard deviation of n.K n is to first order at most sum |n_a n_b| std_ab within one part of the
    uncertainty (reached where its components move together); parts add as squares.

    Args:
        result: a result whose value is a (dim, dim) tensor.
    """
    value = np.asarray(result.value, dtype=float)
    numbers, vectors = np.linalg.eigh(0.5 * (value + value.T))
    known = result.uncertainty if result.std is not None else {}
    parts = [np.asarray(part.std, dtype=float) for part in known.values()]
    return [_principal(numbers[i], vectors[:, i], parts) for i in reversed(range(numbers.size))]


def mean_value(result: Upscaled) -> tuple[float, float | None]:
    """Return the mean of the principal values (a third of the trace in space) and its standard deviation.

    Within a part of the uncertainty the diagonal components are taken to move together, which is never too
    small.
    """
    value = np.asarray(result.value, dtype=float)
    if result.std is None:
        return mean_of(value), None
    squares = [mean_of(np.asarray(part.std, dtype=float)) ** 2 for part in result.uncertainty.values()]
    return mean_of(value), math.sqrt(sum(squares))


def mean_of(value: np.ndarray) -> float:
    """Return the mean of the principal values of a tensor; of anything else, the mean of its components."""
    value = np.asarray(value, dtype=float)
    square = value.ndim == 2 and value.shape[0] == value.shape[1]
    return float(np.trace(value) / value.shape[0]) if square else float(np.mean(value))


def trusted_digits(result: Upscaled) -> int:
    """Return how many significant digits the solver vouches for, 3 to 6; 6 for an exact formula."""
    error = result.stats.get("algebraic error")
    if not isinstance(error, int | float) or not 0 < error < math.inf:
        return 6
    return min(max(math.ceil(-math.log10(error)), 3), 6)


def anisotropy(principals: list[Principal]) -> float:
    """Return (largest - smallest) / mean of the principal values, 0 for an isotropic tensor."""
    numbers = [p.value for p in principals]
    middle = sum(numbers) / len(numbers)
    return (max(numbers) - min(numbers)) / abs(middle) if middle else 0.0


def formation(result: Upscaled) -> Formation | None:
    """Return the formation factor; None unless the phases are conductors of 1 and insulators of exactly 0."""
    inputs = list(result.inputs.values())
    values = [item.get("value") for item in inputs]
    pure = all(isinstance(v, int | float) and v in (0, 1) for v in values)
    if result.unit != "1" or not pure or len(set(values)) != 2 or not is_space_tensor(result.value):
        return None
    mean, mean_std = mean_value(result)
    found = np.append(np.diagonal(np.asarray(result.value, dtype=float)), mean)
    fraction = sum(float(item.get("fraction") or 0.0) for item in inputs if item["value"] == 1)
    if np.any(found <= 0) or not 0 < fraction < 1:
        return None
    spread = None if mean_std is None else np.append(np.diagonal(_std(result)), mean_std) / found**2
    return Formation(1.0 / found, spread, fraction)


def relative_sensitivities(result: Upscaled) -> dict[str, np.ndarray]:
    """Return (k / K_ii) dK_ii/dk for every input with a known derivative, by the input's name.

    For a phase with a diagonal or a full tensor all its components are scaled together. The tensor is
    homogeneous of the first degree in the phases' values, so that the sum over all phases is 1 (Euler).

    Returns:
        arrays (dim,), NaN where K_ii is zero.
    """
    if not is_space_tensor(result.value):
        return {}
    whole = np.diagonal(np.asarray(result.value, dtype=float))
    found = {}
    for name, slope in result.derivatives.items():
        value = result.inputs.get(name, {}).get("value")
        if slope is None or value is None:
            continue
        terms = np.asarray(slope, dtype=float) * np.asarray(value, dtype=float)
        if terms.ndim == 2 + np.ndim(value):
            scaled = np.diagonal(terms.reshape(*terms.shape[:2], -1).sum(axis=2))
            found[name] = np.divide(scaled, whole, out=np.full(whole.size, np.nan), where=whole != 0)
    return found


def _principal(number: float, vector: np.ndarray, parts: list[np.ndarray]) -> Principal:
    near = int(np.argmax(np.abs(vector)))
    axis = vector * np.sign(vector[near])
    angle = math.degrees(math.acos(min(1.0, float(axis[near]))))
    weights = np.abs(np.outer(axis, axis))
    std = math.sqrt(sum(float(np.sum(weights * part)) ** 2 for part in parts)) if parts else None
    return Principal(float(number), std, axis, AXES[near], angle)


def _std(result: Upscaled) -> np.ndarray:
    return np.zeros_like(result.value) if result.std is None else np.asarray(result.std, dtype=float)
