"""A map that is a displacement on every sample of a grid, as ANTs and ITK write it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from scalebridge.io.stored import need
from scalebridge.registration.frame import Frame
from scalebridge.registration.spatial_map import lifted

_PURPOSE = "reading or writing displacement fields"
_STEPS, _SETTLED, _RETURNED = 200, 1e-6, 1e-3  # of the inverse: steps, and distances in mm


@dataclass(frozen=True)
class DenseField:
    """T(x) = x + u(x), u linear between samples of a grid; beyond the grid points stay where they are.

    Args:
        displacement: mm, (*shape, axes).
        frame: the grid, of as many axes.

    Example:
        >>> frame = Frame((2, 2), (0.0, 0.0), (1.0, 1.0))
        >>> field = DenseField(np.array([[[0.0, 0], [0, 0]], [[1, 0], [1, 0]]]), frame)
        >>> field(np.array([[0.5, 0.5], [9.0, 0.0]])).tolist()
        [[1.0, 0.5], [9.0, 0.0]]
    """

    displacement: np.ndarray
    frame: Frame

    @classmethod
    def read(cls, file: Path) -> "DenseField":
        """Read an image of vectors, mm, LPS."""
        sitk = need("SimpleITK", extra="itk", purpose=_PURPOSE)
        image = sitk.ReadImage(str(file), sitk.sitkVectorFloat64)
        axes = image.GetDimension()
        if image.GetNumberOfComponentsPerPixel() != axes:
            raise ValueError(f"vectors of {image.GetNumberOfComponentsPerPixel()} components on {axes} axes")
        values = np.transpose(sitk.GetArrayFromImage(image), (*range(axes - 1, -1, -1), axes))
        turn = np.array(image.GetDirection()).reshape(axes, axes).tolist()
        places = (tuple(values.shape[:-1]), image.GetOrigin(), image.GetSpacing())
        return cls(values, Frame(*places, tuple(tuple(map(float, row)) for row in turn)))

    @property
    def axes(self) -> int:
        """Number of axes."""
        return self.frame.size

    @cached_property
    def transform(self) -> Any:
        """The same as SimpleITK's transform."""
        sitk = need("SimpleITK", extra="itk", purpose=_PURPOSE)
        order = (*range(self.axes - 1, -1, -1), self.axes)
        image = sitk.GetImageFromArray(np.ascontiguousarray(np.transpose(self.displacement, order)), True)
        image.SetOrigin(self.frame.origin)
        image.SetSpacing(self.frame.spacing)
        image.SetDirection(np.array(self.frame.directions).ravel().tolist())
        return sitk.DisplacementFieldTransform(sitk.Cast(image, sitk.sitkVectorFloat64))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points, (n, axes), mm; those of a plane lie at zero of the third axis."""
        ready = lifted(points, self.axes)
        places = self.frame.indices(ready)
        inside = np.all((places >= -0.5) & (places <= np.array(self.frame.shape) - 0.5), axis=1)
        moved = [
            ndimage.map_coordinates(self.displacement[..., c], places.T, order=1, mode="nearest")
            for c in range(self.axes)
        ]
        return ready + np.where(inside[:, None], np.stack(moved, axis=-1), 0.0)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Points that map onto given ones, by steps of the nearest affine map; NaN where that fails."""
        design = np.column_stack([self._some, np.ones(len(self._some))])
        affine = np.linalg.lstsq(design, self(self._some), rcond=None)[0]
        back = np.linalg.pinv(affine[:-1])
        found = (points - affine[-1]) @ back
        off = points - self(found)
        for _ in range(_STEPS):
            if np.abs(off).max(initial=0.0) < _SETTLED:
                break
            found = found + off @ back
            off = points - self(found)
        return np.where((np.linalg.norm(off, axis=1) < _RETURNED)[:, None], found, np.nan)

    @cached_property
    def _some(self) -> np.ndarray:
        ends = [np.linspace(0, n - 1, 9) for n in self.frame.shape]
        return self.frame.points(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, self.axes))
