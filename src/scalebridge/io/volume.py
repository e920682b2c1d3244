"""An image with its voxel size and where it came from."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError


@dataclass(frozen=True, eq=False)
class Volume:
    """A 2-D or 3-D image on a regular grid, with its physical voxel size and its origin.

    Args:
        data: one number a voxel, axes (x, y, z) or (x, y). It may be a transposed view, so do not rely on its
            memory order.
        voxel: edge lengths of a voxel in metres, one an axis (they may differ), or None when nobody said.
        source: where the image came from, as `read_volume` fills it: path (name only), format, sha256,
            dataset, axes, dtype and shape as stored, and voxel_from ("argument", "header" or "unknown").

    Raises:
        ImageError: the array is not 2-D or 3-D, is empty, or the voxel size does not fit it.

    Example:
        >>> volume = Volume(np.zeros((4, 3, 2), np.uint8), voxel=(3e-6, 3e-6, 5e-6))
        >>> volume.shape, [round(length * 1e6) for length in volume.extent()]
        ((4, 3, 2), [12, 9, 10])
    """

    data: np.ndarray
    voxel: tuple[float, ...] | None = None
    source: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.data.ndim not in {2, 3} or self.data.size == 0:
            raise ImageError(
                "data",
                got=f"an array of shape {self.data.shape}",
                wanted="a non-empty array with axes (x, y) or (x, y, z)",
                cure="index or reshape the array to 2 or 3 axes",
            )
        if self.voxel is not None and not _fits(self.voxel, self.data.ndim):
            raise ImageError(
                "voxel",
                got=self.voxel,
                wanted=f"{self.data.ndim} positive lengths in metres",
                cure="give one edge length an axis, in the order x, y, z",
            )

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        voxel = "voxel size unknown" if self.voxel is None else f"voxel {self.voxel} m"
        return f"Volume({size}, {self.data.dtype}, {voxel}, from {self.source.get('path', 'memory')!r})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of voxels along x, y (and z)."""
        return self.data.shape

    def require_voxel(self, purpose: str) -> tuple[float, ...]:
        """Return the voxel size in metres, or refuse: a dimensional result has no honest default.

        Args:
            purpose: what needs the size, for the error ("the permeability").

        Raises:
            ImageError: the voxel size is unknown.
        """
        if self.voxel is None:
            remark = self.source.get("remark", "the file does not say its voxel size")
            raise ImageError(
                "voxel",
                got=f"no voxel size ({remark})",
                wanted=f"a voxel size with a unit for {purpose}",
                cure="pass voxel='3 um', or one length an axis: voxel=('3 um', '3 um', '5 um')",
            )
        return self.voxel

    def extent(self) -> tuple[float, ...]:
        """Edge lengths of the whole image in metres, one an axis; refuses when the voxel size is unknown."""
        voxel = self.require_voxel("the image's extent")
        return tuple(count * length for count, length in zip(self.shape, voxel, strict=True))


def _fits(voxel: tuple[float, ...], ndim: int) -> bool:
    return len(voxel) == ndim and all(math.isfinite(length) and length > 0 for length in voxel)
