"""How loops are compiled: without the interpreter's lock, kept on disk, and, row by row, without aliases."""

from collections.abc import Callable
from typing import Any

import numba
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.extending import intrinsic

_FASTMATH = {"contract", "reassoc", "nsz"}  # sums may be regrouped; NaN and infinity keep their meaning


class _NoAlias(CompilerBase):
    """Tells the compiler that the arrays a function is given do not overlap, so that its loops vectorise."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


# A division by zero gives infinity, as in NumPy: the branch that would raise keeps loops from vectorising.
kernel = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=_FASTMATH)
"""Compile a loop over a slab; see `slabs.in_slabs`."""

row_kernel = numba.njit(
    nogil=True,
    cache=True,
    error_model="numpy",
    fastmath=_FASTMATH,
    pipeline_class=_NoAlias,
    forceinline=True,
)
"""Compile a loop over a row of voxels. An array that is written must not overlap with any other argument;
numbers that the loop needs are passed as scalars of the field's type."""

exact_kernel = numba.njit(nogil=True, cache=True, error_model="numpy")
"""Compile a loop whose sums keep their order: its bits do not depend on how its callers were compiled."""

inlined = numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
"""Compile a piece of such a loop that becomes part of its caller: its tuples of `lanes` are registers."""


def instructions(typed: Callable[..., Any]) -> Any:
    """Make a function of compiled code from its maker, which is given a context that the function is not."""
    return intrinsic(typed)
