"""Trabecular bone pressed beyond its yield point: a micro-CT scan as a cell of a material that remembers.

The tissue is elastic and ideally von Mises plastic with a little hardening. Its modulus is 18 GPa, and its
yield strain 0.62 % (tension and compression of trabecular tissue lie at 0.41 and 0.83 %; H. H. Bayraktar et
al., J. Biomech. 37 (2004) 27), its tangent modulus 5 % of Young's. Marrow carries nothing. The sample is
continued periodically, though bone does not repeat: what is cut at its faces bends more easily.

Run: python examples/bone_yield.py --out out/bone_yield [--size 48]
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import scalebridge as sb

IMAGE = Path(__file__).parent / "data" / "trabecular_96.tif"
YOUNG, POISSON, YIELD_STRAIN, OTSU = 18.0e9, 0.3, 0.0062, 84.0
STRAINS = (-0.002, -0.004, -0.006, -0.008, -0.010, -0.007)


def run(out: Path, size: int = 48, strains: tuple[float, ...] = STRAINS) -> sb.Upscaled:
    """Press the middle of the scan along z, with free sides; write result and page; return the result."""
    grey = sb.read_volume(IMAGE, voxel="19.5 um").data
    middle = tuple(slice((edge - size) // 2, (edge + size) // 2) for edge in grey.shape)
    labels = (grey[middle] > OTSU).astype(int)
    names, source = {0: "marrow", 1: "tissue"}, {"file": IMAGE.name}
    image = sb.VoxelImage(labels, voxel=(19.5e-6,) * 3, names=names, periodic=False, source=source)
    tissue = sb.constitutive_law(
        "plastic",
        young=f"{YOUNG} Pa",
        poisson=POISSON,
        yield_stress=f"{YOUNG * YIELD_STRAIN} Pa",
        hardening_modulus=f"{0.05 * YOUNG} Pa",
    )
    path = np.zeros((len(strains), 6))
    path[:, 2] = strains
    sides = ("11", "22", "23", "13", "12")
    found = sb.response_along_path(image, {0: "void", 1: tissue}, path, control=sides, fields=True)
    out.mkdir(parents=True, exist_ok=True)
    found.save(out / "bone_yield.json")
    sb.report(found, out / "bone_yield.html", title="Trabecular bone beyond its yield point")
    return found


def main() -> None:
    """Run from the command line and print the answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/bone_yield"))
    parser.add_argument("--size", type=int, default=48)
    chosen = parser.parse_args()
    found = run(chosen.out, chosen.size)
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
