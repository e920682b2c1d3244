"""Archives: checkpoints in reduced precision, every step kept, each block with the bound of its error.

A run goes on from its checkpoints, which have every bit. An archive is for looking back: internal variables
of all steps, a quarter or half of each number, no hints, packed. To go on from one has to be asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.engine.checkpoint import (
    ARCHIVE,
    PACKED,
    begin_checkpoint,
    finish_checkpoint,
    flush,
    read_head,
    read_paths,
    read_points,
    unpacked,
    write_paths,
)

PRECISIONS = ("int16", "float32")
_LEVELS = 65535
_BLOCK_BYTES = 4 * 2**20
_ALL = range(2**62)  # every number that a point can have


def check_precision(given: Any) -> None:
    """Refuse a precision of archives that there is not.

    Raises:
        InputError: it is none of them.

    Example:
        >>> check_precision("int16")
    """
    if given not in PRECISIONS:
        raise InputError(
            "archive_precision", got=repr(given), wanted="'int16' or 'float32'", cure="choose one of them"
        )


def pack(values: np.ndarray, precision: str) -> tuple[np.ndarray, dict[str, float]]:
    """Return a block in reduced precision, and what reading it back needs: low, step and bound.

    int16: 65536 levels over the block's range, value = low + step (code + 32768). A block that is not finite,
    or does not fit, is left as it is. The bound is the largest error, measured after reading back.

    Args:
        values: any shape.
        precision: "int16" or "float32".

    Example:
        >>> codes, how = pack(np.array([0.0, 1.0, 3.0]), "int16")
        >>> codes.dtype, how["bound"] <= 3.0 / 65535 / 2
        (dtype('int16'), True)
    """
    exact = np.asarray(values, dtype=np.float64)
    for codes, low, step in _attempts(exact, precision):
        how = {"low": low, "step": step}
        back = unpacked(codes, low, step)
        if np.isfinite(back).all():
            return codes, how | {"bound": float(np.abs(back - exact).max(initial=0.0))}
    return exact, {"low": 0.0, "step": 1.0, "bound": 0.0}


def _attempts(exact: np.ndarray, precision: str) -> Iterator[tuple[np.ndarray, float, float]]:
    if not exact.size or not np.isfinite(exact).all():
        return
    with np.errstate(over="ignore"):
        if precision == "float32":
            yield exact.astype(np.float32), 0.0, 1.0
            return
        low, span = float(exact.min()), float(np.ptp(exact))
        step = span / _LEVELS
        if np.isfinite(span) and (step > 0 or span == 0):
            levels = np.rint((exact - low) / (step or 1.0)) - 32768
            yield np.clip(levels, -32768, 32767).astype(np.int16), low, step


def archive_checkpoint(checkpoint: Path, folder: Path, step: int, precision: str) -> Path:
    """Write a checkpoint into an archive, whole or not at all.

    Args:
        checkpoint: a whole checkpoint, which is left as it is.
        folder: the archive; a folder for each step is made in it.
        step: number of the step.
        precision: "int16" or "float32".

    Returns:
        the step's folder.
    """
    header, arrays = read_head(checkpoint)
    part = begin_checkpoint(folder, step)
    bounds: dict[str, float] = {}
    for name in header["files"]:
        found = _write(part / name, read_points(checkpoint / name, _ALL), precision)
        write_paths(part / name, read_paths([checkpoint / name]))
        flush(part / name)
        bounds = {key: max(bounds.get(key, 0.0), found.get(key, 0.0)) for key in bounds | found}
    told = {**header, "archive": {"precision": precision, "bounds": bounds}}
    return finish_checkpoint(part, told, arrays, step, ARCHIVE)


def _write(
    path: Path, points: Iterable[tuple[int, Mapping[str, np.ndarray]]], precision: str
) -> dict[str, float]:
    """Write points block by block; return the largest bound by variable."""
    bounds: dict[str, float] = {}
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = ARCHIVE
        for number, (ids, block) in enumerate(_blocks(points)):
            group = file.create_group(f"{PACKED}/{number:06d}")
            group["ids"] = ids
            for name, values in block.items():
                bounds[name] = max(bounds.get(name, 0.0), _put(group, name, values, precision))
    return {name: bound for name, bound in bounds.items() if not _hint(name)}


def _put(group: Any, name: str, values: np.ndarray, precision: str) -> float:
    """Write a variable of a block; hints keep their shape alone, and are zero when read back."""
    place = f"variables/{name.replace('/', '|')}"
    if _hint(name):
        left_out = group.create_dataset(place, values.shape, dtype=np.int16, chunks=True)
        left_out.attrs.update({"low": 0.0, "step": 0.0, "bound": np.nan})
        return 0.0
    codes, how = pack(values, precision)
    packing: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    group.create_dataset(place, data=codes, **(packing if codes.size else {})).attrs.update(how)
    return how["bound"]


def _hint(name: str) -> bool:
    return name.startswith("hint")


def _blocks(
    points: Iterable[tuple[int, Mapping[str, np.ndarray]]],
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    ids: list[int] = []
    waiting: list[Mapping[str, np.ndarray]] = []
    for number, values in points:
        ids.append(number)
        waiting.append({name: np.array(array) for name, array in values.items()})
        if len(ids) * sum(array.nbytes for array in waiting[0].values()) >= _BLOCK_BYTES:
            yield _stacked(ids, waiting)
            ids, waiting = [], []
    if ids:
        yield _stacked(ids, waiting)


def _stacked(
    ids: list[int], waiting: list[Mapping[str, np.ndarray]]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return np.array(ids), {name: np.stack([values[name] for values in waiting]) for name in waiting[0]}
