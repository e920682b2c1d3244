"""Slabs of a field in several threads, which stand by between short pieces of work.

A thread that sleeps takes some ten microseconds to wake, and whoever waits for it as long again. A step of a
solve has four pieces of some hundred microseconds, so that would be a tenth of its time. Threads here look
out for work for a little longer before they sleep, and the caller likewise for answers, without the
interpreter's lock: in between two pieces of a step nobody falls asleep.
"""

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import numpy as np
from numba import types

from scalebridge.core.compiled import instructions, kernel
from scalebridge.core.threads import cuts, thread_count

_CREWS: "dict[int, Crew]" = {}
_MAKING = threading.Lock()
_LOOKS = 1 << 18  # how often a thread looks before it sleeps: some eighty microseconds


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


@instructions
def _peek(_context, counter):
    """Read a number that another thread writes, anew each time."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(data, ordering="acquire", align=8)

    return types.int64(counter), generate


@kernel
def _look_out(counter, number, looks):
    """Return when a counter has come to a number, or after so many looks."""
    while looks > 0 and _peek(counter) < number:
        looks -= 1


class Worker:
    """A thread, and what it is asked and answers, in order.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str):
        self._asked, self._answered = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self._tasks: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        self._count = 0
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def ask(self, task: Callable[..., Any], *arguments: Any) -> int:
        """Hand over a task; return its number."""
        self._count += 1
        self._tasks.put((task, arguments))
        self._asked[0] = self._count
        return self._count

    def answer(self, number: int) -> tuple[Any, BaseException | None]:
        """Wait for what a task returned or raised; what an interrupted caller left behind is dropped."""
        _look_out(self._answered, number, _LOOKS)
        while True:
            found, value, error = self._answers.get()
            if found == number:
                return value, error

    def _work(self) -> None:
        number = 0
        while True:
            number += 1
            _look_out(self._asked, number, _LOOKS)
            task, arguments = self._tasks.get()
            value, error = None, None
            try:
                value = task(*arguments)
            except BaseException as raised:
                error = raised
            self._answers.put((number, value, error))
            self._answered[0] = number
            del task, arguments, value, error  # nothing is kept alive by a thread that waits


class Crew:
    """Some workers, for one caller at a time.

    Args:
        size: how many.
    """

    def __init__(self, size: int):
        self._workers = [Worker(f"scalebridge-{number}") for number in range(size)]
        self._busy = threading.Lock()

    def run(self, tasks: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Any] | None:
        """Do one task more than there are workers at once, the first in the calling thread.

        Returns:
            what each gave, in order; None, and nothing done, where the workers have another caller.

        Raises:
            what the first task raised that raised anything, once all have ended.
        """
        if not self._busy.acquire(blocking=False):
            return None
        try:
            numbers = [
                worker.ask(task, *given)
                for worker, (task, given) in zip(self._workers, tasks[1:], strict=True)
            ]
            try:
                first = tasks[0][0](*tasks[0][1])
            finally:
                others = [
                    worker.answer(number) for worker, number in zip(self._workers, numbers, strict=True)
                ]
        finally:
            self._busy.release()
        for _, error in others:
            if error is not None:
                raise error
        return [first, *(value for value, _ in others)]


def _crew(size: int) -> Crew:
    with _MAKING:
        if size not in _CREWS:
            _CREWS[size] = Crew(size)
        return _CREWS[size]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_CREWS.clear)  # threads do not live in the child
