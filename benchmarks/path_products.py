"""`python -m benchmarks.path_products`: products with stored tangents of J2 cells; prints a table.

All points own a tangent. 32^3 voxels are within a large cache, 64^3 beyond it. Beside each product stand
copies of as many bytes by as many threads, and what multiplications and additions reach by themselves.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import ROOT
from scalebridge.cells.path_medium import PathMedium
from scalebridge.core.compiled import exact_kernel
from scalebridge.core.lanes import lanes_of_width, load, muladd, store
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import VARIABLE, cuts, thread_count
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity

MATRIX, INCLUSION = (62.5, 28.8462, 0.1, 0.5), (222.222, 166.6667)
IMAGE = ROOT / "tests" / "reference" / "sphere32.npz"

# Additions and multiplications a voxel in `grids/modal_kernels.py` and `grids/compact_kernels.py`: modes of
# nodes 24, of displacements 21, normal strains 45, shears 93, stresses at eight points 312, their sums over
# places 12 and by modes 84, forces by modes 51, on either side 30, on nodes 30.
FLOPS = 702


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.path_products", description=__doc__)
    parser.add_argument("--image", type=Path, default=IMAGE)
    parser.add_argument("--copies", type=int, default=20)
    chosen = parser.parse_args()
    phase = np.load(chosen.image)["phase"].astype(int)
    sys.stdout.write("\n".join(lines(all_products(phase, chosen.copies))) + "\n")


def laws() -> list[Any]:
    """Laws of matrix and inclusion."""
    bulk, shear, limit, modulus = MATRIX
    return [J2Plasticity(bulk, shear, LinearHardening(limit, modulus)), IsotropicElastic(*INCLUSION)]


def all_products(phase: np.ndarray, copies: int) -> dict[str, Any]:
    """Time products of an image and of the same refined twice, by one and by all threads."""
    found: dict[str, Any] = {}
    fine = np.kron(phase, np.ones((2, 2, 2), int))  # its tangents are larger than most caches
    for one in (phase, fine):
        for threads in sorted({1, thread_count()}):
            with _by(threads):
                found |= _products(one, copies)
    return found


@contextmanager
def _by(threads: int) -> Iterator[None]:
    asked = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(threads)
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        if asked is not None:
            os.environ[VARIABLE] = asked


def _products(phase: np.ndarray, copies: int) -> dict[str, Any]:
    """Time products of one and of six fields, and copies of as many bytes by as many threads."""
    medium = PathMedium(phase, laws(), (1.0, 1.0, 1.0), everywhere=True)
    strains = medium.operators.strains(np.zeros(medium.nodes), np.zeros(6))
    stored = medium.laws.tangent(strains, medium.laws.rest(), 0.0)
    found: dict[str, Any] = {}
    for dtype in (np.float32, np.float64):
        tangent, peak, single = stored.astype(np.dtype(dtype)), _peak(dtype), 0.0
        for fields in (1, 6):
            u = np.ones((fields, *medium.nodes), dtype)
            out = np.empty_like(u)
            medium.operators.products(tangent, u, None, out)
            rows = sum(array.nbytes for array in tangent.rows)
            moved = rows + u.nbytes + 2 * out.nbytes  # what is written is read first
            best = _best(lambda t=tangent, v=u, w=out: medium.operators.products(t, v, None, w), copies)
            copied, flops = _copy_speed(moved, copies), FLOPS * fields * phase.size
            single = moved / copied / 1e9 if fields == 1 else single
            name = f"{len(phase)}^3, {np.dtype(dtype).name}, threads {thread_count()}, fields {fields}"
            found[name] = {
                "milliseconds": 1e3 * best,
                "bytes": moved,
                "GB/s": moved / best / 1e9,
                "copying, GB/s": copied,
                "flops": flops,
                "Gflop/s": flops / best / 1e9,
                "peak, Gflop/s": peak,
                "milliseconds a field": 1e3 * best / fields,
                "over single products at copying speed": best / (fields * single),
            }
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """Return the table of products; its last column is below one where fields gain by going together."""
    table = [
        "| product, all points stored | ms | ms a field | MB moved | GB/s | copying as much | of copying "
        "| Mflop | Gflop/s | of the peak | time over products one by one as fast as copies |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        speed, copied, flops = one["GB/s"], one["copying, GB/s"], one["Gflop/s"]
        cells = (
            f"{one['milliseconds']:.2f}",
            f"{one['milliseconds a field']:.2f}",
            f"{one['bytes'] / 1e6:.1f}",
            f"{speed:.1f}",
            f"{copied:.1f}",
            f"{speed / copied:.0%}",
            f"{one['flops'] / 1e6:.0f}",
            f"{flops:.0f}",
            f"{flops / one['peak, Gflop/s']:.0%}",
            f"{one['over single products at copying speed']:.2f}",
        )
        table.append(f"| {name} | {' | '.join(cells)} |")
    return table


@exact_kernel
def _multiply_and_add(start, stop, _piece, given, out, lanes):
    """Twelve sums that do not wait for each other."""
    width, m = len(lanes), load(given, 0, lanes)
    a = b = c = d = e = f = load(given, width, lanes)
    g = h = i = j = k = n = load(given, 2 * width, lanes)
    for _ in range(start, stop):
        a, b, c, d = muladd(a, m, b), muladd(b, m, c), muladd(c, m, d), muladd(d, m, e)
        e, f, g, h = muladd(e, m, f), muladd(f, m, g), muladd(g, m, h), muladd(h, m, i)
        i, j, k, n = muladd(i, m, j), muladd(j, m, k), muladd(k, m, n), muladd(n, m, m)
    store(out, width * (start > 0), ((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + n)))


def _peak(dtype: Any) -> float:
    """Additions and multiplications a second of all threads, 1e9."""
    lanes, turns, threads = lanes_of_width(np.dtype(dtype).itemsize), 100_000, thread_count()
    given, out = np.full(64, 0.01, dtype), np.zeros(64, dtype)
    best = _best(lambda: in_slabs(_multiply_and_add, turns * threads, given, out, lanes, threads=threads), 20)
    return 24 * len(lanes) * turns * threads / best / 1e9


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
    run()
    best = np.inf
    for _ in range(copies):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return float(best)


if __name__ == "__main__":
    main()
