"""A torn section of a made-up brain onto its scan: the map, its error beside the true one, and the page.

Run: python examples/histology.py [out.html]
"""

import sys

import numpy as np

import scalebridge as sb
from scalebridge.registration.problems import histology_task, phantom_anatomy
from scalebridge.registration.registration_result import RADIUS_95
from scalebridge.registration.spatial_image import SpatialImage


def main() -> None:
    """Register, compare and draw."""
    task = histology_task(phantom_anatomy(), pixels=288, rotation=65.0)
    sound = np.flatnonzero(~task.damaged)[::8]
    found = sb.register(
        SpatialImage(task.fixed, task.fixed_frame),
        SpatialImage(task.moving_colour, task.moving_frame),
        moving_mask=task.sound,
        angles=12,
    )
    print(found)
    errors = np.linalg.norm(found.map_points(task.points[sound]) - task.answers[sound], axis=1)
    within = np.mean(errors <= RADIUS_95 * found.standard_error(task.points[sound]))
    print(f"true error: median {np.median(errors):.3f} mm; {within:.0%} within the stated 95 %")
    if np.median(errors) > 0.5:  # pixels are 0.8 mm
        sys.exit("the map was not found")
    if len(sys.argv) > 1:
        print(sb.report(found, sys.argv[1]))


if __name__ == "__main__":
    main()
