"""Numbers and units as they are printed: rounded by their spread, aligned on the decimal point."""

import math
import re
from dataclasses import dataclass

import numpy as np

MISSING = "–"
_ROUNDING = 1e-12  # relative; a spread below it is what arithmetic leaves
_MINUS = "−"
_DIGIT_SPACE, _POINT_SPACE = "\u2007", "\u2008"  # as wide as a digit and as a decimal point
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LENGTHS = ((1e-9, "nm"), (1e-6, "µm"), (1e-3, "mm"), (1.0, "m"), (1e3, "km"))


@dataclass(frozen=True)
class Cell:
    """A number of a table as text.

    Args:
        value: the number, padded so that decimal points stand below each other in a right-aligned column.
        std: its standard deviation, padded too; empty, or only room for one, where there is none.
    """

    value: str
    std: str = ""

    def __str__(self) -> str:
        return f"{self.value} ± {self.std}" if self.std.strip() else self.value


def typeset_unit(unit: str) -> str:
    """Set a unit with one solidus, raised dots and superscripts; "1" gives the empty text.

    Example:
        >>> typeset_unit("W/m/K"), typeset_unit("m**2/s"), typeset_unit("1")
        ('W/(m·K)', 'm²/s', '')
    """
    if unit.strip() in ("", "1"):
        return ""
    above, *below = unit.replace("**", "^").split("/")
    if any(mark in part for part in below for mark in "()"):
        above, below = unit.replace("**", "^").split("/", 1)[0], [unit.replace("**", "^").split("/", 1)[1]]
        below = below[0].strip("() ").replace("/", "*").split("*")
    numerator = "·".join(_power(part) for part in above.split("*"))
    denominator = [_power(part) for part in "*".join(below).split("*") if part.strip()]
    if len(denominator) <= 1:
        return "/".join([numerator, *denominator])
    return f"{numerator}/({'·'.join(denominator)})"


def typeset_number(value: float, digits: int = 6, *, trim: bool = True) -> str:
    """Set a number with so many significant digits, with a power of ten where it is very large or small.

    Args:
        value: the number.
        digits: significant digits.
        trim: whether zeros at the end of the decimals are dropped.

    Example:
        >>> typeset_number(0.000123456, 3), typeset_number(-4.5), typeset_number(float("nan"))
        ('1.23×10⁻⁴', '−4.5', '–')
    """
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -3 <= exponent < 6:
        return _signed(f"{value:.{max(digits - 1 - exponent, 0)}f}", trim)
    mantissa = _signed(f"{value / 10.0**exponent:.{digits - 1}f}", trim)
    if mantissa.lstrip(_MINUS) == "1":
        return mantissa[:-1] + power_of_ten(exponent)
    return f"{mantissa}×{power_of_ten(exponent)}"


def typeset_estimate(value: float, std: float | None, digits: int = 6) -> str:
    """Set a number and its standard deviation with the same decimals; without one that is but rounding.

    Example:
        >>> typeset_estimate(7.7123, 0.3), typeset_estimate(7.7123, None, 3), typeset_estimate(2.1e-13, 4e-15)
        ('7.7 ± 0.3', '7.71', '(2.10 ± 0.04)×10⁻¹³')
    """
    if not std or not math.isfinite(std) or not math.isfinite(value) or std < _ROUNDING * abs(value):
        return typeset_number(value, digits)
    exponent = _exponent(max(abs(value), std), step=1)
    scaled, spread = value / 10.0**exponent, std / 10.0**exponent
    places = min(decimals_of(spread), 12)
    text = f"{_signed(f'{scaled:.{places}f}')} ± {_signed(f'{spread:.{places}f}')}"
    return text if exponent == 0 else f"({text})×{power_of_ten(exponent)}"


def decimals_of(std: float) -> int:
    """Return how many decimals a standard deviation deserves: two significant digits of it.

    One that has a single digit, as people state it, keeps that one. Source: Guide to the Expression of
    Uncertainty in Measurement (JCGM 100:2008), 7.2.6.

    Example:
        >>> decimals_of(0.3), decimals_of(0.0371), decimals_of(0.197), decimals_of(40.0)
        (1, 3, 2, 0)
    """
    if std <= 0 or not math.isfinite(std):
        return 0
    exponent = int(f"{std:.1e}".partition("e")[2])
    stated = math.isclose(std, float(f"{std:.0e}"), rel_tol=1e-9)
    return max(int(not stated) - exponent, 0)


