"""A permeability made ready for the page."""

import itertools
from dataclasses import replace

import numpy as np

from scalebridge.cells.gas_slip import gas_slip
from scalebridge.cells.slip_curve import curve_of
from scalebridge.core.units import DARCY
from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import Picture
from scalebridge.report.figures_flow import Flow, draw_flow
from scalebridge.report.figures_permeability import draw_ellipses, draw_slip_curve
from scalebridge.report.looks import Look, image_of, subject_name
from scalebridge.report.sections import (
    Block,
    Section,
    base_section,
    convergence_block,
    subject_pictures,
    uncertainty_block,
)
from scalebridge.report.tables import (
    Row,
    Table,
    answer_table,
    check_table,
    convergence_table,
    principal_table,
)
from scalebridge.report.tensors import AXES, anisotropy, mean_value, principal_values
from scalebridge.report.typeset import MISSING, typeset_length, typeset_number
from scalebridge.report.wording import headline, unbroken, verdict_sentence

_COLOURS = {True: "#4a78b5", False: "#8a7f72"}  # pore, solid
_GASES = ("helium", "nitrogen", "carbon dioxide")
_BARS = (10.0, 1.0, 0.1)


def is_permeability(result: Upscaled) -> bool:
    """Whether a result is a permeability tensor of pores."""
    return result.spec.name == "permeability" and np.ndim(result.value) == 2


def make_permeability_section(result: Upscaled, number: int) -> Section:
    """Draw and set everything that the page shows of a permeability.

    Args:
        result: what `permeability` found.
        number: its number on the page, from 1.
    """
    key, looks = f"result-{number}", flow_looks(result)
    flat, volumes = subject_pictures(result, looks, key)
    shown = in_millidarcy(result)
    sentences = [*_sentences(result), verdict_sentence(result)]
    section = base_section(
        result,
        key,
        looks,
        headline=headline(shown),
        sentences=[unbroken(sentence) for sentence in sentences if sentence],
        answer=_answers(result, shown),
        pictures=(flat, volumes),
        phases=pore_table(result),
        blocks=[b for b in _blocks(result, key, flat if volumes else flat[1:]) if b.pictures or b.table],
    )
    told = {"Pores", "Slip length", "Slip curve"}  # by the table beside, and by the curve
    return replace(section, asked=[pair for pair in section.asked if pair[0] not in told])


def flow_looks(result: Upscaled) -> dict[str, Look]:
    """Return pores and solid as the constituents of the image; pores blue, the solid the colour of stone."""
    image, pores = image_of(result), pore_labels(result)
    if image is None:
        return {}
    found = {}
    for label in image.phases:
        plain = image.name(label)
        kind = "pore" if label in pores else "solid"
        several = sum((other in pores) == (label in pores) for other in image.phases) > 1
        name = kind if plain.startswith("phase") and not several else plain
        look = Look(f"phase {label}", label, name, _COLOURS[label in pores], image.fractions[label])
        found[look.key] = look
    return found


def pore_labels(result: Upscaled) -> tuple[int, ...]:
    """Return the labels that the fluid fills."""
    return tuple(int(label) for label in result.inputs.get("pore", {}).get("value", ()))


def flows_of(result: Upscaled) -> list[Flow]:
    """Return the velocity fields of a result; none unless they were asked for."""
    image, pores = image_of(result), pore_labels(result)
    if image is None or not pores:
        return []
    mask = image.mask(*pores)
    periodic = result.provenance.settings.get("boundary", "periodic") == "periodic"
    found = []
    for axis, name in enumerate(AXES[: image.dim]):
        field = result.fields.get(f"velocity_{name}")
        if field is not None and field.shape[1:] == image.shape:
            found.append(Flow(axis, np.asarray(field), mask, image.aspect, image.voxel, periodic))
    return found


def in_millidarcy(result: Upscaled) -> Upscaled:
    """Return the same result in millidarcy, the unit of reservoirs; as it is without a voxel size."""
    if result.unit != "m^2":
        return result
    factor = 1.0 / (1e-3 * DARCY)
    parts = {
        name: replace(part, std=factor * np.asarray(part.std)) for name, part in result.uncertainty.items()
    }
    return replace(
        result,
        spec=replace(result.spec, unit="mD"),
        value=factor * np.asarray(result.value, float),
        uncertainty=parts,
    )


def _answers(result: Upscaled, shown: Upscaled) -> list[Table]:
    """The tensor in SI and in millidarcy, and its principal values in the latter."""
    tables = [answer_table(shown), principal_table(shown)]
    if shown is not result:
        tables[0] = replace(answer_table(shown), caption="Permeability, mD (1 darcy = 9.869233×10⁻¹³ m²)")
        tables.insert(0, answer_table(result))
    return [table for table in tables if table is not None]


def pore_table(result: Upscaled) -> Table | None:
    """Porosity before and after isolated pores were removed, and throats that the grid does not resolve."""
    known = (
        ("porosity", "porosity"),
        ("porosity through which fluid flows", "porosity that flows"),
        ("pores in throats one voxel wide", "one-voxel throats"),
    )
    stats = result.stats
    rows = [
        Row((name, f"{typeset_number(100 * float(stats[key]), 4)} %")) for name, key in known if key in stats
    ]
    slip = result.inputs.get("slip length", {})
    if isinstance(slip.get("value"), dict):
        rows.append(Row(("slip length on walls", "each its own")))
    elif slip:
        length = float(slip["value"])
        shown = (
            typeset_length(length, 4) if slip.get("unit") == "m" else f"{typeset_number(length, 4)} voxels"
        )
        rows.append(Row(("slip length on walls", "none" if length == 0 else shown)))
    return Table("The pores", ("", "share"), rows) if rows else None


