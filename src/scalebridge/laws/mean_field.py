"""Mean-field estimates: dilute, Mori-Tanaka and self-consistent, with ellipsoids of any shape.

The strain in an ellipsoid of stiffness C_r in a medium C_0 is A_r = (1 + S C_0^-1 (C_r - C_0))^-1 times the
strain far away, with Eshelby's tensor S. The schemes differ in what is taken for the medium and for the
strain far away. Stiffnesses are in Mandel notation.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.laws.elastic_bounds import embedding_moduli, moduli_of
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.eshelby import shape_axes, tensor_of
from scalebridge.upscaling.bounds import mean_with_reference
from scalebridge.upscaling.rotations import mandel_rotation, small_rotation

_FINE, _STEPS = 1e-15, 20000
_UNIT = np.array([1.0, 1, 1, 0, 0, 0]) / np.sqrt(3)
SPREADS = ("aligned", "planar", "random")
"""How a family's ellipsoids lie: all as given; turned about z by all angles; in all orientations."""


def dilute_strain(axes: Sequence[float], stiffness: Array, bulk: Array, shear: Array) -> Float[Array, "6 6"]:
    """Strain of an ellipsoid in an isotropic medium for unit strains far away.

    Args:
        axes: (3,) its half-axes.
        stiffness: (6, 6) its stiffness along them.
        bulk: the medium's bulk modulus.
        shear: its shear modulus.

    Returns:
        (6, 6) along the ellipsoid's axes.

    Source: J. D. Eshelby 1957.

    Example:
        >>> swollen = dilute_strain((1, 1, 1), jnp.zeros((6, 6)), jnp.asarray(1.0), jnp.asarray(1.0))
        >>> round(float(swollen[:3, :3].sum() / 3), 6)  # 1 + 3 K / (4 G)
        1.75
    """
    return _dilute_strain(jnp.asarray(shape_axes(axes)), stiffness, jnp.asarray(bulk), jnp.asarray(shear))


@jax.jit
def _dilute_strain(sizes: Array, stiffness: Array, bulk: Array, shear: Array) -> Float[Array, "6 6"]:
    poisson = (3 * bulk - 2 * shear) / (2 * (3 * bulk + shear))
    medium = isotropic_stiffness(bulk, shear)
    yielding = tensor_of(sizes, poisson) @ jnp.linalg.inv(medium)
    return jnp.linalg.inv(jnp.eye(6) + yielding @ (stiffness - medium))


