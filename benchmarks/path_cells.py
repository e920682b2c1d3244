"""`python -m benchmarks.path_cells`: cells with history; writes out/bench/path_cells.md and .json.

One run: (1) a J2 sphere cell on 8^3 voxels over a cycle of 15 steps, here and in fedoo; (2) the same on 32^3
here, equilibrium and tangent timed apart; (3) bytes that a product with stored tangents moves, in the cache
and beyond it, against copies of as many bytes by as many threads. Nothing asserts a time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import ROOT, PeerMissing, python_of
from benchmarks.path_products import IMAGE, INCLUSION, MATRIX, all_products, laws
from benchmarks.path_products import lines as product_lines
from scalebridge.cells.path_cell import PathCell
from scalebridge.core.files import write_text
from scalebridge.core.threads import thread_count

_CYCLE = [*(0.001 * np.arange(1, 11)), 0.008, 0.006, 0.004, 0.002, 0.0]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.path_cells", description=__doc__)
    parser.add_argument("--image", type=Path, default=IMAGE)
    parser.add_argument("--peer", default=None, help="a Python that has fedoo; made by itself unless given")
    parser.add_argument("--without-peer", action="store_true")
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    chosen = parser.parse_args()
    whole = np.load(chosen.image)["phase"].astype(int)
    small = np.ascontiguousarray(whole[2::4, 2::4, 2::4])
    found: dict[str, Any] = {
        "threads": thread_count(),
        "cycle 8^3": _cycle(small),
        "cycle 32^3": _cycle(whole),
    }
    found["cycle 8^3 fedoo"] = {} if chosen.without_peer else _fedoo(small, chosen.peer)
    found["products"] = all_products(whole, chosen.copies)
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_text(chosen.out / "path_cells.json", json.dumps(found, indent=2) + "\n")
    text = _table(found)
    write_text(chosen.out / "path_cells.md", text)
    sys.stdout.write(text)


def _cycle(phase: np.ndarray) -> dict[str, Any]:
    """Lead a cell over the cycle: first without, then with tangents, each from rest."""
    cell = PathCell(phase, laws(), (1.0 / len(phase),) * 3)
    cell.respond(np.array([1e-6, 0, 0, 0, 0, 0]), cell.rest())  # compiled, or read from the cache
    busy = time.process_time()
    alone, answers = _walk(cell, want_tangent=False)
    busy = time.process_time() - busy
    both, corrected = _walk(cell, want_tangent=True)
    parts = [{"with": b[0], "krylov": b[1], "tangent krylov": b[2], "tangent": b[3]} for b in both]
    return {
        "s11": corrected,
        "s11 without tangents": answers,
        "seconds without tangents": sum(one[0] for one in alone),
        "processor seconds without tangents": busy,
        "seconds": sum(one["with"] for one in parts),
        "seconds of tangents": sum(one["tangent"] for one in parts),
        "steps": parts,
    }


def _walk(cell: PathCell, want_tangent: bool) -> tuple[list[tuple[float, int, int, float]], list[float]]:
    state, hint, times, answers = cell.rest(), None, [], []
    for e in _CYCLE:
        load = np.array([e, -e / 2, -e / 2, 0, 0, 0])
        began = time.perf_counter()
        found = cell.respond(load, state, hint=hint, want_tangent=want_tangent)
        stats = found.stats
        tangent = stats.get("tangent seconds", 0.0)
        times.append((time.perf_counter() - began, stats["krylov"], stats.get("tangent krylov", 0), tangent))
        answers.append(float(found.answer[0]))
        state, hint = found.state, found.hint
    return times, answers


def _fedoo(phase: np.ndarray, python: str | None) -> dict[str, Any]:
    try:
        peer = python or python_of("fedoo")
    except PeerMissing as reason:
        return {"missing": str(reason)}
    path = [[e, -e / 2, -e / 2, 0, 0, 0] for e in _CYCLE]
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.npz"
        np.savez(job, phase=phase, path=path, matrix=MATRIX, inclusion=INCLUSION)
        command = [str(peer), "-m", "benchmarks.contender_fedoo_path", str(job)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        return {"missing": done.stderr[-400:]}
    return json.loads(done.stdout.splitlines()[-1])


def _table(found: dict[str, Any]) -> str:
    small, large, peer = found["cycle 8^3"], found["cycle 32^3"], found["cycle 8^3 fedoo"]
    lines = ["# Cells with history", "", f"Threads: {found['threads']}. 15 steps of J2, elastic sphere.", ""]
    lines += ["| what | s | S11 at steps 5, 10, 15 |", "|---|---|---|"]
    for name, one, key in (
        ("8^3, equilibrium", small, "seconds without tangents"),
        ("8^3, with tangents", small, "seconds"),
        ("8^3, fedoo, equilibrium", peer, "seconds"),
        ("32^3, equilibrium", large, "seconds without tangents"),
        ("32^3, with tangents", large, "seconds"),
    ):
        if "s11" not in one:
            lines.append(f"| {name} | missing: {one.get('missing', 'not asked')[:80]} | |")
            continue
        shown = ", ".join(f"{one['s11'][step]:.9f}" for step in (4, 9, 14))
        lines.append(f"| {name} | {one[key]:.2f} | {shown} |")
    share = large["seconds of tangents"] / (large["seconds"] - large["seconds of tangents"])
    lines += ["", f"32^3: tangents take {share:.2f} of their equilibrium solves."]
    busy = large["processor seconds without tangents"]
    lines += [f"32^3, equilibrium: {busy:.1f} s of processor time, on a machine that may be busy.", ""]
    lines += product_lines(found["products"])
    lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
