"""Several results beside each other, on top of their page."""

import math
from dataclasses import dataclass
from typing import Any

from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import Picture
from scalebridge.report.figures_plots import Point, draw_intervals
from scalebridge.report.looks import Look, looks_of, subject_name
from scalebridge.report.sections import Section
from scalebridge.report.stiffness_facts import is_expansion, is_stiffness
from scalebridge.report.tables import Row, Table
from scalebridge.report.tensors import anisotropy, is_space_tensor, mean_value, principal_values
from scalebridge.report.typeset import MISSING, shorten, typeset_estimate, typeset_number, typeset_unit


@dataclass(frozen=True)
class Comparison:
    """What stands on top of a page of several results.

    Args:
        pictures: one plot for each quantity and unit that occurs more than once.
        table: one row a result.
    """

    pictures: list[Picture]
    table: Table


def compare(results: list[Upscaled], sections: list[Section]) -> Comparison:
    """Set results beside each other.

    Args:
        results: the results.
        sections: their sections, in the same order.
    """
    head = (
        "result",
        "of",
        "constituents",
        "mean",
        "smallest to largest",
        "apart",
        "checks",
    )
    numbers = [int(section.key.rpartition("-")[2]) for section in sections]
    rows = [_row(*three) for three in zip(numbers, results, sections, strict=True)]
    table = Table("The results beside each other", head, rows, frozenset({0, 1, 2, 6}), frozenset({2}))
    kinds: dict[tuple[str, str], list[Point]] = {}
    for i, result in zip(numbers, results, strict=True):
        if _is_mandel(result) or not math.isfinite(mean_value(result)[0]):
            continue
        kinds.setdefault((result.spec.name, result.unit), []).append(_point(i, result))
    drawn = [_plot(kind, points) for kind, points in kinds.items() if len(points) > 1]
    return Comparison(drawn, table)


def _row(number: int, result: Upscaled, section: Section) -> Row:
    mean, unit = section.number, section.unit
    span, apart = MISSING, MISSING
    if is_space_tensor(result.value) and not _is_mandel(result):
        principals = principal_values(result)
        low, high = (typeset_number(p.value, 4) for p in (principals[-1], principals[0]))
        span, apart = f"{low} to {high}", f"{typeset_number(100 * anisotropy(principals), 2)} %"
    shown = f"{mean} {unit}" if mean and unit else mean or MISSING
    passed = sum(check.passed for check in result.checks)
    verdict = MISSING
    if section.passed is not None:
        verdict = f"{'✓' if section.passed else '✗'} {passed} of {len(result.checks)}"
    cells = (
        f"{number}. {result.spec.name}",
        subject_name(result),
        _made_of(result),
        shown,
        span,
        apart,
        verdict,
    )
    return Row(cells, verdict=section.passed)


def _is_mandel(result: Upscaled) -> bool:
    return is_stiffness(result) or is_expansion(result)


def _made_of(result: Upscaled) -> str:
    looks = list(looks_of(result).values())
    named = [_constituent(look, result.inputs.get(look.key, {}).get("value")) for look in looks[:4]]
    return ", ".join(named) + (f" and {len(looks) - 4} more" if len(looks) > 4 else "")


def _constituent(look: Look, value: Any) -> str:
    name = shorten(look.name)
    return f"{name}: {typeset_number(float(value), 4)}" if isinstance(value, int | float) else name


def _point(number: int, result: Upscaled) -> Point:
    mean, std = mean_value(result)
    parts = tuple(p.value for p in principal_values(result)) if is_space_tensor(result.value) else ()
    return Point(f"{number}. {shorten(subject_name(result), 18)}", mean, std, parts)


def _plot(kind: tuple[str, str], points: list[Point]) -> Picture:
    name, unit = kind[0], typeset_unit(kind[1])
    said = "; ".join(f"{p.name}: {typeset_estimate(p.value, p.std, 4)}" for p in points)
    across = f"{name}, {unit}" if unit else name
    return draw_intervals(
        [], points, across, f"comparison-{name}-{kind[1]}", f"Results beside each other. {said}."
    )
