"""From a case of permeability to its result: read, ask, print, write, leave."""

from pathlib import Path

from scalebridge.cells.image_input import SHAPE_ONLY
from scalebridge.cells.permeability import permeability
from scalebridge.cells.permeability_job import FlowSettings, pore_labels
from scalebridge.cli.answering import conclude, leave, tell_finished
from scalebridge.cli.flow_case import PermeabilityCase
from scalebridge.cli.requests import finished, outputs_of
from scalebridge.cli.solving import read_image, request_of
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome


def answer_flow_case(
    case: PermeabilityCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Prepare, solve, print and write a case; the arguments are those of `answering.answer_case`.

    Raises:
        InputError: something cannot be right; nothing long has run.
        typer.Exit: with the exit code, unless every check passed.
    """
    settings = case.solve.model_dump()
    FlowSettings(**{**settings, "slip_length": 0.0, "slip_curve": ()})  # they wait for the voxels' size
    outputs = outputs_of(case.output, folder, case.title)
    outputs.check((folder / case.image.file, *inputs))
    image = read_image(case.image, folder)
    pores = pore_labels(case.pore, image, None)
    request = request_of(case, image, dict.fromkeys(pores, "pore"), settings)
    stored = finished(outputs, request) if resume else None
    if stored is not None:
        tell_finished(outputs, stored, as_json)
        leave(bool(stored["passed"]), stored["outcome"]["code"] == Outcome.converged.name)
        return
    result = permeability(
        image,
        pore=pores,
        voxel=SHAPE_ONLY if case.image.voxel == SHAPE_ONLY else None,
        fields=outputs.needs_fields,
        progress=progress,
        throw=False,
        **settings,
    )
    conclude(result, outputs, request, as_json)


def slip_from(text: str | None) -> str | dict[str, str] | None:
    """Return the slip length that an option gives, or those of solids.

    Raises:
        InputError: some parts name a solid and others do not.

    Example:
        >>> slip_from("50 nm"), slip_from("clay=0 nm, *=50 nm")
        ('50 nm', {'clay': '0 nm', '*': '50 nm'})
    """
    if text is None or "=" not in text:
        return text
    parts = [[side.strip() for side in part.split("=")] for part in text.split(",")]
    if any(len(part) != 2 or not all(part) for part in parts):
        raise InputError(
            "--slip-length",
            got=repr(text),
            wanted="a length, or pairs of a solid and a length",
            cure="write '50 nm', or 'quartz=10 nm, *=50 nm'",
        )
    return dict(parts)


def pores_from(texts: list[str] | None) -> list[int | str] | None:
    """Return the labels or names that options give; None where none is given, which booleans do without.

    Example:
        >>> pores_from(["0", "clay"])
        [0, 'clay']
    """
    if not texts:
        return None
    return [int(text) if text.lstrip("+-").isdigit() else text for text in texts]
