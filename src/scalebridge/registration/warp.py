"""Carry the moving image onto the fixed image's grid: in memory, or tile by tile into a file."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import tifffile

from scalebridge.core.errors import InputError
from scalebridge.core.files import atomic_path
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for
from scalebridge.engine.memory import refuse_too_large
from scalebridge.registration.composition import Chain
from scalebridge.registration.frame import Frame
from scalebridge.registration.reading import in_memory, open_slide
from scalebridge.registration.registration_inputs import read_given
from scalebridge.registration.slide import Slide
from scalebridge.registration.spatial_image import SpatialImage, pixel_lengths
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.tissue import border_value
from scalebridge.registration.warp_kernels import (
    sample_linear,
    sample_linear_volume,
    sample_nearest,
    sample_nearest_volume,
)

_TILE = 1024
_NOWHERE = -1e6  # samples: of points that have no counterpart
_KERNELS = {
    ("linear", 2): sample_linear,
    ("nearest", 2): sample_nearest,
    ("linear", 3): sample_linear_volume,
    ("nearest", 3): sample_nearest_volume,
}


class Registered(Protocol):
    """What has a map: a registration, whose file imports this one."""

    @property
    def map(self) -> SpatialMap: ...


def warp(
    found: Registered | SpatialMap | Chain,
    moving: Any,
    *,
    moving_pixel: Any = None,
    pixel: Any = None,
    out: str | os.PathLike[str] | None = None,
    interpolation: Literal["linear", "nearest"] = "linear",
    background: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> SpatialImage | Path:
    """Carry an image of the moving frame onto the fixed grid:  out(x) = moving(T(x)).

    Of a volume that is the section's plane: grey values, or with "nearest" an atlas's labels.

    Args:
        found: a registration, its map, or several maps in order (`compose`).
        moving: file, array or `SpatialImage`; any channel or label image on the moving image's frame.
        moving_pixel: distance of its samples where it does not say.
        pixel: distance of the new samples, "0.5 um"; those of the fixed image unless given.
        out: a .tif file, written tile by tile as OME-TIFF; in memory unless given.
        interpolation: "linear", or "nearest" for labels.
        background: value where the moving image has nothing; the median of its border unless given.
        progress: told the share that is done.

    Returns:
        a `SpatialImage`, or the path that was written.

    Raises:
        InputError: an option that cannot be right, an output that is not a .tif file, or an image of other
            axes than the map's.
        ResourceError: the answer does not fit into memory; pass `out`.

    Limits: onto planes; a volume is read whole. Where the new samples are much further apart than the moving
    ones, a coarser level of a
        pyramid is read if there is one.
    Cost: about 0.1 us a sample and channel, twice that with compression; in memory one tile of 1024 x 1024
        and what it needs of the moving image.

    Example:
        >>> frame = Frame((4, 4), (0.0, 0.0), (1.0, 1.0))
        >>> shifted = SpatialMap(np.eye(2), np.array([1.0, 0.0]), frame)
        >>> warp(shifted, SpatialImage(np.eye(4), frame), background=0.0).values[:3].tolist()
        [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    if interpolation not in ("linear", "nearest"):
        raise InputError(
            "interpolation", got=repr(interpolation), wanted="'linear' or 'nearest'", cure="leave it out"
        )
    spatial = found if isinstance(found, SpatialMap | Chain) else found.map
    slide = _slide(moving, moving_pixel)
    if slide.frame.size != spatial.axes:
        kinds = {2: "a plane", 3: "a volume"}
        raise InputError(
            "moving",
            got=f"'{slide.name}', {kinds[slide.frame.size]}",
            wanted=f"{kinds[spatial.axes]}, as the map",
            cure="pass the image that was registered as the moving one, or one on its grid",
        )  # fmt: skip
    frame = finer(spatial.frame, pixel)
    job = _Job(
        spatial, slide, frame, _ground(slide, background), interpolation, _level(slide, spatial, frame)
    )
    if out is not None:
        return _write(job, Path(out), progress)
    needed = int(np.prod(frame.shape)) * max(slide.channels, 1) * slide.dtype.itemsize
    refuse_too_large(needed, "the warped image, which out='warped.tif' would write tile by tile")
    values = np.empty((*frame.shape, max(slide.channels, 1)), slide.dtype)
    for box, tile in job.tiles(progress):
        values[box] = tile
    return SpatialImage(values if slide.channels else values[..., 0], frame, f"{slide.name} warped")


def finer(frame: Frame, pixel: Any) -> Frame:
    """The grid over the same rectangle with other distances of samples."""
    if pixel is None:
        return frame
    spacing = pixel_lengths(pixel, frame.size, "output")
    shape = tuple(max(1, round(float(e) / h)) for e, h in zip(frame.extent, spacing, strict=True))
    corner = frame.points(np.full((1, frame.size), -0.5))[0]
    origin = corner + np.array(frame.directions) @ (0.5 * np.array(spacing))
    return Frame(shape, tuple(float(v) for v in origin), spacing, frame.directions)


@dataclass(frozen=True)
class _Job:
    spatial: SpatialMap | Chain
    slide: Slide
    frame: Frame
    ground: np.ndarray
    interpolation: str
    level: int

    def tiles(
        self, progress: Callable[[float], None] | None
    ) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
        """Tiles in the order of rows of tiles (y slowest), each (nx, ny, channels)."""
        nx, ny = self.frame.shape
        corners = [(x, y) for y in range(0, ny, _TILE) for x in range(0, nx, _TILE)]
        for number, (x, y) in enumerate(corners, 1):
            box = (slice(x, min(x + _TILE, nx)), slice(y, min(y + _TILE, ny)))
            yield box, self.tile(box)
            if progress is not None:
                progress(number / len(corners))

    def tile(self, box: tuple[slice, slice]) -> np.ndarray:
        """Sample one tile: read no more of the moving image than it needs."""
        shape = tuple(part.stop - part.start for part in box)
        origin = self.frame.points(np.array([[float(part.start) for part in box]]))[0]
        frame = Frame(shape, tuple(map(float, origin)), self.frame.spacing, self.frame.directions)
        stored = self.slide.frame_of(self.level)
        places = stored.indices(self.spatial.on_grid(frame).reshape(-1, stored.size))
        places = np.where(np.isfinite(places), places, _NOWHERE)
        low = np.maximum(np.floor(places.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(places.max(axis=0)).astype(int) + 2, stored.shape)
        kernel, kept = _KERNELS[self.interpolation, stored.size], np.float32
        if self.interpolation == "nearest":
            kept = self.slide.dtype  # labels may be larger than what a float holds exactly
        ground, out = self.ground.astype(kept), np.empty((len(places), len(self.ground)), kept)
        if np.any(high <= low):
            out[:] = ground
        else:
            needed = tuple((int(a), int(b)) for a, b in zip(low, high, strict=True))
            part = self.slide.read(self.level, needed)
            part = np.ascontiguousarray(part.reshape(*part.shape[: stored.size], len(ground)))
            shifted = places - low
            in_slabs(kernel, len(places), shifted, part, ground, out, threads=threads_for(len(places)))
        whole = np.issubdtype(self.slide.dtype, np.integer) and self.interpolation == "linear"
        return (np.rint(out) if whole else out).astype(self.slide.dtype).reshape(*shape, -1)


def _slide(moving: Any, pixel: Any) -> Slide:
    if isinstance(moving, str | os.PathLike):
        return open_slide(moving, pixel=pixel, argument="moving")
    image = read_given(moving, pixel, "moving")
    channels = image.values.shape[-1] if image.values.ndim > image.axes else 0
    return Slide(
        image.name, image.frame, (image.frame.shape,), channels, image.values.dtype, in_memory(image.values)
    )


def _ground(slide: Slide, background: float | None) -> np.ndarray:
    count = max(slide.channels, 1)
    if background is not None:
        return np.full(count, float(background))
    values = slide.image(250_000).values
    values = values.reshape(*values.shape[: slide.frame.size], -1)
    return np.array([border_value(values[..., c]) for c in range(count)])


def _level(slide: Slide, spatial: SpatialMap | Chain, frame: Frame) -> int:
    """The coarsest level whose samples are no further apart than the new ones."""
    reach = min(frame.spacing) * float(np.linalg.svd(spatial.matrix[:, :2], compute_uv=False).min())
    fits = [k for k in range(len(slide.levels)) if max(slide.frame_of(k).spacing) <= 1.01 * reach]
    return fits[-1] if fits else 0


def _write(job: _Job, path: Path, progress: Callable[[float], None] | None) -> Path:
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise InputError("out", got=path.name, wanted="a .tif file", cure="name it warped.ome.tif")
    channels, (nx, ny) = job.slide.channels, job.frame.shape

    def padded() -> Iterator[np.ndarray]:
        for _, tile in job.tiles(progress):
            rows = np.swapaxes(tile, 0, 1)
            full = np.zeros((_TILE, _TILE, rows.shape[2]), rows.dtype)
            full[: rows.shape[0], : rows.shape[1]] = rows
            yield full if channels else full[..., 0]

    metadata: dict[str, Any] = {"axes": "YXS" if channels else "YX"}
    plane: dict[str, Any] = {}
    for axis, length, place in zip("XY", job.frame.spacing, job.frame.origin, strict=True):
        metadata |= {f"PhysicalSize{axis}": 1e3 * length, f"PhysicalSize{axis}Unit": "µm"}
        plane |= {f"Position{axis}": [1e3 * place], f"Position{axis}Unit": ["µm"]}
    metadata["Plane"] = plane
    large = nx * ny * max(channels, 1) * job.slide.dtype.itemsize > 3 * 2**30
    with atomic_path(path) as part, tifffile.TiffWriter(part, bigtiff=large, ome=True) as writer:
        writer.write(
            padded(), shape=(ny, nx, channels) if channels else (ny, nx), dtype=job.slide.dtype,
            tile=(_TILE, _TILE), photometric="rgb" if channels in (3, 4) else "minisblack",
            compression="deflate", metadata=metadata, maxworkers=1,
        )  # fmt: skip
    return path
