"""Threads for compiled kernels that release the interpreter's lock: a field is cut into slabs, one a thread.

Kernels are plain serial loops, so that they compile in a second, add up in the same order in every run, and
may be called from several threads or processes at once.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

_WORTH_A_THREAD = 1 << 15  # numbers; waking a thread costs about as much as this many take
VARIABLE = "SCALEBRIDGE_THREADS"
"""Environment variable with the number of threads; a farm of processes sets it to 1 for its workers."""


def thread_count() -> int:
    """Return how many threads kernels and transforms may use: the variable's, else the cores of this process.

    Example:
        >>> thread_count() >= 1
        True
    """
    asked = os.environ.get(VARIABLE, "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return max(1, len(os.sched_getaffinity(0)))


def threads_for(size: int) -> int:
    """Return how many threads work on `size` numbers is worth: one below some ten thousand.

    Example:
        >>> threads_for(100)
        1
    """
    return thread_count() if size >= _WORTH_A_THREAD else 1


def cuts(length: int, parts: int) -> list[tuple[int, int]]:
    """Cut a length into at most `parts` pieces that differ by one at most.

    Example:
        >>> cuts(5, 2)
        [(0, 2), (2, 5)]
    """
    parts = max(1, min(parts, length))
    return [(t * length // parts, (t + 1) * length // parts) for t in range(parts)]


def in_slabs(
    kernel: Callable[..., Any], length: int, *arguments: Any, threads: int | None = None
) -> list[Any]:
    """Run kernel(start, stop, piece, *arguments) for every slab at once; return what each gave, in order.

    Args:
        kernel: compiled code that releases the interpreter's lock.
        length: what is cut into slabs.
        arguments: handed on as they are.
        threads: number of slabs; `thread_count` unless given.
    """
    pieces = cuts(length, thread_count() if threads is None else threads)
    if len(pieces) == 1:
        return [kernel(*pieces[0], 0, *arguments)]
    pool = _pool(len(pieces) - 1)
    others = [
        pool.submit(kernel, start, stop, piece, *arguments)
        for piece, (start, stop) in enumerate(pieces)
        if piece > 0
    ]
    first = kernel(*pieces[0], 0, *arguments)  # this thread works too
    return [first, *(other.result() for other in others)]


@lru_cache(maxsize=8)
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="scalebridge")
