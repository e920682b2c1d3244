"""`python -m benchmarks.registration_pairs FOLDER`: landmarks of serial sections in different stains.

FOLDER has `birl/` (J. Borovec's samples of the BIRL benchmark: kidney, lesion) and `cima_lesion3/` (CIMA's
lesion 3), images and landmarks in pixels. Printed are the median error over the diagonal of the fixed image
with its own standard error by resampling landmarks, the share within the stated 95 %, and processor seconds;
and what landmarks predict of each other: each by a thin plate through the others, smoothed as suits best.

    python -m benchmarks.registration_pairs FOLDER --similarity information gradients mind
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.interpolate import RBFInterpolator

from benchmarks.table import markdown
from scalebridge.registration.register import register

PAIRS = {
    "kidney": ("birl/Rat-Kidney_HE", "birl/Rat-Kidney_PanCytokeratin", ".csv", 1.0),
    "lesion": ("birl/Izd2-29-041-w35_HE", "birl/Izd2-29-041-w35_proSPC", ".csv", 1.0),
    "lesion 3": (
        "cima_lesion3/29-041-Izd2-w35-He-les3", "cima_lesion3/29-041-Izd2-w35-CD31-3-les3",
        ".landmarks_scale50pc.csv", 0.1,
    ),
}  # fmt: skip


def landmarks_of(path: Path, scale: float) -> dict[int, tuple[float, float]]:
    """Landmarks of an image by number, pixels."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    return {int(row[0]): (float(row[1]) * scale, float(row[2]) * scale) for row in rows}


def read_pair(folder: Path, name: str):
    """Both images, x first, and their common landmarks, pixels."""
    *stems, ending, scale = PAIRS[name]
    images = [np.asarray(Image.open(folder / f"{s}.jpg").convert("RGB")).swapaxes(0, 1) for s in stems]
    one, other = (landmarks_of(folder / f"{s}{ending}", scale) for s in stems)
    both = sorted(set(one) & set(other))
    return images, np.array([one[k] for k in both]), np.array([other[k] for k in both])


def by_each_other(fixed: np.ndarray, moving: np.ndarray) -> float:
    """Median error of each landmark as the others predict it, pixels, at the best of five smoothings."""
    found = []
    for smoothing in (0.0, 1e3, 1e4, 1e5, 1e6):
        misses = []
        for i in range(len(fixed)):
            rest = np.arange(len(fixed)) != i
            plate = RBFInterpolator(fixed[rest], moving[rest], smoothing=smoothing)
            misses.append(np.linalg.norm(plate(fixed[i : i + 1])[0] - moving[i]))
        found.append(float(np.median(misses)))
    return min(found)


def main() -> None:
    """Register each pair by each similarity."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--similarity", nargs="+", default=["information", "gradients"])
    asked = parser.parse_args()
    rows, rng = [], np.random.default_rng(0)
    for name in PAIRS:
        (fixed, moving), one, other = read_pair(asked.folder, name)
        diagonal = float(np.hypot(*fixed.shape[:2]))
        rows.append(
            (name, "landmarks by each other", f"{by_each_other(one, other) / diagonal:.4f}", "", "", "")
        )
        for kind in asked.similarity:
            started = time.process_time()
            found = register(
                fixed,
                moving,
                fixed_pixel="1 mm",
                moving_pixel="1 mm",
                landmarks=(one, other),
                similarity=kind,
            )
            seconds = time.process_time() - started
            marks = found.landmarks
            again = marks.errors[rng.integers(0, len(one), (2000, len(one)))]
            spread = float(np.std(np.median(again, axis=1))) / diagonal
            median = float(np.median(marks.errors)) / diagonal
            rows.append(
                (name, kind, f"{median:.4f}", f"{spread:.4f}", f"{marks.coverage:.0%}", f"{seconds:.1f}")
            )
            print(rows[-1], flush=True)
    print(markdown(("pair", "method", "median / diagonal", "its spread", "covered", "CPU s"), rows))


if __name__ == "__main__":
    main()
