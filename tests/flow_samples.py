"""Permeabilities made by hand for the tests of the report: every part filled, nothing solved."""

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Contribution, Upscaled
from scalebridge.grids.image import VoxelImage

VOXEL = 2e-6


def channel_pores(shape):
    """A channel along x through the middle of the other axes, half as wide as they are."""
    pores = np.zeros(shape, bool)
    pores[(slice(None), *(slice(n // 4, n - n // 4) for n in shape[1:]))] = True
    return pores


def channel_velocity(shape):
    """A flow along x that depends on the other axes only, fastest in the middle; zero in the solid."""
    pores = channel_pores(shape)
    profile = np.ones(shape)
    for axis in range(1, len(shape)):
        place = (np.arange(shape[axis]) + 0.5) / shape[axis] - 0.5
        profile = profile * np.maximum(1 / 16 - place**2, 0.0).reshape(
            [-1 if d == axis else 1 for d in range(len(shape))]
        )
    return np.stack([profile * pores, *[np.zeros(shape)] * (len(shape) - 1)])


def permeability_result(shape=(12, 16, 20), voxel=VOXEL, fields=True, curve=True, periodic=True):
    """Return a result of the kind that permeability returns, of a channel along x."""
    dim = len(shape)
    image = VoxelImage(
        channel_pores(shape).astype(np.uint8), None if voxel is None else (voxel,) * dim, periodic=periodic
    )
    area = 1.0 if voxel is None else voxel**2
    value = np.diag([3.0, 2.0, 1.0][:dim]) * area
    value[0, 1] = value[1, 0] = 0.4 * area
    slope = np.diag([4.0, 3.0, 1.0][:dim]) * area**0.5
    slips = np.array([0.0, 0.2, 0.5, 1.0]) * area**0.5
    values = [value + s * slope / (1 + s / area**0.5) for s in slips]  # concave
    stats = {
        "steps": [9] * dim,
        "residuals": [(0.4 ** np.arange(10)).tolist()] * dim,
        "errors": [(0.2 ** np.arange(10)).tolist()] * dim,
        "algebraic error": 1e-5,
        "percolating": [True] * dim,
        "porosity": 0.25,
        "porosity that flows": 0.24,
        "one-voxel throats": 0.01,
    }
    if curve:
        stats["slip curve"] = {
            "slip lengths": slips.tolist(),
            "values": [v.tolist() for v in values],
            "slopes": [(slope / (1 + s / area**0.5) ** 2).tolist() for s in slips],
            "slope": slope.tolist(),
        }
    return Upscaled(
        Spec("permeability", "1" if voxel is None else "m^2", (dim, dim), symmetric=True),
        value,
        derivatives={"slip length": slope},
        checks=(Check("symmetry", 1e-12, 1e-8, meaning="reciprocity"),),
        uncertainty={"algebraic": Contribution(0.01 * np.abs(value), "the solver's own estimate")},
        stats=stats,
        provenance=Provenance(
            {"image": {"shape": list(shape)}, "pores": {"pore": {"value": [1]}}},
            {"boundary": "periodic" if periodic else "mirrored", "rtol": 1e-4, "slip_length": 0.0},
        ),
        fields={"velocity_x": channel_velocity(shape)} if fields else {},
        notes=("A note.",),
        inputs={
            "pore": {"name": "labels", "value": [1], "unit": "1", "fraction": 0.25},
            "slip length": {"value": 0.0, "unit": "voxel edges" if voxel is None else "m"},
        },
        subject=image,
    )
