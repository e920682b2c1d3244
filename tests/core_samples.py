"""Coarse cores and fine solutions that several tests share."""

from functools import cache

import numpy as np

from scalebridge.reactor.core_tally import core_tally
from scalebridge.reactor.solve_core import solve_core

FUEL = {
    "diffusion": [1.4, 0.4],
    "absorption": [0.01, 0.08],
    "nu_fission": [0.004, 0.135],
    "chi": [1, 0],
    "scatter": [[0, 0.02], [0, 0]],
}
MIXED = FUEL | {"absorption": [0.012, 0.25], "nu_fission": [0.003, 0.38]}
ROD = FUEL | {"absorption": [0.01, 0.3], "nu_fission": [0, 0]}
WATER = {
    "diffusion": [1.7, 0.3],
    "absorption": [0.001, 0.03],
    "nu_fission": [0, 0],
    "chi": [1, 0],
    "scatter": [[0, 0.05], [0, 0]],
}
MATERIALS = {"f": FUEL, "m": MIXED, "r": ROD, "w": WATER}
PINS = ["ffrmw", "ffmmw", "rfmfw", "mmffw", "wwwww"]
EDGE = {"west": "reflective", "north": "reflective", "others": "vacuum"}


def three_groups(seed):
    """Three regions in three groups that scatter upwards too, one of them a reflector."""
    rng = np.random.default_rng(seed)

    def region(fuel):
        return {
            "diffusion": rng.uniform(0.3, 1.5, 3),
            "absorption": rng.uniform(0.01, 0.1, 3),
            "nu_fission": fuel * rng.uniform(0.01, 0.15, 3),
            "chi": [0.8, 0.2, 0.0],
            "scatter": rng.uniform(0.005, 0.05, (3, 3)),
        }

    return {"a": region(1), "b": region(1), "r": region(0)}


@cache
def fine_pins(boundary="edge"):
    """A lattice of pins in water by fine finite volumes: 4 x 4 volumes a pin, 5 x 5 pins."""
    rows = []
    for line in PINS:
        for j in range(4):
            cells = [name if i in (1, 2) and j in (1, 2) else "w" for name in line for i in range(4)]
            rows.append(cells)
    given = EDGE if boundary == "edge" else boundary
    fine = solve_core(
        rows, MATERIALS, pitch=0.7, boundary=given, method="volumes", rtol=1e-12, mesh_error=False
    )
    return core_tally(fine.problem, fine.solution)


BOXES = ([4] * 5, [4] * 5)
