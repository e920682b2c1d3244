"""Linear elasticity at a point: Hooke's law with thermal expansion, and stiffnesses from constants.

    stress = C . (strain - alpha dT)

C is the stiffness, alpha the expansion, a strain per kelvin. Both are in Mandel notation (11, 22, 33, 23, 13,
12; in the plane 11, 22, 12): off-diagonal components carry a factor sqrt(2), so that a stiffness is a (6, 6)
matrix whose product with a strain is the stress, whose eigenvalues are those of the tensor, and which turns
by orthogonal matrices. Voigt's notation is taken and given by `mandel_from_voigt` and `voigt_from_mandel`
only.

The functions here are formulas: differentiable, compiled where the caller wants it, and blind to impossible
values, which `laws.elastic_constants` refuses at the door.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.upscaling.rotations import mandel_rotation

_SQRT2 = math.sqrt(2)
_IN_PLANE = np.array([0, 1, 5])  # 11, 22, 12
_ACROSS = np.array([2, 3, 4])  # 33, 23, 13


def _from_lame_and_young(lame: Array, young: Array) -> tuple[Array, Array]:
    root = jnp.sqrt(young**2 + 9 * lame**2 + 2 * young * lame)
    return (young + 3 * lame + root) / 6, (young - 3 * lame + root) / 4


# Bulk and shear modulus from each pair of constants, in the order of the pair's names.
_PAIRS: dict[tuple[str, str], Callable] = {
    ("bulk", "shear"): lambda K, G: (K, G),
    ("poisson", "young"): lambda v, E: (E / (3 * (1 - 2 * v)), E / (2 * (1 + v))),
    ("bulk", "young"): lambda K, E: (K, 3 * K * E / (9 * K - E)),
    ("shear", "young"): lambda G, E: (E * G / (3 * (3 * G - E)), G),
    ("lame", "young"): _from_lame_and_young,
    ("bulk", "poisson"): lambda K, v: (K, 3 * K * (1 - 2 * v) / (2 * (1 + v))),
    ("bulk", "lame"): lambda K, L: (K, 3 * (K - L) / 2),
    ("poisson", "shear"): lambda v, G: (2 * G * (1 + v) / (3 * (1 - 2 * v)), G),
    ("lame", "shear"): lambda L, G: (L + 2 * G / 3, G),
    ("lame", "poisson"): lambda L, v: (L * (1 + v) / (3 * v), L * (1 - 2 * v) / (2 * v)),
}


def isotropic_moduli(**pair: ArrayLike) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Bulk and shear modulus of an isotropic material from any two of its constants.

    Args:
        pair: two of `young`, `poisson`, `bulk`, `shear`, `lame` (the first Lamé constant), in Pa.

    Returns:
        bulk and shear modulus, in the unit given.

    Raises:
        InputError: not two of these names.

    Limits: some pairs lose digits near a special value: young and shear near incompressibility, lame and
        poisson near poisson = 0, where they say nothing.

    Example:
        >>> [float(modulus) for modulus in isotropic_moduli(young=9.0, poisson=0.125)]
        [4.0, 4.0]
    """
    names = tuple(sorted(pair))
    if names not in _PAIRS:
        raise InputError(
            "isotropic constants",
            got=", ".join(names) or "none",
            wanted="two of young, poisson, bulk, shear, lame",
            cure="write for example young=70e9, poisson=0.33",
        )
    first, second = names
    return _PAIRS[first, second](*(jnp.asarray(pair[name]) for name in names))


def isotropic_stiffness(bulk: ArrayLike, shear: ArrayLike) -> Float[Array, "6 6"]:
    """Stiffness of an isotropic material, C = 3 K J + 2 G (1 - J), J the projector on hydrostatic strain.

    Args:
        bulk: bulk modulus K, Pa.
        shear: shear modulus G, Pa.

    Returns:
        (6, 6) in Mandel notation, Pa.

    Source: J. D. Eshelby 1957; R. Hill (1965), J. Mech. Phys. Solids 13, 213.

    Example:
        >>> isotropic_stiffness(4.0, 3.0)[:2, :2].tolist(), float(isotropic_stiffness(4.0, 3.0)[5, 5])
        ([[8.0, 2.0], [2.0, 8.0]], 6.0)
    """
    first = jnp.asarray(bulk) - 2 * jnp.asarray(shear) / 3
    return 2 * jnp.asarray(shear) * jnp.eye(6) + first * _outer_unit()


