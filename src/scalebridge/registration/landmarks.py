"""Pairs of points in files: BigWarp's CSV, QuPath's GeoJSON."""

import csv
import json
import os
from pathlib import Path

import numpy as np

from scalebridge.core.errors import FileFormatError
from scalebridge.core.files import write_text
from scalebridge.io.stored import reading
from scalebridge.registration.frame import Frame


def write_bigwarp(path: str | os.PathLike[str], moving: np.ndarray, fixed: np.ndarray) -> Path:
    """Write pairs as BigWarp does: name, active, moving x and y, fixed x and y, no head.

    Args:
        path: the .csv file.
        moving: (n, 2), mm.
        fixed: (n, 2), mm.
    """
    rows = [
        f'"Pt-{i}","true",' + ",".join(f'"{v:.10g}"' for v in (*m, *f))
        for i, (m, f) in enumerate(zip(moving.tolist(), fixed.tolist(), strict=True))
    ]
    return write_text(path, "\n".join(rows) + "\n")


def read_bigwarp(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read the active pairs of a BigWarp file: (fixed, moving), (n, 2) each."""
    file = Path(path)
    with reading(file, "BigWarp landmark"), file.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.reader(stream) if row and row[1].strip().lower() == "true"]
        numbers = np.array([[float(v) for v in row[2:]] for row in rows])
        if numbers.ndim != 2 or numbers.shape[1] not in (4, 6):
            raise ValueError("rows are not name, active, moving and fixed coordinates")
    half = numbers.shape[1] // 2
    return numbers[:, half : half + 2], numbers[:, :2]


def read_pixels(path: str | os.PathLike[str]) -> np.ndarray:
    """Read points in pixels from a CSV with columns X and Y, (n, 2)."""
    file = Path(path)
    with reading(file, "CSV"), file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
        return np.array([[float(row["X"]), float(row["Y"])] for row in rows])


def write_geojson(path: str | os.PathLike[str], pixels: np.ndarray, names: list[str] | None = None) -> Path:
    """Write points for QuPath: a collection of annotations in full-resolution pixels, (n, 2)."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [float(x), float(y)]},
            "properties": {"objectType": "annotation", "name": names[i] if names else f"Pt-{i}"},
        }
        for i, (x, y) in enumerate(pixels)
    ]
    return write_text(path, json.dumps({"type": "FeatureCollection", "features": features}, indent=1) + "\n")


def read_geojson(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the points of a QuPath file, pixels from the image's corner, (n, 2); other shapes are refused."""
    return _points_and_names(Path(path))[0]


def read_geojson_pairs(
    fixed: str | os.PathLike[str], moving: str | os.PathLike[str], frames: tuple[Frame, Frame]
) -> tuple[np.ndarray, np.ndarray]:
    """Read pairs from two QuPath files, one an image: (fixed, moving), (n, 2) each, mm.

    Points with names that both files have once belong together; without names they do in order.

    Args:
        fixed: points of the fixed image, in its full-resolution pixels from its corner.
        moving: of the moving one.
        frames: the grids of the two images at full resolution.

    Raises:
        FileFormatError: not such a file, shapes that are no points, or files whose points do not pair.
    """
    (one, names), (other, others) = (_points_and_names(Path(path)) for path in (fixed, moving))
    if any(names) or any(others):
        both = [name for name in names if name and names.count(name) == 1 and others.count(name) == 1]
        one, other = (
            np.array([points[own.index(name)] for name in both]).reshape(-1, 2)
            for points, own in ((one, names), (other, others))
        )
    if not len(one) or len(one) != len(other):
        raise FileFormatError(
            "landmarks",
            got=f"{len(names)} points and {len(others)}, of which {min(len(one), len(other))} pair",
            wanted="points with the same names in both files, or as many without names",
            cure="name the points in QuPath alike in both images",
        )
    return frames[0].points(one - 0.5), frames[1].points(other - 0.5)


def _points_and_names(file: Path) -> tuple[np.ndarray, list[str]]:
    with reading(file, "GeoJSON"):
        told = json.loads(file.read_text(encoding="utf-8"))
        features = told["features"] if isinstance(told, dict) else told
        shapes = [feature["geometry"] for feature in features]
        wrong = [shape["type"] for shape in shapes if shape["type"] != "Point"]
        names = [str((feature.get("properties") or {}).get("name") or "") for feature in features]
    if wrong:
        raise FileFormatError("path", got=f"a {wrong[0]}", wanted="points", cure="export the points alone")
    with reading(file, "GeoJSON"):
        return np.array([shape["coordinates"][:2] for shape in shapes], dtype=float).reshape(-1, 2), names
