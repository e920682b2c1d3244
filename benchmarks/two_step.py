"""`python -m benchmarks.two_step`: what equivalence keeps of C5G7, and the environment error of two steps.

First the whole core is solved by characteristics and handed to a pin-by-pin diffusion core by flux
weighting, superhomogenization and discontinuity factors, in seven and in two groups. Then its constants are
made in parts of it: each assembly on its own, or each quarter of an assembly in the set of assemblies around
its corner. The errors of the core with these constants are the environment error.
"""

import argparse
import time
import tomllib
from pathlib import Path

import numpy as np

from benchmarks.table import markdown
from scalebridge.reactor.equivalence_study import EquivalenceStudy
from scalebridge.reactor.equivalent_constants import equivalent_constants
from scalebridge.reactor.pin_tally import PinTally
from scalebridge.reactor.solve_transport import solve_transport
from scalebridge.reactor.two_step import two_step_core

_EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
_METHODS = ("flux weighting", "superhomogenization", "discontinuity")
TWO = [[0, 1, 2, 3], [4, 5, 6]]
FUELLED = ("uo2", "mox")
CORE = [["uo2", "mox", "water"], ["mox", "uo2", "water"], ["water"] * 3]
SIDES = {"west": "reflective", "north": "reflective", "east": "vacuum", "south": "vacuum"}


class Transport:
    """Fine solutions of parts of the core, each found once."""

    def __init__(self, azimuths: int, spacing: float, rtol: float = 1e-6):
        self.case = tomllib.loads((_EXAMPLES / "c5g7.toml").read_text(encoding="utf-8"))
        self.materials = tomllib.loads((_EXAMPLES / "data" / "c5g7.toml").read_text(encoding="utf-8"))
        self.asked = {"azimuths": azimuths, "spacing": spacing, "rtol": rtol, "k_tolerance": 0.1 * rtol}
        self.known: dict[str, PinTally] = {}
        self.seconds = 0.0

    def __call__(self, names: list[list[str]], boundary: dict[str, str]) -> PinTally:
        """Return the pins of a map of assemblies."""
        key = f"{names} {boundary}"
        if key not in self.known:
            began = time.process_time()
            used = {name for row in names for name in row}
            assemblies = {name: self.case["lattice"]["assemblies"][name] for name in sorted(used)}
            table = {
                **self.case["lattice"], "assemblies": assemblies, "boundary": boundary,
                "core": [" ".join(row) for row in names],
            }  # fmt: skip
            self.known[key] = solve_transport(table, self.materials, progress=False, **self.asked).pins
            self.seconds += time.process_time() - began
        return self.known[key]


def row(what: str, study: EquivalenceStudy, seconds: float) -> list[str]:
    """Return a row of the table: rates first, k last."""
    errors = 100 * study.power_errors[np.isfinite(study.power_errors)]
    return [
        what, study.method, str(study.constants.groups), f"{100 * study.rate_error.max():.3g}",
        f"{np.sqrt((errors**2).mean()):.3g}", f"{np.abs(errors).max():.3g}", f"{study.k_error:+.2f}",
        f"{seconds:.1f}",
    ]  # fmt: skip


def main() -> None:
    """Print both tables as one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--azimuths", type=int, default=16)
    parser.add_argument("--spacing", type=float, default=0.1, help="between tracks, cm")
    asked = parser.parse_args()
    solve, rows = Transport(asked.azimuths, asked.spacing), []
    whole = solve(CORE, SIDES)
    print(f"k = {whole.multiplication:.6f}, {solve.seconds:.0f} CPU s\n")
    for groups in (None, TWO):
        for method in _METHODS:
            began = time.process_time()
            study = equivalent_constants(whole, method, boundary=SIDES, groups=groups, throw=False)
            rows.append(row("the core itself", study, time.process_time() - began))
    for surroundings in ("itself", "corners"):
        for groups in (None, TWO):
            for method in _METHODS:
                began = time.process_time()
                study = two_step_core(
                    CORE, solve, whole, fuelled=FUELLED, boundary=SIDES, surroundings=surroundings,
                    method=method, groups=groups,
                )  # fmt: skip
                what = f"two steps, {surroundings}: {study.stats['windows']} parts"
                rows.append(row(what, study, time.process_time() - began))
    head = [
        "constants from",
        "method",
        "groups",
        "rates, rms %",
        "pins, rms %",
        "pins, largest %",
        "k, pcm",
        "CPU s",
    ]
    print(markdown(head, rows))


if __name__ == "__main__":
    main()
