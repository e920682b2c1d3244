"""QuickNII's and DeepSlice's anchorings: where the corners of a section lie in the voxels of a volume.

o is the upper left corner of the section, u its upper edge, v its left one: a point at the shares (s, t) of
width and height is o + s u + t v. Coordinates count voxels of the volume from its corner (a voxel's centre
is at a half) to the right, to the front and up (RAS), whatever the order of its samples in the file.

Source: M. A. Puchades et al. 2019, PLoS ONE 14, e0216796 (QuickNII); H. Carey et al. 2023 (DeepSlice).
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.core.files import write_text
from scalebridge.io.stored import reading
from scalebridge.registration.frame import Frame
from scalebridge.registration.section_pose import nearest_plane, upright
from scalebridge.registration.spatial_map import SpatialMap

_KEYS = ("ox", "oy", "oz", "ux", "uy", "uz", "vx", "vy", "vz")


def voxel_axes(volume: Frame) -> tuple[np.ndarray, np.ndarray]:
    """RAS voxel coordinates to points: point = matrix · (voxels) + shift, (3, 3) and (3,), mm.

    Example:
        >>> matrix, shift = voxel_axes(Frame((4, 4, 4), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
        >>> matrix.diagonal().tolist(), shift.tolist()  # LPS samples: right and front count backwards
        ([-1.0, -1.0, 1.0], [3.5, 3.5, -0.5])
    """
    directions = np.array(volume.directions)
    order = [int(np.argmax(np.abs(directions[k]))) for k in range(3)]
    if sorted(order) != [0, 1, 2]:
        raise InputError(
            "start",
            got="a volume whose axes lie between those of space",
            wanted="axes near left, front and up",
            cure="resample the volume along them first",
        )  # fmt: skip
    matrix, corner = np.zeros((3, 3)), np.full(3, -0.5)
    for k, axis in enumerate(order):
        wanted = 1.0 if k == 2 else -1.0  # RAS in LPS
        sign = 1.0 if directions[k, axis] * wanted > 0 else -1.0
        matrix[:, k] = sign * volume.matrix[:, axis]
        if sign < 0:
            corner[axis] = volume.shape[axis] - 0.5
    return matrix, volume.points(corner[None])[0]


def ras_shape(volume: Frame) -> tuple[int, int, int]:
    """Number of voxels from left to right, back to front, and bottom to top."""
    first, second, third = (
        volume.shape[int(np.argmax(np.abs(np.array(volume.directions)[k])))] for k in range(3)
    )
    return first, second, third


def map_of_anchoring(numbers: Any, section: Frame, volume: Frame) -> SpatialMap:
    """The map from a section to a volume that an anchoring says.

    Args:
        numbers: o, u and v, nine voxel coordinates.
        section: grid of the section.
        volume: grid of the volume.
    """
    o, u, v = np.asarray(numbers, dtype=float).reshape(3, 3)
    matrix, shift = voxel_axes(volume)
    # An index i along the width is at the share (i + 1/2) / width.
    by_index = matrix @ np.column_stack([u / section.shape[0], v / section.shape[1]])
    first = matrix @ o + shift + by_index @ np.array([0.5, 0.5])
    columns = by_index @ np.linalg.inv(section.matrix)
    return SpatialMap(upright(columns), first - columns @ np.array(section.origin), section)


def anchoring_of(found: SpatialMap, volume: Frame, points: np.ndarray | None = None) -> list[float]:
    """O, u and v of the plane nearest to a map, nine voxel coordinates; of points of tissue where given.

    Example:
        >>> section, volume = Frame((4, 4), (0.0, 0.0), (1.0, 1.0)), Frame((9,) * 3, (0.0,) * 3, (1.0,) * 3)
        >>> anchoring = [8.0, 7.0, 1.0, -6.0, 0.0, 1.0, 0.0, -5.0, 0.0]
        >>> back = anchoring_of(map_of_anchoring(anchoring, section, volume), volume)
        >>> bool(np.allclose(back, anchoring))
        True
    """
    columns, shift = nearest_plane(found, points)
    section = found.frame
    matrix, corner = voxel_axes(volume)
    back = np.linalg.inv(matrix)
    corners = section.points(
        np.array([[-0.5, -0.5], [section.shape[0] - 0.5, -0.5], [-0.5, section.shape[1] - 0.5]])
    )
    o, right, down = ((columns @ p + shift - corner) @ back.T for p in corners)
    return [float(n) for n in (*o, *(right - o), *(down - o))]


def read_anchoring(path: str | os.PathLike[str], section: str, volume: Frame) -> np.ndarray:
    """Read the nine numbers of one section from QuickNII's, VisuAlign's or DeepSlice's JSON.

    Args:
        path: the file; its only section is taken, else the one whose file name is the section's.
        section: file name of the section.
        volume: grid of the volume; where the file was made with another resolution of it, numbers are scaled.

    Raises:
        FileFormatError: not such a file, no such section, one without anchoring, or a volume of other shape.
    """
    file = Path(path)
    if not file.is_file():
        raise FileFormatError(
            "start",
            got=f"'{file}', which does not exist",
            wanted="a JSON with an anchoring",
            cure="check the path",
        )
    with reading(file, "anchoring"):
        told = json.loads(file.read_text(encoding="utf-8"))
        slices = told["slices"] if isinstance(told, dict) else told
        names = [Path(str(part.get("filename", ""))).stem for part in slices]
    wanted = [part for part, name in zip(slices, names, strict=True) if name == Path(section).stem]
    chosen = wanted if wanted else (slices if len(slices) == 1 else [])
    if len(chosen) != 1:
        raise FileFormatError(
            "start",
            got=f"'{file.name}' with sections {', '.join(names)[:80]}",
            wanted=f"one for '{section}'",
            cure="name the section's file as it is named there, or pass the nine numbers",
        )  # fmt: skip
    with reading(file, "anchoring"):
        part = chosen[0]
        numbers = part["anchoring"] if "anchoring" in part else [part[key] for key in _KEYS]
        found = np.array(numbers, dtype=float)
        if found.shape != (9,) or not np.all(np.isfinite(found)):
            raise ValueError("an anchoring has nine finite numbers")
    return _scaled(found, told.get("target-resolution") if isinstance(told, dict) else None, volume, file)


def _scaled(numbers: np.ndarray, resolution: Any, volume: Frame, file: Path) -> np.ndarray:
    """Numbers for this volume's voxels, where those of the file's are larger or smaller."""
    if resolution is None:
        return numbers
    ratio = np.array(ras_shape(volume)) / np.array(resolution, dtype=float)
    if ratio.max() / ratio.min() > 1.05:
        raise FileFormatError(
            "start", got=f"'{file.name}' for a volume of {tuple(resolution)} voxels (RAS)",
            wanted=f"one of {ras_shape(volume)}, or of the same proportions",
            cure="pass the volume it was made for",
        )  # fmt: skip
    return (numbers.reshape(3, 3) * ratio).ravel()


def write_anchoring(
    path: str | os.PathLike[str],
    found: SpatialMap,
    volume: Frame,
    section: str,
    target: str = "volume",
    points: np.ndarray | None = None,
) -> Path:
    """Write the plane nearest to a map as QuickNII's JSON of one section.

    Args:
        path: the .json file.
        found: the map, of the section's full grid.
        volume: grid of the volume.
        section: file name of the section.
        target: name of the volume.
        points: of tissue, (n, 2), mm, over which the plane is taken; all of the section unless given.
    """
    width, height = found.frame.shape
    told = {
        "name": section,
        "target": target,
        "target-resolution": list(ras_shape(volume)),
        "slices": [
            {
                "filename": section, "nr": 1, "width": width, "height": height,
                "anchoring": anchoring_of(found, volume, points),
            }
        ],
    }  # fmt: skip
    return write_text(path, json.dumps(told, indent=1) + "\n")