def cubic_stiffness(c11: ArrayLike, c12: ArrayLike, c44: ArrayLike) -> Float[Array, "6 6"]:
    """Stiffness of a cubic crystal along its axes.

    Args:
        c11: stress along an axis over strain along it, Pa.
        c12: stress across over strain along, Pa.
        c44: shear stress over engineering shear strain, Pa.

    Returns:
        (6, 6) in Mandel notation, Pa: 2 c44 stands on the diagonal of the shears.

    Source: J. F. Nye, Physical Properties of Crystals (1957), ch. VIII.

    Example:
        >>> float(cubic_stiffness(168.4, 121.4, 75.4)[3, 3])
        150.8
    """
    c11, c12, c44 = jnp.asarray(c11), jnp.asarray(c12), jnp.asarray(c44)
    normal = (c11 - c12) * jnp.eye(3) + c12 * jnp.ones((3, 3))
    return _blocks(normal, 2 * c44 * jnp.ones(3))


def orthotropic_stiffness(young: ArrayLike, poisson: ArrayLike, shear: ArrayLike) -> Float[Array, "6 6"]:
    """Stiffness of an orthotropic material along its axes, from engineering constants.

    The compliance is S_ii = 1 / E_i, S_ij = -nu_ij / E_i, and 1 / (2 G_ij) on the diagonal of the shears (in
    Mandel notation). nu_ij = -strain_j / strain_i under a stress along i alone; nu_ji = nu_ij E_j / E_i
    follows.

    Args:
        young: (3,) E1, E2, E3, Pa.
        poisson: (3,) nu12, nu13, nu23.
        shear: (3,) G12, G13, G23, Pa.

    Returns:
        (6, 6) in Mandel notation, Pa.

    Limits: the compliance has to be positive definite; see `laws.elastic_constants`.

    Source: S. G. Lekhnitskii, Theory of Elasticity of an Anisotropic Body (1963), § 3.

    Example:
        >>> same = orthotropic_stiffness([9.0, 9.0, 9.0], [0.125] * 3, [4.0, 4.0, 4.0])
        >>> np.allclose(same, isotropic_stiffness(4.0, 4.0), rtol=1e-14)
        True
    """
    one, two, three = jnp.asarray(young)
    poisson, shear = jnp.asarray(poisson), jnp.asarray(shear)
    # The inverse of the 3 x 3 compliance by cofactors: exact zeros stay, and its derivative is plain.
    v12, v13, v23 = poisson
    v21, v31, v32 = v12 * two / one, v13 * three / one, v23 * three / two
    rest = 1 - v12 * v21 - v13 * v31 - v23 * v32 - 2 * v21 * v32 * v13
    c12, c13 = two * (v12 + v13 * v32) / rest, three * (v13 + v12 * v23) / rest
    c23 = three * (v23 + v13 * v21) / rest
    normal = jnp.stack(
        [
            jnp.stack([one * (1 - v23 * v32) / rest, c12, c13]),
            jnp.stack([c12, two * (1 - v13 * v31) / rest, c23]),
            jnp.stack([c13, c23, three * (1 - v12 * v21) / rest]),
        ]
    )
    return _blocks(normal, 2 * shear[::-1])


