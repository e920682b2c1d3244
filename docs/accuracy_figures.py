"""Measures every figure of accuracy.md: `python docs/accuracy_figures.py` prints its tables again.

About five minutes on two cores, most of it compilation. Options name the tables that are wanted.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import jax
import numpy as np

import scalebridge as sb
from scalebridge.cells.problems import Problem, Scheme, exact_problems, examine
from scalebridge.cells.smooth_walls import geometry_permeability
from scalebridge.grids.balls import spheres_image
from scalebridge.grids.pore_shapes import sphere_lattice
from scalebridge.reactor.layer_problems import critical_layers

_SPHERES = Path(__file__).parents[1] / "tests" / "reference" / "rve_spheres.csv"
_ZICK_HOMSY = Path(__file__).parents[1] / "tests" / "reference" / "sphere_sc_zick_homsy_1982.csv"
_SCHEMES: tuple[Scheme, ...] = ("hexahedra", "finite-volume")
_TIGHT: dict[str, Any] = {"rtol": 1e-12, "residual_rtol": 1e-10, "progress": False}


def rve(cells: int) -> sb.VoxelImage:
    """The cell of 30 equal spheres, 30 % by volume, on cells^3 voxels."""
    balls = np.loadtxt(_SPHERES, delimiter=",", skiprows=1)
    return spheres_image(balls[:, :3], balls[:, 3], cells)


def exact_rows() -> Iterator[str]:
    """Problems whose field the voxels represent exactly: the error is rounding and the solver's."""
    yield "| problem | voxels | hexahedra | finite volumes |"
    yield "|---|---|---|---|"
    for problem in exact_problems():
        if problem.constants is None:
            errors = [examine(problem, scheme).error for scheme in _SCHEMES]
            size = " x ".join([str(problem.cells)] * problem.dim)
            yield f"| {problem.name} | {size} | " + " | ".join(f"{abs(e):.0e}" for e in errors) + " |"


def order_rows() -> Iterator[str]:
    """Problems with a discretisation error: its fall as voxels are halved."""
    yield "| problem | scheme | voxels an axis | relative error | order measured | order expected |"
    yield "|---|---|---|---|---|---|"
    for problem in exact_problems():
        if problem.constants is not None:
            sizes = (16, 32, 64, 128) if problem.dim == 2 else (12, 24, 48)
            for scheme in _SCHEMES:
                yield _order_row(problem, scheme, sizes)


def _order_row(problem: Problem, scheme: Scheme, sizes: tuple[int, ...]) -> str:
    errors = [examine(problem, scheme, cells).error for cells in sizes]
    orders = [log(abs(a / b)) / log(2.0) for a, b in pairwise(errors)]
    expected = f"{problem.order:.2f}" if problem.voxels_exact else "about 1"
    columns = [", ".join(map(str, sizes)), ", ".join(f"{e:+.1e}" for e in errors)]
    columns += [", ".join(f"{o:.2f}" for o in orders), expected]
    return f"| {problem.name} | {scheme} | " + " | ".join(columns) + " |"


def iteration_rows() -> Iterator[str]:
    """Iterations a direction, by the library's own stop and by a residual of 1e-6 alone."""
    yield "| image | phases | scheme | steps, tensor to 1e-6 | steps, residual to 1e-6 |"
    yield "|---|---|---|---|---|"
    cases = [
        ("30 spheres, 64³", rve(64), {0: 1.0, 1: 10.0}),
        ("30 spheres, 64³", rve(64), {0: 1.0, 1: 1e3}),
        ("30 spheres, 32³", rve(32), {0: 1.0, 1: 1e6}),
        ("30 spheres, 32³", rve(32), {0: 1.0, 1: 0.0}),
    ]
    for name, image, phases in cases:
        for scheme in _SCHEMES:
            stops: tuple[dict[str, Any], ...] = ({"rtol": 1e-6}, {"rtol": 0.9, "residual_rtol": 1e-6})
            found = [
                sb.effective_conductivity(image, phases, scheme=scheme, progress=False, **s) for s in stops
            ]
            steps = [", ".join(map(str, result.stats["steps"])) for result in found]
            told = f"{phases[0]:g} and {phases[1]:g}"
            yield f"| {name} | {told} | {scheme} | {steps[0]} | {steps[1]} |"


def estimate_rows() -> Iterator[str]:
    """The estimated error at the stop beside the true one, against a solution to 1e-12."""
    yield "| phases | rtol | steps | estimated error | true error |"
    yield "|---|---|---|---|---|"
    image = rve(32)
    for phases in ({0: 1.0, 1: 100.0}, {0: 1.0, 1: 0.0}):
        reference = sb.effective_conductivity(image, phases, **_TIGHT).value[0, 0]
        for rtol in (1e-2, 1e-4, 1e-6, 1e-8):
            found = sb.effective_conductivity(image, phases, rtol=rtol, residual_rtol=0.9, progress=False)
            true = found.value[0, 0] / reference - 1.0
            steps, seen = found.stats["steps"][0], found.stats["errors"][0][-1]
            told = f"{phases[0]:g} and {phases[1]:g}"
            yield f"| {told} | {rtol:.0e} | {steps} | {seen:.1e} | {true:.1e} |"


