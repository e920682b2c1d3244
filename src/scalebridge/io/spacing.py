"""Voxel sizes: from an argument with units, or from a header with or without one."""

import math
from collections.abc import Mapping, Sequence

from scalebridge.core.errors import InputError, UnitError
from scalebridge.core.units import parse_quantity, split_quantity

_CURE = "write voxel='3 um', or one length an axis in the order x, y, z: ('3 um', '3 um', '5 um')"


def parse_voxel(voxel: str | Sequence[str], ndim: int) -> tuple[float, ...]:
    """Turn a voxel size with units into metres.

    Args:
        voxel: one length for all axes, or one an axis in the order x, y, z. A bare number is refused.
        ndim: number of image axes.

    Returns:
        edge lengths in metres, `ndim` positive numbers.

    Raises:
        UnitError: a length has no unit, or a unit that is not a length's.
        InputError: a length is not positive, or their number does not fit.

    Example:
        >>> [round(length * 1e6) for length in parse_voxel(("3 um", "3 um", "0.005 mm"), 3)]
        [3, 3, 5]
    """
    lengths = [voxel] * ndim if isinstance(voxel, str) or not isinstance(voxel, Sequence) else list(voxel)
    if len(lengths) != ndim:
        raise InputError(
            "voxel", got=repr(voxel), wanted=f"one length or {ndim}, one an image axis", cure=_CURE
        )
    return tuple(_length(text) for text in lengths)


def _length(text: str) -> float:
    if split_quantity(text, "voxel")[1] is None:
        raise UnitError(
            "voxel", got=f"{text!r}, which has no unit", wanted="a length with a unit", cure=_CURE
        )
    metres = parse_quantity(text, "m", "voxel")
    if not (math.isfinite(metres) and metres > 0):
        raise InputError("voxel", got=repr(text), wanted="a positive, finite length", cure=_CURE)
    return metres


def metres_per(unit: str, argument: str) -> float:
    """Return how many metres a unit of length is.

    Raises:
        UnitError: the text is not a unit of length.

    Example:
        >>> metres_per("um", "voxel_unit")
        1e-06
    """
    if not unit.strip() or not (unit.strip()[0].isalpha() or unit.strip()[0] in "µμ"):
        raise UnitError(
            argument,
            got=repr(unit),
            wanted="a unit of length without a number",
            cure="write for example 'um'",
        )
    return parse_quantity(f"1 {unit}", "m", argument)


def is_length(unit: str) -> bool:
    """Tell whether a header's text is a unit of length (ImageJ writes 'pixel' for uncalibrated images)."""
    try:
        metres_per(unit, "unit")
    except UnitError:
        return False
    return True


def resolve_voxel(
    letters: str,
    spacing: Mapping[str, float],
    unit: str | None,
    *,
    remark: str,
    voxel: str | Sequence[str] | None,
    voxel_unit: str | None,
) -> tuple[tuple[float, ...] | None, str, str]:
    """Settle the voxel size: the argument wins; a header counts only with a unit, its own or the argument's.

    Args:
        letters: image axes, "xy" or "xyz".
        spacing: the header's spacing by image axis; incomplete or empty when it does not say.
        unit: the header's unit, or None.
        remark: why the header gives no size, for errors.
        voxel: the caller's voxel size, with units.
        voxel_unit: the caller's unit for a header spacing that has none.

    Returns:
        voxel edges in metres or None, where they come from ("argument", "header", "unknown"), and the remark.

    Raises:
        UnitError, InputError: the arguments contradict each other or the file, or are not lengths.
    """
    if voxel is not None:
        if voxel_unit is not None:
            raise InputError(
                "voxel_unit",
                got=repr(voxel_unit),
                wanted="voxel or voxel_unit, not both",
                cure="leave voxel_unit out",
            )
        return parse_voxel(voxel, len(letters)), "argument", ""
    lengths = tuple(spacing.get(letter, math.nan) for letter in letters)
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        if voxel_unit is not None:
            raise UnitError(
                "voxel_unit",
                got=f"{voxel_unit!r} ({remark})",
                wanted="a header with a spacing for it",
                cure=_CURE,
            )
        return None, "unknown", remark
    if unit is None and voxel_unit is None:
        said = "its header's spacing " + str(tuple(f"{length:g}" for length in lengths)).replace("'", "")
        return None, "unknown", f"{said} has no unit; voxel_unit='um' would read it in micrometres"
    factor = _factor(unit, voxel_unit)
    return tuple(length * factor for length in lengths), "header", ""


def _factor(unit: str | None, voxel_unit: str | None) -> float:
    if unit is None:
        return metres_per(voxel_unit or "", "voxel_unit")
    said = metres_per(unit, "the header's unit")
    if voxel_unit is not None and not math.isclose(metres_per(voxel_unit, "voxel_unit"), said, rel_tol=1e-9):
        raise UnitError(
            "voxel_unit",
            got=repr(voxel_unit),
            wanted=f"'{unit}', the unit in the file's header",
            cure="leave voxel_unit out, or overrule the header with voxel='3 um'",
        )
    return said
