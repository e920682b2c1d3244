"""Where the samples of an image are: shape, origin, spacing and directions, in millimetres."""

from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import ImageError


@dataclass(frozen=True)
class Frame:
    """The grid of an image in physical space: point = origin + directions · (spacing * index).

    Axes are ITK's: the first index is x, and in three dimensions points are LPS (x to the patient's left, y
    to the back, z to the head). Millimetres throughout, because every exchanged transform is written in them.

    Args:
        shape: number of samples along each axis.
        origin: point of the first sample's centre, mm.
        spacing: distance of samples along each axis, mm.
        directions: orthonormal columns, one an index axis; a negative determinant is a mirrored image.

    Raises:
        ImageError: a spacing that is not positive, or directions that are not orthonormal.

    Example:
        >>> frame = Frame((4, 2), (1.0, 0.0), (0.5, 0.5))
        >>> frame.points(np.array([[2.0, 0.0]])).tolist()
        [[2.0, 0.0]]
        >>> frame.coarser((2, 2)).origin
        (1.25, 0.25)
    """

    shape: tuple[int, ...]
    origin: tuple[float, ...]
    spacing: tuple[float, ...]
    directions: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self):
        size = len(self.shape)
        if not self.directions:
            object.__setattr__(self, "directions", tuple(map(tuple, np.eye(size).tolist())))
        axes = np.array(self.directions, dtype=float)
        numbers = [*self.origin, *self.spacing, *axes.ravel()]
        whole = len(self.origin) == len(self.spacing) == size and axes.shape == (size, size)
        if not whole or not np.all(np.isfinite(numbers)) or min(self.spacing) <= 0:
            raise ImageError(
                "spacing",
                got=f"spacing {self.spacing}, origin {self.origin} for {size} axes",
                wanted="one finite origin and one positive spacing for each axis, in mm",
                cure="pass the pixel size, such as pixel='0.5 um'",
            )
        if np.abs(axes.T @ axes - np.eye(size)).max() > 1e-3:
            raise ImageError(
                "directions",
                got=np.array2string(axes, precision=4),
                wanted="orthonormal columns",
                cure="resample the image onto a grid without shear first",
            )

    @property
    def size(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def matrix(self) -> np.ndarray:
        """Derivative of a point by its index, (axes, axes), mm."""
        return np.array(self.directions) * np.array(self.spacing)

    @property
    def centre(self) -> np.ndarray:
        """Point in the middle of the image, mm."""
        return self.points((np.array(self.shape, dtype=float)[None] - 1.0) / 2.0)[0]

    @property
    def extent(self) -> np.ndarray:
        """Edge lengths of the image along its own axes, mm."""
        return np.array(self.shape) * np.array(self.spacing)

    @property
    def mirrored(self) -> bool:
        """Whether the index axes are left-handed in physical space."""
        return bool(np.linalg.det(np.array(self.directions)) < 0)

    def points(self, indices: np.ndarray) -> np.ndarray:
        """Points of (possibly broken) indices, (n, axes)."""
        return indices @ self.matrix.T + np.array(self.origin)

    def indices(self, points: np.ndarray) -> np.ndarray:
        """Indices, with fractions, of points, (n, axes)."""
        return (points - np.array(self.origin)) @ np.linalg.inv(self.matrix).T

    def coarser(self, factor: tuple[int, ...]) -> "Frame":
        """The grid of averages over blocks: the first block's middle is the origin."""
        shift = self.matrix @ ((np.array(factor) - 1.0) / 2.0)
        return Frame(
            tuple(-(-n // k) for n, k in zip(self.shape, factor, strict=True)),
            tuple(float(v) for v in np.array(self.origin) + shift),
            tuple(float(h * k) for h, k in zip(self.spacing, factor, strict=True)),
            self.directions,
        )

    def grid(self) -> np.ndarray:
        """Points of all samples, (samples, axes), last axis fastest."""
        indices = np.stack(np.meshgrid(*map(np.arange, self.shape), indexing="ij"), axis=-1)
        return self.points(indices.reshape(-1, self.size).astype(float))
