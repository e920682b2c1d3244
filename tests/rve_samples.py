"""A study made by hand for the tests of what is printed, drawn and written: nothing is solved."""

import numpy as np

from scalebridge.core.provenance import Provenance
from scalebridge.core.spec import Spec
from scalebridge.grids.image import VoxelImage
from scalebridge.upscaling.rve_statistics import Sample
from scalebridge.upscaling.rve_study import study_samples
from scalebridge.upscaling.subvolumes import box_count, choose_boxes

SPEC = Spec("effective conductivity", "W/m/K", (2, 2), symmetric=True)


def made_samples(shape=(96, 96), edges=(8, 16, 32, 48), mean=5.0, noise=3.0, off=True, zeros=0, seed=0):
    """Return tensors of white noise: the variance of each component is noise² / V."""
    rng = np.random.default_rng(seed)
    dim = len(shape)
    found = []
    for edge in edges:
        size = (edge,) * dim
        origins = choose_boxes(shape, size, 64, rng)
        values = rng.normal(0, noise * edge ** (-dim / 2), (len(origins), dim, dim))
        values = 0.5 * (values + values.swapaxes(1, 2)) * np.where(np.eye(dim) > 0, 1, off)
        values += mean * np.eye(dim)
        if edge == edges[0]:
            values[:zeros] = 0.0
        found.append(Sample(size, values, origins, box_count(shape, size)))
    return found


def made_study(voxel=2e-6, wanted=0.02, point_variance=9.0, name="grain <b>", **options):
    """Return a study of such samples."""
    samples = made_samples(**options)
    dim = samples[0].values.shape[-1]
    labels = (np.random.default_rng(0).random((96,) * dim) < 0.4).astype(np.uint8)
    image = VoxelImage(labels, None if voxel is None else (voxel,) * dim, periodic=False)
    return study_samples(
        samples,
        Spec("effective conductivity", "W/m/K", (dim, dim), symmetric=True),
        labels.shape,
        point_variance=point_variance,
        wanted=wanted,
        voxel=image.voxel,
        inputs={
            "phase 0": {"name": "water", "value": 0.6, "std": 0.0, "unit": "W/m/K", "fraction": 0.6},
            "phase 1": {"name": name, "value": 7.7, "std": 0.0, "unit": "W/m/K", "fraction": 0.4},
        },
        provenance=Provenance({"image": {"file": "rock.tif", "shape": list(labels.shape)}}, {"seed": 0}),
        stats={"computed": 3, "reused": 2, "damaged": 1},
        subject=image,
    )
