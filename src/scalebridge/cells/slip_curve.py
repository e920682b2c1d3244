"""The curve of a permeability over the slip length: values, exact slopes, what is checked along it.

K(s) rises and is concave in the order of symmetric tensors: v.K(s)v is the greatest of  2 b.w - w.A(s)w  over
all velocities w, in which the walls take |P w|^2 / s, and a square over a positive number is convex in both.
So K' is positive semidefinite, and the curve lies under each of its tangents.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.units import parse_quantity
from scalebridge.core.upscaled import Upscaled

_ROUNDING = 1e-8  # relative; the slope is a Gram matrix, semidefinite up to rounding
_MOST = 64  # points of a curve

Point = tuple[np.ndarray, np.ndarray]
"""Permeability and its derivative at one slip length."""


@dataclass(frozen=True)
class SlipCurve:
    """Permeabilities at several slip lengths, with their derivatives.

    Args:
        lengths: (n,) slip lengths, ascending from zero, m, or voxel edges.
        values: (n, dim, dim), m^2, or squares of the voxel's edge.
        slopes: (n, dim, dim), dK/d(slip length) at each of them.

    Example:
        >>> lengths = np.array([0.0, 1.0])
        >>> h = 3.0  # a channel: h^2/12 + h s/2
        >>> tensors = [np.array([[h * h / 12 + h * s / 2]]) for s in lengths]
        >>> curve = SlipCurve(lengths, np.array(tensors), np.full((2, 1, 1), h / 2))
        >>> curve.at(0.5).tolist(), all(check.passed for check in curve.checks(1e-4))
        ([[1.5]], True)
    """

    lengths: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    def at(self, length: float | np.ndarray) -> np.ndarray:
        """Return the permeability at slip lengths within the curve, shape (..., dim, dim).

        Between two points it is the cubic that has their values and slopes.

        Raises:
            InputError: a length beyond the curve's ends.
        """
        asked = np.asarray(length, float)
        if asked.size and not (asked.min() >= self.lengths[0] and asked.max() <= self.lengths[-1]):
            raise InputError(
                "length",
                got=f"slip lengths from {asked.min():.4g} to {asked.max():.4g}",
                wanted=f"lengths within the curve, {self.lengths[0]:.4g} to {self.lengths[-1]:.4g}",
                cure="ask permeability() for a longer slip_curve",
            )
        low = np.clip(np.searchsorted(self.lengths, asked, side="right") - 1, 0, self.lengths.size - 2)
        step = self.lengths[low + 1] - self.lengths[low]
        t = ((asked - self.lengths[low]) / step)[..., None, None]
        step = step[..., None, None]
        ends = self.values[low] * (1 + 2 * t) * (1 - t) ** 2 + self.values[low + 1] * t**2 * (3 - 2 * t)
        return ends + step * t * (1 - t) * (self.slopes[low] * (1 - t) - self.slopes[low + 1] * t)

    def checks(self, rtol: float) -> list[Check]:
        """Return whether every point is positive and rises, and whether the curve is concave.

        Args:
            rtol: relative error of each value.
        """
        scale = float(np.max(np.abs(self.values)))
        steps = np.diff(self.lengths)[:, None, None]
        chords = np.diff(self.values, axis=0)
        excess = (chords - steps * self.slopes[:-1], steps * self.slopes[1:] - chords)
        reach = float(np.max(np.abs(steps * self.slopes[:-1]), initial=0.0)) / scale
        return [
            Check(
                "positive definite along the slip curve",
                float(np.min(np.linalg.eigvalsh(self.values))) / scale,
                -rtol,
                "at least",
                meaning="smallest principal value of all points over the largest component; each has the "
                "solver's error",
            ),
            rising_check(self.values, self.slopes, "rising along the slip curve"),
            Check(
                "concave along the slip curve",
                float(max(np.max(np.linalg.eigvalsh(part)) for part in excess)) / scale,
                2 * rtol + rtol**0.5 * reach,
                meaning="how far a point lies above its neighbour's tangent, over the largest component: "
                "slip helps less the more there is. Values have the solver's error, slopes its root",
            ),
        ]

    def to_stats(self) -> dict[str, Any]:
        """Return plain data, with the tangent at the first point."""
        return {
            "slip lengths": self.lengths.tolist(),
            "values": self.values.tolist(),
            "slopes": self.slopes.tolist(),
            "slope": self.slopes[0].tolist(),
        }


def plain_slips(slip_length: Any) -> Any:
    """Return a slip length, or those of labels, as plain data."""
    if isinstance(slip_length, Mapping):
        return {str(label): float(value) for label, value in slip_length.items()}
    return slip_length


def rising_check(value: np.ndarray, slope: np.ndarray, name: str = "rising with slip") -> Check:
    """Say whether permeabilities rise with the slip length: slopes are positive semidefinite.

    Args:
        value: (..., dim, dim), of which the largest component gives the scale.
        slope: (..., dim, dim), dK/d(slip length).
        name: of the check.

    Example:
        >>> print(rising_check(np.eye(2), np.diag([0.5, 0.0])))
        pass  rising with slip: 0 at least -1e-08
    """
    scale = float(np.max(np.abs(slope))) if np.any(value) else 0.0
    lowest = float(np.min(np.linalg.eigvalsh(slope)))
    return Check(
        name,
        lowest / scale if scale > 0 else 0.0,
        -_ROUNDING,
        "at least",
        meaning="smallest principal value of dK/d(slip length) over its largest component: walls that hold "
        "the fluid less let more through; the derivative is a Gram matrix of wall tractions, so that only "
        "rounding is allowed",
    )


def curve_lengths(given: Sequence[str | float] | None, unit: str) -> tuple[float, ...]:
    """Return the slip lengths of a curve as numbers, ascending, with zero among them; none for none.

    Args:
        given: lengths with their unit, or numbers.
        unit: "m", or "1" for voxel edges; a number without a unit is refused for "m" in text alone.

    Raises:
        InputError: no list, a length that is negative or not finite, or more than 64 of them.

    Example:
        >>> curve_lengths(["2 um", "1 um"], "m"), curve_lengths(None, "m")
        ((0.0, 1e-06, 2e-06), ())
    """
    if given is None:
        return ()
    wrong = isinstance(given, str | int | float) or not 0 < len(given) <= _MOST
    read = [] if wrong else [_length(item, unit) for item in given]
    if wrong or not all(0.0 <= length < math.inf for length in read) or not any(read):
        raise InputError(
            "slip_curve",
            got=repr(given),
            wanted=f"one to {_MOST} finite lengths that are not negative, and not all zero",
            cure="pass for example ['50 nm', '100 nm', '200 nm']",
        )
    return tuple(sorted({0.0, *read}))


def _length(item: str | float, unit: str) -> float:
    if isinstance(item, bool):
        return math.nan
    return parse_quantity(item, unit, "slip_curve") if isinstance(item, str) or unit == "1" else float(item)


def solved_curve(
    lengths: Sequence[float], solve: Callable[[float], Point], known: dict[float, Point]
) -> SlipCurve:
    """Solve for each slip length that is not known yet.

    Args:
        lengths: ascending.
        solve: returns permeability and slope at a slip length.
        known: what was solved before.
    """
    points = [known[length] if length in known else solve(length) for length in lengths]
    return SlipCurve(np.array(lengths), np.array([p[0] for p in points]), np.array([p[1] for p in points]))


def curve_of(result: Upscaled) -> SlipCurve:
    """Return the slip curve of a permeability.

    Raises:
        InputError: the result has none.
    """
    found = result.stats.get("slip curve")
    if not found:
        raise InputError(
            "result",
            got=f"a {result.spec.name} without a slip curve",
            wanted="a permeability at several slip lengths",
            cure="pass slip_curve=['50 nm', '200 nm'] to permeability()",
        )
    return SlipCurve(*(np.asarray(found[part], float) for part in ("slip lengths", "values", "slopes")))
