"""Threads for compiled kernels that release the interpreter's lock: a field is cut into slabs, one a thread.

Kernels are plain serial loops, so that they compile in a second, add up in the same order in every run, and
may be called from several threads or processes at once.
"""

import os

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