def derivative_rows() -> Iterator[str]:
    """Derivatives against each other, against differences of tight solves, and against an exact formula."""
    yield "| derivative | compared with | relative difference |"
    yield "|---|---|---|"
    image, ratio = sb.random_spheres(32, volume_fraction=0.3, count=5, seed=1, dim=2), 10.0

    def along_x(value: float) -> float:
        return sb.effective_conductivity(image, {0: 1.0, 1: value}, **_TIGHT).value[0, 0]

    found = sb.effective_conductivity(image, {0: 1.0, 1: ratio}, **_TIGHT)
    slope = found.derivatives["phase 1"][0, 0]
    default = sb.effective_conductivity(image, {0: 1.0, 1: ratio}, progress=False)
    stopped = default.derivatives["phase 1"][0, 0]
    step = 1e-3
    difference = (along_x(ratio + step) - along_x(ratio - step)) / (2 * step)
    traced = float(jax.grad(along_x)(ratio))
    second = float(jax.grad(jax.grad(along_x))(ratio))
    bend = (along_x(ratio + 0.05) - 2 * along_x(ratio) + along_x(ratio - 0.05)) / 0.05**2
    layers = sb.laminate_image([0.25, 0.75], (32, 32), dim=2)
    layered = sb.effective_conductivity(layers, {0: 1.0, 1: ratio}, **_TIGHT)
    exact = 0.75 / ratio**2 * layered.value[0, 0] ** 2
    yield f"| `derivatives`, discs | central difference, step {step:g} | {abs(slope / difference - 1):.0e} |"
    yield f"| `derivatives`, discs | `jax.grad` of the face | {abs(slope / traced - 1):.0e} |"
    yield f"| `jax.grad` twice, discs | central difference, step 0.05 | {abs(second / bend - 1):.0e} |"
    told = f"itself at 1e-12 (the tensor: {abs(default.value[0, 0] / found.value[0, 0] - 1):.0e})"
    yield f"| `derivatives` at rtol 1e-6, discs | {told} | {abs(stopped / slope - 1):.0e} |"
    across = layered.derivatives["phase 1"][0, 0]
    yield f"| `derivatives`, across layers | f K²/k², exact | {abs(across / exact - 1):.0e} |"


def spread_rows() -> Iterator[str]:
    """The spread of the answer by first order beside that of solved samples."""
    yield "| relative std of the discs | first order | 200 samples | standard error of the latter |"
    yield "|---|---|---|---|"
    image = sb.random_spheres(32, volume_fraction=0.3, count=5, seed=1, dim=2)
    for share in (0.05, 0.2, 0.5):
        phases = {0: 1.0, 1: {"value": 10.0, "std": 10.0 * share}}
        line = sb.effective_conductivity(image, phases, progress=False)
        drawn = sb.effective_conductivity(
            image, phases, uncertainty="samples", samples=200, seed=1, progress=False
        )
        first, many = (float(r.std[0, 0]) for r in (line, drawn))
        yield f"| {share:.0%} | {first:.4f} | {many:.4f} | {many / (2 * 199) ** 0.5:.4f} |"


def layer_rows() -> Iterator[str]:
    """Layers and infinite media of neutrons against their analytic k, with the default settings."""
    yield "| case | geometry | error of k, pcm | asked |"
    yield "|---|---|---|---|"
    for name, problem in critical_layers().items():
        error = round(problem.error(), 1) + 0.0  # no negative zeros
        yield f"| {name} | {problem.geometry} | {error:+.1f} | {problem.allowed:g} |"


def sphere_flow_rows() -> Iterator[str]:
    """Stokes flow through simple cubic spheres, walls that cut the voxels, against Zick and Homsy."""
    yield "| c | K/L², published | 32 voxels along L | error | 64 voxels along L | error |"
    yield "|---|---|---|---|---|---|"
    for row in csv.DictReader(_ZICK_HOMSY.read_text(encoding="utf-8").splitlines()):
        share, exact = float(row["solid_fraction"]), float(row["k_over_L2"])
        if share <= 0.45:
            columns = [f"{share:g}", f"{exact:.5g}"]
            for half in (16, 32):  # its planes of symmetry leave half along each axis
                pores = sphere_lattice("sc", share)
                found = geometry_permeability(pores, half, mirrored=True, rtol=1e-4, halved=False)
                columns += [f"{found.value[0, 0]:.5g}", f"{100 * (found.value[0, 0] / exact - 1):+.2f} %"]
            yield "| " + " | ".join(columns) + " |"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "exact": exact_rows,
    "orders": order_rows,
    "iterations": iteration_rows,
    "estimates": estimate_rows,
    "derivatives": derivative_rows,
    "spreads": spread_rows,
    "layers": layer_rows,
    "spheres": sphere_flow_rows,
}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or TABLES:
        sys.stdout.write(f"\n<!-- {wanted} -->\n")
        for row in TABLES[wanted]():
            sys.stdout.write(row + "\n")
            sys.stdout.flush()
