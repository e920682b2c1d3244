"""`python -m benchmarks.rock_distribution --image berea_400.tif`: crops beside published cubes, one by one.

48 cubes of 128^3 voxels have published permeabilities in three directions
(`examples/data/berea_permeability.csv`, from the repository LukasMosser/PorousMediaGan). 27 of them are Berea
sandstone: numbers 0 to 26 are the files `original`, and by the porosity that connects, to six digits, cube
i + 3 j + 9 k is the crop of the 400^3 image from voxel 128 (i, j, k). The other 21, numbers 43 to 63, are the
files `sampled`: images that a generative network drew, and no rock.

The names and lines of the files are those of poreFoam (OpenFOAM): finite volumes with velocities in the
voxels' centres, pressures on two faces, closed sides without slip, and a raised viscosity on walls. With
`--method collocated` that scheme is solved (`benchmarks.collocated_flow`), on sealed cubes.

`--compare EDGE` solves small crops on voxels, on voxels cut in 2^3, on smooth walls and by that scheme, which
tells what the discretisation does. Crops that were done are kept in the output, and a run that was stopped
goes on after them.
"""

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.collocated_flow import directional_permeability
from benchmarks.environments import ROOT
from benchmarks.table import markdown
from scalebridge.cells.permeability import permeability
from scalebridge.core.files import write_text
from scalebridge.grids.image import VoxelImage

PUBLISHED = ROOT / "examples" / "data" / "berea_permeability.csv"
_EDGE = 128
_PLACED = 27  # cubes whose place in the image is known
_RESAMPLES = 2000
_WALL_FACTOR, _RELAXATION = 0.25, 0.6  # raised viscosity on walls (cBC 250) and of velocities, in poreFoam


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


def solved_by_finite_volumes(pores: np.ndarray, rtol: float) -> dict[str, Any]:
    """Return the same by the published scheme; `rtol` is of the solver's residual."""
    start = time.perf_counter()
    options: dict[str, Any] = {"wall_factor": _WALL_FACTOR, "relaxation": _RELAXATION, "rtol": rtol}
    found = [directional_permeability(pores, axis, rounds=3, **options) for axis in range(3)]
    return {"permeability": found, "passed": True, "seconds": time.perf_counter() - start}


