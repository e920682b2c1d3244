"""The elastic cell against scikit-fem's trilinear hexahedra on the same mesh: independent assembly and solve.

The peer's mesh, elements, quadrature and matrix are its own; periodic nodes are merged and the sparse system
is solved by SciPy. Both solve to residuals of 1e-10, so their energies agree to rounding; 1e-8 is what is
asked for.
"""

import math

import numpy as np
import skfem
from scipy import sparse
from scipy.sparse.linalg import cg
from skfem import helpers

from elastic_samples import any_stiffness, isotropic
from scalebridge.cells.elasticity_host import HostElasticity, Solid
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.upscaling.tangent import converged, watched_tangent

SHAPE, SPACING = (16, 16, 16), (1.0, 1.25, 0.8)


def blobs():
    """Three phases in smooth random shapes, that repeat."""
    noise = np.random.default_rng(0).normal(size=SHAPE)
    waves = np.meshgrid(*(np.fft.fftfreq(n) * n for n in SHAPE), indexing="ij")
    smooth = np.fft.ifftn(np.fft.fftn(noise) * np.exp(-sum(k**2 for k in waves) / 18.0)).real
    return np.digitize(smooth, np.quantile(smooth, [0.4, 0.75])).astype(np.uint8)


def mandel(strain):
    root = math.sqrt(2)
    shears = [root * strain[1, 2], root * strain[0, 2], root * strain[0, 1]]
    return [strain[0, 0], strain[1, 1], strain[2, 2], *shears]


def peer_matrix(labels, stiffness):
    """Nodes (3, n), their numbers (3, n) and the assembled matrix."""
    edges = [np.arange(n + 1) * h for n, h in zip(SHAPE, SPACING, strict=True)]
    mesh = skfem.MeshHex.init_tensor(*edges)
    basis = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementHex1()), intorder=3)  # two points an axis
    middles = mesh.p[:, mesh.t].mean(axis=1)
    voxel = np.floor(middles / np.array(SPACING)[:, None]).astype(int)
    local = stiffness[labels[tuple(voxel)]]

    @skfem.BilinearForm
    def energy(u, v, w):
        one, other = mandel(helpers.sym_grad(u)), mandel(helpers.sym_grad(v))
        return sum(other[i] * sum(local[:, i, j, None] * one[j] for j in range(6)) for i in range(6))

    return mesh.p, basis.nodal_dofs, energy.assemble(basis).tocsr()


def peer_answer(labels, stiffness):
    """Effective stiffness (6, 6), Mandel, from energies of affine plus periodic displacements."""
    nodes, numbers, matrix = peer_matrix(labels, stiffness)
    lattice = np.rint(nodes / np.array(SPACING)[:, None]).astype(int) % np.array(SHAPE)[:, None]
    master = np.ravel_multi_index(tuple(lattice), SHAPE)
    columns = np.empty(matrix.shape[0], int)
    columns[numbers] = 3 * master + np.arange(3)[:, None]
    merge = sparse.csr_matrix((np.ones(len(columns)), (np.arange(len(columns)), columns)))
    root = math.sqrt(0.5)
    affine = np.zeros((matrix.shape[0], 6))
    for case, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        if i == j:
            affine[numbers[i], case] = nodes[i]
        else:
            affine[numbers[i], case], affine[numbers[j], case] = root * nodes[j], root * nodes[i]
    reduced, load = (merge.T @ matrix @ merge).tocsr(), -(merge.T @ (matrix @ affine))
    jacobi = sparse.diags(1.0 / reduced.diagonal())
    total = affine.copy()
    for case in range(6):
        found, code = cg(reduced, load[:, case], rtol=1e-10, atol=0.0, M=jacobi, maxiter=3000)
        assert code == 0
        total[:, case] += merge @ found
    return total.T @ (matrix @ total) / math.prod(n * h for n, h in zip(SHAPE, SPACING, strict=True))


def test_the_same_mesh_gives_the_same_stiffness():
    """On 16^3 voxels, six strain cases, to 1e-8; two isotropic phases and one of no symmetry."""
    labels = blobs()
    stiffness = np.array(
        [isotropic(1.0, 0.6), isotropic(8.0, 5.0), any_stiffness(np.random.default_rng(1), 2.0)]
    )
    solver = ConjugateGradients(rtol=1e-12, residual_rtol=1e-9)
    found = watched_tangent(HostElasticity(SHAPE, SPACING, Solid(stiffness, None, labels), solver))
    assert converged(found.codes)
    wanted = peer_answer(labels, stiffness)
    np.testing.assert_allclose(found.value, wanted, atol=1e-8 * abs(wanted).max())
    # Not so by chance: another rule is another mesh's answer.
    bar = watched_tangent(HostElasticity(SHAPE, SPACING, Solid(stiffness, None, labels, "b-bar"), solver))
    assert np.abs(np.asarray(bar.value) - wanted).max() > 1e-4 * abs(wanted).max()
