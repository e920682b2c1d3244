"""What a contender measures of itself: wall and processor time, compile or set-up time, peak memory.

This file and the contenders run in the peers' own environments too, so they need nothing but NumPy.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.floor import Floor


@dataclass
class Answer:
    """What one solve of all load directions gave.

    Args:
        tensor: the effective conductivity; NaN where the contender does not give a component.
        iterations: one number a load direction.
        converged: whether the contender says that it met its own criterion in every direction.
        setup_seconds: part of the solve that belongs to the set-up.
    """

    tensor: np.ndarray
    iterations: list[int]
    converged: bool
    setup_seconds: float = 0.0


def compete(
    prepare: Callable[[dict[str, Any], np.ndarray], Any],
    solve: Callable[[Any], Answer],
    *,
    compiles: bool = False,
) -> None:
    """Run the job named on the command line, and write what was measured.

    The first solve of a contender that compiles is a warm-up, and what it takes longer than the best of the
    others is called compile time. The processor time of the best solve tells how many cores were at work.
    Where the job names a floor, its transforms are timed before and after every solve.

    Args:
        prepare: from the job and its labels to whatever `solve` takes.
        solve: one solve of all load directions.
        compiles: whether the first solve includes compilation.
    """
    job = json.loads(Path(sys.argv[1]).read_text())
    labels = np.load(job["image"])
    baseline = memory("VmRSS")
    start = time.perf_counter()
    ready = prepare(job, labels)
    setup = time.perf_counter() - start
    rounds = [_timed(solve, ready)]
    after_first = memory("VmHWM")
    floor = Floor(job["floor"]) if job.get("floor") else None
    deadline = time.perf_counter() + job["budget"]
    while len(rounds) < job["repeat"] + compiles and (
        time.perf_counter() < deadline or len(rounds) < 1 + compiles
    ):
        before = {} if floor is None else floor.seconds()
        rounds.append(_timed(solve, ready))
        after = {} if floor is None else floor.seconds()
        rounds[-1]["pair_seconds"] = {name: [*before[name], *after[name]] for name in before}
    if floor is not None:
        floor.close()
    counted = rounds[1:] if compiles else rounds
    best = min(counted, key=lambda one: one["seconds"])
    if compiles:
        setup += max(rounds[0]["seconds"] - best["seconds"], 0.0)
    result = {
        **best,
        "setup_seconds": setup + best["setup_seconds"],
        "all_seconds": [one["seconds"] for one in counted],
        "baseline_bytes": baseline,
        "peak_bytes": after_first - baseline,
        "bytes_per_voxel": (after_first - baseline) / labels.size,
        "floor_ratios": _ratios(counted),
    }
    Path(sys.argv[2]).write_text(json.dumps(result))


def _ratios(rounds: list[dict[str, Any]]) -> list[float]:
    """Each solve's time over its iterations times the median pair beside it of the fastest library."""
    ratios = []
    for one in rounds:
        pairs = one.get("pair_seconds", {}).values()  # nothing where no floor was asked for, as with peers
        fastest = min((float(np.median(times)) for times in pairs), default=0.0)
        if fastest:
            ratios.append(one["seconds"] / (sum(one["iterations"]) * fastest))
    return ratios


def memory(field: str) -> int:
    """Return the resident memory of this process (VmRSS) or its highest so far (VmHWM), in bytes.

    VmHWM is the kernel's counter behind `ru_maxrss`; that one is not used because a child inherits it from
    the parent that started it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def machine_seconds() -> float:
    """Return the processor seconds that all processes of the machine have used since it started."""
    numbers = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _, _, interrupts, soft_interrupts, stolen = (int(number) for number in numbers)
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(patience: float, *, busy: float = 0.15) -> None:
    """Wait until less than `busy` of a core is at work for two seconds, or patience is at its end."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        start, used = time.monotonic(), machine_seconds()
        time.sleep(2.0)
        if machine_seconds() - used < busy * (time.monotonic() - start):
            return


def best_seconds(work: Callable[[], Any], *, budget: float = 2.0, least: int = 5) -> float:
    """Return the shortest time of a piece of work, repeated for some seconds after one warm-up."""
    work()
    times = []
    deadline = time.perf_counter() + budget
    while len(times) < least or time.perf_counter() < deadline:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _timed(solve: Callable[[Any], Answer], ready: Any) -> dict[str, Any]:
    gc.collect()
    wall, processor, machine = time.perf_counter(), time.process_time(), machine_seconds()
    answer = solve(ready)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    machine = machine_seconds() - machine
    return {
        "seconds": wall - answer.setup_seconds,
        "setup_seconds": answer.setup_seconds,
        "cores": processor / wall,
        "other_cores": max(machine - processor, 0.0) / wall,
        "tensor": np.asarray(answer.tensor, dtype=float).tolist(),
        "iterations": [int(n) for n in answer.iterations],
        "converged": bool(answer.converged),
        "load": os.getloadavg()[0],
    }
