"""Workers that are stopped while they hand back large results: `python large_results.py DELAY`."""

import sys
import time

import numpy as np

from scalebridge.engine.executors import hired


def large(size):
    return np.zeros(size)


def main(delay):
    try:
        with hired("local", 2) as crew:
            crew.executor.submit(large, 1).result()
            for _ in range(4):
                crew.executor.submit(large, 20_000_000)
            time.sleep(delay)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.stdout.write("stopped")


if __name__ == "__main__":
    main(float(sys.argv[1]))
