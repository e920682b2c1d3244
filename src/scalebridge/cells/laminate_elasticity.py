"""Layered elastic media: the exact effective stiffness and expansion, and the strains behind them.

In layers of any number, thickness and anisotropy strain is constant in each layer. Its in-plane part is the
same in all of them; so is the traction across. Everything follows from these two sentences, thermal expansion
included. Stiffnesses, strains and expansions are in Mandel notation (11, 22, 33, 23, 13, 12).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.cells.laminate import check_normal
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import PhaseError
from scalebridge.upscaling.mixture import check_fractions
from scalebridge.upscaling.rotations import mandel_rotation

_TRACTION = np.array([0, 4, 5])  # 11, 13, 12 in axes whose first is the normal
_PLANE = np.array([1, 2, 3])  # 22, 33, 23


def laminate_elasticity(
    fractions: ArrayLike, stiffnesses: ArrayLike, expansions: ArrayLike, normal: ArrayLike
) -> tuple[Float[Array, "6 6"], Float[Array, " 6"]]:
    """Exact effective stiffness and expansion of elastic layers with any anisotropy and any normal.

    C = sum_i f_i A_i' C_i A_i and C alpha = sum_i f_i A_i' C_i alpha_i, with the layers' strains A_i for unit
    mean strains (`laminate_strains`). Written in blocks of components across (n) and along (t) the layers
    this is C_nn = <C_nn^-1>^-1, C_nt = C_nn <C_nn^-1 C_nt>, C_tt = <C_tt - C_tn C_nn^-1 C_nt> + C_tn C_nn^-1
    C_nt. The form as an energy is symmetric by construction, and its derivative in layer i is f_i A_i (x)
    A_i.

    Args:
        fractions: (n,) relative thicknesses, non-negative with sum 1.
        stiffnesses: (n, 6, 6) symmetric, Pa, Mandel notation; positive definite, or exactly zero for a gap.
        expansions: (n, 6) strain per kelvin, Mandel notation; zeros for none.
        normal: (3,) direction across the layers. Only its direction counts.

    Returns:
        stiffness (6, 6) in Pa and expansion (6,) in 1/K, Mandel notation. The layers' order does not matter.
        With a gap the expansion across the layers means nothing, and is NaN.

    Raises:
        InputError: fractions or normal cannot be used.
        PhaseError: shapes that do not fit together.

    Limits: perfect bonding; layers thin against the scale on which the mean strain changes.
    Cost: some thousand multiplications a layer.
    Source: G. E. Backus, J. Geophys. Res. 67 (1962) 4427; G. A. Francfort and F. Murat, Arch. Ration. Mech.
    Anal. 94 (1986) 307; G. W. Milton, The Theory of Composites (2002), ch. 9.

    Example:
        >>> from scalebridge.laws.elasticity import isotropic_stiffness
        >>> layers = jnp.stack([isotropic_stiffness(1.0, 0.75), isotropic_stiffness(4.0, 3.0)])
        >>> C, _ = laminate_elasticity([0.5, 0.5], layers, np.zeros((2, 6)), [1.0, 0, 0])
        >>> round(float(C[0, 0]), 12), round(float(C[5, 5]), 12)  # harmonic means of 2 and 8, 1.5 and 6
        (3.2, 2.4)
    """
    arrays = _checked(fractions, stiffnesses, expansions, normal)
    return _effective(*arrays)


def laminate_strains(
    fractions: ArrayLike, stiffnesses: ArrayLike, expansions: ArrayLike, normal: ArrayLike
) -> tuple[Float[Array, "n 6 6"], Float[Array, "n 6"]]:
    """Exact strain in every layer for each unit mean strain, and for a kelvin at zero mean strain.

    strain_i = A_i strain + a_i dT: along the layers the mean strain, across them
    C_nn^-1 (t + (C alpha)_n dT - C_nt strain_t) with the common traction t.

    Args:
        fractions: (n,) relative thicknesses, non-negative with sum 1.
        stiffnesses: (n, 6, 6) Pa, Mandel notation.
        expansions: (n, 6) 1/K.
        normal: (3,) direction across the layers.

    Returns:
        A (n, 6, 6), whose mean over the fractions is the identity, and a (n, 6), whose mean is zero. Gaps
        take the whole jump, in equal strains.

    Raises:
        InputError, PhaseError: as for `laminate_elasticity`.

    Source: as for `laminate_elasticity`.

    Example:
        >>> layers = jnp.stack([jnp.eye(6), 3 * jnp.eye(6)])
        >>> A, a = laminate_strains([0.5, 0.5], layers, np.zeros((2, 6)), [1.0, 0, 0])
        >>> A[:, 0, 0].round(12).tolist(), A[:, 1, 1].tolist()
        ([1.5, 0.5], [1.0, 1.0])
    """
    return _strains(*_checked(fractions, stiffnesses, expansions, normal))


def _checked(
    fractions: ArrayLike, stiffnesses: ArrayLike, expansions: ArrayLike, normal: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    check_fractions(fractions)
    check_normal(normal, 3)
    count = np.shape(fractions)[0]
    if np.shape(stiffnesses) != (count, 6, 6) or np.shape(expansions) != (count, 6):
        raise PhaseError(
            "stiffnesses",
            got=f"shapes {np.shape(stiffnesses)} and {np.shape(expansions)} for {count} fractions",
            wanted=f"({count}, 6, 6) and ({count}, 6), Mandel notation",
            cure="make each layer's stiffness with elastic_material(...).stiffness()",
        )
    given = (fractions, stiffnesses, expansions, normal)
    first, second, third, fourth = (jnp.asarray(array, dtype=float) for array in given)
    return first, second, third, fourth


@jax.jit
def _effective(
    fractions: Float[Array, " n"],
    stiffnesses: Float[Array, "n 6 6"],
    expansions: Float[Array, "n 6"],
    normal: Float[Array, " 3"],
) -> tuple[Float[Array, "6 6"], Float[Array, " 6"]]:
    local, _ = _strains(fractions, stiffnesses, expansions, normal)
    stiffness = jnp.einsum("i,iab,iac,icd->bd", fractions, local, stiffnesses, local)
    stiffness = 0.5 * (stiffness + stiffness.T)
    thermal = jnp.einsum("i,iab,iac,ic->b", fractions, local, stiffnesses, expansions)
    gap = jnp.any((jnp.max(jnp.abs(stiffnesses), axis=(1, 2)) == 0) & (fractions > 0))
    regular = jnp.where(gap, jnp.eye(6), stiffness)
    return stiffness, jnp.where(gap, jnp.nan, jnp.linalg.solve(regular, thermal))


@jax.jit
def _strains(
    fractions: Float[Array, " n"],
    stiffnesses: Float[Array, "n 6 6"],
    expansions: Float[Array, "n 6"],
    normal: Float[Array, " 3"],
) -> tuple[Float[Array, "n 6 6"], Float[Array, "n 6"]]:
    turn = _layer_axes(normal)
    own = turn @ stiffnesses @ turn.T
    stress = jnp.einsum("iab,ib->ia", own, expansions @ turn.T)[:, _TRACTION]  # that a kelvin sets free
    across, mixed = own[:, _TRACTION[:, None], _TRACTION], own[:, _TRACTION[:, None], _PLANE]
    void = jnp.max(jnp.abs(stiffnesses), axis=(1, 2)) == 0
    empty = void & (fractions > 0)
    yielding = jnp.where(
        void[:, None, None], 0.0, jnp.linalg.inv(jnp.where(void[:, None, None], jnp.eye(3), across))
    )
    coupled, free = yielding @ mixed, jnp.einsum("iab,ib->ia", yielding, stress)
    gap = jnp.any(empty)
    mean = jnp.tensordot(fractions, yielding, 1)
    series = jnp.where(
        gap, 0.0, jnp.linalg.inv(jnp.where(gap, jnp.eye(3), mean))
    )  # a gap carries no traction
    by_plane = yielding @ series @ jnp.tensordot(fractions, coupled, 1) - coupled
    by_kelvin = free - jnp.einsum("iab,b->ia", yielding @ series, fractions @ free)
    by_normal = yielding @ series
    # What the solid layers leave of the mean strain across is shared by the gaps.
    share = jnp.where(empty, 1.0, 0.0) / jnp.where(gap, jnp.sum(jnp.where(empty, fractions, 0.0)), 1.0)
    by_normal += share[:, None, None] * (jnp.eye(3) - jnp.tensordot(fractions, by_normal, 1))
    by_plane -= share[:, None, None] * jnp.tensordot(fractions, by_plane, 1)
    by_kelvin -= share[:, None] * (fractions @ by_kelvin)
    count = fractions.shape[0]
    local = jnp.zeros((count, 6, 6)).at[:, _PLANE, _PLANE].set(1.0)
    local = local.at[:, _TRACTION[:, None], _TRACTION].set(by_normal)
    local = local.at[:, _TRACTION[:, None], _PLANE].set(by_plane)
    thermal = jnp.zeros((count, 6)).at[:, _TRACTION].set(by_kelvin)
    return turn.T @ local @ turn, thermal @ turn


def _layer_axes(normal: Float[Array, " 3"]) -> Float[Array, "6 6"]:
    """Rotation of Mandel vectors to axes whose first is the normal."""
    unit = normal / jnp.sqrt(jnp.sum(normal**2))
    # The helper axis is the one most across the normal; the choice of axes in the plane changes nothing.
    helper = jnp.eye(3)[jnp.argmin(jnp.abs(jax.lax.stop_gradient(unit)))]
    second = helper - unit * (helper @ unit)
    second = second / jnp.sqrt(jnp.sum(second**2))
    return mandel_rotation(jnp.stack([unit, second, jnp.cross(unit, second)]))  # type: ignore[arg-type]
