"""From a case of a lattice to its constants: read, solve, hand up, print, write, leave."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from scalebridge.cli.answering import conclude_study
from scalebridge.cli.outputs import Outputs
from scalebridge.cli.places import check_place
from scalebridge.cli.printing import check_rows
from scalebridge.cli.reactor_case import ReactorCase
from scalebridge.cli.requests import digest_of_files
from scalebridge.cli.terminal import plain_table, show_written
from scalebridge.core.errors import FileFormatError
from scalebridge.reactor.data_covariance import checked_covariance
from scalebridge.reactor.equivalence_study import EquivalenceMethod, EquivalenceStudy
from scalebridge.reactor.equivalent_constants import equivalent_constants
from scalebridge.reactor.homogenize_lattice import homogenize_lattice
from scalebridge.reactor.homogenized_lattice import HomogenizedLattice
from scalebridge.reactor.lattice_study import LatticeStudy
from scalebridge.reactor.lattice_table import lattice_from_table
from scalebridge.reactor.materials import MultigroupMaterial, materials_from, read_materials
from scalebridge.reactor.mgxs import read_mgxs, write_mgxs
from scalebridge.reactor.pmaxs import write_pmaxs
from scalebridge.reactor.sensitivity import k_sensitivity
from scalebridge.reactor.solve_transport import solve_transport


def solve_reactor_case(
    case: ReactorCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Read, solve, print and write a case; the arguments are those of `answering.answer_case`.

    Raises:
        InputError: something cannot be right; nothing long has run.
        typer.Exit: with the exit code, unless every check passed.
    """
    base, read = folder / case.output.folder, [folder / case.library] if case.library else []
    places = {key: None if name is None else base / name for key, name in _named(case).items()}
    outputs = Outputs(places["result"], places["report"], title=case.title)
    outputs.check((*read, *inputs))
    extra = {key: place for key in ("library", "pmaxs") if (place := places[key]) is not None}
    for key, place in extra.items():
        check_place(key, place, (*read, *inputs))
    materials = materials_of(case, folder)
    told = {key: value for key, value in case.lattice.model_dump().items() if value is not None}
    found = lattice_from_table(told)
    request, covariance = digest_of_files(case, read), covariance_of(case, materials)

    def ask() -> LatticeStudy:
        solution = solve_transport(
            found, materials, source=case.source, progress=progress, **case.transport.model_dump()
        )
        asked = case.constants.model_dump(exclude={"equivalence"})
        constants = homogenize_lattice(solution, covariance=covariance, **asked)
        spread = constants.uncertainty
        slopes = None if not case.sensitivity else spread.slopes.k if spread else k_sensitivity(solution)
        _write(extra, constants)
        return LatticeStudy(solution, constants, slopes, _coarse(case.constants.equivalence, constants))

    def show(out: Console, study: LatticeStudy, written: dict[str, Path]) -> None:
        show_study(out, study, written | extra)

    conclude_study(ask, show, outputs, request, as_json=as_json, resume=resume and not extra)


def _coarse(methods: list[EquivalenceMethod], constants: HomogenizedLattice) -> tuple[EquivalenceStudy, ...]:
    """Return pin by pin cores in the groups of the constants, made equivalent by each method."""
    solution, starts = constants.solution, constants.groups
    ends = (*starts[1:], solution.pins.flux.shape[-1])
    groups = [list(range(low, high)) for low, high in zip(starts, ends, strict=True)]
    sides = solution.lattice.boundary
    return tuple(
        equivalent_constants(solution.pins, method, boundary=sides, groups=groups, throw=False)
        for method in methods
    )


def _write(extra: dict[str, Path], constants: HomogenizedLattice) -> None:
    """Write the files of constants that were asked for."""
    if "library" in extra:
        note = f"D by {constants.method} is in the JSON."
        write_mgxs(extra["library"], constants.materials(), note=note)
    if "pmaxs" in extra:
        place, count = extra["pmaxs"], len(constants.volume)
        for region in range(count):
            name = place if count == 1 else place.with_stem(f"{place.stem}-{region}")
            write_pmaxs(name, constants, region)


def _named(case: ReactorCase) -> dict[str, str | None]:
    return {key: getattr(case.output, key) for key in ("result", "report", "library", "pmaxs")}


def materials_of(case: ReactorCase, folder: Path) -> dict[str, MultigroupMaterial]:
    """Return the materials of a case: of its library, and those written in it, which come before.

    Raises:
        InputError: a file or a material cannot be right.
    """
    found: dict[str, Any] = {}
    if case.library is not None:
        path = folder / case.library
        if path.suffix.lower() in (".h5", ".hdf5"):
            found |= read_mgxs(path)
        elif path.suffix.lower() == ".toml":
            found |= read_materials(path)
        else:
            raise FileFormatError(
                "library", got=path.name, wanted="a .toml file, or OpenMC's .h5", cure="convert the library"
            )
    return materials_from({**found, **case.materials})


def covariance_of(
    case: ReactorCase, materials: dict[str, MultigroupMaterial]
) -> dict[tuple[str, str], Any] | None:
    """Return the covariance of the data of a case by material and key; None without one.

    Raises:
        InputError: it cannot be right.
    """
    found = {(name, key): value for name, of in case.covariance.items() for key, value in of.items()}
    if not case.covariance:
        return None
    checked_covariance(found, materials)
    return found


def show_study(out: Console, study: LatticeStudy, written: dict[str, Path]) -> None:
    """Print k, powers, constants by region and group, checks, notes, files.

    Args:
        out: the terminal.
        study: the study.
        written: files by kind.
    """
    out.print(Text(study.headline, style="bold"))
    constants = study.constants
    table = plain_table("region", "group>", "D, cm>", "total>", "absorption>", "nu-fission>", "flux>")
    for i, name in enumerate(constants.names[:12]):
        for g in range(len(constants.groups)):
            numbers = (
                constants.diffusion, constants.total, constants.absorption, constants.nu_fission,
                constants.flux,
            )  # fmt: skip
            table.add_row(name, str(g + 1), *(f"{field[i, g]:.5g}" for field in numbers))
    out.print(table)
    if len(constants.names) > 12:
        out.print(Text(f"and {len(constants.names) - 12} regions more, in the JSON", style="dim"))
    for sentence in study.sentences():
        out.print(Text(sentence))
    out.print(check_rows(study.checks))
    for note in study.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    out.print(Text(f"{sum(study.provenance.elapsed.values()):.2g} s", style="dim"))
    show_written(out, written)