def compared(pores: np.ndarray, rtol: float) -> dict[str, list[float]]:
    """Return the permeabilities of one small crop by several discretisations, each with its own faces.

    Sealed: voxels, voxels cut in 2^3, finite volumes without and with the raised viscosity on walls.
    Periodic: voxels, smooth walls.
    """

    def asked(image: np.ndarray, **options: Any) -> list[float]:
        whole = VoxelImage(image.astype(np.uint8), periodic=options["boundary"] == "periodic")
        found = permeability(whole, pore=1, voxel="cubic", rtol=rtol, budget="none", **options)
        return np.diagonal(found.value).tolist()

    def collocated(factor: float, relaxation: float) -> list[float]:
        options: dict[str, Any] = {"wall_factor": factor, "relaxation": relaxation, "rtol": 1e-6}
        return [directional_permeability(pores, axis, **options) for axis in range(3)]

    fine = pores.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    return {
        "voxels": asked(pores, boundary="sealed"),
        "cut in 2^3": [value / 4 for value in asked(fine, boundary="sealed")],
        "finite volumes": collocated(0.0, 1.0),
        "finite volumes, walls raised": collocated(_WALL_FACTOR, 1.0),
        "the same, relaxed": collocated(_WALL_FACTOR, _RELAXATION),
        "voxels, periodic": asked(pores, boundary="periodic"),
        "smooth walls, periodic": asked(pores, boundary="periodic", walls="smooth"),
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


def paired(ours: np.ndarray, same: np.ndarray, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Return how the same cubes are apart, each with its standard error over whole crops drawn again.

    "log ratio" is the mean of log(ours / published), "spread" the difference of the standard deviations of
    log K, "slope" that of log(ours) over log(published): 1 where both spread alike.
    """
    rng, logs = np.random.default_rng(seed), np.log(np.stack([ours, same]))

    def measures(one: np.ndarray, other: np.ndarray) -> list[float]:
        a, b = one.ravel(), other.ravel()
        return [float((a - b).mean()), float(a.std(ddof=1) - b.std(ddof=1)), float(np.polyfit(b, a, 1)[0])]

    drawn = [rng.integers(0, len(ours), len(ours)) for _ in range(_RESAMPLES)]
    errors = np.array([measures(logs[0][rows], logs[1][rows]) for rows in drawn]).std(axis=0)
    names = ("log ratio", "spread", "slope")
    return dict(zip(names, zip(measures(*logs), errors.tolist(), strict=True), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rock_distribution", description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="the 400^3 image, 0 in the pores")
    parser.add_argument("--cubes", type=int, nargs="+", default=list(range(_PLACED)))
    parser.add_argument("--boundary", default="mirrored", choices=["periodic", "mirrored", "sealed"])
    parser.add_argument("--method", default="staggered", choices=["staggered", "collocated"])
    parser.add_argument("--compare", type=int, metavar="EDGE", help="compare discretisations on small crops")
    parser.add_argument("--rtol", type=float, help="1e-2, of a residual 1e-5 unless given")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    chosen = parser.parse_args()
    volume = np.transpose(tifffile.imread(chosen.image), (2, 1, 0)) == 0
    edge = chosen.compare or _EDGE
    name = chosen.boundary if chosen.method == "staggered" else chosen.method
    kept = chosen.out / f"rock_distribution_{f'compared_{edge}' if chosen.compare else name}.json"
    done: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for cube in chosen.cubes:
        if str(cube) not in done:
            crop = np.ascontiguousarray(volume[tuple(slice(low, low + edge) for low in corner_of(cube))])
            if chosen.compare:
                done[str(cube)] = compared(crop, chosen.rtol or 1e-3)
            elif chosen.method == "collocated":
                done[str(cube)] = solved_by_finite_volumes(crop, chosen.rtol or 1e-5)
            else:
                done[str(cube)] = solved(crop, chosen.boundary, chosen.rtol or 1e-2)
            write_text(kept, json.dumps(done, indent=1))
            print(cube, done[str(cube)], flush=True)
    print(ratios(done) if chosen.compare else page(done, name))


def ratios(done: dict[str, Any]) -> str:
    """Return how far each discretisation is from the voxels with the same faces, median and range."""
    rows = []
    for name in next(iter(done.values())):
        base = "voxels, periodic" if name.endswith("periodic") else "voxels"
        ours, plain = (np.array([one[which] for one in done.values()]).ravel() for which in (name, base))
        apart = ours[plain > 0] / plain[plain > 0]  # what does not percolate on voxels has no ratio
        rows.append([name, f"{np.median(apart):.3f}", f"{apart.min():.3f} to {apart.max():.3f}"])
    return markdown(("K over that of the voxels", "median", f"range of {len(done)} crops"), rows)


def page(done: dict[str, Any], method: str) -> str:
    """Return the two distributions as a table, and how far the same cubes are apart."""
    ours = np.array([one["permeability"] for one in done.values()])
    same = published()[[int(cube) for cube in done]]
    rows = []
    told = (
        ("published, all 48", published()),
        ("published, 27 cubes of rock", published()[:_PLACED]),
        ("published, 21 generated images", published()[_PLACED:]),
        ("published, these cubes", same),
        (f"ours, {method}", ours),
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
    apart = paired(ours, same) if len(ours) > 2 else {}
    told_apart = "; ".join(f"{name} {value:+.3f} ± {error:.3f}" for name, (value, error) in apart.items())
    return f"{markdown(head, rows)}\n\n{gap}\n\nPaired, with standard errors: {told_apart or 'too few'}."


if __name__ == "__main__":
    main()
