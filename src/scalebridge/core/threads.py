"""Threads for compiled kernels that release the interpreter's lock: a field is cut into slabs, one a thread.

Kernels are plain serial loops, so that they compile in a second, add up in the same order in every run, and
may be called from several threads or processes at once.
"""

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalebridge.core.crew import Crew

_WORTH_A_THREAD = 1 << 15  # numbers; waking a thread costs about as much as this many take
_CREWS: "dict[int, Crew]" = {}
_MAKING = threading.Lock()
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
        threads: number of slabs; `thread_count` unless given. Called from several threads at once, or from a
            slab, the later call does its slabs one after the other.
    """
    pieces = cuts(length, thread_count() if threads is None else threads)
    tasks = [(kernel, (start, stop, piece, *arguments)) for piece, (start, stop) in enumerate(pieces)]
    found = _crew(len(pieces) - 1).run(tasks) if len(pieces) > 1 else None
    return [task(*given) for task, given in tasks] if found is None else found


def _crew(size: int) -> "Crew":
    with _MAKING:
        if size not in _CREWS:
            from scalebridge.core.crew import Crew  # noqa: PLC0415 (compiled code, for callers with slabs only)

            _CREWS[size] = Crew(size)
        return _CREWS[size]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_CREWS.clear)  # threads do not live in the child
