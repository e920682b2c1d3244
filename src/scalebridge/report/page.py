"""The report: one HTML file that needs nothing else."""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined

from scalebridge.core.errors import InputError
from scalebridge.core.files import write_text
from scalebridge.core.saved import Told
from scalebridge.core.upscaled import Upscaled
from scalebridge.report.comparison import compare
from scalebridge.report.sections import Section, make_section

_WANTED = "an Upscaled, a study or a table that this library returned, or a list of them"
# Sections are named, not imported: a page loads those that it shows, and no other domain.
_KINDS = (
    ("stiffness_facts.is_stiffness", "stiffness_section.make_stiffness_section"),
    ("permeability_section.is_permeability", "permeability_section.make_permeability_section"),
    ("path_section.is_path", "path_section.make_path_section"),
    ("front_section.is_front", "front_section.make_front_section"),
    ("stiffness_facts.is_expansion", "expansion_section.make_expansion_section"),
)
_OWN_SECTIONS = {
    "upscaling.rve_result.RveStudy": "study_section.make_study_section",
    "cells.thermoelastic_table.ThermoelasticTable": "temperature_section.make_temperature_section",
    "inference.sampled.Sampled": "sampling_section.make_sampling_section",
    "structures.structure_study.StructureStudy": "structure_section.make_structure_section",
    "inference.hierarchy_result.MeasurementStudy": "measurement_section.make_measurement_section",
    "inference.scale_result.ScaleSelection": "scales_section.make_scales_section",
    "fusion.fused.Fused": "fusion_section.make_fusion_section",
    "registration.registration_result.Registration": "registration_section.make_registration_section",
    "reactor.core_study.CoreStudy": "core_section.make_core_section",
    "reactor.equivalence_study.EquivalenceStudy": "equivalence_section.make_equivalence_section",
    "reactor.lattice_study.LatticeStudy": "reactor_section.make_reactor_section",
    "reactor.homogenized_lattice.HomogenizedLattice": "reactor_section.make_constants_section",
    "reactor.transport_result.TransportSolution": "reactor_section.make_transport_section",
}


def write_report(
    result: Told | Sequence[Told], path: str | os.PathLike[str], *, title: str | None = None
) -> Path:
    """Write results and studies as one self-contained HTML page, whole or not at all.

    The page holds what was asked, the answer, pictures, local fields, checks, bounds, convergence,
    sensitivities, uncertainty, notes, origin, and the result as JSON. It loads nothing from anywhere, follows
    the reader's light or dark scheme, and prints.

    Args:
        result: a result, or several, which are then set beside each other on top of the page.
        path: the file to write; its folder is made if absent.
        title: heading of the page; by default what was found, of what.

    Returns:
        the path.

    Raises:
        InputError: there is no result, or the path is a folder.

    Cost: about 8 s for an image of 128^3 voxels, most of it for the two rendered volumes; the file has some
        1 MB.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from scalebridge.core.spec import Spec
        >>> found = Upscaled(Spec("conductivity", "W/m/K", (2, 2), symmetric=True), np.diag([1.5, 2.0]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = write_report(found, Path(folder) / "out.html")
        ...     text = written.read_text(encoding="utf-8")
        >>> "1.75" in text and "W/(m·K)" in text
        True
    """
    results = _checked(result)
    if Path(path).is_dir():
        raise InputError(
            "path", got=f"{path}, a folder", wanted="a file", cure="append a name, such as out.html"
        )
    return write_text(path, render_page(results, title=title))


def render_page(results: Sequence[Told], *, title: str | None = None) -> str:
    """Return the page of some results as HTML text.

    Args:
        results: at least one result.
        title: heading of the page.
    """
    sections = [_section(result, number) for number, result in enumerate(results, 1)]
    pairs = [(r, s) for r, s in zip(results, sections, strict=True) if isinstance(r, Upscaled)]
    heading = title or (sections[0].title if len(sections) == 1 else f"{len(sections)} results compared")
    comparison = compare([r for r, _ in pairs], [s for _, s in pairs]) if len(pairs) > 1 else None
    template = page_environment().get_template("page.html.j2")
    return template.render(title=heading, sections=sections, comparison=comparison)


def _section(result: Told, number: int) -> Section:
    own = _OWN_SECTIONS.get(_kind(result))
    if own is not None:
        return _named(own)(result, number)
    found = next((make for known, make in _KINDS if _named(known)(result)), None)
    return make_section(cast("Upscaled", result), number) if found is None else _named(found)(result, number)


def _kind(result: Any) -> str:
    """Name of a result's class as the tables above have it."""
    return f"{type(result).__module__.removeprefix('scalebridge.')}.{type(result).__name__}"


def _named(name: str) -> Callable[..., Any]:
    """Load a function of this folder."""
    module, _, function = name.partition(".")
    return getattr(import_module(f"scalebridge.report.{module}"), function)


def page_environment() -> Environment:
    """Return what renders the templates of pages: everything is escaped, and a missing name is an error."""
    return Environment(
        loader=PackageLoader("scalebridge.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _checked(result: Any) -> list[Told]:
    results = list(result) if isinstance(result, list | tuple) else [result]
    wrong = [type(item).__name__ for item in results if not _is_shown(item)]
    if wrong or not results:
        raise InputError(
            "result",
            got=wrong[0] if wrong else "an empty list",
            wanted=_WANTED,
            cure="pass what effective_conductivity returned",
        )
    return results


def _is_shown(item: Any) -> bool:
    return isinstance(item, Upscaled) or _kind(item) in _OWN_SECTIONS
