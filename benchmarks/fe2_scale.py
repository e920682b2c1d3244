"""FE2 at scale: 512 points of 16^3 voxels with plasticity, on one process, MPI's ranks and Dask's workers.

    python -m benchmarks.fe2_scale                                # 512 points of 16^3 voxels, ten steps
    python -m benchmarks.fe2_scale --ways mpi-2 --minutes 9       # one way, for so long; again, to go on
    python -m benchmarks.fe2_scale --points 16 --edge 8 --steps 2 --out out/rehearsal
    python -m benchmarks.fe2_scale --assembly                     # a matrix of 32k unknowns and 74k points

Each way runs in an interpreter of its own, one thread a worker, and goes on from its checkpoints when it was
stopped; a finished way is not done again. Answers are held against those of the first. Prints, and writes as
table.json: wall time of the path, parallel efficiency, bytes moved a step, state with and without sharing.
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
from scalebridge.core.files import write_text
from scalebridge.engine.checkpoint import latest_checkpoint
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.structures.assembly import Assembler
from scalebridge.structures.kinematics import make_kinematics
from scalebridge.structures.solid_mesh import box_mesh
from scalebridge.structures.solve_structure import solve_structure

NOTHING = {"seconds": 0.0, "path": 0.0, "bytes moved": 0, "pieces": 0}
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
    """Walk the path in one way, as far as the time goes, and write what was found."""
    engine, _, count = way.partition("-")
    begun, ends = time.perf_counter(), 0.03 * np.arange(1, given.steps + 1) / given.steps
    kept = given.out / f"{way}-checkpoints"
    done = 0 if (last := latest_checkpoint(kept)) is None else int(last.name[5:])
    spent = json.loads((kept / "spent.json").read_text(encoding="utf-8")) if done else NOTHING
    study = solve_structure(
        bar(given.points),
        volume(given.edge),
        supports={"left": {"x": 0, "y": 0, "z": 0}, "right": {"z": 1.0}},
        steps=list(ends[: done + given.at_once]),
        rtol=1e-9,
        checkpoints=kept,
        resume=True,
        engine=engine,
        workers=int(count) if engine == "dask" else 1 if engine == "local" else None,
        lazy=count != "eager",
        progress=given.progress and int(os.environ.get("OMPI_COMM_WORLD_RANK", "0")) == 0,
    )
    if os.environ.get("OMPI_COMM_WORLD_RANK", "0") == "0":
        told = {
            "seconds": spent["seconds"] + time.perf_counter() - begun,
            "path": spent["path"] + study.provenance.elapsed["path"],
            "bytes moved": spent["bytes moved"] + study.stats["bytes moved"],
            "pieces": spent["pieces"] + 1,
        }
        write_text(kept / "spent.json", json.dumps(told))
        reached = len(study.records)
        if reached >= given.steps:
            more = {"way": way, "evaluations": study.stats["evaluations"], "memory": study.memory}
            np.savez(given.out / f"{way}.npz", stresses=study.stresses, curve=study.curve()[1])
            write_text(given.out / f"{way}.json", json.dumps(told | more))
        sys.stderr.write(f"{way}: {reached} of {given.steps} steps, {told['path']:.0f} s\n")


def compare(given):
    """Run every way and print the table."""
    ways, until = [way for way in WAYS if way in given.ways.split(",")], time.monotonic() + 60 * given.minutes
    threads = dict.fromkeys(("SCALEBRIDGE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    for way in ways:
        words = [sys.executable, "-m", "benchmarks.fe2_scale", "--way", way, "--out", str(given.out)]
        words += ["--points", str(given.points), "--edge", str(given.edge), "--steps", str(given.steps)]
        words += ["--at-once", str(given.at_once)] + (["--progress"] if given.progress else [])
        if way.startswith("mpi"):
            launcher = shutil.which("mpirun")
            if launcher is None:
                continue
            words = [launcher, "--oversubscribe", "-n", way[-1], *words]
        while not (given.out / f"{way}.json").exists():
            if time.monotonic() > until:
                break
            subprocess.run(words, check=True, env=os.environ | threads | root)
    tell(given, ways)


def tell(given, ways):
    """Print and write what was measured of finished ways, each against the first of them."""
    out, rows, base = given.out, [], None
    finished = [way for way in WAYS if (out / f"{way}.json").exists()]
    if not finished:
        return
    first = np.load(out / f"{finished[0]}.npz")["stresses"]
    print("way           path, s  efficiency  MB/step  state, MiB  unshared  difference")
    for way in finished:
        told = json.loads((out / f"{way}.json").read_text(encoding="utf-8"))
        base = told["path"] if way in ("local", "mpi-1") else base
        ranks = int(way[-1]) if way[-1].isdigit() else 1
        row = {
            **told,
            "efficiency": (base or told["path"]) / told["path"] / ranks,
            "MB a step": told["bytes moved"] / given.steps / 1e6,
            "state, MiB": (told["memory"]["memory"] + told["memory"]["mapped"]) / 2**20,
            "state without sharing, MiB": told["memory"]["without sharing"] / 2**20,
            "difference": float(
                np.abs(np.load(out / f"{way}.npz")["stresses"] - first).max() / np.abs(first).max()
            ),
        }
        rows.append(row)
        print(
            f"{way:12} {row['path']:8.1f} {row['efficiency']:11.2f} {row['MB a step']:8.3f} "
            f"{row['state, MiB']:11.1f} {row['state without sharing, MiB']:9.1f}  {row['difference']:.1e}"
        )
    asked = {"points": given.points, "edge": given.edge, "steps": given.steps}
    write_text(out / "table.json", json.dumps({**asked, "rows": rows}, indent=2) + "\n")


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
    parser.add_argument("--ways", default="mpi-1,mpi-2,dask-2", help=f"of {WAYS}")
    parser.add_argument("--way")
    parser.add_argument("--at-once", type=int, default=2, help="steps of an interpreter, then a new one")
    parser.add_argument("--minutes", type=float, default=600.0, help="after these no further piece begins")
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
