"""C5G7 in two dimensions: scalebridge beside Scarabee, pin powers compared.

    python -m benchmarks.reactor [--azimuths 32] [--spacing 0.1] [--peer PYTHON]

PEER is an interpreter that has Scarabee (benchmarks/requirements/scarabee.txt; GPL: run, not imported).
Run it on an idle machine; CPU seconds are printed beside wall seconds.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from scalebridge.cli.case_file import load_case
from scalebridge.reactor.lattice_table import lattice_from_table
from scalebridge.reactor.materials import read_materials
from scalebridge.reactor.solve_transport import solve_transport

EXAMPLES = Path(__file__).parents[1] / "examples"
WANTED = {"k": 1.18655, "max": 2.498, "min": 0.232, "assemblies": [492.8, 211.7, 139.8]}


def ours(azimuths, spacing):
    case = load_case(EXAMPLES / "c5g7.toml")
    found = lattice_from_table({k: v for k, v in case.lattice.model_dump().items() if v is not None})
    materials = read_materials(EXAMPLES / "data" / "c5g7.toml")
    solve_transport(  # compiles
        {"pitch": 1.26, "pins": {"W": {"material": "UO2", "mesh": 1}}, "rows": ["W"]},
        materials, azimuths=4, spacing=0.3,
    )  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    solution = solve_transport(found, materials, azimuths=azimuths, spacing=spacing)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "program": "scalebridge", "k": solution.multiplication, "power": solution.pin_power[:34, :34],
        "wall": wall, "cpu": cpu, "regions": len(solution.flux), "sweeps": solution.stats["sweeps"],
    }  # fmt: skip


def peer(python, azimuths, spacing):
    done = subprocess.run(
        [python, str(Path(__file__).parent / "contender_scarabee.py"), str(azimuths), str(spacing)],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return told | {"power": np.array(told["power"])}


def show(found):
    power = found["power"]
    assemblies = [power[:17, :17].sum(), power[:17, 17:].sum(), power[17:, 17:].sum()]
    errors = [100 * (a / b - 1) for a, b in zip(assemblies, WANTED["assemblies"], strict=True)]
    fuel = power[power > 0]
    pins = [100 * (fuel.max() / WANTED["max"] - 1), 100 * (fuel.min() / WANTED["min"] - 1)]
    print(
        f"{found['program']:<12} k {found['k']:.6f} ({1e5 * (found['k'] - WANTED['k']):+.1f} pcm), "
        f"largest and least pin {', '.join(f'{e:+.3f} %' for e in pins)}, "
        f"assemblies {', '.join(f'{e:+.3f} %' for e in errors)}; "
        f"{found['regions']} regions, {found['wall']:.1f} s wall, {found['cpu']:.1f} s CPU"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--azimuths", type=int, default=32)
    parser.add_argument("--spacing", type=float, default=0.1)
    parser.add_argument("--peer", default=None)
    asked = parser.parse_args()
    mine = ours(asked.azimuths, asked.spacing)
    show(mine)
    if asked.peer is None:
        print("no peer: pass --peer PYTHON of an environment with Scarabee", file=sys.stderr)
        return
    other = peer(asked.peer, asked.azimuths, asked.spacing)
    show(other)
    fuel = mine["power"] > 0
    gap = 100 * (mine["power"][fuel] / other["power"][fuel] - 1)
    rms, largest = np.sqrt((gap**2).mean()), np.abs(gap).max()
    print(f"pin powers against the peer: rms {rms:.3f} %, largest {largest:.3f} %")


if __name__ == "__main__":
    main()
