"""Local fields inside a point whose unit is a cell of voxels."""

from typing import Any

import numpy as np

from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_fields import FieldReader


def micro_fields(unit: Any, state: dict[str, np.ndarray], load: np.ndarray) -> dict[str, np.ndarray]:
    """Return strain, stress and internal variables of a cell, means of each voxel (components, x, y, z).

    Args:
        unit: what the point asks; anything but a cell of voxels has no inside.
        state: its committed state; empty where it never left the shared elastic answer, which is then solved
            for.
        load: (6,) or (9,) of the point.
    """
    if not isinstance(unit, PathCell):
        return {}
    known = state or unit.respond(load, unit.rest(), want_tangent=False).state
    return FieldReader(unit).read(known).voxel_means()
