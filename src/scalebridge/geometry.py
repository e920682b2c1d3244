"""Pores known exactly, as `permeability` takes them: their walls are a signed distance, not voxels.

| | |
|---|---|
| `sphere_lattice`, `cylinder_array` | spheres on a cubic lattice, cylinders on a square or hexagonal one |
| `AroundBalls` | around any balls, discs or parallel cylinders |
| `Channel`, `Pipe`, `Duct` | plane channels at any slope, round and rectangular pipes |
| `MinimalSurface` | gyroid, Schwarz' P and D, at any level |
| `ImagePores` | a segmented image, its steps smoothed |
| `LevelSetPores` | where a function of the place is positive |
| `ShiftedPores` | any of these, moved |

Lengths are in metres. `sb.sphere_lattice` and `sb.cylinder_array` make voxel images of the same lattices.

Example:
    >>> import numpy as np
    >>> import scalebridge as sb
    >>> pipe = sb.geometry.Pipe(radius=4e-6, edges=(1e-5, 1e-5, 1e-5), along=0)
    >>> found = sb.permeability(pipe, cells=(2, 24, 24), budget="none")
    >>> bool(np.isclose(found.value[0, 0], np.pi * 4e-6**4 / 8 / 1e-5**2, rtol=0.01))  # Poiseuille
    True
"""

from scalebridge.grids.image_walls import ImagePores
from scalebridge.grids.level_set import LevelSetPores
from scalebridge.grids.minimal_surfaces import MinimalSurface
from scalebridge.grids.pore_shapes import AroundBalls, Channel, Duct, Pipe, cylinder_array, sphere_lattice
from scalebridge.grids.walls import PoreGeometry, ShiftedPores

__all__ = [
    "AroundBalls",
    "Channel",
    "Duct",
    "ImagePores",
    "LevelSetPores",
    "MinimalSurface",
    "Pipe",
    "PoreGeometry",
    "ShiftedPores",
    "cylinder_array",
    "sphere_lattice",
]
