"""A study of subvolumes made ready for the page."""

import math

from scalebridge.report.figures_rve import draw_answers, draw_law
from scalebridge.report.looks import looks_of, subject_name
from scalebridge.report.permeability_section import flow_looks, is_permeability, pore_table
from scalebridge.report.sections import Block, Section, subject_pictures
from scalebridge.report.tables import Row, Table, asked_items, check_table, origin_items, phase_table
from scalebridge.report.typeset import MISSING, typeset_length, typeset_number, typeset_unit
from scalebridge.report.wording import verdict_sentence
from scalebridge.upscaling.rve_result import RveStudy, SizeSummary, Wanted


def make_study_section(study: RveStudy, number: int) -> Section:
    """Draw and set everything that the page shows of a study.

    Args:
        study: the study.
        number: its number on the page, from 1.
    """
    key, result = f"result-{number}", study.upscaled()
    flow = is_permeability(result)
    looks = flow_looks(result) if flow else looks_of(result)
    flat, volumes = subject_pictures(result, looks, key)
    shown, unit, meaning = study_headline(study)
    text = study.to_json(indent=None)
    tables = [wanted_table(study)]
    return Section(
        key=key,
        title=f"Representative volume of {subject_name(result)}",
        passed=study.passed,
        verdict=verdict_sentence(result),
        number=shown,
        unit=unit,
        meaning=meaning,
        sentences=[*study_sentences(study), verdict_sentence(result)],
        answer=[size_table(study), *(table for table in tables if table is not None)],
        cover=volumes[:1] or flat[:1],
        inset=volumes[1:],
        legend=list(looks.values()),
        asked=asked_items(result),
        phases=pore_table(result) if flow else phase_table(result, looks),
        blocks=[block for block in _blocks(study, key) if block.pictures or block.table],
        notes=study.notes,
        origin=origin_items(result),
        json=text,
    )


def study_headline(study: RveStudy) -> tuple[str, str, str]:
    """Return number, unit and meaning of the number that stands for a study; empty if there is none."""
    if study.wanted is None:
        return "", "", ""
    meaning, length = _meaning(study, study.wanted), study.length_of(study.wanted.volume)
    if math.isfinite(length):
        number, _, unit = typeset_length(length, 3).partition(" ")
        return number, unit, meaning
    return typeset_number(study.wanted.volume ** (1 / len(study.shape)), 3), "voxels", meaning


def study_sentences(study: RveStudy) -> list[str]:
    """Return what was found, in words, for readers who do not read fits."""
    law = study.law
    if law is None:
        return ["All subvolumes answer alike: the size of the sample does not matter."]
    points = typeset_number(law.independent_volumes(study.volume), 2)
    said = [
        f"The image's own size leaves an error of {_percent(study.image_error)} (two standard deviations): "
        f"it is worth {points} independent points.",
        f"The integral range is {typeset_number(law.integral_range, 3)} voxels, "
        f"a {_noun(study)} of edge {_edge_text(study, law.integral_range)}.",
        f"The variance falls with the power −{typeset_number(law.exponent, 3)} ± "
        f"{typeset_number(law.exponent_std, 2)} of the volume.",
    ]
    if study.drift is not None:
        sure = "which chance alone would do" if study.drift.p_value > 0.05 else "more than chance would do"
        said.append(
            f"What the boundary condition still moves the mean by at the image's size is "
            f"{_percent(abs(study.image_drift))}, {sure}."
        )
    return said


def size_table(study: RveStudy) -> Table:
    """The subvolumes by size: mean with its interval, and spread."""
    head = ("subvolume", "solved", _mean_head(study), "95 % of the mean", "std / mean")
    rows = [
        Row((_voxels(s), str(s.count), *_mean_cells(s), _share(s.scalar.std, s.scalar.mean)))
        for s in study.sizes
    ]
    return Table("Subvolumes by size", head, rows)


def detail_table(study: RveStudy) -> Table:
    """Everything that was found at each size."""
    head = (
        "subvolume, voxels",
        "edge",
        "solved",
        "side by side",
        _mean_head(study),
        "95 % of the mean",
        "std",
        "neighbours",
        "zero",
        "in the law",
    )
    caption = "Subvolumes by size; neighbours: correlation of those that share a face"
    rows = [_detail_row(study, s) for s in study.sizes]
    return Table(caption, head, rows, frozenset({0, len(head) - 1}))


def wanted_table(study: RveStudy) -> Table | None:
    """How many subvolumes of each size, or how large a one, have the wanted error."""
    if study.wanted is None:
        return None
    rows = [Row((" × ".join(map(str, s.size)), str(study.wanted.counts[round(s.edge)]))) for s in study.sizes]
    rows.append(Row((f"one {_noun(study)} of edge {_edge_text(study, study.wanted.volume)}", "1")))
    caption = f"For an error of {_percent(study.wanted.error)}: the mean of so many subvolumes"
    return Table(caption, ("subvolume", "how many"), rows)


def _detail_row(study: RveStudy, size: SizeSummary) -> Row:
    scalar, length = size.scalar, study.length_of(size.volume)
    return Row(
        (
            _voxels(size),
            typeset_length(length, 3) if math.isfinite(length) else MISSING,
            str(size.count),
            str(size.available),
            *_mean_cells(size),
            typeset_number(scalar.std, 3, trim=False),
            typeset_number(scalar.neighbours, 2) if math.isfinite(scalar.neighbours) else MISSING,
            str(size.zeros),
            "yes" if study.law is not None and size.size in study.law.sizes else "no",
        )
    )


def _mean_head(study: RveStudy) -> str:
    unit = typeset_unit(study.unit)
    return f"mean{f', {unit}' if unit else ''}"


def _mean_cells(size: SizeSummary) -> tuple[str, str]:
    mean = typeset_number(size.scalar.mean, 5, trim=False)
    return mean, f"± {typeset_number(size.scalar.half_width, 2, trim=False)}"


def _voxels(size: SizeSummary) -> str:
    return " × ".join(map(str, size.size))


def _share(part: float, whole: float) -> str:
    return _percent(part / whole) if whole else MISSING


def _blocks(study: RveStudy, key: str) -> list[Block]:
    pictures = [draw_answers(study, f"{key}-answers")]
    if study.law is not None:
        pictures.append(draw_law(study, study.law, f"{key}-law"))
    lead = (
        "Larger subvolumes differ less. How fast their variance falls says how far the image stands for the "
        "material, and how large a sample would have to be."
    )
    checks = "What has to hold for the image to stand for the material, as measured numbers."
    return [
        Block(f"{key}-sizes", "Size and spread", lead, pictures, detail_table(study)),
        Block(f"{key}-checks", "Checks", checks, [], check_table(study.upscaled())),
    ]


def _meaning(study: RveStudy, wanted: Wanted) -> str:
    spread = wanted.factor ** (1 / len(study.shape))
    between = f"; 95 % between {typeset_number(1 / spread, 2)} and {typeset_number(spread, 2)} times that"
    return (
        f"edge of a {_noun(study)} whose answer is within {_percent(wanted.error)} of the material's{between}"
    )


def _noun(study: RveStudy) -> str:
    return "cube" if len(study.shape) == 3 else "square"


def _edge_text(study: RveStudy, volume: float) -> str:
    voxels = f"{typeset_number(volume ** (1 / len(study.shape)), 3)} voxels"
    length = study.length_of(volume)
    return f"{voxels} ({typeset_length(length, 3)})" if math.isfinite(length) else voxels


def _percent(share: float) -> str:
    return f"{typeset_number(100 * share, 3)}\u00a0%" if math.isfinite(share) else MISSING
