"""Slabs in several threads: in order, whole, and with what they raise, whoever else calls."""

import gc
import os
import threading
import time
import weakref

import numpy as np
import pytest

from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import cuts


def spans(start, stop, piece, *more):
    return start, stop, piece, threading.get_ident(), *more


def test_each_slab_is_done_once_in_order_by_threads_of_its_own():
    for threads in (1, 2, 3, 5):
        found = in_slabs(spans, 7, "given", threads=threads)
        assert [one[:3] for one in found] == [(*cut, piece) for piece, cut in enumerate(cuts(7, threads))]
        assert {one[4] for one in found} == {"given"}
        assert len({one[3] for one in found}) == threads
        assert found[0][3] == threading.get_ident()


def test_many_calls_after_pauses_that_let_workers_sleep():
    for pause in (0, 0, 1e-3, 0, 1e-2):
        time.sleep(pause)
        assert [one[2] for one in in_slabs(spans, 4, threads=2)] == [0, 1]


@pytest.mark.parametrize("failing", [0, 1])
def test_what_a_slab_raises_is_raised_once_all_have_ended_and_the_next_call_is_sound(failing):
    ended = []

    def work(start, stop, piece):
        if piece == failing:
            raise ValueError(f"slab {piece}")
        time.sleep(0.02)
        ended.append(piece)

    with pytest.raises(ValueError, match=f"slab {failing}"):
        in_slabs(work, 2, threads=2)
    assert ended == [1 - failing]
    assert [one[2] for one in in_slabs(spans, 2, threads=2)] == [0, 1]


def test_an_interrupt_between_slabs_leaves_no_answer_for_the_next_call():
    def work(start, stop, piece):
        if piece == 0:
            raise KeyboardInterrupt
        time.sleep(0.02)
        return "late"

    with pytest.raises(KeyboardInterrupt):
        in_slabs(work, 2, threads=2)
    assert [one[2] for one in in_slabs(spans, 2, threads=2)] == [0, 1]


def test_slabs_within_slabs_and_several_callers_at_once_are_done():
    def outer(start, stop, piece):
        return [one[2] for one in in_slabs(spans, 4, threads=2)]

    assert in_slabs(outer, 2, threads=2) == [[0, 1], [0, 1]]
    sums = []

    def call():
        sums.extend(sum(in_slabs(lambda a, b, _: sum(range(a, b)), 100, threads=2)) for _ in range(50))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sums == [4950] * 200


def test_a_waiting_worker_keeps_nothing_alive():
    array = np.ones(10)
    gone = weakref.ref(array)
    in_slabs(lambda a, b, c, given: given.sum(), 2, array, threads=2)
    in_slabs(lambda a, b, c: None, 2, threads=2)
    del array
    gc.collect()
    deadline = time.monotonic() + 5
    while gone() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:os.fork:RuntimeWarning")
def test_a_forked_process_has_threads_of_its_own():
    in_slabs(spans, 2, threads=2)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if [one[2] for one in in_slabs(spans, 2, threads=2)] == [0, 1] else 1)
        finally:
            os._exit(2)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.02)
    os.kill(child, 9)
    pytest.fail("the child's slabs hung")
