"""A notched specimen of trabecular bone: at each of its points a volume of a micro-CT image yields (FE2).

The tissue is elastic and then yields by von Mises: modulus 18 GPa, post-yield modulus 5 % of it, yield strain
0.41 % in tension (human femur; H. H. Bayraktar et al., J. Biomech. 37 (2004) 27, who found 0.83 % in
compression, which a criterion without a sense does not know). Marrow is void. The image is a volume of 3 x 16
voxels of 19.5 um, coarsened by three.

Run: python examples/notched_bone.py --out out/notched_bone [--steps 4] [--cells 8,4]
"""

import argparse
import sys
import time
from pathlib import Path

import scalebridge as sb
from scalebridge.structures.representative_volume import representative_volume
from scalebridge.structures.solid_mesh import notched_plate
from scalebridge.structures.structure_study import StructureStudy

IMAGE = Path(__file__).parent / "data" / "trabecular_96.tif"
THRESHOLD = 84.0  # Otsu's
FIRST, EDGE, COARSER = (24, 24, 24), 48, 3  # voxels


def tissue_volume() -> sb.VoxelImage:
    """Return the representative volume: 0 is marrow, 1 is bone."""
    grey = sb.read_volume(IMAGE, voxel="19.5 um")
    labels = sb.threshold(grey.data, THRESHOLD, voxel=grey.voxel)
    return sb.coarsen(sb.crop(labels, FIRST, (EDGE,) * 3), COARSER)


def run(
    out: Path, steps: int = 4, cells: tuple[int, int] = (8, 4), *, progress: bool | None = None
) -> StructureStudy:
    """Pull the specimen and write every file; return the study."""
    image = tissue_volume()
    tissue = sb.constitutive_law(
        "plastic", young="18 GPa", poisson=0.3, yield_stress="73.8 MPa", hardening_modulus="0.95 GPa"
    )
    bone = representative_volume(image, {0: "void", 1: tissue})
    plate = notched_plate("24 mm", "12 mm", depth="3 mm", opening="8 mm", cells=cells)
    study = sb.solve_structure(
        plate,
        bone,
        supports={"left": {"x": 0, "y": 0}, "right": {"x": "0.12 mm", "y": 0}},
        steps=steps,
        rtol=1e-6,
        checkpoints=out / "checkpoints",
        resume=True,
        results=out / "series",
        progress=progress,
        throw=False,
    )
    study.save(out / "notched_bone.json")
    sb.report(study, out / "report.html", title="A notched specimen of trabecular bone")
    return study


def main() -> int:
    """Run from the command line, print the answer and say where the files are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/notched_bone"))
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--cells", default="8,4", help="elements along length and width")
    given = parser.parse_args()
    started = time.perf_counter()
    along, across = map(int, given.cells.split(","))
    study = run(given.out, given.steps, (along, across))
    print(study)
    print(f"\n{time.perf_counter() - started:.0f} s. Files in {given.out}/; open {given.out}/report.html")
    return 0 if study.passed else 1


if __name__ == "__main__":
    sys.exit(main())
