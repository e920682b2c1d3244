"""Layers inside a voxel: the conductivity of phases stacked along a normal, for many voxels at once.

With the normal n, P = 1 - n (x) n, and for each phase p = n.K n, t = P K n / p and S = P K P - p t (x) t,

    K = <S> + (n + <t>) (x) (n + <t>) / <1 / p>,        <.> the mean over the voxel's shares,

which for isotropic phases is the arithmetic mean along the layers and the harmonic mean across them. It is
the same tensor as the laminate's of the unit cells, in the form that costs least where shares and normals
differ from voxel to voxel. A layer with p = 0 stops the flux across; it has t = 0.

Trilinear elements cannot bend inside a voxel as the layers' potential does. Part of a gradient across strong
layers then counts as one along them, where the conductivity is large; and potentials inside an insulator may
take the gradient along away. Which of the two spoils the answer depends on who carries the current. If the
better conductor is enclosed, the gradient along its surface is small, and K along the layers may be limited
to a multiple of that across; if it carries, the gradient across is small, and K across may be held at a
share of that along. `mixing_limits` decides it by percolation, and sets no limit where it is undecided. Both
limits lie between the harmonic and the arithmetic mean, and their effect vanishes with the voxel size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import PhaseError
from scalebridge.grids.coefficients import as_tensors
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.percolation import percolation

_SLAB = 1 << 16  # voxels at once; the last slab is filled up to a power of two, so that few shapes compile
_ACROSS_AT_LEAST = 1 / 3  # of K along, where the better conductor carries the current
_ALONG_AT_MOST = 1.2  # times K across, where it is enclosed
_SIMILAR = 1.5  # ratio of conductivities up to which K along is below 1.05 times K across
_CORE = 1 / 8  # of a body: less of what is outside within does not make it a coat
_ROUNDINGS = 64  # of the trace: below, the conductivity across is the rounding of a zero


def laminate_tensors(
    values: ArrayLike, shares: ArrayLike, normals: ArrayLike, limits: ArrayLike | None = None
) -> Float[Array, "voxels dim dim"]:
    """Conductivity of voxels that hold layers of several phases.

    Args:
        values: the phases' conductivities: (phases,) isotropic, (phases, dim) along the axes, or
            (phases, dim, dim) tensors; non-negative, W/m/K (or S/m, m^2/s). Exact zeros are insulators.
        shares: (voxels, phases) volume fractions, non-negative with sum 1.
        normals: (voxels, dim) unit vectors across the layers.
        limits: (phases, phases, 2) of `mixing_limits`: for voxels whose worst and best conductors are these
            phases, the least K across relative to K along, and the most K along relative to K across. For
            isotropic phases only; tensors ignore it. None, or (0, infinity), is the laminate itself.

    Returns:
        (voxels, dim, dim) symmetric tensors in the unit of the values; differentiable in all other arguments.

    Raises:
        PhaseError: shapes that do not fit together.

    Cost: about 10 phases x dim² multiplications a voxel; works in slabs of 65536 voxels, so that memory is
        little above the result's 72 bytes a voxel (3-D).
    Source: G. E. Backus, J. Geophys. Res. 67 (1962) 4427; G. W. Milton, The Theory of Composites (2002),
        ch. 9; in voxels: M. Kabel, D. Merkert, M. Schneider, Comput. Methods Appl. Mech. Eng. 294 (2015) 168,
        doi:10.1016/j.cma.2015.06.003.

    Example:
        >>> shares, across_x = jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0]])
        >>> laminate_tensors(jnp.array([1.0, 3.0]), shares, across_x)[0].tolist()
        [[1.5, 0.0], [0.0, 2.0]]
        >>> laminate_tensors(jnp.array([0.0, 3.0]), shares, across_x)[0].tolist()
        [[0.0, 0.0], [0.0, 1.5]]
    """
    values, shares, normals, limits = _checked(values, shares, normals, limits)
    return _in_slabs(_mixed, values, limits, shares, normals)


def composite_table(
    values: ArrayLike, shares: ArrayLike, normals: ArrayLike, limits: ArrayLike | None = None
) -> Float[Array, "rows dim dim"]:
    """Table of conductivities of a composite image: the pure phases first, then the mixed voxels.

    The row numbers are those of `CompositeImage.table_index`. In the metric of any reference tensor the
    eigenvalues of a laminate lie between the extreme ones of its phases, so that what bounds the first rows
    bounds all.

    Args:
        values: as for `laminate_tensors`.
        shares: (voxels, phases), an image's `parts`.
        normals: (voxels, dim), an image's `normals`.
        limits: as for `laminate_tensors`.

    Returns:
        (phases + voxels, dim, dim) symmetric tensors.

    Raises:
        PhaseError: shapes that do not fit together.

    Example:
        >>> table = composite_table(jnp.array([1.0, 3.0]), jnp.array([[0.5, 0.5]]), jnp.array([[0.0, 1.0]]))
        >>> table.shape, table[2].tolist()
        ((3, 2, 2), [[2.0, 0.0], [0.0, 1.5]])
    """
    values, shares, normals, limits = _checked(values, shares, normals, limits)
    pure = as_tensors(values, normals.shape[1])
    return jnp.concatenate([pure, _in_slabs(_mixed, values, limits, shares, normals)])


def mixing_limits(image: CompositeImage, values: ArrayLike) -> Float[np.ndarray, "phases phases 2"]:
    """Decide for each pair of phases how far the laminate law of voxels between them is to be limited.

    The better conductor of a pair carries if it percolates in every direction, together with all that
    conduct no less. It is enclosed if they percolate in none while the other one, with all that conduct no
    more, percolates in every direction. Where neither percolates, as in coated particles, that one is
    enclosed that touches mostly the other one. Mixed voxels do not connect. In all other cases there is no
    limit; nor is there one for coats, which have some of what is outside within, because current crosses a
    poor coat of a good core and flows along a good coat of a poor one.

    Args:
        image: the composite image.
        values: (phases,) conductivities, in the order of the image's phases. They may be differentiated (the
            limits do not depend on them then), but must be known: not under jax.jit.

    Returns:
        (phases, phases, 2) limits for `laminate_tensors`, by the worst and the best conductor of a voxel.

    Raises:
        PhaseError: not one known number a phase.

    Cost: at most two searches for clusters a phase (about 0.1 s each at 128^3); none where no two phases
        differ by more than a factor of 1.5, which the limits do not touch.

    Example:
        >>> from scalebridge.grids.composite_shapes import composite_from_shape
        >>> def disc(x):
        ...     return (((x - 0.5) ** 2).sum(axis=1) < 0.1).astype(int)
        >>> image = composite_from_shape(disc, 16, dim=2)
        >>> mixing_limits(image, [1.0, 100.0])[0, 1].tolist()  # an enclosed conductor
        [0.0, 1.2]
        >>> mixing_limits(image, [1.0, 0.0])[1, 0].round(2).tolist()  # a carrying one around an insulator
        [0.33, inf]
    """
    fixed = jax.lax.stop_gradient(jnp.asarray(values))
    if fixed.shape != (len(image.phases),) or isinstance(fixed, Tracer):
        raise PhaseError(
            "values",
            got="numbers that jax.jit has yet to fill in"
            if isinstance(fixed, Tracer)
            else f"shape {fixed.shape}",
            wanted=f"{len(image.phases)} known numbers, one a phase of the image",
            cure="leave the limits out for phases with tensors, and find them before jax.jit",
        )
    known = np.asarray(fixed, dtype=float)
    limits = np.tile([0.0, np.inf], (known.size, known.size, 1))
    if known.max() <= _SIMILAR * known.min():
        return limits
    above = [_body(image, known >= value) for value in known]
    below = [_body(image, known <= value) for value in known]
    for worst, best in zip(*np.nonzero(known[:, None] < known), strict=True):
        good, poor = known >= known[best], known <= known[worst]
        extents = above[best].extent, below[worst].extent
        undecided = extents == (0, 0)
        carries = extents[0] == image.dim and not _is_coat(below[worst], above[best])
        enclosed = extents == (0, image.dim) and not _is_coat(above[best], below[worst])
        if carries or (undecided and _inside(image, poor, good)):
            limits[worst, best, 0] = _ACROSS_AT_LEAST
        elif enclosed or (undecided and _inside(image, good, poor)):
            limits[worst, best, 1] = _ALONG_AT_MOST
    return limits


@dataclass(frozen=True)
class _Body:
    """A set of phases: directions in which it percolates, its voxels, and those in clusters that do not."""

    extent: int
    voxels: int
    apart: float


def _body(image: CompositeImage, chosen: np.ndarray) -> _Body:
    """Look at the chosen phases through voxels that hold nothing else."""
    mask = np.isin(image.labels, np.asarray(image.phases)[chosen])
    mask.reshape(-1)[image.mixed] = image.parts[:, ~chosen].sum(axis=1) == 0
    found = percolation(mask, periodic=image.periodic)
    extent = found.winding.shape[0] if image.periodic else sum(found.directions)
    voxels = int(np.count_nonzero(mask))
    return _Body(extent, voxels, (1 - found.connected_fraction) * voxels)


def _is_coat(inner: _Body, outer: _Body) -> bool:
    """Whether clusters of what percolates outside lie apart, within, and are not small beside the inner."""
    return outer.apart > _CORE * inner.voxels


def _inside(image: CompositeImage, inner: np.ndarray, outer: np.ndarray) -> bool:
    """Whether of the interfaces of the inner phases no more than a third are with others than the outer."""
    held, around, rest = (image.parts[:, of].any(axis=1) for of in (inner, outer, ~(inner | outer)))
    return bool(2 * np.count_nonzero(held & rest) <= np.count_nonzero(held & around))


def share_slopes(
    values: ArrayLike,
    shares: ArrayLike,
    normals: ArrayLike,
    grows: int,
    shrinks: int,
    limits: ArrayLike | None = None,
) -> Float[Array, "voxels dim dim"]:
    """Derivative of the voxels' conductivity when one phase grows at the cost of another.

    dK / d(share of `grows`) with the share of `shrinks` falling as much, normals held.

    Args:
        values: as for `laminate_tensors`.
        shares: (voxels, phases) volume fractions.
        normals: (voxels, dim) unit vectors.
        grows: number of the phase that grows, in the order of `values`.
        shrinks: number of the phase that shrinks.
        limits: as for `laminate_tensors`.

    Returns:
        (voxels, dim, dim) symmetric tensors in the unit of the values.

    Raises:
        PhaseError: shapes that do not fit together.

    Example:
        >>> args = jnp.array([1.0, 3.0]), jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0]])
        >>> share_slopes(*args, grows=1, shrinks=0)[0].tolist()  # along: 3 - 1, across: 1.5² (1 - 1 / 3)
        [[1.5, 0.0], [0.0, 2.0]]
    """
    values, shares, normals, limits = _checked(values, shares, normals, limits)
    return _in_slabs(partial(_slope, grows=grows, shrinks=shrinks), values, limits, shares, normals)


def _in_slabs(
    kernel: Callable[..., Array], values: Array, limits: Array, shares: Array, normals: Array
) -> Float[Array, "voxels dim dim"]:
    count, dim = normals.shape
    done = [jnp.zeros((0, dim, dim), values.dtype)]
    for start in range(0, count, _SLAB):
        here = min(_SLAB, count - start)
        fill = (1 << (here - 1).bit_length()) - here
        slab = [
            jnp.pad(rows[start : start + here], ((0, fill), (0, 0)), mode="edge")
            for rows in (shares, normals)
        ]
        done.append(kernel(values, limits, *slab)[:here])
    return jnp.concatenate(done)


@jax.jit
def _mixed(
    values: Float[Array, "phases ..."],
    limits: Float[Array, "phases phases 2"],
    shares: Float[Array, "voxels phases"],
    n: Float[Array, "voxels dim"],
) -> Float[Array, "voxels dim dim"]:
    """The formula at the head of the file."""
    projection = jnp.eye(n.shape[1], dtype=n.dtype) - n[:, :, None] * n[:, None, :]
    if values.ndim == 1:
        along, across = _limited(shares @ values, values, limits, shares)
        tangential, direction = along[:, None, None] * projection, n
    else:
        tangential, direction, p = _anisotropic(as_tensors(values, n.shape[1]), shares, n, projection)
        across = _harmonic(shares, p)
    tensor = tangential + across[:, None, None] * direction[:, :, None] * direction[:, None, :]
    return 0.5 * (tensor + tensor.mT)


def _limited(
    along: Float[Array, " voxels"],
    values: Float[Array, " phases"],
    limits: Float[Array, "phases phases 2"],
    shares: Float[Array, "voxels phases"],
) -> tuple[Float[Array, " voxels"], Float[Array, " voxels"]]:
    """Conductivities along and across the layers of isotropic phases, within the limits."""
    across = _harmonic(shares, jnp.broadcast_to(values, shares.shape))
    worst = jnp.argmin(jnp.where(shares > 0, values, jnp.inf), axis=1)
    best = jnp.argmax(jnp.where(shares > 0, values, -1.0), axis=1)
    least, most = limits[worst, best, 0] * along, limits[worst, best, 1]
    bounded = jnp.isfinite(most)
    most = jnp.where(bounded, most, 1.0) * across
    # Written with where, because minimum and maximum halve the derivative at a tie, such as 0 and 0.
    return jnp.where(bounded & (most < along), most, along), jnp.where(least > across, least, across)


def _anisotropic(
    tensors: Float[Array, "phases dim dim"],
    shares: Float[Array, "voxels phases"],
    n: Float[Array, "voxels dim"],
    projection: Float[Array, "voxels dim dim"],
) -> tuple[Float[Array, "voxels dim dim"], Float[Array, "voxels dim"], Float[Array, "voxels phases"]]:
    """<S>, n + <t> and p of full tensors."""
    fluxes = jnp.einsum("pij,vj->vpi", tensors, n)
    p = jnp.einsum("vpi,vi->vp", fluxes, n)
    blocked = p <= _ROUNDINGS * jnp.finfo(p.dtype).eps * jnp.trace(tensors, axis1=1, axis2=2)
    p = p - jax.lax.stop_gradient(jnp.where(blocked, p, 0.0))  # an exact zero that keeps its derivative
    t = fluxes / jnp.where(blocked, 1.0, p)[:, :, None] - n[:, None, :]
    t = jnp.where(blocked[:, :, None], 0.0, t)
    mean = jnp.einsum("vp,pij->vij", shares, tensors)
    tangential = projection @ mean @ projection - jnp.einsum("vp,vpi,vpj->vij", shares * p, t, t)
    return tangential, n + jnp.einsum("vp,vpi->vi", shares, t), p


@jax.custom_jvp
def _harmonic(
    shares: Float[Array, "voxels phases"], p: Float[Array, "voxels phases"]
) -> Float[Array, " voxels"]:
    """1 / <1 / p>, and 0 where a phase that is present has p = 0."""
    return jnp.sum(shares * _jumps(shares, p) ** 2 * p, axis=1)


@_harmonic.defjvp
def _harmonic_jvp(primals, tangents):
    # Written out because 1 / p cannot be differentiated at 0, where the limits below are finite.
    (shares, p), (t_shares, t_p) = primals, tangents
    jumps, value = _jumps(shares, p), _harmonic(shares, p)
    return value, jnp.sum(shares * jumps**2 * t_p, axis=1) - value * jnp.sum(jumps * t_shares, axis=1)


def _jumps(
    shares: Float[Array, "voxels phases"], p: Float[Array, "voxels phases"]
) -> Float[Array, "voxels phases"]:
    """Gradient in each layer when all carry the same flux and the mean gradient is one.

    (1 / p) / <1 / p>; insulating layers share the whole jump equally. An insulator that is absent has none.
    """
    # Resistances are taken relative to the least conducting phase present: none overflows.
    least = jnp.min(jnp.where(shares > 0, p, jnp.inf), axis=1, keepdims=True)
    conducts = p > 0
    resistance = jnp.where(conducts, least / jnp.where(conducts, p, 1.0), jnp.where(least > 0, 0.0, 1.0))
    return resistance / jnp.sum(shares * resistance, axis=1, keepdims=True)


@partial(jax.jit, static_argnames=("grows", "shrinks"))
def _slope(values: Array, limits: Array, shares: Array, normals: Array, grows: int, shrinks: int) -> Array:
    step = jnp.zeros_like(shares).at[:, grows].set(1.0).at[:, shrinks].set(-1.0)
    return jax.jvp(lambda f: _mixed(values, limits, f, normals), (shares,), (step,))[1]


def _checked(
    values: ArrayLike, shares: ArrayLike, normals: ArrayLike, limits: ArrayLike | None
) -> tuple[Array, Array, Array, Array]:
    values, shares, normals = jnp.asarray(values), jnp.asarray(shares), jnp.asarray(normals)
    if limits is None:
        limits = np.tile([0.0, np.inf], (*values.shape[:1] * 2, 1))
    limits = jnp.asarray(limits)
    phases, dim = values.shape[:1], normals.shape[1:]
    right = dim in ((2,), (3,)) and values.shape in (phases, phases + dim, phases + dim + dim)
    right = right and shares.shape == normals.shape[:1] + phases and limits.shape == phases + phases + (2,)
    if not right:
        raise PhaseError(
            "values, shares, normals, limits",
            got=f"shapes {values.shape}, {shares.shape}, {normals.shape} and {limits.shape}",
            wanted="(phases,) or (phases, dim) or (phases, dim, dim); (voxels, phases); (voxels, dim); "
            "(phases, phases, 2)",
            cure="pass a value a phase and a row of shares and a normal a voxel",
        )
    kind = values.dtype if jnp.issubdtype(values.dtype, jnp.floating) else jnp.result_type(float)
    return values.astype(kind), shares.astype(kind), normals.astype(kind), limits.astype(kind)
