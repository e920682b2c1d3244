"""A thermal expansion made ready for the page."""

import numpy as np

from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import Picture
from scalebridge.report.figures_modulus import direction_text, draw_expansion
from scalebridge.report.figures_plots import Interval, Point, draw_intervals
from scalebridge.report.looks import Look, looks_of, subject_name
from scalebridge.report.sections import Block, Section, base_section, convergence_block, subject_pictures
from scalebridge.report.stiffness_facts import COMPONENTS
from scalebridge.report.stiffness_tables import (
    MANDEL,
    constant_name,
    constant_value,
    load_names,
    materials_table,
    steps_table,
)
from scalebridge.report.tables import Row, Table, check_table
from scalebridge.report.tensors import trusted_digits
from scalebridge.report.typeset import MISSING, align, typeset_estimate, typeset_number
from scalebridge.report.wording import unbroken, verdict_sentence

_MICRO = 1e-6
_UNIT = "10⁻⁶/K"
_ALIKE = 1e-6


def make_expansion_section(result: Upscaled, number: int) -> Section:
    """Draw and set everything that the page shows of a thermal expansion.

    Args:
        result: the result, its value in Mandel notation, 1/K.
        number: its number on the page, from 1.
    """
    key, looks = f"result-{number}", looks_of(result)
    flat, volumes = subject_pictures(result, looks, key)
    known = bool(np.all(np.isfinite(np.asarray(result.value, float))))
    return base_section(
        result,
        key,
        looks,
        headline=expansion_headline(result),
        sentences=expansion_sentences(result),
        answer=[_answer(result), *([_principal_table(result)] if known else [])],
        pictures=(flat, volumes),
        phases=materials_table(result, looks),
        blocks=_blocks(result, looks, key, flat if volumes else flat[1:], known),
    )


def expansion_headline(result: Upscaled) -> tuple[str, str, str]:
    """Return number, unit and meaning of the number that stands for an expansion; empty if there is none."""
    value = np.asarray(result.value, float)
    if not np.all(np.isfinite(value)):
        return "", "", ""
    dim = 3 if len(value) == 6 else 2
    std = None if result.std is None else float(np.mean(np.asarray(result.std)[:dim])) / _MICRO
    return typeset_estimate(float(value[:dim].mean()) / _MICRO, std, 4), _UNIT, "mean over directions"


