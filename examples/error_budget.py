"""Every part of the error of one number: the thermal conductivity of a real sandstone from micro-CT.

Inputs (the minerals' spread), voxel size (smoothed, coarsened and by finite volumes), algebra, what lies
around a sample that is not periodic (uniform gradient and uniform flux bracket it), and the sample's own size
(a study of subvolumes on all cores, kept in a store: run it again after an end of any kind, and it goes on).

Run: python examples/error_budget.py --out out/error_budget [--size 128]
"""

import argparse
import sys
import time
from pathlib import Path

import scalebridge as sb

IMAGE = Path(__file__).parent / "data" / "berea_128.tif"
PHASES = {
    0: {"value": "0.60 W/m/K", "std": 0.01, "name": "brine"},
    1: {"value": "7.7 W/m/K", "std": 0.3, "name": "quartz"},
}


def run(out: Path, size: int = 128, *, engine: str = "local") -> tuple[sb.Upscaled, sb.RveStudy]:
    """Study subvolumes, then answer for the whole image with every part of its error."""
    volume = sb.read_volume(IMAGE, voxel="3 um")
    image = sb.VoxelImage(
        volume.data[:size, :size, :size], volume.voxel, {0: "brine", 1: "quartz"}, periodic=False
    )
    study = sb.conductivity_rve_study(image, PHASES, realisations=32, engine=engine, store=out / "store")
    result = sb.effective_conductivity(image, PHASES, boundary="mirrored", budget="full", study=study)
    result.save(out / "conductivity.json")
    title = f"Berea sandstone, {size}³ voxels: the error budget"
    sb.report([result, study], out / "report.html", title=title)
    return result, study


def main() -> int:
    """Run from the command line, print the answer and say where the files are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/error_budget"))
    parser.add_argument("--size", type=int, default=128, help="voxels along each axis, at most 128")
    given = parser.parse_args()
    started = time.perf_counter()
    given.out.mkdir(parents=True, exist_ok=True)
    result, study = run(given.out, given.size)
    print(result, study, sep="\n\n")
    print(f"\n{time.perf_counter() - started:.0f} s. Files in {given.out}/; open {given.out}/report.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
