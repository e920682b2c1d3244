"""Small elastic samples with independent answers, shared by tests of the host path and the traced one."""

import itertools
import math

import numpy as np

GAUSS = (-0.5 / math.sqrt(3), 0.5 / math.sqrt(3))  # on an edge from -1/2 to 1/2
RULES = ("full", "b-bar", "reduced")
VOLUME = np.outer(np.r_[1, 1, 1, 0, 0, 0], np.r_[1, 1, 1, 0, 0, 0]) / 3


def isotropic(bulk, shear):
    """Stiffness in Mandel notation of a bulk and a shear modulus."""
    return 3 * bulk * VOLUME + 2 * shear * (np.eye(6) - VOLUME)


def any_stiffness(rng, least=1.0):
    """A random anisotropic stiffness whose principal ones are `least` or more."""
    root = rng.normal(size=(6, 6))
    return root @ root.T + least * np.eye(6)


def symmetric(rng):
    """A random change of a stiffness."""
    change = rng.normal(size=(6, 6))
    return change + change.T


def table(kind, rng, rows=3):
    """Stiffnesses of one kind, isotropic or any."""
    if kind == "isotropic":
        return np.array([isotropic(*rng.uniform(0.5, 4.0, 2)) for _ in range(rows)])
    return np.array([any_stiffness(rng) for _ in range(rows)])


def strain_matrix(place, spacing):
    """Strain (6, Mandel) of a hexahedron's 24 displacements at a place in it, in [-1/2, 1/2]^3."""
    found, root = np.zeros((6, 24)), math.sqrt(0.5)
    for node, corner in enumerate(itertools.product((0, 1), repeat=3)):
        value = [0.5 + (2 * c - 1) * x for c, x in zip(corner, place, strict=True)]
        slope = [(2 * c - 1) / h for c, h in zip(corner, spacing, strict=True)]
        x, y, z = (slope[a] * math.prod(value[:a] + value[a + 1 :]) for a in range(3))
        found[:, 3 * node : 3 * node + 3] = [
            [x, 0, 0],
            [0, y, 0],
            [0, 0, z],
            [0, root * z, root * y],
            [root * z, 0, root * x],
            [root * y, root * x, 0],
        ]
    return found


def strain_matrices(rule, spacing):
    """Strain matrices at the points of a rule, which weigh the same."""
    middle = strain_matrix((0, 0, 0), spacing)
    if rule == "reduced":
        return [middle]
    points = [strain_matrix(place, spacing) for place in itertools.product(GAUSS, repeat=3)]
    return points if rule == "full" else [b - VOLUME @ (b - middle) for b in points]


def unknowns(shape, *, periodic=True):
    """Numbers (voxels, 24) of each voxel's displacements, nodes in C order and three a node."""
    nodes = shape if periodic else tuple(n + 1 for n in shape)
    found = []
    for voxel in itertools.product(*map(range, shape)):
        corners = [
            tuple((v + c) % n for v, c, n in zip(voxel, corner, nodes, strict=True))
            for corner in itertools.product((0, 1), repeat=3)
        ]
        numbers = [np.ravel_multi_index(corner, nodes) for corner in corners]
        found.append([3 * number + c for number in numbers for c in range(3)])
    return np.array(found)


def dense_problem(stiffness, rule, spacing, *, periodic=True):
    """K and the forces (unknowns, 6) of unit mean strains, by Gauss quadrature voxel by voxel.

    Args:
        stiffness: (x, y, z, 6, 6).
        rule: the integration.
        spacing: edges of a voxel.
        periodic: whether the box repeats.
    """
    shape = stiffness.shape[:3]
    places = unknowns(shape, periodic=periodic)
    size = int(places.max()) + 1
    matrix, load = np.zeros((size, size)), np.zeros((size, 6))
    points = strain_matrices(rule, spacing)
    middle = strain_matrix((0, 0, 0), spacing)
    for numbers, local in zip(places, stiffness.reshape(-1, 6, 6), strict=True):
        np.add.at(matrix, np.ix_(numbers, numbers), sum(b.T @ local @ b for b in points) / len(points))
        np.add.at(load, numbers, middle.T @ local)
    return matrix, load


def dense_answer(stiffness, rule, spacing, expansion=None):
    """Effective stiffness (6, 6), or the tangent (7, 7), of a periodic box by a dense solve."""
    matrix, load = dense_problem(stiffness, rule, spacing)
    voxels = math.prod(stiffness.shape[:3])
    whole = stiffness.mean(axis=(0, 1, 2))
    if expansion is not None:
        middle = strain_matrix((0, 0, 0), spacing)
        own = np.einsum("xyzij,xyzj->xyzi", stiffness, expansion)
        heat = np.zeros((len(load), 1))
        for numbers, stress in zip(unknowns(stiffness.shape[:3]), own.reshape(-1, 6), strict=True):
            np.add.at(heat[:, 0], numbers, -middle.T @ stress)
        load = np.concatenate([load, heat], axis=1)
        mean = -own.mean(axis=(0, 1, 2))
        square = np.einsum("xyzi,xyzi->", expansion, own) / voxels
        whole = np.block([[whole, mean[:, None]], [mean[None], np.array([[square]])]])
    fields = -np.linalg.lstsq(matrix, load, rcond=None)[0]
    return whole + load.T @ fields / voxels


def laminate(stiffness, expansion, shares):
    """Exact stiffness and expansion of layers across x: shared stresses 11, 13, 12, strains 22, 33, 23."""
    normal, plane = [0, 4, 5], [1, 2, 3]
    pick = lambda c, a, b: c[np.ix_(a, b)]  # noqa: E731
    soft = [np.linalg.inv(pick(c, normal, normal)) for c in stiffness]
    stiff = np.linalg.inv(sum(f * s for f, s in zip(shares, soft, strict=True)))
    mixed = sum(f * s @ pick(c, normal, plane) for f, s, c in zip(shares, soft, stiffness, strict=True))
    whole = np.zeros((6, 6))
    whole[np.ix_(normal, normal)] = stiff
    whole[np.ix_(normal, plane)] = stiff @ mixed
    whole[np.ix_(plane, normal)] = (stiff @ mixed).T
    whole[np.ix_(plane, plane)] = mixed.T @ stiff @ mixed + sum(
        f * (pick(c, plane, plane) - pick(c, plane, normal) @ s @ pick(c, normal, plane))
        for f, s, c in zip(shares, soft, stiffness, strict=True)
    )
    own = [c @ a for c, a in zip(stiffness, expansion, strict=True)]
    across = -stiff @ sum(f * s @ o[normal] for f, s, o in zip(shares, soft, own, strict=True))
    along = sum(
        f * (pick(c, plane, normal) @ s @ (across + o[normal]) - o[plane])
        for f, c, s, o in zip(shares, stiffness, soft, own, strict=True)
    )
    stress = np.zeros(6)
    stress[normal], stress[plane] = across, along
    return whole, np.linalg.solve(whole, -stress)
