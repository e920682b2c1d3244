"""Shared by all tests: compiled code is kept between runs, and shapes are checked at run time."""

import os
from pathlib import Path

_CACHE = Path(__file__).parent.parent / ".jax_cache"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

# Every annotated array in the package is held to its dtype and shape while the tests run.
install_import_hook("scalebridge", "shape_checker.shapes_only")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
