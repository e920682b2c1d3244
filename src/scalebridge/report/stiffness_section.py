"""A stiffness made ready for the page."""

import math

import numpy as np

from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import Picture
from scalebridge.report.figures_modulus import (
    direction_text,
    draw_modulus,
    draw_modulus_sections,
    pressure_unit,
)
from scalebridge.report.figures_plots import Interval, Point, draw_bars, draw_intervals
from scalebridge.report.looks import Look, looks_of, subject_name
from scalebridge.report.sections import Block, Section, base_section, convergence_block, subject_pictures
from scalebridge.report.stiffness_facts import StiffnessFacts, stiffness_facts
from scalebridge.report.stiffness_tables import (
    answer_matrix,
    bound_matrices,
    bound_rows,
    bounds_table,
    constant_name,
    constants_table,
    derivative_table,
    frame_table,
    load_names,
    materials_table,
    relative_slopes,
    spread_table,
    steps_table,
    symmetry_table,
)
from scalebridge.report.tables import check_table
from scalebridge.report.typeset import typeset_estimate, typeset_number
from scalebridge.report.wording import unbroken, verdict_sentence

_ALIKE = 1e-6  # relative difference of moduli below which none is worth a word


def make_stiffness_section(result: Upscaled, number: int) -> Section:
    """Draw and set everything that the page shows of a stiffness.

    Args:
        result: the result.
        number: its number on the page, from 1.
    """
    key, looks, facts = f"result-{number}", looks_of(result), stiffness_facts(result)
    flat, volumes = subject_pictures(result, looks, key)
    return base_section(
        result,
        key,
        looks,
        headline=stiffness_headline(facts),
        sentences=stiffness_sentences(result, facts, looks),
        answer=[answer_matrix(result)],
        pictures=(flat, volumes),
        phases=materials_table(result, looks),
        blocks=_blocks(result, facts, looks, key, flat if volumes else flat[1:]),
    )


def stiffness_headline(facts: StiffnessFacts | None) -> tuple[str, str, str]:
    """Return number, unit and meaning of the number that stands for a stiffness; empty if there is none."""
    if facts is None:
        return "", "", ""
    value, std = facts.isotropic.values["E"], facts.spread(facts.isotropic, "E")
    scale, unit = pressure_unit(value)
    shown = typeset_estimate(value / scale, None if std is None else std / scale, 4)
    return shown, unit, "Young's modulus of the nearest isotropic stiffness"


def stiffness_sentences(result: Upscaled, facts: StiffnessFacts | None, looks: dict[str, Look]) -> list[str]:
    """Return the answer in words, for readers who do not read 6 x 6 matrices."""
    if facts is None:
        first = f"The stiffness of {subject_name(result)} holds nothing in some strain, or was not found."
        return [first, verdict_sentence(result)]
    said = [_first(result, facts), _directions(facts), _symmetry(facts), _lever(result, facts, looks)]
    return [unbroken(sentence) for sentence in [*said, verdict_sentence(result)] if sentence]


def _first(result: Upscaled, facts: StiffnessFacts) -> str:
    number, unit, _ = stiffness_headline(facts)
    ratio = typeset_estimate(facts.isotropic.values["nu"], facts.spread(facts.isotropic, "nu"), 3)
    return (
        f"The {result.spec.name} of {subject_name(result)} is nearest to an isotropic medium's of Young's "
        f"modulus {number} {unit} and Poisson's ratio {ratio}."
    )


def _directions(facts: StiffnessFacts) -> str:
    (low, soft), (high, stiff) = facts.softest, facts.stiffest
    if high - low <= _ALIKE * high:
        return "It is equally stiff in all directions."
    shown = [typeset_number(x / facts.scale, 3) for x in (high, low)]
    return (
        f"It is stiffest along {direction_text(stiff)} ({shown[0]} {facts.unit}) and softest along "
        f"{direction_text(soft)} ({shown[1]} {facts.unit})."
    )


def _symmetry(facts: StiffnessFacts) -> str:
    name = facts.own.symmetry
    away = typeset_number(100 * facts.own.distance, 2)
    found = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    if facts.fits.fits[name].distance <= 1e-9:
        return f"It is exactly that of {found} medium."
    return f"The nearest {name} stiffness is {away} % away."


def _lever(result: Upscaled, facts: StiffnessFacts, looks: dict[str, Look]) -> str:
    slopes = {name: found["E"] for name, found in relative_slopes(result, facts).items()}
    if len(slopes) < 2:
        return ""
    name = max(slopes, key=lambda one: abs(slopes[one]))
    shown = typeset_number(slopes[name], 2)
    return (
        f"It depends most on {constant_name(name, result, looks)}: one percent more changes Young's modulus "
        f"by {shown} %."
    )


