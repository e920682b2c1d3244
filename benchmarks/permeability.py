"""`python -m benchmarks.permeability`: permeability beside a public peer; writes out/bench/permeability.*."""

import argparse
import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks import contest
from benchmarks.contest import ContenderFailed
from benchmarks.environments import ROOT, PeerMissing, own_python, python_of
from benchmarks.table import markdown
from scalebridge.core.files import write_text

_ROCK = ROOT / "examples" / "data" / "berea_128.tif"
_WIDTH, _CELL = 16, (32, 32, 16)  # of the channel in voxels, and of its cell
_RIGHT = 0.01  # the channel's permeability has to be within a percent of h^3/12 a cell
_PEERS = {
    "peclet": ("peclet-flow", "benchmarks.contender_peclet", "periodic"),
    "poromics": ("poromics", "benchmarks.contender_poromics", "open"),
}
_COLUMNS = (
    "case",
    "contender",
    "faces along the flow",
    "tolerance",
    "threads (cores busy)",
    "solver s",
    "set-up or compile s",
    "peak MiB",
    "steps",
    "K_xx",
    "K_yy",
    "K_zz",
    "other work, cores",
)


@dataclass(frozen=True)
class Runner:
    """A program with one tolerance."""

    name: str
    module: str
    python: str
    tolerance: float
    faces: str = "periodic"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.permeability", description=__doc__)
    parser.add_argument("--edge", type=int, default=100, help="voxels an edge of the rock")
    parser.add_argument("--image", type=Path, default=_ROCK, help="a segmented rock, 0 in the pores")
    parser.add_argument("--axes", type=int, nargs="+", default=[0, 1, 2], help="directions of the peer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tolerances", type=float, nargs="+", default=[1e-2, 1e-4])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--peers", nargs="*", default=list(_PEERS), choices=list(_PEERS))
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    chosen = parser.parse_args()
    notes: list[str] = []
    images = _images(chosen)
    runners = [
        r for r in _runners(chosen, notes) if _right_on_the_channel(r, images["channel"], chosen, notes)
    ]
    rows = []
    for runner in runners:
        rows.append(_measured(runner, f"rock, {chosen.edge}^3", images["rock"], chosen))
        print("  ".join(_cells(rows[-1])), flush=True)
    results = {"date": _now(), "rows": rows, "notes": notes}
    page = markdown(_COLUMNS, [_cells(row) for row in rows]) + "\n\n" + "\n".join(f"- {n}" for n in notes)
    write_text(chosen.out / "permeability.json", json.dumps(results, indent=1))
    written = write_text(chosen.out / "permeability.md", f"# Permeability\n\n{page}\n")
    print(f"{page}\n\nWritten: {written}", flush=True)


def _images(chosen: argparse.Namespace) -> dict[str, Path]:
    rock = np.transpose(tifffile.imread(chosen.image), (2, 1, 0))[(slice(0, chosen.edge),) * 3] == 0
    channel = np.zeros(_CELL, bool)
    low = (_CELL[1] - _WIDTH) // 2
    channel[:, low : low + _WIDTH] = True
    folder = chosen.out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, pores in (("rock", np.ascontiguousarray(rock)), ("channel", channel)):
        paths[name] = folder / f"pores_{name}.npy"
        np.save(paths[name], pores)
    return paths


def _runners(chosen: argparse.Namespace, notes: list[str]) -> list[Runner]:
    all_faces = ["periodic"] + ["open"] * ("poromics" in chosen.peers)
    found = [
        Runner("scalebridge", "benchmarks.contender_permeability", own_python(), tolerance, faces)
        for faces in all_faces
        for tolerance in chosen.tolerances
    ]
    for peer in chosen.peers:
        name, module, faces = _PEERS[peer]
        try:
            python = python_of(peer)
        except PeerMissing as reason:
            notes.append(str(reason))
            continue
        found += [Runner(name, module, python, tolerance, faces) for tolerance in chosen.tolerances]
    return found


def _right_on_the_channel(runner: Runner, image: Path, chosen: argparse.Namespace, notes: list[str]) -> bool:
    """Whether a contender finds a plane channel's permeability, h^3/12 a cell."""
    row = _measured(runner, "channel", image, chosen, axes=[0])
    print(f"channel: {runner.name} to {runner.tolerance:g} done", flush=True)
    if "reason" in row:
        notes.append(f"{runner.name} failed on the channel and is left out: {row['reason']}")
        return False
    exact = _WIDTH**3 / 12 / _CELL[1]
    error = row["tensor"][0][0] / exact - 1
    right = abs(error) <= max(_RIGHT, 2 * runner.tolerance)
    verdict = "right" if right else "WRONG, left out"
    notes.append(
        f"Plane channel of {_WIDTH} voxels, {runner.name} to {runner.tolerance:g}: {verdict}, "
        f"{row['tensor'][0][0]:.5f} where {exact:.5f} is exact ({100 * error:+.2f} %)."
    )
    return right


def _measured(
    runner: Runner, case: str, image: Path, chosen: argparse.Namespace, axes: list[int] | None = None
) -> dict[str, Any]:
    job = {
        "image": str(image),
        "axes": chosen.axes if axes is None else axes,
        "faces": runner.faces,
        "skip": 1 if axes is None else _CELL[0] // 4,  # layers at the ends of the channel, where flow settles
        "tolerance": runner.tolerance,
        "threads": chosen.threads,
        "repeat": chosen.repeat,
        "budget": 0.0,
    }
    row = {"case": case, "name": runner.name, "faces": runner.faces, "tolerance": runner.tolerance}
    row["threads"] = chosen.threads
    try:
        return row | contest.run_fresh(runner.module, runner.python, job, chosen.threads)
    except ContenderFailed as failure:
        return {**row, "reason": f"failed: {failure}"}


def _cells(row: dict[str, Any]) -> list[str]:
    head = [row["case"], row["name"], row["faces"], f"{row['tolerance']:g}"]
    if "reason" in row:
        return [*head, str(row["threads"]), row["reason"], *[""] * (len(_COLUMNS) - 5)]
    steps = ", ".join(map(str, row["iterations"]))
    return [
        *head,
        f"{row['threads']} ({row['cores']:.1f})",
        f"{row['seconds']:.3g}",
        f"{row['setup_seconds']:.3g}",
        f"{row['peak_bytes'] / 2**20:.0f}",
        steps if row["converged"] else f"{steps} (not converged)",
        *(f"{row['tensor'][axis][axis]:.6g}" for axis in range(3)),
        f"{row['other_cores']:.1f}",
    ]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    main()
