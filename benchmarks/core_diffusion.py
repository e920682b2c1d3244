"""`python -m benchmarks.core_diffusion`: published cores, by every method and mesh, beside OpenNDM.

k in pcm beside the reference, powers of assemblies beside the published ones, CPU seconds of one solution.
OpenNDM lives in an environment of its own; `--peer PYTHON` names another that has it.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.environments import PeerMissing, python_of
from benchmarks.table import markdown
from scalebridge.reactor.core_problems import CoreBenchmark, core_benchmark
from scalebridge.reactor.solve_core import solve_core

_NAMES = ("iaea2d", "biblis2d")
_CUTS = (1, 2, 4)


def power_error(problem: CoreBenchmark, power: np.ndarray) -> str:
    """Return the largest relative error of the assemblies' powers, in per cent, where they are published."""
    if problem.power is None:
        return "-"
    made = np.isfinite(problem.power)
    return f"{100 * np.abs(power[made] / problem.power[made] - 1).max():.3f}"


def own_rows(problem: CoreBenchmark) -> list[list[str]]:
    """Return a row for each method and mesh of this library."""
    rows = []
    for method, cuts in (("nodal", _CUTS), ("volumes", (8, 16, 32)), ("sp3", (8, 16))):
        for cut in cuts:
            began = time.process_time()
            found = solve_core(
                **problem.arguments, method=method, largest_cell=problem.assembly / cut,
                mesh_error=False, derivatives=False,
            )  # fmt: skip
            seconds = time.process_time() - began
            rows.append(row(problem, f"scalebridge {method}", cut, found.k, found.power, seconds))
    return rows


def row(
    problem: CoreBenchmark, who: str, cut: float, k: float, power: np.ndarray, seconds: float
) -> list[str]:
    """Return a row of the table."""
    return [
        problem.name, who, f"{cut:g}", f"{k:.6f}", f"{1e5 * (k - problem.k):+.1f}",
        power_error(problem, power), f"{seconds:.2f}",
    ]  # fmt: skip


def halves(problem: CoreBenchmark, names: list[str]) -> list[list[int]]:
    """Return the map on nodes of half an assembly: those on the lines of symmetry are one node wide."""
    core = np.array(problem.arguments["core"], dtype=object)
    twice = [1] + [2] * (len(core) - 1)
    fine = np.repeat(np.repeat(core, twice, axis=0), twice, axis=1)
    return [[names.index(name) if name else -1 for name in line] for line in fine]


def peer_rows(problems: list[CoreBenchmark], python: str) -> list[list[str]]:
    """Return a row for each method and mesh of OpenNDM; the buckling is in its absorption."""
    cases = []
    for problem in problems:
        materials = problem.arguments["materials"]
        compositions = [
            {
                "D": one["diffusion"],
                "absorption": [
                    a + d * problem.arguments["buckling"]
                    for a, d in zip(one["absorption"], one["diffusion"], strict=True)
                ],
                "nu_fission": one["nu_fission"],
                "kappa_fission": one["nu_fission"],
                "chi": one["chi"] if any(one["nu_fission"]) else [0.0, 0.0],
                "scatter": one["scatter"],
            }
            for one in materials.values()
        ]
        common = {
            "name": problem.name,
            "compositions": compositions,
            "nodes": halves(problem, list(materials)),
        }
        cases += [{**common, "edge": problem.assembly / 2, "cut": cut} for cut in (1, 2, 4)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.json"
        file.write_text(json.dumps(cases))
        script = Path(__file__).with_name("contender_openndm.py")
        done = subprocess.run([python, str(script), str(file)], capture_output=True, text=True, check=True)
    by_name = {problem.name: problem for problem in problems}
    rows = []
    for one in json.loads(done.stdout):
        problem = by_name[one["name"]]
        power = assembly_means(problem, np.array(one["power"], dtype=float))
        cut = problem.assembly / one["edge"]
        rows.append(row(problem, f"OpenNDM {one['kernel']}", cut, one["k"], power, one["seconds"]))
    return rows


def assembly_means(problem: CoreBenchmark, power: np.ndarray) -> np.ndarray:
    """Return means over assemblies of powers of equal nodes, by the mean of those that have any."""
    count = len(problem.arguments["core"])
    cut = (len(power) + 1) // (2 * count - 1)
    nodes = np.repeat(np.arange(count), [cut] + [2 * cut] * (count - 1))
    whole, filled = np.zeros((count, count)), np.zeros((count, count))
    np.add.at(whole, (nodes[:, None], nodes), np.nan_to_num(power))
    np.add.at(filled, (nodes[:, None], nodes), 1.0)
    made = whole > 0
    return whole / filled / (whole[made].sum() / filled[made].sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=None, help="a Python that has openndm")
    asked = parser.parse_args()
    problems = [core_benchmark(name) for name in _NAMES]
    rows = [line for problem in problems for line in own_rows(problem)]
    try:
        rows += peer_rows(problems, asked.peer or python_of("OpenNDM"))
    except PeerMissing as error:
        print(error)
    head = ["core", "method", "nodes by assembly edge", "k", "pcm", "largest power error, %", "CPU s"]
    print(markdown(head, rows))


if __name__ == "__main__":
    main()
