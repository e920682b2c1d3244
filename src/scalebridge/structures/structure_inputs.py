"""What is asked of a structure and cannot be: refused before any work, with what to do instead."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.engine.archive import check_precision
from scalebridge.structures.solid_mesh import SolidMesh


def refuse_mesh(mesh: Any) -> None:
    """Refuse a mesh that is none of ours."""
    if not isinstance(mesh, SolidMesh):
        raise InputError(
            "mesh",
            got=f"a {type(mesh).__name__}",
            wanted="a SolidMesh",
            cure="make one with box_mesh, notched_plate or read_mesh",
        )


def refuse_settings(mesh: Any, rtol: Any, iterations: Any, cuts: Any, control: Any, steps: Any) -> None:
    """Refuse a mesh that is none, tolerances, limits, controls and steps that cannot be."""
    refuse_mesh(mesh)
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 0 < rtol < 1:
        raise InputError("rtol", got=repr(rtol), wanted="a number between 0 and 1", cure="pass 1e-8")
    for name, value, least in (("max_iterations", iterations, 1), ("max_cuts", cuts, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(
                name, got=repr(value), wanted=f"a whole number of at least {least}", cure=f"correct {name}"
            )
    if control not in ("factor", "arc"):
        raise InputError("control", got=repr(control), wanted="'factor' or 'arc'", cure="choose one of them")
    _refuse_steps(steps)


def _refuse_steps(steps: Any) -> None:
    if isinstance(steps, int | np.integer) and not isinstance(steps, bool) and steps >= 1:
        return
    listed = list(steps) if isinstance(steps, Sequence | np.ndarray) and not isinstance(steps, str) else []
    if not listed or not np.isfinite(np.asarray(listed, dtype=float)).all():
        raise InputError(
            "steps",
            got=repr(steps),
            wanted="a whole number of at least 1, or the load factor at the end of each step",
            cure="pass 10, or [0.5, 1.0, 0.0]",
        )


def refuse_points(watch: Any, points: int) -> None:
    """Refuse points to watch that there are not."""
    given = watch if isinstance(watch, Sequence | np.ndarray) and not isinstance(watch, str) else [None]
    wrong = [
        p for p in given if isinstance(p, bool) or not isinstance(p, int | np.integer) or not 0 <= p < points
    ]
    if wrong:
        raise InputError(
            "watch",
            got=repr(watch if wrong[0] is None else wrong[0]),
            wanted=f"a list of numbers of integration points, 0 to {points - 1}",
            cure="leave it out for the most stressed one alone",
        )


def refuse_unloaded(offset: np.ndarray, forces: np.ndarray) -> None:
    """Refuse conditions under which nothing happens."""
    if not offset.any() and not forces.any():
        raise InputError(
            "supports",
            got="no displacement other than zero, no traction, no body force",
            wanted="something that loads the structure",
            cure="prescribe a displacement such as {'right': {'x': '1 mm'}}, or a traction",
        )


def refuse_nowhere(resume: Any, folder: Path | None, archive: tuple[Path, str] | None) -> None:
    """Refuse to resume or to archive without folders, and an archive in a precision that there is not."""
    if resume not in (True, False, "archive"):
        raise InputError("resume", got=repr(resume), wanted="True, False or 'archive'", cure="correct it")
    if (resume or archive) and folder is None:
        raise InputError(
            "resume" if resume else "archive",
            got="no folder of checkpoints",
            wanted="checkpoints=FOLDER",
            cure="name the folder",
        )
    if resume == "archive" and archive is None:
        raise InputError("resume", got="no archive", wanted="archive=FOLDER", cure="name the folder")
    if archive is not None:
        check_precision(archive[1])


def refuse_loads(supports: Any, tractions: Any, body_force: Any, equal: Any) -> None:
    """Refuse supports, tractions, forces and ties that are no tables or vectors at all."""
    for name, table in (("supports", supports), ("tractions", tractions or {}), ("equal", equal or {})):
        if not isinstance(table, Mapping):
            raise _mistaken(name, table, "a table by boundary", _EXAMPLES[name])
    for name, values in supports.items():
        if not isinstance(values, Mapping):
            raise _mistaken(f"supports.{name}", values, "displacements by axis", _EXAMPLES["supports"])
    for name, vector in {**(tractions or {}), "": body_force}.items():
        if vector is not None and not isinstance(vector, Sequence | np.ndarray):
            shown = f"tractions.{name}" if name else "body_force"
            raise _mistaken(
                shown, vector, "a vector, one number or text for each axis", _EXAMPLES["tractions"]
            )


_EXAMPLES = {
    "supports": "{'left': {'x': 0, 'y': 0}}",
    "tractions": "{'right': ('1 MPa', 0)}",
    "equal": "{'top': 'y'}",
}


def _mistaken(name: str, got: Any, wanted: str, example: str) -> InputError:
    return InputError(name, got=repr(got), wanted=wanted, cure=f"write for example {example}")


def refuse_plane(mesh: SolidMesh, plane: Any) -> None:
    """Refuse plane stress in space."""
    if mesh.dim == 3 and plane == "stress":
        raise InputError(
            "plane",
            got="'stress', with a mesh in space",
            wanted="a mesh in the plane",
            cure="leave plane out: the thickness of a solid is free where nothing holds it",
        )


def refuse_places(**folders: Any) -> None:
    """Refuse folders whose names are those of files."""
    for name, folder in folders.items():
        taken = [] if folder is None else [p for p in (Path(folder), *Path(folder).parents) if p.is_file()]
        if taken:
            raise InputError(
                name, got=f"{folder}, and {taken[0]} is a file", wanted="a folder", cure="name another one"
            )


def refuse_memory(budget: Any) -> None:
    """Refuse a budget of memory that is no number of bytes."""
    number = isinstance(budget, int | float | np.number) and not isinstance(budget, bool)
    if budget is not None and not (number and np.isfinite(budget) and budget >= 0):
        raise InputError(
            "state_memory",
            got=repr(budget),
            wanted="a number of bytes of at least 0, such as 4e9",
            cure="leave it out for no limit",
        )
