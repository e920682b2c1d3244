"""Functions for the tests of the engine, in a module that worker processes can import."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from scalebridge.core.threads import thread_count


def square(number):
    return {"number": number, "square": number**2, "row": np.arange(number) / 3.0}


def slow_square(number, seconds, folder):
    """Leave a mark of having begun, work, and leave one of having ended."""
    mark = Path(folder) / f"{os.getpid()}-{number}"
    mark.with_suffix(".begun").touch()
    time.sleep(seconds)
    mark.with_suffix(".ended").touch()
    return number**2


def fail_on(number, bad):
    if number in bad:
        raise ValueError(f"{number} is not to be had")
    return number


def die_on(number, bad):
    """End the process without a word, as the system does when memory runs out."""
    if number in bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def surroundings(number):
    names = ("SCALEBRIDGE_THREADS", "OMP_NUM_THREADS", "NPROC", "XLA_FLAGS")
    told = {name: os.environ.get(name, "") for name in names}
    return {"pid": os.getpid(), "number": number, "threads": thread_count(), **told}
