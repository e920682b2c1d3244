"""Stiffness and expansion of voxels that hold layers of several phases along a normal.

With N a = sym(a n) for any vector a (Mandel notation, (6, 3)) the strains of two layers differ by N a, and
the traction on the interface is the same, so that exactly

    C = f1 C1 + f2 C2 - f1 f2 D N (f2 N'C1 N + f1 N'C2 N)^-1 N' D',   D = C1 - C2,

and the same with the stress at no strain. A stack of layers along one normal is a layer to the next: the
formula is applied phase by phase.

Trilinear elements cannot bend inside a voxel as the layers' displacement does. Of a voxel that holds void and
solid the layers leave no stiffness across, although the solid in it is held by its neighbours; energies are
right if it keeps the whole stiffness of its share, as in cut elements. A third of the way between the two
served best: for Hashin's coated pore the bulk modulus of 16^3, 32^3, 64^3 voxels is off by 3e-5, 2e-4, 1e-5,
with layers alone by 2e-2, 8e-3, 4e-3. Where a stiff phase is enclosed, strains along its surface are small,
and what the elements take for one counts too much along stiff layers: there the voxel goes most of the way
from layers to series. Hashin's stiff core (167 times its coat), one point a voxel: 4e-3, 5e-4, 1e-5 instead
of 1e-2, 2e-3, 4e-4. Both effects vanish with the voxel size. The fractions were chosen on
these spheres; on arrays of pores that were not used for it errors fall by ten times and more, on arrays of
stiff spheres by two to four (table in docs/theory/composite-voxels.md).

Source: G. W. Milton, The Theory of Composites (2002), ch. 9; for voxels M. Kabel, D. Merkert, M. Schneider,
Comput. Methods Appl. Mech. Eng. 294 (2015) 168, doi:10.1016/j.cma.2015.06.003.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.upscaling.rotations import mandel_basis

_EMPTY = 1e-12  # share of the stiffness below which a layer carries no traction
_HELD = 1 / 3  # of the way from layers to parallel, where a voxel holds void and solid
_YIELDS = 2 / 3  # of the way from layers to series, where it holds a part of an enclosed, much stiffer phase
_HALF_WAY = 10.0  # ratio of stiffnesses at which it is half of that


@jax.jit
def mixed_rows(
    stiffness: Float[Array, "phases 6 6"],
    expansion: Float[Array, "phases 6"],
    parts: Float[Array, "m phases"],
    normals: Float[Array, "m 3"],
    yields: Float[Array, "phases phases"] | None = None,
) -> tuple[Float[Array, "m 6 6"], Float[Array, "m 6"]]:
    """Return the stiffness and the expansion of each mixed voxel; differentiable.

    Args:
        stiffness: Mandel, Pa; zero for a void.
        expansion: Mandel, 1/K.
        parts: shares.
        normals: unit normals.
        yields: of `yielding`: by the softest and the stiffest phase in a voxel, how far it goes from layers
            to series; None is nowhere.

    Returns:
        the stiffness and the expansion of the layers, held where there is void.

    Cost: some thousand multiplications a voxel and phase.

    Example:
        >>> layers = jnp.stack([jnp.eye(6), 3 * jnp.eye(6)])
        >>> halves, across = jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0, 0.0]])
        >>> found, _ = mixed_rows(layers, jnp.zeros((2, 6)), halves, across)
        >>> jnp.diag(found[0]).round(6).tolist()  # in series across, in parallel along
        [1.5, 2.0, 2.0, 2.0, 1.5, 1.5]
    """
    across = jnp.einsum("kij,mj->mki", mandel_basis(3), normals)  # N, (m, 6, 3)
    stress = jnp.einsum("pij,pj->pi", stiffness, expansion)
    share = parts[:, 0]
    found = jnp.broadcast_to(stiffness[0], (parts.shape[0], 6, 6))
    own = jnp.broadcast_to(stress[0], (parts.shape[0], 6))
    for phase in range(1, parts.shape[1]):
        total = share + parts[:, phase]
        weight = jnp.where(total > 0, share / jnp.where(total > 0, total, 1.0), 0.0)
        found, own = _two((found, own), (stiffness[phase], stress[phase]), weight, across)
        share = total
    void = jnp.max(jnp.abs(stiffness), axis=(1, 2)) == 0
    held = jnp.where(parts @ void > 0, _HELD, 0.0)
    found = found + held[:, None, None] * (jnp.einsum("mp,pij->mij", parts, stiffness) - found)
    own = own + held[:, None] * (parts @ stress - own)
    if yields is not None:
        found, own = _yielded(found, own, stiffness, expansion, parts, yields)
    scale = jnp.trace(found, axis1=1, axis2=2)[:, None, None] + 1e-300
    solid = found + _EMPTY * scale * jnp.eye(6)  # layers beside a void carry nothing across
    return found, jnp.einsum("mij,mj->mi", _inverse(solid), own)


def yielding(stiffness: np.ndarray, enclosed: np.ndarray) -> np.ndarray:
    """Return how far voxels that hold two phases go from layers to series.

    Args:
        stiffness: (phases, 6, 6).
        enclosed: (phases, phases), whether the second phase, the stiffer one, is enclosed by the first.

    Returns:
        (phases, phases), zero where nothing is enclosed or the first is void.

    Example:
        >>> inside = np.array([[False, True], [False, False]])
        >>> yielding(np.stack([np.eye(6), 10 * np.eye(6)]), inside).tolist()
        [[0.0, 0.3333333333333333], [0.0, 0.0]]
    """
    size = np.trace(stiffness, axis1=1, axis2=2)
    soft, stiff = np.broadcast_to(size[:, None], enclosed.shape), np.broadcast_to(size, enclosed.shape)
    found = np.zeros(enclosed.shape)
    of = enclosed & (soft > 0)
    found[of] = _YIELDS * stiff[of] / (stiff[of] + _HALF_WAY * soft[of])
    return found


def _yielded(
    found: Array, own: Array, stiffness: Array, expansion: Array, parts: Array, yields: Array
) -> tuple[Array, Array]:
    """Go from layers to series where the pair of phases says so."""
    size = jnp.trace(stiffness, axis1=1, axis2=2)
    softest = jnp.argmin(jnp.where(parts > 0, size, jnp.inf), axis=1)
    stiffest = jnp.argmax(jnp.where(parts > 0, size, -jnp.inf), axis=1)
    far = yields[softest, stiffest]
    compliance = _inverse(jnp.where((size > 0)[:, None, None], stiffness, jnp.eye(6)))
    series = _inverse(jnp.einsum("mp,pij->mij", parts, compliance))
    free = jnp.einsum("mij,mj->mi", series, parts @ expansion)
    return found + far[:, None, None] * (series - found), own + far[:, None] * (free - own)


def _two(
    first: tuple[Array, Array], second: tuple[Array, Array], weight: Array, across: Array
) -> tuple[Array, Array]:
    """Layers of two, the first with a share `weight` of their volume."""
    one, other = weight[:, None, None], 1 - weight[:, None, None]
    jump = first[0] - second[0]
    back = jnp.swapaxes(across, 1, 2)
    stiff = back @ (other * first[0] + one * second[0]) @ across
    scale = jnp.trace(stiff, axis1=1, axis2=2)[:, None, None]
    empty = scale <= _EMPTY * jnp.max(jnp.abs(first[0]) + jnp.abs(second[0]))
    inverse = jnp.where(empty, 0.0, _inverse(jnp.where(empty, jnp.eye(3), stiff)))
    reach = jump @ across
    middle = one * other * reach @ inverse
    stiffness = one * first[0] + other * second[0] - middle @ jnp.swapaxes(reach, 1, 2)
    shift = middle @ back @ (first[1] - second[1])[..., None]
    own = weight[:, None] * first[1] + (1 - weight[:, None]) * second[1] - shift[..., 0]
    return 0.5 * (stiffness + jnp.swapaxes(stiffness, 1, 2)), own


def _inverse(matrices: Array) -> Array:
    """Invert positive definite matrices (..., n, n) by Gauss and Jordan, which need no pivots there.

    Not by LAPACK: with two of its batches in one compiled function, solves of 64^3 voxels were seen to hang.
    """
    found = matrices
    for k in range(matrices.shape[-1]):
        pivot, row, column = found[..., k, k], found[..., k, :], found[..., :, k]
        row = row / pivot[..., None]
        found = found - column[..., :, None] * row[..., None, :]
        found = found.at[..., k, :].set(row).at[..., :, k].set(-column / pivot[..., None])
        found = found.at[..., k, k].set(1 / pivot)
    return found
