"""The voxel image: an integer label in every cell of a regular grid, and how large a cell is."""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError, PhaseError

_TYPES = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64)
_COUNTED_RANGE = 1 << 16  # labels that span less than this are counted in a table, without sorting


@dataclass(frozen=True, eq=False, repr=False)
class VoxelImage:
    """A segmented image: which phase fills each voxel.

    The labels are stored in the smallest integer type that holds them, and the array cannot be written to.
    Labels are names, not ranks: they may be negative and need not be consecutive.

    Args:
        labels: integers or booleans, shape (x, y) or (x, y, z), x first. At least 2 voxels along each axis
            in 3-D; an axis of 1 voxel is allowed in 2-D, where it makes a strip of layers.
        voxel: edge lengths of a voxel in metres, one for each axis; None when they are not known. Without
            it the voxels are taken to be squares or cubes and only answers without a length can be given.
        names: phase names by label. A label without a name is called "phase LABEL".
        periodic: whether the image repeats itself seamlessly in all directions.
        source: where the image came from, plain data that JSON can hold.

    Raises:
        ImageError: the labels are not integers, the image is empty, has an axis too few or too many or a
            single slice, or the voxel, the names or the source are not what is wanted.

    Cost: one copy of the labels, unless they already are read-only and in the smallest type.

    Example:
        >>> image = VoxelImage(np.array([[0, 1], [0, 0]]), voxel=(2e-6, 1e-6), names={0: "rock"})
        >>> image
        VoxelImage(2 x 2 voxels of 2e-06 x 1e-06 m, periodic; rock 0.75, phase 1 0.25)
        >>> image.phases, image.fractions[1], image.aspect
        ((0, 1), 0.25, (2.0, 1.0))
    """

    labels: np.ndarray
    voxel: tuple[float, ...] | None = None
    names: dict[int, str] = field(default_factory=dict)
    periodic: bool = True
    source: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        labels = np.asarray(self.labels)
        _check_type(labels)
        _check_shape(labels.shape)
        _check_names(self.names)
        object.__setattr__(self, "labels", _stored(labels))
        object.__setattr__(self, "voxel", _checked_voxel(self.voxel, labels.ndim))
        object.__setattr__(self, "names", {int(label): name for label, name in self.names.items()})
        object.__setattr__(self, "source", dict(self.source))

    def __repr__(self):
        size = "voxels of unknown size" if self.voxel is None else f"voxels of {_times(self.voxel)} m"
        period = "periodic" if self.periodic else "not periodic"
        parts = [f"{self.name(label)} {part:.4g}" for label, part in self.fractions.items()]
        shown = ", ".join(parts if len(parts) <= 6 else [*parts[:5], f"and {len(parts) - 5} more phases"])
        return f"VoxelImage({_times(self.shape)} {size}, {period}; {shown})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of voxels along each axis."""
        return self.labels.shape

    @property
    def dim(self) -> int:
        """Number of axes, 2 or 3."""
        return self.labels.ndim

    @property
    def size(self) -> int:
        """Number of voxels."""
        return self.labels.size

    @cached_property
    def counts(self) -> dict[int, int]:
        """Number of voxels of each label, labels in rising order. Computed once."""
        return _count(self.labels)

    @property
    def phases(self) -> tuple[int, ...]:
        """The labels that occur, in rising order."""
        return tuple(self.counts)

    @property
    def fractions(self) -> dict[int, float]:
        """Volume fraction of each label that occurs; they add up to 1."""
        return {label: count / self.size for label, count in self.counts.items()}

    @property
    def aspect(self) -> tuple[float, ...]:
        """Voxel edges relative to the smallest one; ones when the voxel size is not known."""
        if self.voxel is None:
            return (1.0,) * self.dim
        return tuple(edge / min(self.voxel) for edge in self.voxel)

    def name(self, label: int) -> str:
        """Return the name of a phase, or "phase LABEL" when it has none."""
        return self.names.get(label, f"phase {label}")

    def mask(self, *labels: int) -> np.ndarray:
        """Return where any of the given phases is, as booleans of the image's shape.

        Raises:
            PhaseError: a label does not occur in the image.

        Example:
            >>> VoxelImage(np.array([[0, 1], [2, 0]])).mask(1, 2).tolist()
            [[False, True], [True, False]]
        """
        absent = sorted(set(labels) - set(self.phases))
        if absent or not labels:
            raise PhaseError(
                "labels",
                got=", ".join(map(str, absent)) or "no label",
                wanted=f"labels that occur in the image: {_some(self.phases)}",
                cure="leave out labels that do not occur",
            )
        found = self.labels == labels[0]
        for label in labels[1:]:
            found |= self.labels == label
        return found

    def content_hash(self) -> str:
        """Return the SHA-256 of labels, shape, stored type and voxel size, as hexadecimal digits.

        Names and source do not enter: two images with the same hash give the same numbers.
        """
        little = self.labels.dtype.newbyteorder("<")
        voxel = None if self.voxel is None else [edge.hex() for edge in self.voxel]
        digest = hashlib.sha256(f"{little.str} {self.shape} {voxel}\n".encode())
        for slab in self.labels:
            digest.update(slab.astype(little, copy=False).data)
        return digest.hexdigest()


