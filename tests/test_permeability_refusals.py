"""Bad input to the permeability: each refused within a second, by name, with what to do about it."""

import time

import numpy as np
import pytest

import scalebridge
from scalebridge.core.errors import (
    FileFormatError,
    ImageError,
    InputError,
    PhaseError,
    ResourceError,
    UnitError,
)

SLIT = np.zeros((4, 6), int)
SLIT[:, 2:4] = 1
CLOSED = np.zeros((5, 5), int)
CLOSED[2, 2:4] = 1
OBLIQUE = np.eye(6, dtype=int) + np.roll(np.eye(6, dtype=int), 1, 1) + np.roll(np.eye(6, dtype=int), 2, 1)
WOUND = np.array([[1, 0, 0, 0], [1, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 1]])  # across y's faces and back
TOUCHING = np.eye(6, dtype=int)  # voxels that share an edge alone
GREY = np.arange(4096).reshape(64, 64)
SECONDS = 1.0


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """What is timed is the refusal, not the first import."""
    scalebridge.permeability(SLIT, pore=1, voxel="1 um")


def missing(folder):
    return folder / "nowhere.tif"


def text(folder):
    (folder / "scan.tif").write_text("this is no image")
    return folder / "scan.tif"


# name, image (or a function of a folder), options over pore=1 and voxel="1 um", error, argument, words
ROWS = [
    ("no pore named", SLIT, {"pore": None}, PhaseError, "pore", "no label", "pore=0"),
    ("a label that is not there", SLIT, {"pore": 7}, PhaseError, "pore", "7", "inspect"),
    ("a name that is not there", SLIT, {"pore": "void"}, PhaseError, "pore", "'void'", "inspect"),
    ("one label of two is not there", SLIT, {"pore": [1, 9]}, PhaseError, "pore", "9", "inspect"),
    ("an empty list of pores", SLIT, {"pore": []}, PhaseError, "pore", "no label", "inspect"),
    ("all pore", np.ones((4, 4), int), {}, PhaseError, "pore", "fill the whole image", "check"),
    ("all labels are pores", SLIT, {"pore": [0, 1]}, PhaseError, "pore", "0, 1", "check"),
    ("no pore", np.zeros((4, 4), int), {}, PhaseError, "pore", "1", "inspect"),
    ("booleans without a pore", np.zeros((4, 4), bool), {"pore": None}, PhaseError, "pore", "1", "inspect"),
    ("pores that do not percolate", CLOSED, {}, PhaseError, "pore", "percolate along no axis", "inspect"),
    ("pores that touch at edges alone", TOUCHING, {}, PhaseError, "pore", "along no axis",
     "threshold"),
    ("a path that only a torus has", WOUND, {"boundary": "sealed"}, PhaseError, "pore", "percolate",
     "inspect"),
    ("slip on a staircase", OBLIQUE, {"slip_length": "1 um"}, InputError, "slip_length", "voxel faces",
     "cut cells"),
    ("negative slip", SLIT, {"slip_length": "-1 um"}, InputError, "slip_length", "-1", "leave it out"),
    ("infinite slip", SLIT, {"slip_length": "inf um"}, InputError, "slip_length", "inf", "leave it out"),
    ("slip without a unit", SLIT, {"slip_length": 0.5}, UnitError, "slip_length", "0.5", "0.5 m"),
    ("slip of another dimension", SLIT, {"slip_length": "1 s"}, UnitError, "slip_length", "1 s", "m"),
    ("slip with a unit on voxels without", SLIT, {"slip_length": "1 um", "voxel": "cubic"}, UnitError,
     "slip_length", "1 um", ""),
    ("no voxel size", SLIT, {"voxel": None}, ImageError, "voxel", "no voxel size", "3 um"),
    ("voxel without a unit", SLIT, {"voxel": "3"}, InputError, "voxel", "3", ""),
    ("voxel of length zero", SLIT, {"voxel": "0 um"}, InputError, "voxel", "0", ""),
    ("voxel whose square is nothing", SLIT, {"voxel": "1e-200 m"}, ImageError, "voxel", "1e-200", "unit"),
    ("cells of an image", SLIT, {"cells": 16}, InputError, "cells", "16", "coarsen"),
    ("an unknown solver", SLIT, {"solver": "fft"}, InputError, "solver", "'fft'", "choose"),
    ("an unknown boundary", SLIT, {"boundary": "open"}, InputError, "boundary", "'open'", "choose"),
    ("an unknown budget", SLIT, {"budget": "all"}, InputError, "budget", "'all'", "choose"),
    ("rtol of zero", SLIT, {"rtol": 0.0}, InputError, "rtol", "0.0", "1e-6"),
    ("rtol in words", SLIT, {"rtol": "small"}, InputError, "rtol", "small", "1e-6"),
    ("no steps", SLIT, {"max_steps": 0}, InputError, "max_steps", "0", "1"),
    ("absurd memory", SLIT, {"memory_limit": 100.0}, ResourceError, "image of 4 x 6 voxels", "GiB",
     "crop"),
    ("memory in words", SLIT, {"memory_limit": "8 GB"}, InputError, "memory_limit", "8 GB", "8e9"),
    ("one slice in 3-D", SLIT[..., None], {}, ImageError, "image", "(4, 6, 1)", "squeeze"),
    ("four axes", np.ones((2, 2, 2, 2), int), {}, InputError, "image", "(2, 2, 2, 2)", ""),
    ("grey without a threshold", GREY, {}, ImageError, "image", "4096", "otsu"),
    ("a threshold on labels", scalebridge.VoxelImage(SLIT), {"threshold": 1}, InputError, "threshold", "1",
     "grey"),
    ("no file", missing, {}, FileFormatError, None, "nowhere.tif", ""),
    ("a file that is no image", text, {}, FileFormatError, None, "scan.tif", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("image", "options", "error", "argument", "words"),
    [(r[1], r[2], r[3], r[4], r[5:]) for r in ROWS],
    ids=[r[0] for r in ROWS],
)
def test_bad_input_is_refused_at_the_door_with_a_cure(image, options, error, argument, words, tmp_path):
    given = image(tmp_path) if callable(image) else image
    begun = time.perf_counter()
    with pytest.raises(error) as caught:
        scalebridge.permeability(given, **{"pore": 1, "voxel": "1 um", **options})
    assert time.perf_counter() - begun < SECONDS
    told = caught.value
    if argument is not None:
        assert told.argument == argument
    for word in words:
        assert word in str(told), str(told)
    assert told.cure
