"""C5G7 in two dimensions by Scarabee (GPL), in an interpreter of its own; prints JSON on its last line."""

import json
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
from scarabee import (
    CMFD,
    BoundaryCondition,
    Cartesian2D,
    CrossSection,
    Direction,
    EmptyCell,
    LogLevel,
    MOCDriver,
    PinCell,
    Vector,
    YamamotoTabuchi6,
    set_logging_level,
)

EXAMPLES = Path(__file__).parents[1] / "examples"
PITCH, MESH = 1.26, 4
AZIMUTHS, SPACING = int(sys.argv[1]), float(sys.argv[2])


def cross_sections(data):
    total, absorption, scatter = (np.array(data[key]) for key in ("total", "absorption", "scatter"))
    if "fission" not in data:
        return CrossSection(total, absorption, scatter)
    fission, made, chi = (np.array(data[key]) for key in ("fission", "nu_fission", "chi"))
    return CrossSection(total, absorption, scatter, fission, made, chi)


def main():
    set_logging_level(LogLevel.Warning)
    case = tomllib.loads((EXAMPLES / "c5g7.toml").read_text())
    data = tomllib.loads((EXAMPLES / "data" / "c5g7.toml").read_text())
    media = {name: cross_sections(table) for name, table in data.items()}
    water, lattice = media["Moderator"], case["lattice"]
    fuel = {key: pin["materials"][0] for key, pin in lattice["pins"].items() if "materials" in pin}
    pins = {
        key: PinCell([0.4, 0.54, 0.63], [media[n], media[n], water, water], PITCH, PITCH)
        for key, n in fuel.items()
    }
    box = Cartesian2D([PITCH / MESH] * MESH, [PITCH / MESH] * MESH)
    box.set_tiles([EmptyCell(water, PITCH / MESH, PITCH / MESH)] * MESH * MESH)
    pins["W"] = box
    tiles = {}
    for name, rows in lattice["assemblies"].items():
        tiles[name] = Cartesian2D([PITCH] * 17, [PITCH] * 17)
        tiles[name].set_tiles([pins[key] for row in rows for key in row.split()])
    core = Cartesian2D([17 * PITCH] * 3, [17 * PITCH] * 3)
    core.set_tiles([tiles[name] for row in lattice["core"] for name in row.split()])
    wall, cpu = time.perf_counter(), time.process_time()
    moc = MOCDriver(core)
    moc.x_max_bc = moc.y_min_bc = BoundaryCondition.Vacuum
    moc.cmfd = CMFD([PITCH] * 51, [PITCH] * 51, [[0, 1], [2, 4], [5, 6]])
    moc.generate_tracks(AZIMUTHS, SPACING, YamamotoTabuchi6())
    moc.keff_tolerance, moc.flux_tolerance = 1e-6, 1e-5
    moc.solve()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    told = {"program": "scarabee", "k": moc.keff, "wall": wall, "cpu": cpu, "regions": int(moc.nfsr)}
    print(json.dumps(told | {"power": pin_powers(moc, case).tolist()}))


def pin_powers(moc, case):
    rows = [
        [key for name in line.split()[:2] for key in case["lattice"]["assemblies"][name][row].split()]
        for line in case["lattice"]["core"][:2]
        for row in range(17)
    ]
    power, half = np.zeros((34, 34)), 51 * PITCH / 2
    for (i, j), _ in np.ndenumerate(power):
        if rows[i][j] in "GF":
            continue
        place = Vector(-half + (j + 0.5) * PITCH + 0.01, half - (i + 0.5) * PITCH + 0.005)
        for region in moc.get_all_fsr_in_cell(place, Direction(1.0, 0.3)):
            rate = sum(moc.xs(region).Ef(g) * moc.flux(region, g) for g in range(7))
            power[i, j] += moc.volume(region) * rate
    return power / power[power > 0].mean()


if __name__ == "__main__":
    main()
