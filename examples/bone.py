"""Trabecular bone: from grey values of a micro-CT scan to an effective stiffness with error bars.

The scan is not calibrated: its grey values are taken as linear in the tissue's density, from the mean grey of
the marrow to that of the densest tissue (the highest twentieth of what is bone). The tissue's modulus follows
the density by a power law (D. R. Carter & W. C. Hayes, J. Bone Joint Surg. 59-A (1977) 954; voxel by voxel
B. C. Bourne & M. C. H. van der Meulen, J. Biomech. 37 (2004) 613). That of dense trabecular tissue is
18.0 ± 2.8 GPa (human femur; H. H. Bayraktar et al., J. Biomech. 37 (2004) 27). Exponents from 1 to 3 are in
use, so that 1.5 ± 0.5 says what is not known.

Run: python examples/bone.py --out out/bone [--size 96] [--budget full]
"""

import argparse
import sys
import time
from pathlib import Path

import scalebridge as sb

IMAGE = Path(__file__).parent / "data" / "trabecular_96.tif"
VOXEL = 19.5e-6  # m
LAW = sb.DensityLaw(
    pore_grey=25.0,
    solid_grey=202.0,
    young=18.0e9,
    exponent=1.5,
    poisson=0.3,
    threshold=84.0,  # Otsu's
    young_std=2.8e9,
    exponent_std=0.5,
    threshold_std=4.0,
)


def run(out: Path, size: int = 96, budget: str = "standard", *, progress: bool | None = None) -> sb.Upscaled:
    """Compute the stiffness and write every file; return the result."""
    grey = sb.read_volume(IMAGE, voxel="19.5 um").data[:size, :size, :size]
    found = sb.graded_stiffness(grey, LAW, voxel=VOXEL, budget=budget, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    found.save(out / "bone_stiffness.json")
    card = sb.stiffness_card(found.value, "TRABECULAR_BONE", "calculix", units="N-mm-MPa")
    (out / "trabecular_bone.inp").write_text(card, encoding="utf-8")
    sb.report(found, out / "report.html", title=f"Trabecular bone, {size}³ voxels of micro-CT")
    return found


def main() -> int:
    """Run from the command line, print the answer and say where the files are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/bone"))
    parser.add_argument("--size", type=int, default=96, help="voxels along each axis, at most 96")
    parser.add_argument("--budget", default="standard", choices=["none", "quick", "standard", "full"])
    given = parser.parse_args()
    started = time.perf_counter()
    found = run(given.out, given.size, given.budget)
    print(found, end="\n\n")
    constants = sb.engineering_constants(found.value, "orthotropic")
    print(f"nearest orthotropic stiffness, at a distance of {constants.distance:.1%}:")
    spreads = constants.spreads(found.std)
    for name, value in constants.values.items():
        scale, unit = (1.0, "") if name.startswith("nu") else (1e-9, " GPa")
        print(f"  {name} = {value * scale:.3g} ± {spreads[name] * scale:.2g}{unit}")
    print(f"\n{time.perf_counter() - started:.0f} s. Files in {given.out}/; open {given.out}/report.html")
    return 0 if found.passed else 1


if __name__ == "__main__":
    sys.exit(main())
