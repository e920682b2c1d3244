"""`python -m benchmarks.fusion_scale`: time and peak memory of fields written tile by tile, by their size.

The toy of `benchmarks.fusion` (8 x 8 footprints, 50 dates, 20 % clouds, four surveys) on squares of
footprints, in files that are mapped and never read whole. Parameters are known; with --learn they are learnt
from 40 footprints, which takes as long whatever the size. Every size runs in a process of its own, with 64
footprints first, so that nothing is compiled in what is measured; told are processor seconds, of it and its
workers, and the largest resident memory. The last row is a straight line through the two largest sizes.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import scalebridge as sb
from benchmarks.fusion import COARSE, DATES, EDGE, FINE, SURVEYS, WANDER, make_toy
from benchmarks.table import markdown


def write_toy(folder: Path, side: int) -> None:
    """Write a toy of `side` x `side` footprints, a row of footprints at a time."""
    pixels = side * EDGE
    coarse = np.lib.format.open_memmap(folder / "coarse.npy", "w+", np.float32, (DATES, side, side))
    fine = np.lib.format.open_memmap(folder / "fine.npy", "w+", np.float32, (len(SURVEYS), pixels, pixels))
    for row in range(side):
        seen = make_toy(side, seed=row).seen
        coarse[:, row] = seen[..., 0].T
        images = seen[:, list(SURVEYS), 1:].reshape(side, len(SURVEYS), EDGE, EDGE)
        fine[:, row * EDGE : (row + 1) * EDGE] = images.transpose(1, 2, 0, 3).reshape(
            len(SURVEYS), EDGE, pixels
        )


def fuse_toy(folder: Path, tile: int, engine: str, learn: bool) -> dict[str, float]:
    """Fuse what lies in a folder; return seconds and bytes."""
    known = {
        "random-walk std": WANDER, "random-walk start": 1.0, "random-walk length": 3.0,
        "coarse noise": COARSE, "fine noise": FINE,
    }  # fmt: skip
    model = sb.FusionModel(parameters={} if learn else known)
    sensors = [
        sb.Sensor("coarse", np.load(folder / "coarse.npy", mmap_mode="r"), range(DATES), footprint=EDGE),
        sb.Sensor("fine", np.load(folder / "fine.npy", mmap_mode="r"), SURVEYS),
    ]
    small = [sb.Sensor(s.name, *_corner(s)) for s in sensors]
    sb.fuse(small, sb.FusionModel(parameters=known), output=folder / "small.zarr", tile=tile)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, wall = time.process_time(), time.perf_counter()
    found = sb.fuse(sensors, model, output=folder / "field.zarr", tile=tile, engine=engine)
    wall = time.perf_counter() - wall
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    told = {
        "processor": time.process_time() - start + workers.ru_utime + workers.ru_stime,
        "wall": wall,
        "learning": found.provenance.elapsed["learning"],
        "peak": max(own.ru_maxrss, workers.ru_maxrss) * 1024.0,
        "before": before * 1024.0,
    }
    return told | {name: found.parameters[name] for name in ("random-walk std", "coarse noise", "fine noise")}


def _corner(sensor: sb.Sensor) -> tuple[np.ndarray, np.ndarray, None, None, None, int | None]:
    """Data, dates and footprint of the first 64 footprints."""
    edge = 8 if sensor.name == "coarse" else 8 * EDGE
    return sensor.data[:, :edge, :edge], sensor.days, None, None, None, sensor.footprint


def measured(side: int, tile: int, engine: str, learn: bool) -> dict[str, float]:
    """Write and fuse a toy in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_toy(Path(folder), side)
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.fusion_scale", "--folder", folder, "--tile", str(tile),
             "--engine", engine, *(["--learn"] if learn else [])],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    return json.loads(told.stdout.splitlines()[-1])


def main() -> None:
    """Print the table, or with --folder the numbers of one size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sides", type=int, nargs="*", default=[32, 64, 128])
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--engine", default="serial")
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--folder")
    asked = parser.parse_args()
    if asked.folder:
        sys.stdout.write(
            json.dumps(fuse_toy(Path(asked.folder), asked.tile, asked.engine, asked.learn)) + "\n"
        )
        return
    rows, sizes, seconds = [], [], []
    for side in asked.sides:
        told = measured(side, asked.tile, asked.engine, asked.learn)
        size = (side * EDGE) ** 2
        sizes.append(size)
        seconds.append(told["processor"])
        memory = f"{told['peak'] / 2**20:.0f} ({told['before'] / 2**20:.0f})"
        rows.append(
            [f"{size:,}", f"{told['processor']:.0f}", f"{1e6 * told['processor'] / size:.0f}", memory]
        )
        sys.stderr.write(f"{size} {json.dumps(told)}\n")
    if len(sizes) > 1:
        slope = (seconds[-1] - seconds[-2]) / (sizes[-1] - sizes[-2])
        ahead = seconds[-1] + slope * (1e7 - sizes[-1])
        rows.append(["10,000,000, extrapolated", f"{ahead:.0f}", f"{ahead / 10:.0f}", "the same"])
    head = ["pixels, 50 dates", "processor s", "µs a pixel", "peak MiB (before)"]
    sys.stdout.write(markdown(head, rows) + "\n")
    sys.stdout.write(f"truth: std {WANDER}, noise {COARSE} and {FINE}; tile {asked.tile}, {asked.engine}\n")


if __name__ == "__main__":
    main()