def _blocks(
    result: Upscaled, facts: StiffnessFacts | None, looks: dict[str, Look], key: str, slices: list[Picture]
) -> list[Block]:
    blocks = [
        *([] if facts is None else _direction_blocks(facts, key)),
        Block(f"{key}-slices", "Slices", "Through the middle, across each axis.", slices),
        Block(
            f"{key}-checks",
            "Checks",
            "What was preserved from the fine to the coarse scale, as measured numbers.",
            [],
            check_table(result),
        ),
        _bound_block(result, key),
        convergence_block(result, key, steps_table(result), load_names(_loads(result), len(result.value))),
        _sensitivity_block(result, facts, looks, key),
        Block(
            f"{key}-uncertainty",
            "Uncertainty",
            "What the standard deviation of the answer is made of.",
            [],
            spread_table(result, facts),
        ),
    ]
    return [block for block in blocks if block.pictures or block.table]


def _loads(result: Upscaled) -> int:
    steps = result.stats.get("steps")
    return len(steps) if isinstance(steps, list | tuple) else 0


def _direction_blocks(facts: StiffnessFacts, key: str) -> list[Block]:
    pictures = [draw_modulus(facts.value, f"{key}-modulus")] if facts.dim == 3 else []
    pictures.append(draw_modulus_sections(facts.value, f"{key}-sections"))
    frame = frame_table(facts)
    return [
        Block(
            f"{key}-directions",
            "Directions",
            "How stiff it is against pulling in each direction, all other stresses being zero.",
            pictures,
        ),
        Block(
            f"{key}-constants",
            "Engineering constants",
            "Along the axes of the highest symmetry within one percent, else of the nearest orthotropic one.",
            [],
            constants_table(facts),
            more=() if frame is None else (frame,),
        ),
        Block(
            f"{key}-symmetry",
            "Symmetry",
            "How far the stiffness is from each symmetry: what is lost by taking it for one.",
            [],
            symmetry_table(facts),
        ),
    ]


def _bound_block(result: Upscaled, key: str) -> Block:
    lead = "What the volume fractions alone allow, and where the answer lies."
    table = bounds_table(result)
    if table is None:
        return Block(f"{key}-bounds", "Bounds", lead, [])
    drawn = [
        picture for what in ("bulk", "shear") if (picture := _draw_bounds(result, what, key)) is not None
    ]
    return Block(f"{key}-bounds", "Bounds", lead, drawn, table, more=tuple(bound_matrices(result)))


def _draw_bounds(result: Upscaled, what: str, key: str) -> Picture | None:
    rows = [row for row in bound_rows(result) if row[1] == what]
    if not rows:
        return None
    scale, unit = pressure_unit(max(row[3] for row in rows) or 1.0)
    ends = {"Voigt-Reuss": ("Reuss", "Voigt")}
    intervals = [
        Interval(name.replace(f" {what}", ""), low / scale, high / scale, *ends.get(name, ("", "")))
        for name, _, low, high, _ in rows
    ]
    own = rows[0][4] / scale
    if not math.isfinite(own):
        return None
    said = "; ".join(
        f"{i.name} from {typeset_number(i.low, 4)} to {typeset_number(i.high, 4)}" for i in intervals
    )
    alt = f"Bounds of the {what} modulus in {unit}: {said}; this result {typeset_number(own, 4)}."
    return draw_intervals(
        intervals, [Point("this result", own)], f"{what} modulus, {unit}", f"{key}-bounds-{what}", alt
    )


def _sensitivity_block(
    result: Upscaled, facts: StiffnessFacts | None, looks: dict[str, Look], key: str
) -> Block:
    slopes = {} if facts is None else relative_slopes(result, facts)
    pictures = []
    if slopes:
        names = [constant_name(name, result, looks) for name in slopes]
        values = {k: np.array([found[k] for found in slopes.values()]) for k in ("E", "K", "G")}
        across = "relative sensitivity of E, K, G  (p / E) ∂E/∂p  (dimensionless)"
        alt = f"Relative sensitivity of the nearest isotropic moduli by constant: {', '.join(names[:12])}."
        pictures = [draw_bars(names, values, across, f"{key}-sensitivity", alt)]
    return Block(
        f"{key}-sensitivities",
        "Sensitivities",
        "Percent by which the nearest isotropic stiffness's moduli change with one percent of a constant.",
        pictures,
        derivative_table(result, facts, looks),
    )
