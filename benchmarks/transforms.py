"""The floor: one forward and one inverse real transform in float64, by the fastest library at hand.

Every scheme here needs one such pair an iteration, so iterations times this time is what a solver with free
stencils and free vector operations would take.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measure import best_seconds

Pair = Callable[[], object]


def scipy_pair(field: np.ndarray, threads: int) -> Pair:
    import scipy.fft  # noqa: PLC0415 (a library that is absent must not stop the others)

    def pair():
        half = scipy.fft.rfftn(field, workers=threads)
        return scipy.fft.irfftn(half, s=field.shape, workers=threads, overwrite_x=True)

    return pair


def ducc_pair(field: np.ndarray, threads: int) -> Pair:
    import ducc0  # noqa: PLC0415

    half, back = np.empty(_half(field), dtype=complex), np.empty_like(field)

    def pair():
        ducc0.fft.r2c(field, out=half, nthreads=threads)
        size = field.shape[-1]
        return ducc0.fft.c2r(
            half,
            out=back,
            lastsize=size,
            forward=False,
            inorm=2,
            nthreads=threads,
            allow_overwriting_input=True,
        )

    return pair


def fftw_pair(field: np.ndarray, threads: int) -> Pair:
    import pyfftw  # noqa: PLC0415

    real = pyfftw.empty_aligned(field.shape, dtype="float64")
    half = pyfftw.empty_aligned(_half(field), dtype="complex128")
    axes = tuple(range(field.ndim))
    forward = pyfftw.FFTW(real, half, axes=axes, threads=threads, flags=["FFTW_MEASURE"])
    inverse = pyfftw.FFTW(
        half,
        real,
        axes=axes,
        threads=threads,
        direction="FFTW_BACKWARD",
        flags=["FFTW_MEASURE", "FFTW_DESTROY_INPUT"],
    )
    real[...] = field

    def pair():
        forward()
        return inverse(normalise_idft=True)

    return pair


LIBRARIES = {"scipy.fft": scipy_pair, "ducc0": ducc_pair, "pyFFTW": fftw_pair}


def measured(size: int, threads: int) -> dict[str, float | None]:
    """Return the seconds of a pair by library; None for one that is absent."""
    field = np.random.default_rng(1).normal(size=(size,) * 3)
    pairs = _pairs(field, threads)
    return {name: None if pair is None else best_seconds(pair) for name, pair in pairs.items()}


def serve(size: int, threads: int) -> None:
    """Answer each line that comes in with the seconds of ten pairs by library, as JSON in one line."""
    pairs = _pairs(np.random.default_rng(1).normal(size=(size,) * 3), threads)
    print("ready", flush=True)
    for _ in sys.stdin:
        found = {name: _seconds(pair) for name, pair in pairs.items() if pair is not None}
        print(json.dumps(found), flush=True)


def _seconds(pair: Pair) -> list[float]:
    found = []
    for _ in range(10):
        start = time.perf_counter()
        pair()
        found.append(time.perf_counter() - start)
    return found


def _pairs(field: np.ndarray, threads: int) -> dict[str, Pair | None]:
    found: dict[str, Pair | None] = {}
    for name, make in LIBRARIES.items():
        try:
            pair = make(field, threads)
        except ImportError:
            found[name] = None
            continue
        np.testing.assert_allclose(pair(), field, atol=1e-12)  # it is a pair: it gives back what it got
        found[name] = pair
    return found


def _half(field: np.ndarray) -> tuple[int, ...]:
    return (*field.shape[:-1], field.shape[-1] // 2 + 1)


if __name__ == "__main__" and sys.argv[1] == "serve":
    serve(int(sys.argv[2]), int(sys.argv[3]))
elif __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text())
    table = {str(size): measured(size, job["threads"]) for size in job["sizes"]}
    Path(sys.argv[2]).write_text(json.dumps(table))
