"""The report: one HTML file that needs nothing else."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined

from scalebridge.cells.thermoelastic_table import ThermoelasticTable
from scalebridge.core.errors import InputError
from scalebridge.core.files import write_text
from scalebridge.core.upscaled import Upscaled
from scalebridge.fusion.fused import Fused
from scalebridge.inference.hierarchy_result import MeasurementStudy
from scalebridge.inference.sampled import Sampled
from scalebridge.inference.scale_result import ScaleSelection
from scalebridge.reactor.core_study import CoreStudy
from scalebridge.reactor.equivalence_study import EquivalenceStudy
from scalebridge.reactor.homogenized_lattice import HomogenizedLattice
from scalebridge.reactor.lattice_study import LatticeStudy
from scalebridge.reactor.transport_result import TransportSolution
from scalebridge.registration.registration_result import Registration
from scalebridge.report.comparison import compare
from scalebridge.report.core_section import make_core_section
from scalebridge.report.equivalence_section import make_equivalence_section
from scalebridge.report.expansion_section import make_expansion_section
from scalebridge.report.front_section import is_front, make_front_section
from scalebridge.report.fusion_section import make_fusion_section
from scalebridge.report.measurement_section import make_measurement_section
from scalebridge.report.path_section import is_path, make_path_section
from scalebridge.report.permeability_section import is_permeability, make_permeability_section
from scalebridge.report.reactor_section import (
    make_constants_section,
    make_reactor_section,
    make_transport_section,
)
from scalebridge.report.registration_section import make_registration_section
from scalebridge.report.sampling_section import make_sampling_section
from scalebridge.report.scales_section import make_scales_section
from scalebridge.report.sections import Section, make_section
from scalebridge.report.stiffness_facts import is_expansion, is_stiffness
from scalebridge.report.stiffness_section import make_stiffness_section
from scalebridge.report.structure_section import make_structure_section
from scalebridge.report.study_section import make_study_section
from scalebridge.report.temperature_section import make_temperature_section
from scalebridge.structures.structure_study import StructureStudy
from scalebridge.upscaling.rve_result import RveStudy

_WANTED = "an Upscaled, a study or a table that this library returned, or a list of them"
Shown = (
    Upscaled
    | RveStudy
    | ThermoelasticTable
    | Sampled
    | StructureStudy
    | MeasurementStudy
    | ScaleSelection
    | Fused
    | Registration
    | CoreStudy
    | EquivalenceStudy
    | LatticeStudy
    | HomogenizedLattice
    | TransportSolution
)
"""What a page can show."""
_SECTIONS = (
    (is_stiffness, make_stiffness_section),
    (is_permeability, make_permeability_section),
    (is_path, make_path_section),
    (is_front, make_front_section),
    (is_expansion, make_expansion_section),
)


_OWN_SECTIONS: dict[type, Callable[[Any, int], Section]] = {
    RveStudy: make_study_section,
    ThermoelasticTable: make_temperature_section,
    Sampled: make_sampling_section,
    StructureStudy: make_structure_section,
    MeasurementStudy: make_measurement_section,
    ScaleSelection: make_scales_section,
    Fused: make_fusion_section,
    Registration: make_registration_section,
    CoreStudy: make_core_section,
    EquivalenceStudy: make_equivalence_section,
    LatticeStudy: make_reactor_section,
    HomogenizedLattice: make_constants_section,
    TransportSolution: make_transport_section,
}


def write_report(
    result: Shown | Sequence[Shown], path: str | os.PathLike[str], *, title: str | None = None
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


def render_page(results: Sequence[Shown], *, title: str | None = None) -> str:
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


def _section(result: Shown, number: int) -> Section:
    own = _OWN_SECTIONS.get(type(result))
    if own is not None:
        return own(result, number)
    upscaled = cast("Upscaled", result)
    made = next((make for known, make in _SECTIONS if known(upscaled)), make_section)
    return made(upscaled, number)


def page_environment() -> Environment:
    """Return what renders the templates of pages: everything is escaped, and a missing name is an error."""
    return Environment(
        loader=PackageLoader("scalebridge.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _checked(result: Shown | Sequence[Shown]) -> list[Shown]:
    results: list[Shown] = [result] if isinstance(result, Shown) else _listed(result)
    wrong = [type(item).__name__ for item in results if not isinstance(item, Shown)]
    if wrong or not results:
        raise InputError(
            "result",
            got=wrong[0] if wrong else "an empty list",
            wanted=_WANTED,
            cure="pass what effective_conductivity returned",
        )
    return results


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]
