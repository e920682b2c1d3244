"""Shared by all tests: compiled code is kept between runs, and shapes are checked at run time."""

import os
from pathlib import Path

_CACHE = Path(__file__).parent.parent / ".jax_cache"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
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

# What is known to be wrong and not mended yet, by the end of its name; each is to leave this list.
OPEN = {
    "test_float32_reaches_the_stop_that_float64_does[uniform-stress]": "estimated, not bounded: 3 % over",
}


def pytest_collection_modifyitems(items):
    """Expect the open ones to fail, each for its reason."""
    for item in items:
        reason = next((why for name, why in OPEN.items() if item.name.startswith(name)), None)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=f"open: {reason}", strict=False))
