"""A program that solves a bent bar with a memory, on any engine, and can be killed on the way."""

import argparse
import os
import signal
from pathlib import Path

import numpy as np

from fe2_samples import (
    BAR,
    BENT,
    BULK,
    FACTORS,
    FLAT,
    HARDENING,
    SHEAR,
    WIDE,
    YIELD,
    PlasticUnit,
)  # fmt: skip
from scalebridge.engine import checkpoint
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.structures.representative_volume import representative_volume
from scalebridge.structures.solve_structure import solve_structure

WATCHED = 9  # remembers something; where points are alike, roundings say which is the most stressed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--kill", default="")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--share", type=float, help="bends the wide bar, where points have equal paths")
    parser.add_argument("--volume", action="store_true", help="of voxels, that yield around a grain")
    given = parser.parse_args()
    unit = grain_in_metal() if given.volume else PlasticUnit()
    if given.kill == "step":
        unit = PlasticUnit(die_at=14)
    elif given.kill == "rank":
        unit = PlasticUnit(die_at=40, only="1")
    elif given.kill == "worker":
        unit = PlasticUnit(die_at=40, spare=os.getpid())
    elif given.kill == "checkpoint":
        die_in_the_middle_of(checkpoint, "flush", at=6)
    study = solve_structure(
        BAR if given.share is None else WIDE,
        unit,
        supports=BENT if given.share is None else FLAT,
        steps=FACTORS,
        rtol=1e-12,
        engine=given.engine,
        workers=given.workers,
        share=given.share,
        watch=[WATCHED],
        checkpoints=given.folder,
        resume=given.resume,
        progress=False,
    )
    if os.environ.get("OMPI_COMM_WORLD_RANK", "0") == "0":
        np.savez(
            given.folder / "found.npz",
            displacement=study.displacement,
            stresses=study.stresses,
            state=np.concatenate(
                [
                    v.ravel()
                    for _, v in sorted(
                        study.micro[study.critical if given.share is None else WATCHED].items()
                    )
                ]
            ),
            works=[(r.external, r.internal) for r in study.records],
            sharing=[(r.sharing, r.sampled) for r in study.records],
        )


def grain_in_metal():
    """Return a volume of voxels whose loops are compiled."""
    labels = np.zeros((6, 6, 6), int)
    labels[2:5, 1:4, 2:4] = 1
    metal = J2Plasticity(BULK, SHEAR, LinearHardening(YIELD, HARDENING))
    return representative_volume(labels, {0: metal, 1: IsotropicElastic(222.0, 167.0)}, voxel="1 um")


def die_in_the_middle_of(module, name, at):
    """Kill this process at a call of a module's function."""
    done, count = getattr(module, name), [0]

    def dying(*args):
        count[0] += 1
        if count[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return done(*args)

    setattr(module, name, dying)


if __name__ == "__main__":
    main()
