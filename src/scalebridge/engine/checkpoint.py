"""Checkpoints: the committed state of all points and of the coarse model, whole on disk or not at all.

A checkpoint is a folder. Each process writes the points that it keeps into a file of its own, so that state
never travels; `head.h5` has the coarse model and what it all belongs to. The folder is written under another
name, flushed to the disk, and renamed. Files are HDF5, chunked by block of points; a point is found by its
number, so that any number of processes may read what another number wrote.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.engine.path_sharing import Paths

SCHEMA = "scalebridge/point-state/1"
ARCHIVE = "scalebridge/point-archive/1"
"""Schema of checkpoints in reduced precision."""
PACKED = "blocks"
"""Group of an archive's blocks."""
_NAME = re.compile(r"step-(\d{6})")
_CHUNK_BYTES = 4 * 2**20


def checkpoint_name(step: int) -> str:
    """Return the folder's name of a step.

    Example:
        >>> checkpoint_name(12)
        'step-000012'
    """
    return f"step-{step:06d}"


def begin_checkpoint(folder: Path, step: int) -> Path:
    """Make and return the folder under its other name; what an earlier attempt left is removed."""
    part = folder / f".{checkpoint_name(step)}.part"
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    return part


def write_points(
    path: Path, points: Iterable[tuple[int, Mapping[str, np.ndarray]]], count: int, paths: Paths | None = None
) -> int:
    """Write the variables of some points, block by block, and flush them to the disk.

    Args:
        path: file to write.
        points: number and variables of each point.
        count: how many there are at most, for the size of chunks.
        paths: who shares with whom, where points share.

    Returns:
        bytes of variables written.
    """
    total = 0
    with h5py.File(path, "w") as file:
        ids: list[int] = []
        datasets: dict[str, h5py.Dataset] = {}
        waiting: list[Mapping[str, np.ndarray]] = []
        block = 1
        for number, values in points:
            if not datasets:
                datasets = {name: _dataset(file, name, array, count) for name, array in values.items()}
                block = min((d.chunks[0] for d in datasets.values() if d.chunks), default=1)
            ids.append(number)
            waiting.append({name: np.array(array) for name, array in values.items()})
            if len(waiting) == block:
                total += _append(datasets, waiting)
        total += _append(datasets, waiting)
        file.create_dataset("ids", data=np.asarray(ids, dtype=np.int64))
        file.attrs["schema"] = SCHEMA
    write_paths(path, paths)
    flush(path)
    return total


def write_paths(path: Path, paths: Paths | None) -> None:
    """Add to a file of points who shares with whom, where points share."""
    if paths is None:
        return
    with h5py.File(path, "a") as file:
        for name, array in vars(paths).items():
            file.create_dataset(f"paths/{name}", data=array)


def read_points(path: Path, wanted: Iterable[int]) -> Iterable[tuple[int, dict[str, np.ndarray]]]:
    """Yield the variables of those wanted points that a file has.

    Args:
        path: file that `write_points` wrote, or an archive's.
        wanted: numbers of points.

    Raises:
        FileFormatError: the file is no such file, or is damaged.
    """
    with _opened(path, SCHEMA, ARCHIVE) as file:
        if file.attrs["schema"] == ARCHIVE:
            yield from _unpacked_points(file, wanted)
            return
        ids = np.asarray(file["ids"])
        group: Any = file.get("variables", {})
        datasets = {name.replace("|", "/"): d for name, d in group.items()}
        block = min((d.chunks[0] for d in datasets.values()), default=1)
        chosen = _among(ids, wanted)
        for first in range(0, len(ids), block):
            rows = slice(first, first + block)
            if not chosen[rows].any():
                continue
            read = {name: np.asarray(dataset[rows]) for name, dataset in datasets.items()}
            for row in np.flatnonzero(chosen[rows]):
                yield int(ids[first + row]), {name: array[row] for name, array in read.items()}


def _among(ids: np.ndarray, wanted: Iterable[int]) -> np.ndarray:
    if isinstance(wanted, range):
        return (ids >= wanted.start) & (ids < wanted.stop)
    return np.isin(ids, np.fromiter(map(int, wanted), dtype=np.int64))


def _unpacked_points(file: h5py.File, wanted: Iterable[int]) -> Iterable[tuple[int, dict[str, np.ndarray]]]:
    """Yield the points of an archive's file."""
    blocks: Any = file.get(PACKED, {})
    asked = wanted if isinstance(wanted, range) else [int(number) for number in wanted]
    for block in blocks.values():
        ids = np.asarray(block["ids"])
        read = {
            name.replace("|", "/"): unpacked(np.asarray(d), d.attrs["low"], d.attrs["step"])
            for name, d in block["variables"].items()
        }
        for row in np.flatnonzero(_among(ids, asked)):
            yield int(ids[row]), {name: array[row] for name, array in read.items()}


def unpacked(codes: np.ndarray, low: float, step: float) -> np.ndarray:
    """Return float64 values of what an archive keeps of them: codes over a range, or numbers."""
    if codes.dtype == np.int16:
        return low + step * (codes.astype(np.float64) + 32768)
    return codes.astype(np.float64)