def expansion_tensor(value: np.ndarray) -> np.ndarray:
    """Return the (d, d) matrix of a tensor in Mandel notation.

    Example:
        >>> expansion_tensor(np.array([1.0, 2.0, 0.0])).tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    dim = 3 if len(value) == 6 else 2
    tensor = np.diag(np.asarray(value, float)[:dim])
    for place, (i, j) in enumerate([(1, 2), (0, 2), (0, 1)] if dim == 3 else [(0, 1)], dim):
        tensor[i, j] = tensor[j, i] = value[place] / np.sqrt(2)
    return tensor


def expansion_sentences(result: Upscaled) -> list[str]:
    """Return the answer in words, the verdict last."""
    return [unbroken(sentence) for sentence in [*_said(result), verdict_sentence(result)]]


def _said(result: Upscaled) -> list[str]:
    number, unit, _ = expansion_headline(result)
    if not number:
        return [f"The {result.spec.name} of {subject_name(result)} was not found."]
    first = (
        f"On average over directions, the {result.spec.name} of {subject_name(result)} is {number} {unit}."
    )
    values, vectors = np.linalg.eigh(expansion_tensor(result.value))
    if values[-1] - values[0] <= _ALIKE * max(abs(values[-1]), abs(values[0])):
        return [first, "It is the same in all directions."]
    shown = [typeset_number(float(x) / _MICRO, 3) for x in (values[-1], values[0])]
    return [
        first,
        f"It is largest along {direction_text(vectors[:, -1])} ({shown[0]} {_UNIT}) and smallest along "
        f"{direction_text(vectors[:, 0])} ({shown[1]} {_UNIT}).",
    ]


def _answer(result: Upscaled) -> Table:
    value = np.asarray(result.value, float)
    std = None if result.std is None else np.asarray(result.std) / _MICRO
    cells, _ = align(value / _MICRO, std, trusted_digits(result))
    names = COMPONENTS[len(value)]
    caption = f"{result.spec.name[:1].upper()}{result.spec.name[1:]}, {_UNIT}, in {MANDEL}"
    return Table(caption, ("component", "value"), [Row((n, c)) for n, c in zip(names, cells, strict=True)])


def _principal_table(result: Upscaled) -> Table:
    values, vectors = np.linalg.eigh(expansion_tensor(result.value))
    cells, _ = align(values[::-1] / _MICRO, None, trusted_digits(result))
    axes, _ = align(vectors.T[::-1], digits=4)
    names = "xyz"[: len(values)]
    rows = [Row((str(i + 1), cells[i], *axes[i])) for i in range(len(values))]
    head = ("principal expansion", _UNIT, *(f"axis {name}" for name in names))
    return Table("Principal expansions and their axes as unit vectors", head, rows)


def _blocks(
    result: Upscaled, looks: dict[str, Look], key: str, slices: list[Picture], known: bool
) -> list[Block]:
    solid = known and len(np.asarray(result.value)) == 6
    steps = result.stats.get("steps")
    count = len(steps) if isinstance(steps, list | tuple) else 0
    lead = "By how much it grows in each direction for one degree."
    pictures = [draw_expansion(np.asarray(result.value, float), f"{key}-expansion")] if solid else []
    passed = "What was preserved from the fine to the coarse scale, as measured numbers."
    blocks = [
        Block(f"{key}-directions", "Directions", lead, pictures),
        Block(f"{key}-slices", "Slices", "Through the middle, across each axis.", slices),
        Block(f"{key}-checks", "Checks", passed, [], check_table(result)),
        _bound_block(result, key),
        convergence_block(result, key, steps_table(result), load_names(count, len(result.value))),
        Block(
            f"{key}-sensitivities",
            "Sensitivities",
            "By how much the expansion changes with each constant.",
            [],
            _derivative_table(result, looks),
        ),
        Block(
            f"{key}-uncertainty",
            "Uncertainty",
            "What the standard deviation of the answer is made of.",
            [],
            _spread_table(result),
        ),
    ]
    return [block for block in blocks if block.pictures or block.table]


def _bound_block(result: Upscaled, key: str) -> Block:
    title, lead = "Bounds", "What the volume fractions alone allow for the mean over directions."
    value = np.asarray(result.value, float)
    dim = 3 if len(value) == 6 else 2
    rows = [
        (name, float(np.mean(np.ravel(b.lower)[:dim])), float(np.mean(np.ravel(b.upper)[:dim])), b.source)
        for name, b in result.bounds.items()
    ]
    if not rows:
        return Block(f"{key}-bounds", title, lead, [])
    point = Point("this result", float(value[:dim].mean()) / _MICRO)
    intervals = [Interval(name, low / _MICRO, high / _MICRO) for name, low, high, _ in rows]
    alt = "Bounds of the mean expansion, and the result, on one axis."
    drawn = draw_intervals(intervals, [point], f"mean expansion, {_UNIT}", f"{key}-bounds", alt)
    shown = [
        Row((name, *(typeset_number(x / _MICRO, 5) for x in (low, high)), source))
        for name, low, high, source in rows
    ]
    head = ("bound", "lower", "upper", "source")
    table = Table(f"Bounds, mean over directions, {_UNIT}", head, shown, frozenset({0, 3}), frozenset({3}))
    return Block(f"{key}-bounds", title, lead, [drawn], table)


def _derivative_table(result: Upscaled, looks: dict[str, Look]) -> Table | None:
    """Derivatives of the expansion by every constant, scaled by the constant where that is a number."""
    found = {name: np.asarray(d, float) for name, d in result.derivatives.items() if d is not None}
    found = {name: d for name, d in found.items() if d.shape == np.shape(result.value)}
    if not found:
        return None
    rows = []
    for name, slope in found.items():
        value = constant_value(result, name)
        scaled = slope / _MICRO * (1.0 if value is None else value)
        shown = MISSING if value is None else typeset_number(value, 5)
        numbers = (typeset_number(float(x), 4, trim=False) for x in scaled)
        rows.append(Row((constant_name(name, result, looks), shown, *numbers)))
    names = COMPONENTS[len(np.asarray(result.value))]
    caption = f"Constant p times ∂α/∂p, {_UNIT} (where p has no value, ∂α/∂p alone)"
    return Table(caption, ("constant p", "value", *names), rows)


def _spread_table(result: Upscaled) -> Table | None:
    if not result.uncertainty:
        return None
    dim = 3 if len(np.asarray(result.value)) == 6 else 2
    means = {name: float(np.mean(np.asarray(part.std)[:dim])) for name, part in result.uncertainty.items()}
    rows = [
        Row((name, typeset_number(std / _MICRO, 2), result.uncertainty[name].method))
        for name, std in means.items()
    ]
    missing = result.stats.get("not assessed", [])
    rows += [Row((name, MISSING, "not assessed")) for name in missing]
    head = ("part", f"std, {_UNIT}", "how it was found")
    return Table(
        "Standard deviation of the mean over directions", head, rows, frozenset({0, 2}), frozenset({2})
    )
