"""`python -m benchmarks.slide_memory`: peak memory of warping a 20,000 x 20,000 RGB slide.

A tiled pyramidal TIFF (JPEG tiles of 512) of a picture that is a formula is written into a temporary
directory, with a map that turns, shrinks and bends it. `scalebridge warp` carries it onto a grid of as many
pixels in a process of its own; the system says the largest memory that this process held. Seven rows are
compared with the formula where the map says. `--flat` leaves the pyramid away, `--pixels N` is another size.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from scalebridge.registration.exports import write_map
from scalebridge.registration.frame import Frame
from scalebridge.registration.reading import open_slide
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.spline import SplineGrid

TILE = 512
PITCH = 5e-4  # mm


def picture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Colours at pixels of the finest level, smooth enough for JPEG, (..., 3) bytes."""
    parts = (
        128 + 70 * np.sin(x / 211 + 0.3) * np.cos(y / 173),
        150 + 60 * np.cos(x / 97 + y / 301),
        170 + 50 * np.sin(x / 401 - y / 89),
    )
    return np.stack([np.broadcast_to(p, np.broadcast_shapes(x.shape, y.shape)) for p in parts], -1).astype(
        np.uint8
    )


def tiles(pixels: int, factor: int) -> Iterator[np.ndarray]:
    """Tiles of one level in the file's order; a level's sample is the middle of its block."""
    count = -(-pixels // TILE)
    for row in range(count):
        y = ((np.arange(TILE) + row * TILE) * factor + (factor - 1) / 2)[:, None]
        for column in range(count):
            yield picture(((np.arange(TILE) + column * TILE) * factor + (factor - 1) / 2)[None, :], y)


def write_slide(path: Path, pixels: int, levels: int) -> None:
    """Write the slide and its smaller levels."""
    resolution = {"resolution": (1 / (PITCH / 10), 1 / (PITCH / 10)), "resolutionunit": "CENTIMETER"}
    options: dict[str, Any] = {
        "tile": (TILE, TILE),
        "photometric": "rgb",
        "compression": "jpeg",
        "dtype": np.uint8,
    }
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for level in range(levels):
            size = pixels // 2**level
            extra: dict[str, Any] = (
                {"subifds": levels - 1, **resolution} if level == 0 else {"subfiletype": 1}
            )
            shape = (size, size, 3)
            writer.write(tiles(size, 2**level), shape=shape, metadata=None, maxworkers=1, **options, **extra)


def bent_map(pixels: int) -> SpatialMap:
    """A map that turns by 12 degrees, shrinks, and bends by some 60 pixels."""
    frame = Frame((pixels, pixels), (0.0, 0.0), (PITCH, PITCH))
    edge, turn = pixels * PITCH, np.deg2rad(12.0)
    grid = SplineGrid.covering((edge, edge), edge / 8)
    field = 60 * PITCH * np.random.default_rng(0).standard_normal((*grid.count, 2))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag([0.85, 0.9])
    return SpatialMap(matrix, frame.centre - matrix @ frame.centre, frame, grid, field)


def measured(command: list[str]) -> tuple[float, float]:
    """Run a process; peak memory in MiB and wall seconds."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024, time.perf_counter() - started


def largest_difference(path: Path, spatial: SpatialMap, pixels: int) -> float:
    """Largest difference of the warped file from the formula, in grey values, over some rows."""
    slide, worst = open_slide(path), 0.0
    for row in np.linspace(50, pixels - 60, 7).astype(int):
        part = slide.read(0, ((0, pixels), (int(row), int(row) + 1)))[:, 0].astype(float)
        points = np.column_stack([np.arange(pixels), np.full(pixels, row)]) * PITCH
        places = spatial(points) / PITCH
        inside = np.all((places > 20) & (places < pixels - 21), axis=1)
        wanted = picture(*places[inside].T).astype(float)
        worst = max(worst, float(np.abs(part[inside] - wanted).max()))
    return worst


def main() -> None:
    """Make the slide, warp it, say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=20_000)
    parser.add_argument("--flat", action="store_true", help="no smaller levels in the file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        slide, warped, told = (Path(folder) / name for name in ("slide.tif", "warped.ome.tif", "map.json"))
        write_slide(slide, asked.pixels, 1 if asked.flat else 6)
        spatial = bent_map(asked.pixels)
        write_map(spatial, told)
        peak, seconds = measured(
            [sys.executable, "-m", "scalebridge", "warp", str(told), str(slide), str(warped), "--no-progress"]
        )
        worst = largest_difference(warped, spatial, asked.pixels)
        size = warped.stat().st_size / 2**20
    print(f"{asked.pixels} x {asked.pixels} RGB: peak memory {peak:.0f} MiB, {seconds:.0f} s wall")
    print(f"written {size:.0f} MiB; largest difference from the formula {worst:.1f} of 255")


if __name__ == "__main__":
    main()