def orientation_mean(tensor: Array, spread: str) -> Array:
    """Return the mean of a (6, 6) matrix or a (6,) vector over the orientations of a family.

    Args:
        tensor: Mandel notation, along the sample's axes as the family's first member lies.
        spread: one of `SPREADS`.

    Example:
        >>> orientation_mean(jnp.array([3.0, 0, 0, 0, 0, 0]), "random").round(12).tolist()
        [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    if spread == "aligned":
        return tensor
    if spread == "planar":
        # Turns by a fifth leave nothing of harmonics up to the fourth: the mean over all angles is exact.
        turns = mandel_rotation(small_rotation(np.arange(5)[:, None] * np.array([0, 0, 2 * np.pi / 5]), 3))
        if tensor.ndim == 1:
            return jnp.mean(turns @ tensor, axis=0)
        return jnp.mean(turns @ tensor @ np.swapaxes(turns, 1, 2), axis=0)
    if tensor.ndim == 1:
        return (_UNIT @ tensor) * _UNIT
    along = _UNIT @ tensor @ _UNIT
    rest = (jnp.trace(tensor) - along) / 5
    return (along - rest) * np.outer(_UNIT, _UNIT) + rest * np.eye(6)


def mori_tanaka(
    fractions: Array,
    stiffnesses: Array,
    expansions: Array,
    axes: Sequence[Sequence[float]],
    turns: Sequence[np.ndarray],
    spreads: Sequence[str],
) -> tuple[Float[Array, "6 6"], Float[Array, "6"]]:
    """Mori and Tanaka's estimate of stiffness and expansion for families of ellipsoids.

    C = C_0 + sum_r f_r <(C_r - C_0) A_r> M with M = (f_0 + sum_r f_r <A_r>)^-1, the mean strain of the
    matrix; C alpha = sum_r f_r A'C_r alpha_r with the same strains.

    Args:
        fractions: (n,) volume fractions with sum 1, the matrix first.
        stiffnesses: (n, 6, 6) along the sample's axes; the matrix isotropic, with a positive stiffness.
        expansions: (n, 6) 1/K, along the sample's axes.
        axes: (n - 1, 3) half-axes of the families.
        turns: (n - 1) orientation matrices, rows the ellipsoids' axes in the sample.
        spreads: (n - 1) how each family lies, one of `SPREADS`.

    Returns:
        (6, 6) and (6,), differentiable.

    Limits: families of different shape or orientation may give a matrix that is not symmetric; see the checks
        of `estimate_mori_tanaka`.

    Source: T. Mori and K. Tanaka (1973), Acta Metall. 21, 571, doi:10.1016/0001-6160(73)90064-3; Y.
        Benveniste (1987), Mech. Mater. 6, 147, doi:10.1016/0167-6636(87)90005-6; expansion: Y. Benveniste and
        G. J. Dvorak (1990), in Micromechanics and Inhomogeneity, 65.
    """
    sizes = jnp.stack([jnp.asarray(shape_axes(shape)) for shape in axes])
    rotations = jnp.asarray(mandel_rotation(np.asarray(turns)))
    return _mori_tanaka(
        jnp.asarray(fractions),
        jnp.asarray(stiffnesses),
        jnp.asarray(expansions),
        sizes,
        rotations,
        tuple(spreads),
    )


@partial(jax.jit, static_argnames="spreads")
def _mori_tanaka(
    fractions: Array,
    stiffnesses: Array,
    expansions: Array,
    sizes: Array,
    rotations: Array,
    spreads: tuple[str, ...],
) -> tuple[Float[Array, "6 6"], Float[Array, "6"]]:
    bulk, shear = _moduli(stiffnesses[0])
    medium = stiffnesses[0]
    strains, stresses, heats = [], [], []
    for family, spread in enumerate(spreads, 1):
        rotation = rotations[family - 1]
        own = rotation @ stiffnesses[family] @ rotation.T
        local = rotation.T @ _dilute_strain(sizes[family - 1], own, bulk, shear) @ rotation
        strains.append(orientation_mean(local, spread))
        stresses.append(orientation_mean((stiffnesses[family] - medium) @ local, spread))
        heats.append(orientation_mean(local.T @ (stiffnesses[family] @ expansions[family]), spread))
    held = jnp.linalg.inv(
        fractions[0] * jnp.eye(6) + sum(f * A for f, A in zip(fractions[1:], strains, strict=True))
    )
    stiffness = medium + sum(f * T for f, T in zip(fractions[1:], stresses, strict=True)) @ held
    thermal = fractions[0] * (medium @ expansions[0]) + sum(
        f * h for f, h in zip(fractions[1:], heats, strict=True)
    )
    return stiffness, jnp.linalg.solve(stiffness, held.T @ thermal)


def self_consistent(
    fractions: Array, stiffnesses: Array, axes: Sequence[Sequence[float]]
) -> Float[Array, "2"]:
    """Self-consistent bulk and shear modulus of a mixture whose phases are ellipsoids in all orientations.

    C = sum_r f_r <C_r A_r> (sum_r f_r <A_r>)^-1, each A_r in a medium that has the effective moduli: a fixed
    point. Spheres give Hill's and Budiansky's equations.

    Args:
        fractions: (n,) volume fractions with sum 1.
        stiffnesses: (n, 6, 6), Pa; exact zeros are pores.
        axes: (n, 3) half-axes of the phases' ellipsoids; a phase without a shape is a sphere.

    Returns:
        (2,) bulk and shear modulus, differentiable by the implicit function theorem in fractions and
        stiffnesses. Both vanish where the pores are too many (half the volume for spheres).

    Source: R. Hill (1965), J. Mech. Phys. Solids 13, 213; B. Budiansky (1965), J. Mech. Phys. Solids 13, 223;
        ellipsoids: J. G. Berryman (1980), J. Acoust. Soc. Am. 68, 1820, doi:10.1121/1.385172.

    Example:
        >>> soft, stiff = isotropic_stiffness(5 / 6, 5 / 13), isotropic_stiffness(25 / 3, 50 / 13)
        >>> spheres = [(1, 1, 1)] * 2
        >>> bulk, shear = self_consistent(jnp.array([0.7, 0.3]), jnp.stack([soft, stiff]), spheres)
        >>> print(f"{bulk:.6f} {shear:.6f}")
        1.406608 0.721237
    """
    sizes = jnp.stack([jnp.asarray(shape_axes(shape)) for shape in axes])
    spheres = tuple(len({float(size) for size in shape}) == 1 for shape in axes)
    return _self_consistent(jnp.asarray(fractions), jnp.asarray(stiffnesses), sizes, spheres)


@partial(jax.jit, static_argnames="spheres")
def _self_consistent(fractions: Array, stiffnesses: Array, sizes: Array, spheres: tuple[bool, ...]) -> Array:
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(stiffnesses)))
    return scale * _fixed_point(fractions, stiffnesses / scale, sizes, spheres)


def _fixed_point(fractions: Array, stiffnesses: Array, sizes: Array, spheres: tuple[bool, ...]) -> Array:
    def step(moduli: Array) -> Array:
        strain, stress = 0.0, 0.0
        for row, sphere in enumerate(spheres):
            if sphere:
                bulk, shear = _in_a_sphere(stiffnesses[row], moduli)
            else:
                bulk = _dilute_strain(sizes[row], stiffnesses[row], moduli[0], moduli[1])
                shear = stiffnesses[row] @ bulk
            strain += fractions[row] * orientation_mean(bulk, "random")
            stress += fractions[row] * orientation_mean(shear, "random")
        return jnp.stack(_moduli(stress @ jnp.linalg.inv(strain)))

    def solve(_, start: Array) -> Array:
        def unfinished(state):
            count, old, new = state
            return (count < _STEPS) & jnp.any(jnp.abs(new - old) > _FINE * new) & jnp.all(new > 1e-12)

        def advance(state):
            count, _, now = state
            return count + 1, now, step(now)

        return jax.lax.while_loop(unfinished, advance, (1, start, step(start)))[2]

    bulks, shears = moduli_of(stiffnesses)
    start = jnp.stack([jnp.tensordot(fractions, jnp.asarray(part), 1) for part in (bulks, shears)])
    return jax.lax.custom_root(
        lambda moduli: step(moduli) - moduli,
        jax.lax.stop_gradient(start),
        solve,
        lambda linear, y: jnp.linalg.solve(jax.jacobian(linear)(y), y),
    )


def _in_a_sphere(stiffness: Array, moduli: Array) -> tuple[Array, Array]:
    """Strain and stress in a sphere, without Eshelby's integrals."""
    by_bulk, by_shear = embedding_moduli(moduli[0], moduli[1])
    medium, reply = isotropic_stiffness(moduli[0], moduli[1]), isotropic_stiffness(by_bulk, by_shear)
    strain = jnp.linalg.solve(stiffness + reply, medium + reply)
    return strain, stiffness @ strain


