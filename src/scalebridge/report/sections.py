"""One result made ready for the page: sentences, tables and pictures, in the order of reading."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import Picture
from scalebridge.report.figures_convergence import draw_convergence
from scalebridge.report.figures_fields import draw_fluxes
from scalebridge.report.figures_image import draw_layers, draw_slices, draw_volumes
from scalebridge.report.figures_plots import Interval, Point, draw_bars, draw_intervals, is_wide
from scalebridge.report.interface_tables import interface_table
from scalebridge.report.looks import Look, by_label, image_of, is_stack, looks_of, subject_name
from scalebridge.report.tables import (
    Table,
    answer_table,
    asked_items,
    bound_table,
    check_table,
    convergence_table,
    formation_table,
    origin_items,
    phase_table,
    principal_table,
    sensitivity_rows,
    sensitivity_table,
    uncertainty_table,
)
from scalebridge.report.tensors import AXES, formation, is_space_tensor, mean_of, mean_value, principal_values
from scalebridge.report.typeset import typeset_number, typeset_unit
from scalebridge.report.wording import answer_sentences, headline, outcome_of, verdict_sentence

_BOUND_ENDS = {
    "Voigt-Reuss": ("Reuss", "Voigt"),
    "Hashin-Shtrikman": ("HS−", "HS+"),
    "discretisation": ("below", "above"),
}


@dataclass(frozen=True)
class Block:
    """A part of a section under a heading of its own.

    Args:
        key: its anchor on the page.
        title: the heading.
        lead: a sentence that says how to read it.
        pictures: the pictures.
        table: the table, if any.
        more: further tables.
    """

    key: str
    title: str
    lead: str
    pictures: list[Picture]
    table: Table | None = None
    more: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Section:
    """Everything that the page shows of one result.

    Args:
        key: anchor on the page, unique.
        title: what was found, of what.
        passed: whether every check passed and the method converged; None when nothing was checked.
        verdict: the same in words.
        number: the one number that stands for the answer; empty where there is none.
        unit: its unit.
        meaning: what it is.
        sentences: the answer in words.
        answer: tables of the answer.
        cover: pictures beside the answer.
        inset: pictures beside what was asked.
        legend: constituents that the pictures show.
        asked: what was asked, as pairs.
        phases: the constituents.
        blocks: all that follows.
        notes: what a reader has to know.
        origin: where the result comes from, as pairs.
        json: the result as JSON text.
    """

    key: str
    title: str
    passed: bool | None
    verdict: str
    number: str
    unit: str
    meaning: str
    sentences: list[str]
    answer: list[Table]
    cover: list[Picture]
    inset: list[Picture]
    legend: list[Look]
    asked: list[tuple[str, str]]
    phases: Table | None
    blocks: list[Block]
    notes: tuple[str, ...]
    origin: list[tuple[str, str]]
    json: str

    @property
    def json_url(self) -> str:
        """The result as JSON, to save."""
        return data_url(self.json)

    @property
    def json_text(self) -> str:
        """The result as JSON, safe inside a script element."""
        return escape_json(self.json)


def make_section(result: Upscaled, number: int) -> Section:
    """Draw and set everything that the page shows of a result.

    Args:
        result: the result.
        number: its number on the page, from 1.
    """
    key, looks = f"result-{number}", looks_of(result)
    flat, volumes = subject_pictures(result, looks, key)
    tables = [answer_table(result), principal_table(result), formation_table(formation(result))]
    tables.append(interface_table(result))
    return base_section(
        result,
        key,
        looks,
        headline=headline(result),
        sentences=answer_sentences(result, looks),
        answer=[t for t in tables if t is not None],
        pictures=(flat, volumes),
        phases=phase_table(result, looks),
        blocks=_blocks(result, looks, key, flat if volumes else flat[1:]),
    )


def base_section(
    result: Upscaled,
    key: str,
    looks: dict[str, Look],
    *,
    headline: tuple[str, str, str],
    sentences: list[str],
    answer: list[Table],
    pictures: tuple[list[Picture], list[Picture]],
    phases: Table | None,
    blocks: list[Block],
    text: str | None = None,
) -> Section:
    """Make a section of what differs from quantity to quantity and of what is the same for all.

    Args:
        result: the result.
        key: anchor on the page.
        looks: looks of the constituents.
        headline: number, unit and meaning of the number that stands for the answer.
        sentences: the answer in words, the verdict last.
        answer: tables of the answer.
        pictures: flat pictures and rendered volumes of the subject.
        phases: table of the constituents.
        blocks: all that follows.
        text: what is saved as JSON, if it is not the result.
    """
    flat, volumes = pictures
    text = result.to_json(indent=None) if text is None else text
    shown, unit, meaning = headline
    return Section(
        key=key,
        title=f"{result.spec.name[:1].upper()}{result.spec.name[1:]} of {subject_name(result)}",
        passed=outcome_of(result),
        verdict=verdict_sentence(result),
        number=shown,
        unit=unit,
        meaning=meaning,
        sentences=sentences,
        answer=answer,
        cover=volumes[:1] or flat[:1],
        inset=volumes[1:],
        legend=list(looks.values()),
        asked=asked_items(result),
        phases=phases,
        blocks=blocks,
        notes=result.notes,
        origin=origin_items(result),
        json=text,
    )


def data_url(text: str) -> str:
    """Return an address that holds JSON text itself."""
    return "data:application/json;base64," + base64.b64encode(text.encode()).decode("ascii")


def escape_json(text: str) -> str:
    """Make JSON text safe inside a script element: no character that can end the element stays as it is."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def subject_pictures(
    result: Upscaled, looks: dict[str, Look], key: str
) -> tuple[list[Picture], list[Picture]]:
    """Return flat pictures and rendered volumes of the subject."""
    image = image_of(result)
    if image is not None:
        labelled = by_label(looks)
        return draw_slices(image, labelled), draw_volumes(image, labelled) if image.dim == 3 else []
    if is_stack(result.subject) and len(looks) == len(result.subject.thicknesses):
        return [draw_layers(result.subject, list(looks.values()), f"{key}-layers")], []
    return [], []


