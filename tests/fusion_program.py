"""A fusion that kills itself (kill -9) after some tiles: `python fusion_program.py FOLDER TILES`.

With `python fusion_program.py FOLDER slowly ENGINE` it goes on, but waits half a second after each tile, so
that it can be stopped from outside.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

import scalebridge as sb
from scalebridge.engine.array_store import ArrayStore


def sensors(folder):
    """Sensors whose values lie in a file and are mapped."""
    return [
        sb.Sensor(
            "coarse", np.load(folder / "coarse.npy", mmap_mode="r"), range(9), footprint=4, bias="constant"
        ),
        sb.Sensor("fine", np.load(folder / "fine.npy", mmap_mode="r"), range(0, 9, 3), offset=True),
    ]


def run(folder, **options):
    """Fuse what lies in a folder."""
    known = {
        "random-walk std": 0.2, "random-walk start": 1.0, "coarse noise": 0.1, "fine noise": 0.1,
        "coarse bias std": 0.3, "fine offset": 0.1,
    }  # fmt: skip
    model = sb.FusionModel(space="independent", parameters=known)
    return sb.fuse(sensors(folder), model, footprints=6, output=folder / "field.nc", tile=8, **options)


def main():
    """Kill this process when so many tiles are kept, or wait after each."""
    folder, how = Path(sys.argv[1]), sys.argv[2]
    kept, put = [], ArrayStore.put

    def counted(self, key, result):
        put(self, key, result)
        kept.append(key)
        if how == "slowly":
            time.sleep(0.5)
        elif len(kept) == int(how):
            os.kill(os.getpid(), signal.SIGKILL)

    ArrayStore.put = counted
    options = {}
    if how == "slowly":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's would be deaf
        options = {"engine": sys.argv[3], "workers": None if sys.argv[3] == "serial" else 2}
    run(folder, **options)


if __name__ == "__main__":
    main()