def transversely_isotropic_stiffness(
    young1: ArrayLike, young2: ArrayLike, poisson12: ArrayLike, poisson23: ArrayLike, shear12: ArrayLike
) -> Float[Array, "6 6"]:
    """Stiffness of a material that is isotropic about its axis 1, as a ply of fibres along 1.

    E3 = E2, nu13 = nu12, G13 = G12 and G23 = E2 / (2 (1 + nu23)) in `orthotropic_stiffness`.

    Args:
        young1: modulus along the axis, Pa.
        young2: modulus across, Pa.
        poisson12: contraction across over extension along, under stress along.
        poisson23: contraction in the plane of isotropy.
        shear12: shear modulus along, Pa.

    Returns:
        (6, 6) in Mandel notation, Pa, the axis along local 1.

    Example:
        >>> ply = transversely_isotropic_stiffness(138e9, 9e9, 0.3, 0.4, 6e9)
        >>> turned = ply[np.ix_([0, 2, 1, 3, 5, 4], [0, 2, 1, 3, 5, 4])]  # axes 2 and 3 exchanged
        >>> np.allclose(ply, turned, rtol=1e-14)
        True
    """
    along, across, shear = jnp.asarray(young1), jnp.asarray(young2), jnp.asarray(shear12)
    v12, v23 = jnp.asarray(poisson12), jnp.asarray(poisson23)
    return orthotropic_stiffness(
        jnp.stack([along, across, across]),
        jnp.stack([v12, v12, v23]),
        jnp.stack([shear, shear, across / (2 * (1 + v23))]),
    )


def symmetric_matrix(components: ArrayLike) -> Float[Array, "6 6"]:
    """Return the symmetric matrix whose upper triangle, row by row, is 21 numbers.

    Example:
        >>> symmetric_matrix(jnp.arange(21.0))[1].tolist()
        [1.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    """
    rows, columns = np.triu_indices(6)
    upper = jnp.zeros((6, 6)).at[rows, columns].set(jnp.asarray(components))
    return upper + jnp.triu(upper, 1).T


def mandel_from_voigt(stiffness: ArrayLike) -> Float[Array, "n n"]:
    """Turn a stiffness in Voigt's notation, engineering shear strains, into Mandel notation.

    C_mandel = D C_voigt D with D = diag(1, 1, 1, sqrt 2, sqrt 2, sqrt 2); the order of components is the
    same.

    Args:
        stiffness: (6, 6) in the order 11, 22, 33, 23, 13, 12, or (3, 3) in the order 11, 22, 12. Some
            programs write 12 before 13 and 23: reorder first.

    Returns:
        the same tensor in Mandel notation. A compliance goes the other way, by `voigt_from_mandel`.

    Source: M. M. Mehrabadi and S. C. Cowin (1990), doi:10.1093/qjmam/43.1.15.

    Example:
        >>> mandel_from_voigt(np.eye(6)).diagonal().round(12).tolist()
        [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    """
    weights = _shear_weights(np.shape(stiffness)[-1])
    return jnp.asarray(stiffness) * weights[:, None] * weights


def voigt_from_mandel(stiffness: ArrayLike) -> Float[Array, "n n"]:
    """Turn a stiffness in Mandel notation into Voigt's: the inverse of `mandel_from_voigt`.

    Example:
        >>> voigt_from_mandel(2 * np.eye(3)).diagonal().round(12).tolist()
        [2.0, 2.0, 1.0]
    """
    weights = _shear_weights(np.shape(stiffness)[-1])
    return jnp.asarray(stiffness) / (weights[:, None] * weights)


def rotate_stiffness(stiffness: ArrayLike, axes: ArrayLike) -> Float[Array, "... 6 6"]:
    """Stiffness in the sample's axes of a material that lies there with given axes.

    C_sample = Q' C Q, with Q the rotation of Mandel vectors from the sample's axes to the material's.

    Args:
        stiffness: (6, 6), or (..., 6, 6), along the material's own axes.
        axes: (3, 3), or (..., 3, 3), rows are the material's axes in the sample's components: a crystal's
            orientation matrix, which takes components in the sample to components in the crystal.

    Returns:
        (..., 6, 6) along the sample's axes.

    Source: W. A. Bond (1943), Bell Syst. Tech. J. 22, 1; in Mandel notation Mehrabadi and Cowin 1990.

    Example:
        >>> ply = transversely_isotropic_stiffness(138e9, 9e9, 0.3, 0.4, 6e9)
        >>> along_z = rotate_stiffness(ply, np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]]))
        >>> bool(np.isclose(along_z[2, 2], ply[0, 0]))
        True
    """
    turn = mandel_rotation(jnp.asarray(axes))  # type: ignore[arg-type]  # its arithmetic is that of both
    return jnp.swapaxes(turn, -1, -2) @ jnp.asarray(stiffness) @ turn


