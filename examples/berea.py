"""The main job on real input: from a micro-CT image of Berea sandstone to an effective law with its proof.

Saturated thermal conductivity (brine in the pores of a quartz frame) and the electrical formation factor
(brine conducts, quartz insulates), each with bounds, checks, derivatives and uncertainty; a page with
pictures, JSON for other programs, fields for ParaView, and a material card.

Run: python examples/berea.py --out out/demo [--size 128]
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import scalebridge as sb

IMAGE = Path(__file__).parent / "data" / "berea_128.tif"
VOXEL = "3 um"  # as the scan is remembered; the repository does not say. Neither tensor depends on it.

BRINE = {"value": "0.60 W/m/K", "std": 0.01, "name": "brine"}
QUARTZ = {"value": "7.7 W/m/K", "std": 0.3, "name": "quartz"}


def run(out: Path, size: int = 128, *, progress: bool | None = None) -> dict[str, sb.Upscaled]:
    """Compute both answers and write every file; return the results by name."""
    volume = sb.read_volume(IMAGE, voxel=VOXEL)
    image = sb.VoxelImage(
        volume.data[:size, :size, :size],
        volume.voxel,
        names={0: "brine", 1: "quartz"},
        periodic=False,
        source=volume.source,
    )
    thermal = sb.effective_conductivity(
        image, {0: BRINE, 1: QUARTZ}, scheme="both", fields=True, progress=progress
    )
    electric = sb.effective_conductivity(
        image,
        {0: {"value": 1.0, "name": "brine"}, 1: {"value": 0.0, "name": "quartz"}},
        fields=True,
        progress=progress,
    )
    out.mkdir(parents=True, exist_ok=True)
    thermal.save(out / "thermal_conductivity.json")
    electric.save(out / "relative_electrical_conductivity.json")
    sb.write_fields(
        out / "thermal_fields.vtkhdf",
        {
            "phase": image.labels,
            "flux_x": thermal.fields["flux_x"],
            "potential_x": thermal.fields["potential_x"],
        },
        image.voxel,
        units={"flux_x": "W/m/K per unit gradient"},
    )
    card = sb.conductivity_card(thermal.value, "BEREA_SATURATED", thermal.unit, "calculix")
    (out / "berea_conductivity.inp").write_text(card, encoding="utf-8")
    sb.report([thermal, electric], out / "report.html", title="Berea sandstone, 128³ voxels of micro-CT")
    return {"thermal": thermal, "electric": electric}


def main() -> int:
    """Run from the command line, print the answers and say where the files are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    parser.add_argument("--size", type=int, default=128, help="voxels along each axis, at most 128")
    given = parser.parse_args()
    started = time.perf_counter()
    results = run(given.out, given.size)
    for result in results.values():
        print(result, end="\n\n")
    factor = np.linalg.inv(results["electric"].value)
    print("formation factor along x, y, z:", ", ".join(f"{f:.1f}" for f in np.diagonal(factor)))
    print(f"\n{time.perf_counter() - started:.0f} s. Files in {given.out}/; open {given.out}/report.html")
    return 0 if all(result.passed for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