def align(values: np.ndarray, stds: np.ndarray | None = None, digits: int = 6) -> tuple[np.ndarray, int]:
    """Set an array of numbers of one unit so that their decimal points stand below each other.

    Args:
        values: numbers of any shape.
        stds: their standard deviations, or None; a zero is printed as no deviation.
        digits: significant digits of the largest number, and the most that any is given.

    Returns:
        an array of `Cell` of the same shape, and the power of ten that was taken out of all of them.
    """
    values = np.asarray(values, dtype=float)
    spread = np.zeros_like(values) if stds is None else np.asarray(stds, dtype=float)
    size = _largest(values, spread)
    exponent = _exponent(size, step=3)
    most = max(digits - 1 - _floor_log(size / 10.0**exponent), 0)
    pairs = [
        _rounded(v / 10.0**exponent, s / 10.0**exponent, most, 1e-13 * size / 10.0**exponent)
        for v, s in zip(values.ravel(), spread.ravel(), strict=True)
    ]
    cells = [Cell(*pair) for pair in zip(*(_padded([p[i] for p in pairs]) for i in (0, 1)), strict=True)]
    found = np.empty(values.size, dtype=object)
    found[:] = cells
    return found.reshape(values.shape), exponent


def power_of_ten(exponent: int) -> str:
    """Return "10" with the exponent in superscript digits."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def typeset_length(metres: float, digits: int = 4) -> str:
    """Set a length in the unit that leaves a readable number.

    Example:
        >>> typeset_length(2.56e-4), typeset_length(3e-6)
        ('256 µm', '3 µm')
    """
    scale, unit = length_unit(metres)
    return f"{typeset_number(metres / scale, digits)} {unit}"


def length_unit(metres: float) -> tuple[float, str]:
    """Return the unit that suits a length: its size in metres, and its name.

    Example:
        >>> length_unit(2.56e-4)
        (1e-06, 'µm')
    """
    size = abs(metres) * (1 + 1e-12)
    return next((pair for pair in reversed(_LENGTHS) if size >= pair[0]), _LENGTHS[0])


def round_length(limit: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is no longer than `limit`.

    Example:
        >>> round_length(64e-6)
        5e-05
    """
    decade = 10.0 ** math.floor(math.log10(limit))
    step = max(s for s in (1, 2, 5) if s * decade <= limit * (1 + 1e-12))
    return float(f"{step * decade:.0e}")


def shorten(text: str, limit: int = 24) -> str:
    """Cut a name for a picture, where there is no room for a long one."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """Return a number with its noun in the right grammatical number.

    Example:
        >>> count(1, "check"), count(3, "check")
        ('1 check', '3 checks')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _power(factor: str) -> str:
    factor = factor.strip().strip("()")
    return re.sub(r"\^(-?\d+)", lambda found: found[1].translate(_SUPERSCRIPTS), factor)


def _signed(text: str, trim: bool = False) -> str:
    if trim and "." in text:
        text = text.rstrip("0").rstrip(".")
    if not text.strip("-0."):
        text = text.lstrip("-")  # no minus before a zero
    return text.replace("-", _MINUS)


def _floor_log(size: float) -> int:
    return math.floor(math.log10(size)) if size > 0 else 0


def _exponent(size: float, step: int) -> int:
    return 0 if size == 0 or 1e-3 <= size < 1e5 else step * (_floor_log(size) // step)


def _largest(values: np.ndarray, spread: np.ndarray) -> float:
    both = np.abs(np.concatenate([values.ravel(), spread.ravel()]))
    finite = both[np.isfinite(both)]
    return float(finite.max()) if finite.size else 0.0


def _rounded(value: float, std: float, most: int, zero: float) -> tuple[str, str]:
    if not math.isfinite(value):
        return MISSING, ""
    if abs(value) <= zero and std <= zero:
        return "0", ""
    known = math.isfinite(std) and std >= 0.5 * 10.0**-most
    places = min(decimals_of(std), most) if known else most
    return _signed(f"{value:.{places}f}"), f"{std:.{places}f}" if known else ""


def _padded(texts: list[str]) -> list[str]:
    fractions = [len(text.partition(".")[2]) for text in texts]
    longest, width = max(fractions, default=0), max(map(len, texts), default=0)
    return [
        text + _POINT_SPACE * (length == 0 < longest) + _DIGIT_SPACE * (longest - length)
        if text
        else _DIGIT_SPACE * width
        for text, length in zip(texts, fractions, strict=True)
    ]
