"""`python -m benchmarks.section_poses`: sections at random oblique poses in a volume, found from scratch.

Each section is cut from the volume at a random position (25 mm to either side of its middle), tilted by up
to 10 degrees about two axes, turned by any angle, shrunk by two factors, deformed by a smooth field of 1 mm,
stained and noised; the map is known (`scalebridge.registration.section_problems`). Found means a median
error in space below 3 mm. With `--volume FILE` a T1 volume such as Colin27 (1 mm, grey values over 120),
else the phantom.
"""

import argparse
import time
from dataclasses import replace
from typing import Literal

import numpy as np

from benchmarks.table import markdown
from scalebridge.registration.reading import read_spatial_image
from scalebridge.registration.register import register
from scalebridge.registration.registration_result import RADIUS_95
from scalebridge.registration.section_problems import phantom_volume, section_task
from scalebridge.registration.spatial_image import SpatialImage

Plane = Literal["axial", "coronal", "sagittal"]


def volume_of(path: str | None) -> SpatialImage:
    """The volume in relative intensities."""
    if path is None:
        return phantom_volume()
    image = read_spatial_image(path)
    return replace(image, values=np.asarray(image.values, dtype=np.float32) / 120.0)


def row_of(volume: SpatialImage, seed: int, plane: Plane | None) -> tuple[float, ...]:
    """Errors of one pose: median and 95 %, of the plane alone, coverage, margin, processor seconds."""
    task = section_task(volume, seed=seed)
    started = time.process_time()
    found = register(task.section, task.volume, plane=plane)
    seconds = time.process_time() - started
    errors = np.linalg.norm(found.map_points(task.points) - task.answers, axis=1)
    flat = np.linalg.norm(found.linear(task.points) - task.answers, axis=1)
    stated = found.standard_error(task.points[::20])
    covered = float(np.mean(errors[::20] < RADIUS_95 * stated))
    return (
        task.tilt, float(np.median(errors)), float(np.percentile(errors, 95)), float(np.median(flat)),
        float(np.median(stated)), covered, found.margin, float(found.passed), seconds,
    )  # fmt: skip


def main() -> None:
    """Run what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volume", help="T1 volume (NIfTI); the phantom unless given")
    parser.add_argument("--poses", type=int, default=20)
    parser.add_argument(
        "--plane", choices=("axial", "coronal", "sagittal"), help="all are searched unless given"
    )
    asked = parser.parse_args()
    volume = volume_of(asked.volume)
    row_of(volume, 1000, "axial")  # compiles
    numbers = np.array([row_of(volume, seed, asked.plane) for seed in range(asked.poses)])
    head = (
        "pose", "tilt", "median mm", "95 %", "plane alone", "stated", "covered", "margin", "passed", "CPU s",
    )  # fmt: skip
    print(markdown(head, [(str(k), *(f"{v:.2f}" for v in row)) for k, row in enumerate(numbers)]))
    found = int(np.sum(numbers[:, 1] < 3.0))
    errors, seconds = numbers[:, 1], numbers[:, -1]
    print(f"{found} of {len(numbers)} found")
    print(f"error mm median {np.median(errors):.2f}, largest {errors.max():.2f}")
    print(f"CPU s median {np.median(seconds):.1f}, largest {seconds.max():.1f}")


if __name__ == "__main__":
    main()