def read_paths(files: Iterable[Path]) -> Paths | None:
    """Return who shares with whom, over all files of a checkpoint; None where points do not share.

    Raises:
        FileFormatError: a file is damaged.
    """
    found = []
    for path in files:
        with _opened(path, SCHEMA, ARCHIVE) as file:
            group: Any = file.get("paths")
            if group is not None:
                found.append(Paths(**{name: np.asarray(data) for name, data in group.items()}))
    if not found:
        return None
    order = np.argsort(np.concatenate([part.ids for part in found]))
    ids, owners, born = (
        np.concatenate([getattr(part, name) for part in found])[order] for name in ("ids", "owners", "born")
    )
    loads = np.concatenate([part.loads for part in found], axis=1)[:, order]
    return Paths(ids, owners, born, loads, found[0].durations)


def finish_checkpoint(
    part: Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], step: int, schema: str = SCHEMA
) -> Path:
    """Write the head and give the folder its name; from here on it counts.

    Args:
        part: what `begin_checkpoint` returned, with the points' files in it.
        header: plain data: signatures, epoch, settings.
        arrays: the coarse model's own.
        step: number of the step.
        schema: of checkpoints, or of archives.

    Returns:
        the folder.
    """
    head = part / "head.h5"
    with h5py.File(head, "w") as file:
        file.attrs["schema"] = schema
        files = sorted(p.name for p in part.glob("points-*.h5"))
        file.attrs["header"] = json.dumps({**header, "files": files})
        for name, array in arrays.items():
            file.create_dataset(name, data=np.asarray(array))
    flush(head)
    flush(part)
    final = part.parent / checkpoint_name(step)
    for other in _numbered(part.parent):
        if other.name >= final.name:  # of a run that is being done again
            shutil.rmtree(other)
    part.rename(final)
    flush(part.parent)
    return final


def read_head(folder: Path, schema: str = SCHEMA) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the coarse model's arrays of a checkpoint, or of an archive, by its schema.

    Raises:
        FileFormatError: the folder is no checkpoint, or is damaged.
    """
    with _opened(folder / "head.h5", schema) as file:
        header = json.loads(str(file.attrs["header"]))
        arrays = {str(name): np.asarray(data) for name, data in file.items()}
    missing = [name for name in header["files"] if not (folder / name).is_file()]
    if missing:
        raise _damaged(folder, f"without {missing[0]}")
    return header, arrays


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the last whole checkpoint in a folder, None if there is none."""
    return max(_numbered(folder), default=None)


def drop_checkpoints(folder: Path, keep: int) -> None:
    """Remove all but the last whole checkpoints."""
    for path in _numbered(folder)[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def _numbered(folder: Path) -> list[Path]:
    """Return the whole checkpoints in a folder by their numbers."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("step-*") if _NAME.fullmatch(path.name))


def refuse_other(header: Mapping[str, Any], folder: Path, expected: Mapping[str, str]) -> None:
    """Refuse a checkpoint that belongs to something else.

    Args:
        header: of the checkpoint.
        folder: the checkpoint.
        expected: hash of this run by what it is of: "material", "structure", ...

    Raises:
        InputError: a hash differs.
    """
    for what, mine in expected.items():
        if header.get(what) != mine:
            raise InputError(
                "resume",
                got=f"checkpoint {folder.name} of another {what}",
                wanted=f"one of the same {what} (hash {mine[:12]}, not {str(header.get(what))[:12]})",
                cure=f"restore the {what} that it was written with, or start anew in another folder",
            )


def _dataset(file: h5py.File, name: str, array: np.ndarray, count: int) -> h5py.Dataset:
    shape = np.shape(array)
    each = max(1, 8 * int(np.prod(shape)))
    rows = int(np.clip(_CHUNK_BYTES // each, 1, max(count, 1)))
    escaped = name.replace("/", "|")  # a slash would make a group
    return file.create_dataset(
        f"variables/{escaped}",
        (0, *shape),
        dtype=np.float64,
        maxshape=(None, *(n or None for n in shape)),  # one without elements may be chunked by none either
        chunks=(rows, *(max(n, 1) for n in shape)),
    )


def _append(datasets: Mapping[str, h5py.Dataset], waiting: list[Mapping[str, np.ndarray]]) -> int:
    total = 0
    for name, dataset in datasets.items():
        first = dataset.shape[0]
        dataset.resize(first + len(waiting), axis=0)
        stacked = (
            np.stack([values[name] for values in waiting]) if waiting else np.zeros((0, *dataset.shape[1:]))
        )
        dataset[first:] = stacked
        total += stacked.nbytes
    waiting.clear()
    return total


def _opened(path: Path, *schemas: str) -> h5py.File:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _damaged(path.parent, f"whose {path.name} cannot be read: {error}") from error
    if file.attrs.get("schema") not in schemas:
        found = file.attrs.get("schema")
        file.close()
        raise _damaged(path.parent, f"whose {path.name} has the schema {found}", schemas[0], found == ARCHIVE)
    return file


def _damaged(folder: Path, how: str, schema: str = SCHEMA, archive: bool = False) -> FileFormatError:
    return FileFormatError(
        "resume",
        got=f"{folder} {how}",
        wanted=f"a checkpoint of schema {schema}",
        cure="pass resume='archive' to go on from reduced precision"
        if archive
        else "remove this folder to resume from the one before it",
    )


def flush(path: Path) -> None:
    """Have the system put a file or a folder on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