def coated_sphere_bulk(fraction: Array, core: Array, coat: Array, coat_shear: Array) -> Array:
    """Exact bulk modulus of Hashin's coated spheres: 1 / (K + 4 G / 3) = <1 / (K_i + 4 G / 3)>.

    Args:
        fraction: (inner / outer radius)^3.
        core: bulk modulus of the core.
        coat: bulk modulus of the coat.
        coat_shear: shear modulus G of the coat. That of the core has no influence.

    Source: Z. Hashin (1962), J. Appl. Mech. 29, 143.

    Example:
        >>> round(float(coated_sphere_bulk(0.125, 0.0, 4.0, 3.0)), 6)
        3.111111
    """
    return equal_shear_bulk(jnp.array([1 - fraction, fraction]), jnp.array([coat, core]), coat_shear)


def equal_shear_bulk(fractions: Array, bulks: Array, shear: Array, dim: int = 3) -> Array:
    """Exact bulk modulus of phases with one shear modulus, whatever the microstructure.

    1 / (K + 4 G / 3) = sum_i f_i / (K_i + 4 G / 3); in the plane k + G in place of K + 4 G / 3, with k the
    bulk modulus of plane strain. The effective shear modulus is G.

    Args:
        fractions: (n,) with sum 1.
        bulks: (n,) bulk moduli.
        shear: the common shear modulus.
        dim: 3 or 2.

    Source: R. Hill (1963), J. Mech. Phys. Solids 11, 357; (1964), 12, 199.

    Example:
        >>> round(float(equal_shear_bulk(jnp.array([0.7, 0.3]), jnp.array([1.0, 10.0]), 1.0)), 9)
        1.72972973
    """
    reply = shear * (4 / 3 if dim == 3 else 1.0)
    return mean_with_reference(fractions, bulks, reply, 2)


def levin_expansion(
    fractions: Array, stiffnesses: Array, expansions: Array, effective: Array
) -> Float[Array, " n"]:
    """Exact expansion of a two-phase medium whose effective stiffness is known, whatever the microstructure.

    alpha = <alpha> + (S - <S_i>) (S_2 - S_1)^-1 (alpha_2 - alpha_1), with compliances S.

    Args:
        fractions: (2,) with sum 1.
        stiffnesses: (2, 6, 6), or (2, m, m) along the same axes.
        expansions: (2, 6) or (2, m).
        effective: (6, 6) or (m, m) effective stiffness.

    Returns:
        (6,) or (m,) effective expansion.

    Limits: compliances whose difference is regular. For isotropic phases of one shear modulus that is not so;
        then give bulk moduli 3 K as (2, 1, 1) and expansions as (2, 1).

    Source: V. M. Levin (1967), Mech. Solids 2, 58; B. W. Rosen and Z. Hashin (1970), Int. J. Eng. Sci. 8,
        157, doi:10.1016/0020-7225(70)90066-2.

    Example:
        >>> bulks, alphas = jnp.array([[[1.0]], [[10.0]]]), jnp.array([[1e-5], [2e-6]])
        >>> print(f"{levin_expansion(jnp.array([0.7, 0.3]), bulks, alphas, jnp.array([[1.5]]))[0]:.4g}")
        7.037e-06
    """
    compliances = jnp.linalg.inv(stiffnesses)
    mean = jnp.tensordot(fractions, compliances, 1)
    jump = jnp.linalg.solve(compliances[1] - compliances[0], expansions[1] - expansions[0])
    return jnp.tensordot(fractions, expansions, 1) + (jnp.linalg.inv(effective) - mean) @ jump


def _moduli(stiffness: Array) -> tuple[Array, Array]:
    """Bulk and shear modulus of an isotropic stiffness, as arrays that may be traced."""
    bulk = jnp.sum(stiffness[:3, :3]) / 9
    return bulk, (jnp.trace(stiffness) - 3 * bulk) / 10