def axis_index(axis: int | str, dim: int) -> int:
    """Return the number of an axis given as "x", "y", "z" or 0, 1, 2.

    Raises:
        ImageError: there is no such axis.

    Example:
        >>> axis_index("y", 3)
        1
    """
    named = "xyz"[:dim]
    if isinstance(axis, str) and len(axis) == 1 and axis in named:
        return named.index(axis)
    if isinstance(axis, int | np.integer) and not isinstance(axis, bool) and 0 <= axis < dim:
        return int(axis)
    raise ImageError(
        "axis",
        got=repr(axis),
        wanted=f"one of {', '.join(named)} or 0 to {dim - 1}",
        cure=f"name an axis that a {dim}-D image has",
    )


def _check_type(labels: np.ndarray) -> None:
    if labels.dtype.kind in "iub":
        return
    cure = "make a grey image into labels with threshold(grey, at=...)"
    if labels.dtype.kind == "f" and np.all(np.isfinite(labels) & (labels == np.round(labels))):
        cure = "these are whole numbers: pass labels.astype(int)"
    raise ImageError("labels", got=f"an array of {labels.dtype}", wanted="integer labels", cure=cure)


def _check_shape(shape: tuple[int, ...]) -> None:
    wanted, cure = "a 2-D (x, y) or 3-D (x, y, z) array", ""
    if len(shape) not in (2, 3):
        cure = "select one channel or time step, so that only axes of space are left"
    elif 0 in shape:
        wanted, cure = "at least one voxel along each axis", "check the file or the crop that made this array"
    elif len(shape) == 3 and 1 in shape:
        wanted = "at least 2 voxels along each axis in 3-D"
        place = ("first", "middle", "last")[shape.index(1)]
        cure = f"drop the {place} axis to solve it as 2-D, labels.squeeze(axis={shape.index(1)})"
    if cure:
        raise ImageError("labels", got=f"an array of shape {shape}", wanted=wanted, cure=cure)


def _check_names(names: object) -> None:
    right = isinstance(names, dict) and all(
        isinstance(label, int | np.integer) and isinstance(name, str) and name
        for label, name in names.items()
    )
    if not right:
        raise ImageError(
            "names",
            got=repr(names),
            wanted="a dictionary from integer labels to names",
            cure='write for example names={0: "pore", 1: "solid"}',
        )


def _checked_voxel(voxel: Any, dim: int) -> tuple[float, ...] | None:
    """Return the voxel's edges as floats, or refuse them. None stays None."""
    if voxel is None:
        return None
    wanted = f"{dim} positive lengths in metres, one for each axis"
    if np.ndim(voxel) == 0:
        cure = "turn text into metres with parse_quantity(text, 'm', 'voxel'), then repeat it for each axis"
        if not isinstance(voxel, str):
            cure = f"for squares or cubes write voxel=({', '.join([repr(voxel)] * dim)})"
        raise ImageError("voxel", got=repr(voxel), wanted=wanted, cure=cure)
    try:
        edges = tuple(float(edge) for edge in voxel)
    except (TypeError, ValueError):
        edges = ()
    if len(edges) != dim or not all(0 < edge < float("inf") for edge in edges):
        cure = "use None when the size is not known"
        raise ImageError("voxel", got=repr(voxel), wanted=wanted, cure=cure)
    return edges


def _stored(labels: np.ndarray) -> np.ndarray:
    """Return a read-only array of the smallest type; a copy, unless nobody can change the given one."""
    low, high = int(labels.min()), int(labels.max())
    fits = next(kind for kind in _TYPES if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    safe = labels.base is None and not labels.flags.writeable
    if not (safe and labels.dtype == fits and labels.flags.c_contiguous):
        labels = np.array(labels, dtype=fits, order="C")
        labels.flags.writeable = False
    return labels


def _count(labels: np.ndarray) -> dict[int, int]:
    """Count each label, slab by slab, because bincount makes 8-byte copies of what it counts."""
    low, high = int(labels.min()), int(labels.max())
    if high - low >= _COUNTED_RANGE:
        found, counts = np.unique(labels, return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))
    table = np.zeros(high - low + 1, dtype=np.int64)
    for slab in slabs(labels):
        table += np.bincount(slab.ravel().astype(np.int64) - low, minlength=table.size)
    return {low + int(at): int(table[at]) for at in np.flatnonzero(table)}


def slabs(array: np.ndarray, voxels: int = 1 << 20) -> Iterator[np.ndarray]:
    """Yield views of consecutive slices along the first axis, each of about a million voxels.

    Work that needs a wider type for a moment is done slab by slab, so that memory stays near the image's.
    """
    step = max(1, voxels * array.shape[0] // max(array.size, 1))
    for start in range(0, array.shape[0], step):
        yield array[start : start + step]


def _times(numbers: tuple[Any, ...]) -> str:
    return " x ".join(f"{number:.6g}" for number in numbers)


def _some(labels: tuple[int, ...]) -> str:
    return ", ".join(map(str, itertools.islice(labels, 12))) + (" ..." if len(labels) > 12 else "")