def rotate_strain(strain: ArrayLike, axes: ArrayLike) -> Float[Array, "... 6"]:
    """Strain (or stress, expansion) in the sample's axes from its Mandel components along a material's axes.

    Args:
        strain: (6,) or (..., 6) along the material's own axes.
        axes: as in `rotate_stiffness`.

    Example:
        >>> quarter = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
        >>> rotate_strain(np.array([1.0, 0, 0, 0, 0, 0]), quarter).round(12).tolist()
        [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    turn = mandel_rotation(jnp.asarray(axes))  # type: ignore[arg-type]
    return jnp.einsum("...ji,...j->...i", turn, jnp.asarray(strain))


def plane_strain(stiffness: ArrayLike) -> Float[Array, "... 3 3"]:
    """Stiffness in the plane 1-2 where strains 33, 23 and 13 are zero: rows and columns 11, 22, 12.

    Args:
        stiffness: (..., 6, 6) in Mandel notation.

    Returns:
        (..., 3, 3) in Mandel notation.

    Example:
        >>> plane_strain(isotropic_stiffness(4.0, 3.0)).tolist()
        [[8.0, 2.0, 0.0], [2.0, 8.0, 0.0], [0.0, 0.0, 6.0]]
    """
    return jnp.asarray(stiffness)[..., _IN_PLANE[:, None], _IN_PLANE]


def plane_stress(stiffness: ArrayLike) -> Float[Array, "... 3 3"]:
    """Stiffness in the plane 1-2 where stresses 33, 23 and 13 are zero: C_pp - C_pa C_aa^-1 C_ap.

    Args:
        stiffness: (..., 6, 6) in Mandel notation, its part 33, 23, 13 positive definite.

    Returns:
        (..., 3, 3) in Mandel notation; the reduced stiffness of a thin ply.

    Source: R. M. Jones, Mechanics of Composite Materials (1999), § 2.4.

    Example:
        >>> reduced = plane_stress(isotropic_stiffness(*isotropic_moduli(young=9.0, poisson=0.125)))
        >>> bool(np.isclose(reduced[0, 0], 9.0 / (1 - 0.125**2)))
        True
    """
    full = jnp.asarray(stiffness)
    mixed = full[..., _IN_PLANE[:, None], _ACROSS]
    across = full[..., _ACROSS[:, None], _ACROSS]
    return plane_strain(full) - mixed @ jnp.linalg.solve(across, jnp.swapaxes(mixed, -1, -2))


def plane_strain_expansion(stiffness: ArrayLike, expansion: ArrayLike) -> Float[Array, "... 3"]:
    """In-plane expansion that gives the thermal stress of plane strain: C_2D^-1 (C alpha)_2D.

    Where strain 33 is held at zero, the expansion across presses back into the plane: for an isotropic
    material (1 + nu) alpha. In plane stress the in-plane expansion is simply components 11, 22, 12.

    Example:
        >>> moduli = isotropic_moduli(young=9.0, poisson=0.125)
        >>> found = plane_strain_expansion(isotropic_stiffness(*moduli), np.array([1.0, 1, 1, 0, 0, 0]))
        >>> found.round(12).tolist()
        [1.125, 1.125, 0.0]
    """
    full = jnp.asarray(stiffness)
    thermal = jnp.einsum("...ij,...j->...i", full, jnp.asarray(expansion))[..., _IN_PLANE]
    return jnp.linalg.solve(plane_strain(full), thermal[..., None])[..., 0]


def _outer_unit() -> np.ndarray:
    unit = np.array([1.0, 1, 1, 0, 0, 0])
    return np.outer(unit, unit)


def _blocks(normal: Float[Array, "3 3"], shears: Float[Array, "3"]) -> Float[Array, "6 6"]:
    zero = jnp.zeros((3, 3))
    return jnp.block([[normal, zero], [zero, jnp.diag(shears)]])


def _shear_weights(size: int) -> np.ndarray:
    if size not in (3, 6):
        raise InputError(
            "stiffness",
            got=f"{size} columns",
            wanted="a (6, 6) matrix, or (3, 3) in the plane",
            cure="give the whole matrix",
        )
    normals = 3 if size == 6 else 2
    return np.array([1.0] * normals + [_SQRT2] * (size - normals))
