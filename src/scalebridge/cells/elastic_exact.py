"""The elastic cells with exact answers: layers, coated spheres, equal shear, Levin's relation, rigid spheres.

Stiffnesses are in Mandel notation (11, 22, 33, 23, 13, 12).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scalebridge.cells.elastic_problems import VOLUME, ElasticProblem, Image, Material
from scalebridge.cells.laminate_elasticity import laminate_elasticity
from scalebridge.grids.balls import sphere_lattice
from scalebridge.grids.composite_shapes import composite_from_shape
from scalebridge.grids.generators import checkerboard, laminate_image
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.elastic_material import elastic_material
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.mean_field import coated_sphere_bulk


def elastic_problems() -> tuple[ElasticProblem, ...]:
    """Return the elastic problems.

    Example:
        >>> len({problem.name for problem in elastic_problems()}) == len(elastic_problems())
        True
    """
    return (
        homogeneous_problem(),
        *(laminate_problem(axis) for axis in range(3)),
        coated_sphere_problem((22 / 3, 5.0), (4.0, 3.0), 0.5, constants={"hexahedra": 0.6, "b-bar": 0.6}),
        coated_sphere_problem((0.0, 0.0), (4.0, 3.0), 0.5, constants={"hexahedra": 1.0, "b-bar": 1.0}),
        equal_shear_problem(1.0, (1.0, 10.0), 0.3),
        equal_shear_plane_problem(1.0, (2.0, 20.0), 0.3),
        levin_problem((1.0, 10.0), (1e-5, 2e-6), 0.3),
    )


def homogeneous_problem() -> ElasticProblem:
    """Return one anisotropic material under two labels."""
    exact = elastic_material(**_FIBRE)
    return ElasticProblem(
        "homogeneous, anisotropic",
        lambda cells: checkerboard(cells, dim=3),
        {0: _FIBRE, 1: _FIBRE},
        lambda image, found: {"stiffness": exact.stiffness(), "expansion": exact.expansion()},
        "one material under two labels",
        cells=8,
    )


def laminate_problem(axis: int) -> ElasticProblem:
    """Return three layers across an axis: isotropic, along fibres, and along fibres that lie askew.

    Args:
        axis: 0, 1 or 2.
    """
    shares = (0.25, 0.25, 0.5)
    materials = (_RESIN, _FIBRE, _ASKEW)
    made = [elastic_material(**material) for material in materials]
    stiffness, expansion = laminate_elasticity(
        np.asarray(shares),
        np.stack([m.stiffness() for m in made]),
        np.stack([m.expansion() for m in made]),
        np.eye(3)[axis],
    )
    exact = {"stiffness": np.asarray(stiffness), "expansion": np.asarray(expansion)}
    return ElasticProblem(
        f"layers across {'xyz'[axis]}",
        lambda cells: laminate_image(shares, cells, axis=axis),
        dict(enumerate(materials)),
        lambda image, found: exact,
        "Backus 1962, Francfort & Murat 1986",
        cells=8,
    )


def coated_sphere_problem(
    core: tuple[float, float],
    coat: tuple[float, float],
    ratio: float,
    *,
    radius: float = 0.4,
    shear: float = 2.0,
    constants: Mapping[str, float] | None = None,
) -> ElasticProblem:
    """Return Hashin's neutral coated sphere: in a matrix of its own bulk modulus it disturbs nothing.

    With the bulk modulus of the coated sphere, K = K2 + c / (1 / (K1 - K2) + 3 (1 - c) / (3 K2 + 4 G2)), as
    that of the matrix, a uniform dilatation outside is the exact field, whatever the matrix's shear modulus
    and whatever lies around: the cell's bulk modulus is K.

    Args:
        core: bulk and shear modulus of the core, label 2; zeros for a pore.
        coat: those of the coat, label 1.
        ratio: inner radius over outer, (0, 1).
        radius: outer radius in units of the edge, below 1/2.
        shear: shear modulus of the matrix, label 0.
        constants: of the error, by scheme.

    Source: Z. Hashin, J. Appl. Mech. 29 (1962) 143.
    """
    share = ratio**3
    bulk = float(coated_sphere_bulk(share, core[0], *coat))  # type: ignore[arg-type]
    materials = {0: _moduli(bulk, shear), 1: _moduli(*coat), 2: _moduli(*core)}

    def label_at(points: np.ndarray) -> np.ndarray:
        away = np.sum((points - 0.5) ** 2, axis=-1)
        return (away <= radius**2).astype(int) + (away <= (ratio * radius) ** 2)

    def normal_at(points: np.ndarray) -> np.ndarray:
        return points - 0.5

    return ElasticProblem(
        f"neutral coated {'pore' if core[0] == 0 else 'sphere'}, core {core[0]:.4g}",
        lambda cells: VoxelImage(_sampled(label_at, cells)),
        materials,
        lambda image, found: {"bulk modulus": bulk},
        "Hashin 1962",
        cells=16,
        order=1.0,
        constants=constants or {"hexahedra": 1.0},
        composite=lambda cells: composite_from_shape(label_at, cells, normal_at=normal_at),
    )


def equal_shear_problem(shear: float, bulk: tuple[float, float], share: float) -> ElasticProblem:
    """Return two phases of equal shear modulus: isotropic, with 1 / (K + 4 G / 3) the mean of the phases'.

    Args:
        shear: shear modulus of both.
        bulk: bulk moduli of labels 0 and 1.
        share: volume fraction of label 1.

    Source: R. Hill, J. Mech. Phys. Solids 11 (1963) 357.
    """

    def exact(image: Image, found: np.ndarray) -> Mapping[str, Any]:
        rest = 4 * shear / 3
        mean = sum(image.fractions[label] / (bulk[label] + rest) for label in (0, 1))
        return {"stiffness": np.asarray(isotropic_stiffness(1 / mean - rest, shear))}

    return ElasticProblem(
        f"equal shear modulus, bulk moduli {bulk[0]:g} and {bulk[1]:g}",
        lambda cells: smooth_blobs(cells, share),
        {0: _moduli(bulk[0], shear), 1: _moduli(bulk[1], shear)},
        exact,
        "Hill 1963",
        cells=16,
        order=1.0,
        constants={"hexahedra": 2.0, "b-bar": 2.0, "reduced": 2.0},
    )


def equal_shear_plane_problem(shear: float, bulk: tuple[float, float], share: float) -> ElasticProblem:
    """Return two phases of equal shear modulus in plane strain: 1 / (k + G) is the mean of the phases'.

    Args:
        shear: shear modulus of both.
        bulk: plane-strain bulk moduli, lambda + G, of labels 0 and 1.
        share: volume fraction of label 1.

    Source: R. Hill, J. Mech. Phys. Solids 12 (1964) 199.
    """

    def exact(image: Image, found: np.ndarray) -> Mapping[str, Any]:
        mean = sum(image.fractions[label] / (bulk[label] + shear) for label in (0, 1))
        k = 1 / mean - shear
        plane = np.array([[k + shear, k - shear, 0], [k - shear, k + shear, 0], [0, 0, 2 * shear]])
        return {"plane-strain stiffness": plane}

    materials = {label: {"lame": k - shear, "shear": shear} for label, k in enumerate(bulk)}
    return ElasticProblem(
        f"equal shear modulus in plane strain, {bulk[0]:g} and {bulk[1]:g}",
        lambda cells: smooth_blobs(cells, share, dim=2),
        materials,
        exact,
        "Hill 1964",
        cells=32,
        order=1.0,
        constants={"hexahedra": 2.0, "b-bar": 2.0, "reduced": 2.0},
    )


def levin_problem(bulk: tuple[float, float], expansions: tuple[float, float], share: float) -> ElasticProblem:
    """Return two isotropic phases, whose expansion follows from the stiffness that is found, on any mesh.

    a = <a> 1 + (a2 - a1) / (1 / K2 - 1 / K1) (3 S : 1 - <1 / K> 1), with S : 1 the strain under a unit
    pressure's stress.

    Args:
        bulk: bulk moduli of labels 0 and 1; Poisson's ratio is 0.25 in both.
        expansions: of labels 0 and 1, 1/K.
        share: volume fraction of label 1.

    Source: V. M. Levin, Mech. Solids 2 (1967) 58.
    """

    def exact(image: Image, found: np.ndarray) -> Mapping[str, Any]:
        weights = np.array([image.fractions[label] for label in (0, 1)])
        jump = (expansions[1] - expansions[0]) / (1 / bulk[1] - 1 / bulk[0])
        softness = 3 * np.linalg.solve(found, VOLUME)
        value = (weights @ expansions) * VOLUME + jump * (
            softness - (weights @ (1 / np.array(bulk))) * VOLUME
        )
        return {"expansion": value}

    materials = {
        label: {"bulk": bulk[label], "poisson": 0.25, "expansion": expansions[label]} for label in (0, 1)
    }
    return ElasticProblem(
        f"Levin's relation, bulk moduli {bulk[0]:g} and {bulk[1]:g}",
        lambda cells: smooth_blobs(cells, share),
        materials,
        exact,
        "Levin 1967",
        cells=8,
    )


def rigid_spheres_problem(
    share: float, tetragonal: float, diagonal: float, *, contrast: float = 1e4, poisson: float = 0.4999
) -> ElasticProblem:
    """Return rigid spheres on a simple cubic lattice in an incompressible matrix of shear modulus 1.

    The suspension's viscosity (1 + alpha for the tetragonal shears, 1 + beta for the diagonal ones) is the
    composite's shear modulus.

    Args:
        share: volume fraction of the spheres.
        tetragonal: alpha.
        diagonal: beta.
        contrast: Young's modulus of the spheres over the matrix's.
        poisson: of the matrix, near 1/2.

    Limits: neither rigid nor incompressible: the contrast is finite, and so is the bulk modulus.

    Source: K. C. Nunan and J. B. Keller, J. Fluid Mech. 142 (1984) 269, doi:10.1017/S0022112084001105.
    """
    young = 2 * (1 + poisson)
    exact = {"tetragonal shear modulus": 1 + tetragonal, "diagonal shear modulus": 1 + diagonal}
    return ElasticProblem(
        f"rigid simple cubic spheres {100 * share:g} % in an incompressible matrix",
        lambda cells: sphere_lattice("sc", cells, volume_fraction=share),
        {0: {"young": young, "poisson": poisson}, 1: {"young": contrast * young, "poisson": 0.25}},
        lambda image, found: exact,
        "Nunan & Keller 1984",
        cells=32,
        order=1.0,
        constants={"b-bar": 4.0},
        limits=f"contrast {contrast:g} for rigid, Poisson's ratio {poisson:g} for incompressible",
    )


def smooth_blobs(cells: int, share: float, *, dim: int = 3) -> VoxelImage:
    """Return an image of smooth periodic shapes with as near a volume fraction of label 1 as voxels allow.

    The highest values of a sum of a few long waves are label 1, so that nothing but the voxels' edges is
    sharp, and no axis is like another.

    Args:
        cells: voxels along an axis.
        share: volume fraction of label 1.
        dim: 2 or 3.
    """
    middles = 2 * math.pi * (np.indices((cells,) * dim) + 0.5) / cells
    waves = np.cos(middles[0]) + 0.7 * np.cos(middles[1] + 1.0) * np.sin(middles[0] + 0.4)
    for axis in range(1, dim):
        waves += 0.6 * np.cos(middles[axis] - 0.9 * axis) * np.cos(middles[axis - 1] + 0.3)
    order = np.argsort(waves, axis=None)
    labels = np.zeros(waves.size, np.uint8)
    labels[order[labels.size - round(share * labels.size) :]] = 1
    return VoxelImage(labels.reshape(waves.shape))


_RESIN: Material = {"young": 3.0, "poisson": 0.35, "expansion": 6e-5}
_FIBRE: Material = {
    "young1": 140.0,
    "young2": 10.0,
    "poisson12": 0.3,
    "poisson23": 0.4,
    "shear12": 5.0,
    "expansion1": -1e-6,
    "expansion2": 3e-5,
}
_ASKEW: Material = {**_FIBRE, "orientation": {"euler": [0.4, 1.1, -0.7], "unit": "rad"}}


def _moduli(bulk: float, shear: float) -> Material:
    return {"bulk": bulk, "shear": shear} if bulk else {"void": True}


def _sampled(label_at: Callable[[np.ndarray], np.ndarray], cells: int) -> np.ndarray:
    """Return the label at each voxel's middle."""
    points = np.moveaxis((np.indices((cells,) * 3) + 0.5) / cells, 0, -1)
    return label_at(points).astype(np.uint8)
