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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import ROOT, PeerMissing, python_of
from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_medium import PathMedium
from scalebridge.core.files import write_text
from scalebridge.core.threads import cuts, thread_count
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity

_MATRIX, _INCLUSION = (62.5, 28.8462, 0.1, 0.5), (222.222, 166.6667)
_CYCLE = [*(0.001 * np.arange(1, 11)), 0.008, 0.006, 0.004, 0.002, 0.0]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.path_cells", description=__doc__)
    parser.add_argument("--image", type=Path, default=ROOT / "tests" / "reference" / "sphere32.npz")
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
    fine = np.kron(whole, np.ones((2, 2, 2), int))  # its tangents are larger than any cache
    found["products"] = _products(whole, chosen.copies) | _products(fine, chosen.copies)
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_text(chosen.out / "path_cells.json", json.dumps(found, indent=2) + "\n")
    text = _table(found)
    write_text(chosen.out / "path_cells.md", text)
    sys.stdout.write(text)


def _laws() -> list[Any]:
    bulk, shear, limit, modulus = _MATRIX
    return [J2Plasticity(bulk, shear, LinearHardening(limit, modulus)), IsotropicElastic(*_INCLUSION)]


def _cycle(phase: np.ndarray) -> dict[str, Any]:
    """Lead a cell over the cycle: first without, then with tangents, each from rest."""
    cell = PathCell(phase, _laws(), (1.0 / len(phase),) * 3)
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
        np.savez(job, phase=phase, path=path, matrix=_MATRIX, inclusion=_INCLUSION)
        command = [str(peer), "-m", "benchmarks.contender_fedoo_path", str(job)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        return {"missing": done.stderr[-400:]}
    return json.loads(done.stdout.splitlines()[-1])


def _products(phase: np.ndarray, copies: int) -> dict[str, Any]:
    """Time products of one and of six fields, and copies of as many bytes by as many threads."""
    medium = PathMedium(phase, _laws(), (1.0, 1.0, 1.0), everywhere=True)
    strains = medium.operators.strains(np.zeros(medium.nodes), np.zeros(6))
    stored = medium.laws.tangent(strains, medium.laws.rest(), 0.0)
    del strains
    found: dict[str, Any] = {}
    for dtype in (np.float32, np.float64):
        tangent = stored.astype(np.dtype(dtype))
        for fields in (1, 6):
            u = np.ones((fields, *medium.nodes), dtype)
            out = np.empty_like(u)
            medium.operators.products(tangent, u, None, out)
            rows = sum(array.nbytes for array in tangent.rows)
            moved = rows + u.nbytes + 2 * out.nbytes  # what is written is read first
            best = _best(lambda t=tangent, v=u, w=out: medium.operators.products(t, v, None, w), copies)
            found[f"{len(phase)}^3, {np.dtype(dtype).name}, fields {fields}"] = {
                "milliseconds": 1e3 * best,
                "bytes": moved,
                "GB/s": moved / best / 1e9,
                "copying, GB/s": _copy_speed(moved, copies),
            }
    return found


def _copy_speed(moved: int, copies: int) -> float:
    """Bytes read and written a second by all threads that copy, `moved` in all."""
    source = np.ones(moved // 16)
    target = np.empty_like(source)
    cut = cuts(len(source), thread_count())

    def copy(pool: ThreadPoolExecutor) -> None:
        list(pool.map(lambda part: np.copyto(target[slice(*part)], source[slice(*part)]), cut))

    with ThreadPoolExecutor(len(cut)) as pool:
        best = _best(lambda: copy(pool), copies)
    return 2 * source.nbytes / best / 1e9


def _best(run: Callable[[], object], copies: int) -> float:
    """Shortest of some runs, s."""
    best = np.inf
    for _ in range(copies):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return float(best)


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
    lines += [
        "| product, all points stored | ms | MB moved | GB/s | copying as much | of copying |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found["products"].items():
        speed, copied = one["GB/s"], one["copying, GB/s"]
        row = f"{one['milliseconds']:.2f} | {one['bytes'] / 1e6:.1f} | {speed:.1f} | {copied:.1f}"
        lines.append(f"| {name} | {row} | {speed / copied:.0%} |")
    lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
