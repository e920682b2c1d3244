"""Results made by hand for the tests of the report: every part filled, nothing solved."""

from functools import cache

import numpy as np

from scalebridge.cells.effective_laminate import effective_laminate
from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound, Contribution, Upscaled
from scalebridge.grids.image import VoxelImage

HOSTILE = "<script>alert('x')</script> & \"quoted\" $x^2$"
VALUE = np.array([[5.4321, 0.0123, 0.0], [0.0123, 5.1111, -0.0456], [0.0, -0.0456, 4.9876]])
PARTS = {"inputs": 0.19, "voxel size": 0.05}


def ball_labels(shape=(12, 14, 16), radius=4.5):
    """A ball of label 1 in a matrix of label 0, and a corner of label 2."""
    grid = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"))
    centre = np.array(shape)[:, None, None, None] / 2
    labels = (np.sum((grid - centre) ** 2, axis=0) < radius**2).astype(np.uint8)
    labels[:3, :3, :3] = 2
    return labels


def made_result(labels=None, voxel=3e-6, names=("water", HOSTILE, "clay"), failing=False, fields=True):
    """Return a result of the kind that effective_conductivity returns."""
    labels = ball_labels() if labels is None else labels
    dim = labels.ndim
    image = VoxelImage(labels, None if voxel is None else (voxel,) * dim, periodic=False)
    value = VALUE[:dim, :dim]
    worth = {0: 0.6, 1: 7.7, 2: 2.0}
    checks = [
        Check("Hill-Mandel", 1.2e-9, 1e-6, meaning="the mean of the products is the product of the means"),
        Check("within bounds", 0.11, -1e-10, "at least", "distance to the nearer bound"),
        Check("solver error", 3e-2 if failing else 3e-7, 1e-6, meaning="estimated by the solver"),
    ]
    steps = np.arange(9)
    eye = np.eye(dim)
    shape = np.array(labels.shape)
    wave = np.sin(2 * np.pi * np.arange(shape[0]) / shape[0]).reshape(-1, *[1] * (dim - 1)) * np.ones(
        labels.shape
    )
    flux = {
        f"flux_{'xyz'[i]}": value[i, i] * eye[i].reshape(-1, *[1] * dim) * (1 + 0.5 * wave)
        for i in range(dim)
    }
    return Upscaled(
        spec=Spec("effective conductivity", "W/m/K", (dim, dim), symmetric=True),
        value=value,
        derivatives={f"phase {p}": (None if p == 2 else 0.3 * value / worth[p]) for p in image.phases},
        checks=tuple(checks),
        bounds={
            "Voigt-Reuss": Bound(0.2 * eye, 6.5 * eye, "the tensor", "Wiener 1912"),
            "Hashin-Shtrikman": Bound(
                np.asarray(4.1),
                np.asarray(5.9),
                "the mean of the principal values",
                "Hashin & Shtrikman 1962",
            ),
            "discretisation": Bound(0.97 * value, value, "the tensor of these voxels", "two discretisations"),
        },
        uncertainty={name: Contribution(part * (0.02 + eye), f"how {name}") for name, part in PARTS.items()},
        stats={
            "steps": [8] * dim,
            "residuals": [(0.3**steps).tolist() for _ in range(dim)],
            "errors": [(0.1**steps).tolist() for _ in range(dim)],
            "algebraic error": 1e-8,
            "percolating": [True] * dim,
        },
        provenance=Provenance(
            {"image": {"sha256": "ab" * 32, "shape": list(labels.shape), "file": "folder/rock.tif"}},
            {"scheme": "both", "rtol": 1e-6, "residual_rtol": 1e-3, "uncertainty": "linear", "samples": 32},
            {"scalebridge": "0.1.0", "numpy": "2.4.6"},
            {"python": "3.11"},
            "2026-01-02T03:04:05+00:00",
            {"solving": 1.25},
        ),
        fields=flux if fields else {},
        notes=("The image was reflected.", f"A note with a name: {HOSTILE}"),
        inputs={
            f"phase {p}": {
                "name": names[p],
                "value": worth[p],
                "std": 0.3 if p == 1 else 0.0,
                "unit": "W/m/K",
                "fraction": image.fractions[p],
            }
            for p in image.phases
        },
        subject=image,
    )


def formation_result():
    """Return a ratio: a conductor of 1 with fraction 1/4 among insulators of 0."""
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[::2, ::2] = 1
    value = np.diag([0.05, 0.04, 0.0625])
    inputs = {
        "phase 0": {"name": "grain", "value": 0.0, "std": 0.0, "unit": "1", "fraction": 0.75},
        "phase 1": {"name": "brine", "value": 1.0, "std": 0.0, "unit": "1", "fraction": 0.25},
    }
    spec = Spec("effective conductivity", "1", (3, 3), symmetric=True)
    return Upscaled(spec, value, inputs=inputs, subject=VoxelImage(labels))


@cache
def laminate_result():
    """Return a solved wall of three layers."""
    layers = [
        ("24 cm", {"value": "0.5 W/m/K", "std": 0.05, "name": "brick"}),
        ("12 cm", {"value": "0.04 W/m/K", "name": "wool"}),
        ("1 cm", "0.2 W/m/K"),
    ]
    return effective_laminate(layers, normal=(1, 0))