def _sentences(result: Upscaled) -> list[str]:
    number, unit, _ = headline(result)
    if not number:
        return [f"The permeability of {subject_name(result)} was not found."]
    mean = mean_value(in_millidarcy(result))[0]
    darcy = f", or {typeset_number(mean, 4)} mD" if result.unit == "m^2" else ""
    squares = "" if result.unit == "m^2" else " squares of the voxel's edge"
    said = [
        f"On average over directions, the permeability of {subject_name(result)} is {number}"
        f"{' ' * bool(unit)}{unit}{squares}{darcy}.",
    ]
    principals = principal_values(result)
    closed = [AXES[a] for a, v in enumerate(np.diagonal(result.value)) if v == 0]
    if closed:
        said.append(f"Along {' and '.join(closed)} nothing flows: the pores do not connect there.")
    elif anisotropy(principals) > 1e-6 and principals[-1].value > 0:
        ratio = principals[0].value / principals[-1].value
        said.append(f"The best direction lets {typeset_number(ratio, 3)} times as much through as the worst.")
    shares = result.stats
    if shares.get("porosity", 0) > shares.get("porosity that flows", 0) > 0:
        lost = 1 - shares["porosity that flows"] / shares["porosity"]
        said.append(f"{typeset_number(100 * lost, 2)} % of the pore space is isolated and carries nothing.")
    return said


def _blocks(result: Upscaled, key: str, slices: list[Picture]) -> list[Block]:
    speeds, paths = draw_flow(flows_of(result), key)
    ellipses = draw_ellipses(np.asarray(result.value, float), result.unit, f"{key}-ellipses")
    return [
        Block(
            f"{key}-speed",
            "Speed",
            "Where the fluid moves for a force along each axis, in units of its mean velocity in the pores.",
            speeds,
        ),
        Block(f"{key}-paths", "Streamlines", "The ways that the fluid takes through the pores.", paths),
        Block(
            f"{key}-ellipses-block",
            "Directions",
            "How the permeability changes with the direction of the flow.",
            [] if ellipses is None else [ellipses],
        ),
        Block(f"{key}-slices", "Slices", "Through the middle, across each axis.", slices),
        _slip_block(result, key),
        Block(
            f"{key}-checks",
            "Checks",
            "What was preserved from the fine to the coarse scale, as measured numbers.",
            [],
            check_table(result),
        ),
        convergence_block(result, key, convergence_table(result)),
        uncertainty_block(in_millidarcy(result), key),
    ]


def _slip_block(result: Upscaled, key: str) -> Block:
    """How K grows with slip: the curve, where it was solved for, and what gases make of the slope at zero."""
    curve = result.stats.get("slip curve")
    pictures, slope = [], result.derivatives.get("slip length")
    if curve:
        slips, values = np.asarray(curve["slip lengths"], float), np.asarray(curve["values"], float)
        slopes = np.diagonal(np.asarray(curve["slope"], float))
        diagonals = np.array([np.diagonal(value) for value in values])
        pictures = [draw_slip_curve(slips, diagonals, slopes, result.unit, f"{key}-slip")]
    lead = "How the permeability grows when the fluid slips on the walls, and what that means for gases."
    return Block(f"{key}-slip-block", "Slip", lead, pictures, slip_table(result, slope))


def _gas_rows(result: Upscaled) -> list[Row]:
    """K(p)/K of gases at pressures at which they slip no farther than the curve goes."""
    if result.unit != "m^2" or not result.stats.get("slip curve"):
        return []
    curve, rows = curve_of(result), []
    still = np.diagonal(curve.values[0])
    for name, bar in itertools.product(_GASES, _BARS):
        gas = gas_slip(name, pressure=bar * 1e5)
        if gas.slip_length > curve.lengths[-1]:
            continue
        ratios = np.diagonal(gas.along(curve)) / np.where(still > 0, still, 1.0)
        shown = zip(ratios, still, strict=True)
        cells = (typeset_number(float(ratio), 4) if k > 0 else MISSING for ratio, k in shown)
        rows.append(Row((f"{name}, {typeset_number(bar, 2)} bar", *cells)))
    return rows


def slip_table(result: Upscaled, slope: np.ndarray | None) -> Table | None:
    """The derivative by the slip length, and Klinkenberg's pressure of some gases at 25 degrees Celsius."""
    if slope is None:
        return None
    value, rise = np.diagonal(np.asarray(result.value, float)), np.diagonal(np.asarray(slope, float))
    closed = value <= 0
    names = AXES[: len(value)]
    unit = "m" if result.unit == "m^2" else "voxel edges"
    rows = [Row((f"dK/d(slip length), {unit}", *(typeset_number(float(x), 4) for x in rise)))]
    if result.unit == "m^2" and result.inputs.get("slip length", {}).get("value", 0.0) == 0.0:
        for gas in _GASES:
            found = gas_slip(gas, pressure=1e5).klinkenberg(np.where(closed, 1.0, value), rise) / 1e5
            shown = zip(found, closed, strict=True)
            cells = (MISSING if shut else typeset_number(float(b), 4) for b, shut in shown)
            rows.append(Row((f"b of {gas}, bar", *cells)))
    caption = "Gases at 25 °C: K(p) = K (1 + b/p) (Klinkenberg)"
    along = _gas_rows(result)
    if along:
        caption += "; at a pressure K(p)/K along the curve"
    rows += along
    return Table(caption, ("", *names), rows)
