"""Who competes, and how one of them is run: in a fresh process, on the same cores, with nothing cached."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, laminate_exact
from benchmarks.elastic import POISSON, laminate_stiffness
from benchmarks.environments import ROOT, own_python

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_PATIENCE = 7200  # seconds for one contender on one case


class ContenderFailed(Exception):  # noqa: N818 (it is an outcome: the others go on)
    """A contender stopped with an error; the message is its last words."""


@dataclass(frozen=True)
class Contender:
    """A program with one setting.

    Args:
        name: how the table calls it.
        module: what is run.
        scheme: "hexahedra", "finite-volume" or what the peer calls its own.
        stop: how the table calls its criterion; "residual" is ||r|| <= tolerance ||b||.
        tolerance: of that criterion.
        threads: cores that it may use.
        periodic: whether it solves the periodic cell problem.
        backend: of this library, "kernels" or "JAX"; nothing for the peers.
        physics: "conduction" or "stiffness".
        laminate_rtol: how near it has to come to the laminate's exact tensor.
        largest: voxels an edge beyond which it is not asked.
    """

    name: str
    module: str
    scheme: str
    stop: str
    tolerance: float
    threads: int
    periodic: bool = True
    backend: str = ""
    physics: str = "conduction"
    laminate_rtol: float = 1e-5  # ten times the residual tolerance
    largest: int = 1 << 20

    @property
    def transforms(self) -> bool:
        """Whether it works by transforms, so that the floor is one for it."""
        return self.periodic and self.name != "fedoo"


def own(threads: int) -> list[Contender]:
    """Return this library's two schemes, each stopped as the peers stop and as it stops by itself.

    The kernels do both; JAX, which is not for processors, the first.
    """
    module = "benchmarks.contender_scalebridge"
    kernels = [
        Contender("scalebridge", module, scheme, stop, 1e-6, threads, backend="kernels")
        for scheme in ("hexahedra", "finite-volume")
        for stop in ("residual", "tensor")
    ]
    return [*kernels, replace(kernels[0], name="scalebridge, JAX", backend="JAX")]


def peers(threads: int) -> dict[str, list[Contender]]:
    """Return the peers by environment, with this library on one core beside the peer that is serial."""
    grid = Contender("muGrid", "benchmarks.contender_mugrid", "hexahedra", "residual", 1e-6, threads)
    relaxation = Contender(
        "taufactor",
        "benchmarks.contender_taufactor",
        "finite-volume, not periodic",
        "layer fluxes",
        1e-2,
        threads,
        periodic=False,
        laminate_rtol=1e-2,
    )
    return {
        "muGrid": [grid, replace(grid, scheme="finite-volume")],
        "taufactor": [relaxation, replace(relaxation, tolerance=1e-4, laminate_rtol=1e-3)],
    }


def elastic(threads: int) -> list[Contender]:
    """Return this library's elastic cell, stopped as the peers stop and as it stops by itself."""
    module = "benchmarks.contender_elastic"
    own = Contender("scalebridge", module, "hexahedra", "residual", 1e-6, threads, physics="stiffness")
    return [own, replace(own, stop="tensor")]


def elastic_peers(threads: int) -> dict[str, list[Contender]]:
    """Return the peers of the elastic task by environment."""
    spectral = Contender(
        "muGrid",
        "benchmarks.contender_mugrid_elastic",
        "hexahedra",
        "residual",
        1e-6,
        threads,
        physics="stiffness",
    )
    assembled = replace(
        spectral,
        name="fedoo",
        module="benchmarks.contender_fedoo",
        tolerance=1e-5,
        laminate_rtol=1e-3,
        largest=32,
    )
    return {"muGrid": [spectral], "fedoo": [assembled]}


def run(
    contender: Contender,
    python: str,
    case: Case,
    *,
    repeat: int,
    budget: float,
    seconds_limit: float,
    floor: str | None = None,
) -> dict[str, Any]:
    """Run one contender on one case and return what it measured of itself.

    Args:
        contender: who.
        python: its interpreter.
        case: what it solves.
        repeat: largest number of solves.
        budget: seconds after which no further solve begins.
        seconds_limit: seconds that one solve may take, for those that can be told.
        floor: interpreter that has the transform libraries, timed beside every solve; None for no floor.
    """
    job: dict[str, Any] = {
        "image": case.image,
        "conductivities": case.conductivities,
        "scheme": contender.scheme,
        "stop": contender.stop,
        "tolerance": contender.tolerance,
        "threads": contender.threads,
        "backend": contender.backend,
        "repeat": repeat,
        "budget": budget,
        "seconds_limit": seconds_limit,
    }
    if floor is not None and contender.transforms:
        components = 3 if contender.physics == "stiffness" else 1
        job["floor"] = {
            "python": floor,
            "size": case.size,
            "threads": contender.threads,
            "components": components,
        }
    return run_fresh(contender.module, python, job, contender.threads)


def laminate_error(contender: Contender, python: str, image: Path) -> float:
    """Return the largest relative error of a contender's diagonal on the laminate, at contrast 1000."""
    case = Case("laminate", str(image), 0, (1.0, 1000.0))
    found = run(contender, python, case, repeat=1, budget=0.0, seconds_limit=30.0)
    if contender.physics == "stiffness":
        exact = laminate_stiffness(case.conductivities, POISSON)
    else:
        exact = laminate_exact(case.conductivities, periodic=contender.periodic)
    return float(np.max(np.abs(np.diag(found["tensor"]) / exact - 1)))


def run_fresh(module: str, python: str, job: dict[str, Any], threads: int) -> Any:
    """Run a module in a new process on the first `threads` cores; job and result travel as JSON files."""
    environment = {**os.environ, **dict.fromkeys(_THREADS, str(threads))}
    if python != own_python():  # a peer's environment is its own; ours may be run from its sources
        environment["PYTHONPATH"] = ""
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # compile time is measured, not skipped
    with tempfile.TemporaryDirectory() as folder:
        job_path, result_path = Path(folder) / "job.json", Path(folder) / "result.json"
        job_path.write_text(json.dumps(job))
        command = [python, "-m", module, str(job_path), str(result_path)]
        with _on_cores(threads):
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        if done.returncode or not result_path.exists():
            raise ContenderFailed((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
        return json.loads(result_path.read_text())


@contextmanager
def _on_cores(threads: int) -> Iterator[None]:
    """Bind what is started to some cores: children inherit it, and thread pools respect it."""
    if not hasattr(os, "sched_setaffinity"):  # not Linux
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:threads])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