def _blocks(result: Upscaled, looks: dict[str, Look], key: str, slices: list[Picture]) -> list[Block]:
    blocks = [
        Block(f"{key}-slices", "Slices", "Through the middle, across each axis.", slices),
        _flux_block(result, key),
        Block(
            f"{key}-checks",
            "Checks",
            "What was preserved from the fine to the coarse scale, as measured numbers.",
            [],
            check_table(result),
        ),
        _bound_block(result, key),
        convergence_block(result, key, convergence_table(result)),
        _sensitivity_block(result, looks, key),
        uncertainty_block(result, key),
    ]
    return [block for block in blocks if block.pictures or block.table]


def convergence_block(result: Upscaled, key: str, table: Table | None, names: Sequence[str] = AXES) -> Block:
    """Show how the solver closed in: histories by load case, and a table of what it ended with."""
    lead = "How the solver closed in on the answer."
    return Block(f"{key}-convergence", "Convergence", lead, draw_convergence(result, key, names), table)


def _flux_block(result: Upscaled, key: str) -> Block:
    lead = (
        "Where the flux goes for a mean gradient along each axis: its magnitude, relative to the mean flux."
    )
    return Block(f"{key}-fields", "Local fields", lead, draw_fluxes(result, key))


def _bound_block(result: Upscaled, key: str) -> Block:
    title, lead = "Bounds", "What the volume fractions alone allow, and where the answer lies."
    if not result.bounds:
        return Block(f"{key}-bounds", title, lead, [])
    mean, std = mean_value(result)
    parts = tuple(p.value for p in principal_values(result)) if is_space_tensor(result.value) else ()
    intervals = [
        Interval(name, mean_of(b.lower), mean_of(b.upper), *_BOUND_ENDS.get(name, ("", "")))
        for name, b in result.bounds.items()
    ]
    point = Point("this result", mean, std, parts)
    said = "; ".join(
        f"{i.name} from {typeset_number(i.low, 4)} to {typeset_number(i.high, 4)}" for i in intervals
    )
    alt = f"Bounds and the result on one axis. {said}; this result {typeset_number(mean, 4)}."
    scale = " (logarithmic axis)" if is_wide(intervals, [point]) else ""
    across = _with_unit(f"mean of the principal values{scale}", result.unit)
    drawn = draw_intervals(intervals, [point], across, f"{key}-bounds", alt)
    return Block(f"{key}-bounds", title, lead, [drawn], bound_table(result))


def _sensitivity_block(result: Upscaled, looks: dict[str, Look], key: str) -> Block:
    names, values = sensitivity_rows(result, looks)
    table = sensitivity_table(result, looks)
    lead = (
        "By how many percent the answer changes when a constituent's value grows by one percent; the sum "
        "over all constituents is 1."
    )
    pictures = []
    if names:
        said = "; ".join(
            f"{n} {', '.join(f'{d} {typeset_number(float(v[i]), 3)}' for d, v in values.items())}"
            for i, n in enumerate(names[:12])
        )
        across = "relative sensitivity  (k / K) ∂K/∂k  (dimensionless)"
        alt = f"Relative sensitivity by constituent and direction: {said}."
        pictures = [draw_bars(names, values, across, f"{key}-sensitivity", alt)]
    return Block(f"{key}-sensitivities", "Sensitivities", lead, pictures, table)


def uncertainty_block(result: Upscaled, key: str) -> Block:
    """Show what the standard deviation is made of."""
    title, lead = "Uncertainty", "What the standard deviation of the answer is made of."
    parts = result.uncertainty
    if not parts or not is_space_tensor(result.value):
        return Block(f"{key}-uncertainty", title, lead, [], uncertainty_table(result))
    dim = np.asarray(result.value).shape[0]
    columns = [np.diagonal(np.asarray(part.std, dtype=float)) for part in parts.values()]
    names = list(parts)
    if len(parts) > 1:
        columns.append(np.sqrt(np.sum(np.square(columns), axis=0)))
        names.append("total")
    values = {AXES[i]: np.array([column[i] for column in columns]) for i in range(dim)}
    across = _with_unit("standard deviation of the diagonal", result.unit)
    alt = f"Parts of the uncertainty by direction: {', '.join(names)}."
    drawn = draw_bars(names, values, across, f"{key}-uncertainty", alt)
    return Block(f"{key}-uncertainty", title, lead, [drawn], uncertainty_table(result))


def _with_unit(text: str, unit: str) -> str:
    shown = typeset_unit(unit)
    return f"{text}, {shown}" if shown else text
