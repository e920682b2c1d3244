"""`python -m benchmarks.rock_distribution --image berea_400.tif`: crops beside published cubes, one by one.

48 cubes of 128^3 voxels of Berea sandstone have published permeabilities in three directions
(`examples/data/berea_permeability.csv`). Where they lie is not said, but the porosity that connects is, to
six digits, and finds 27 of them: cube i + 3 j + 9 k is the crop of the 400^3 image from voxel 128 (i, j, k).
How they were computed is not said in full. Crops that were done are kept in the output, and a run that was
stopped goes on after them.
"""

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.environments import ROOT
from benchmarks.table import markdown
from scalebridge.cells.permeability import permeability
from scalebridge.core.files import write_text
from scalebridge.grids.image import VoxelImage

PUBLISHED = ROOT / "examples" / "data" / "berea_permeability.csv"
_EDGE = 128
_PLACED = 27  # cubes whose place in the image is known
_RESAMPLES = 2000


def published() -> np.ndarray:
    """Return the published permeabilities in squares of the voxel's edge, (crops, 3)."""
    rows = list(csv.DictReader(PUBLISHED.read_text(encoding="utf-8").splitlines()))
    crops = sorted({int(row["crop"]) for row in rows})  # numbers of 64 cubes, of which 48 were published
    found = np.full((len(crops), 3), np.nan)
    for row in rows:
        place = crops.index(int(row["crop"])), "xyz".index(row["direction"])
        found[place] = float(row["permeability_voxel2"])
    return found


def corner_of(cube: int) -> tuple[int, int, int]:
    """Return the low corner of one of the 27 cubes whose place is known."""
    return _EDGE * (cube % 3), _EDGE * (cube // 3 % 3), _EDGE * (cube // 9)


def solved(pores: np.ndarray, boundary: Any, rtol: float) -> dict[str, Any]:
    """Return the permeability of one crop and what it took."""
    start = time.perf_counter()
    image = VoxelImage(pores.astype(np.uint8), periodic=False)
    found = permeability(
        image, pore=1, voxel="cubic", boundary=boundary, rtol=rtol, budget="none", throw=False
    )
    return {
        "permeability": np.diagonal(found.value).tolist(),
        "porosity": found.stats["porosity that flows"],
        "steps": found.stats["steps"],
        "passed": found.passed,
        "seconds": time.perf_counter() - start,
    }


def summary(values: np.ndarray, seed: int = 0) -> tuple[float, float, float, float]:
    """Return mean and log-spread of values (crops, directions), each with its standard error over crops.

    Directions of one crop belong together: whole crops are drawn again (bootstrap).
    """
    rng = np.random.default_rng(seed)

    def measures(rows: np.ndarray) -> tuple[float, float]:
        kept = rows[rows > 0]
        return float(kept.mean()), float(np.log(kept).std(ddof=1))

    again = np.array([measures(values[rng.integers(0, len(values), len(values))]) for _ in range(_RESAMPLES)])
    mean, spread = measures(values)
    return mean, float(again[:, 0].std()), spread, float(again[:, 1].std())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rock_distribution", description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="the 400^3 image, 0 in the pores")
    parser.add_argument("--cubes", type=int, nargs="+", default=list(range(_PLACED)))
    parser.add_argument("--boundary", default="mirrored", choices=["periodic", "mirrored", "sealed"])
    parser.add_argument("--rtol", type=float, default=1e-2)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    chosen = parser.parse_args()
    volume = np.transpose(tifffile.imread(chosen.image), (2, 1, 0)) == 0
    kept = chosen.out / f"rock_distribution_{chosen.boundary}.json"
    done: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for cube in chosen.cubes:
        if str(cube) not in done:
            crop = volume[tuple(slice(low, low + _EDGE) for low in corner_of(cube))]
            done[str(cube)] = solved(np.ascontiguousarray(crop), chosen.boundary, chosen.rtol)
            write_text(kept, json.dumps(done, indent=1))
            print(cube, done[str(cube)], flush=True)
    print(page(done, chosen.boundary))


def page(done: dict[str, Any], boundary: str) -> str:
    """Return the two distributions as a table, and how far the same cubes are apart."""
    ours = np.array([one["permeability"] for one in done.values()])
    same = published()[[int(cube) for cube in done]]
    rows = []
    told = (
        ("published, 48 cubes", published()),
        ("published, these cubes", same),
        (f"ours, {boundary}", ours),
    )
    for name, values in told:
        mean, mean_error, spread, spread_error = summary(values)
        rows.append(
            [
                name,
                str(values.size),
                f"{mean:.4f} ± {mean_error:.4f}",
                f"{mean * 4:.4f} ± {mean_error * 4:.4f}",
                f"{spread:.3f} ± {spread_error:.3f}",
            ]
        )
    head = ("", "values", "mean, voxel²", "mean at 2 um, 1e-12 m²", "std of log K")
    ratio = ours / same
    together = float(np.corrcoef(np.log(ours.ravel()), np.log(same.ravel()))[0, 1])
    gap = (
        f"Ours over published, cube by cube: median {np.median(ratio):.3f}, from {ratio.min():.3f} to "
        f"{ratio.max():.3f}; correlation of the logarithms {together:.4f}."
    )
    return f"{markdown(head, rows)}\n\n{gap}"


if __name__ == "__main__":
    main()
