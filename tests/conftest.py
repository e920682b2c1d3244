"""Shared by all tests: compiled code is kept between runs, and shapes are checked at run time."""

import os
from pathlib import Path

_CACHE = Path(__file__).parent.parent / ".jax_cache"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

_SOURCES = Path(__file__).parent.parent / "src"


def _checked_modules() -> list[str]:
    """Every module but those with compiled kernels: what is checked cannot be compiled."""
    return [
        ".".join(path.relative_to(_SOURCES).with_suffix("").parts)
        for path in sorted((_SOURCES / "scalebridge").rglob("*.py"))
        if path.name != "__init__.py" and "core.compiled import" not in path.read_text(encoding="utf-8")
    ]


# Every annotated array in the package is held to its dtype and shape while the tests run.
install_import_hook(_checked_modules(), "shape_checker.shapes_only")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
