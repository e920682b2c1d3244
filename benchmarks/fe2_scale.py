"""FE2 at scale: 512 points of 16^3 voxels with plasticity, on one process, MPI's ranks and Dask's workers.

    python -m benchmarks.fe2_scale --points 512 --edge 16 --steps 10 --out out/fe2_scale
    python -m benchmarks.fe2_scale --assembly          # a matrix of 32k unknowns and 74k points

Each way runs in an interpreter of its own, one thread a worker; answers are held against those of the first.
Prints wall time of the path, parallel efficiency, bytes moved an evaluation, state with and without sharing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from scalebridge.cells.path_cell import PathCell
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.structures.assembly import Assembler
from scalebridge.structures.kinematics import make_kinematics
from scalebridge.structures.solid_mesh import box_mesh
from scalebridge.structures.solve_structure import solve_structure

WAYS = ("local", "local-eager", "mpi-1", "mpi-2", "dask-2")


def volume(edge):
    """A sphere of a quarter of the volume in a matrix that yields."""
    x = (np.arange(edge) + 0.5) / edge - 0.5
    inside = (x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 < 0.395**2).astype(int)
    laws = [J2Plasticity(62.5, 28.8462, LinearHardening(0.1, 0.5)), IsotropicElastic(222.222, 166.6667)]
    return PathCell(inside, laws, (1e-3 / edge,) * 3)


def bar(points):
    """A bar of hexahedra with so many integration points."""
    elements = points // 8
    across = 2 if elements % 4 == 0 else 1
    return box_mesh((4.0, 1.0, 1.0), (elements // across**2, across, across))


def solve(way, given):
    """Walk the path in one way and write what was found."""
    engine, _, count = way.partition("-")
    begun = time.perf_counter()
    study = solve_structure(
        bar(given.points),
        volume(given.edge),
        supports={"left": {"x": 0, "y": 0, "z": 0}, "right": {"z": 0.03}},
        steps=given.steps,
        rtol=1e-9,
        engine=engine,
        workers=int(count) if engine == "dask" else 1 if engine == "local" else None,
        lazy=count != "eager",
        progress=given.progress and int(os.environ.get("OMPI_COMM_WORLD_RANK", "0")) == 0,
    )
    if os.environ.get("OMPI_COMM_WORLD_RANK", "0") == "0":
        told = {
            "way": way,
            "seconds": time.perf_counter() - begun,
            "path": study.provenance.elapsed["path"],
            "evaluations": study.stats["evaluations"],
            "bytes moved": study.stats["bytes moved"],
            "memory": study.memory,
        }
        given.out.mkdir(parents=True, exist_ok=True)
        np.savez(given.out / f"{way}.npz", stresses=study.stresses, curve=study.curve()[1])
        (given.out / f"{way}.json").write_text(json.dumps(told), encoding="utf-8")


def compare(given):
    """Run every way and print the table."""
    ways = [way for way in WAYS if way in given.ways.split(",")]
    threads = dict.fromkeys(("SCALEBRIDGE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    for way in ways:
        words = [sys.executable, "-m", "benchmarks.fe2_scale", "--way", way, "--out", str(given.out)]
        words += ["--points", str(given.points), "--edge", str(given.edge), "--steps", str(given.steps)]
        words += ["--progress"] if given.progress else []
        if way.startswith("mpi"):
            launcher = shutil.which("mpirun")
            if launcher is None:
                continue
            words = [launcher, "--oversubscribe", "-n", way[-1], *words]
        subprocess.run(words, check=True, env=os.environ | threads | root)
    tell(given.out, ways)


def tell(out, ways):
    """Print what was measured, each way against the first."""
    first = np.load(out / f"{ways[0]}.npz")["stresses"]
    base = None
    print("way           path, s  efficiency  MB/evaluation  state, MiB  difference")
    for way in ways:
        if not (out / f"{way}.json").exists():
            continue
        told = json.loads((out / f"{way}.json").read_text(encoding="utf-8"))
        base = told["path"] if way in ("local", "mpi-1") else base
        ranks = int(way[-1]) if way[-1].isdigit() else 1
        away = np.abs(np.load(out / f"{way}.npz")["stresses"] - first).max() / np.abs(first).max()
        moved = told["bytes moved"] / told["evaluations"] / 1e6
        held = (told["memory"]["memory"] + told["memory"]["mapped"]) / 2**20
        efficiency = (base or told["path"]) / told["path"] / ranks
        print(f"{way:12} {told['path']:8.1f} {efficiency:11.2f} {moved:14.3f} {held:11.1f}  {away:.1e}")


def assembly():
    """Time the assembly of a cube of 21^3 hexahedra: 32k unknowns, 74k points."""
    k = make_kinematics(box_mesh((1.0, 1.0, 1.0), (21, 21, 21)), 1, finite=False, plane="strain")
    made, tangent = Assembler.of(k), np.tile(np.eye(6) + 1, (k.points, 1, 1))
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        made.stiffness(tangent)
        times.append(time.perf_counter() - begun)
    best, median = min(times), np.median(times)
    print(f"{k.unknowns} unknowns, {k.points} points: best {best:.3f} s, median {median:.3f} s")


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--edge", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("out/fe2_scale"))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--way")
    parser.add_argument("--assembly", action="store_true")
    parser.add_argument("--progress", action="store_true")
    given = parser.parse_args()
    if given.assembly:
        assembly()
    elif given.way:
        solve(given.way, given)
    else:
        compare(given)


if __name__ == "__main__":
    main()
