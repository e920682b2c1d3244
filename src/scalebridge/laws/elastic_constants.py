"""Which constants make which material, their stiffness, and the refusal of constants that no material has."""

from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import PhaseError
from scalebridge.io.stored import nearest
from scalebridge.laws.elasticity import (
    cubic_stiffness,
    isotropic_moduli,
    isotropic_stiffness,
    orthotropic_stiffness,
    symmetric_matrix,
    transversely_isotropic_stiffness,
)

_ISOTROPIC = ("young", "poisson", "bulk", "shear", "lame")
_UPPER = [(i + 1, j + 1) for i in range(6) for j in range(i, 6)]
FULL = tuple(f"mandel{i}{j}" for i, j in _UPPER)
"""Names of the 21 components of a full stiffness: the upper triangle in Mandel notation, row by row."""

CONSTANTS: dict[str, tuple[str, ...]] = {
    "cubic": ("c11", "c12", "c44"),
    "transversely isotropic": ("young1", "young2", "poisson12", "poisson23", "shear12"),
    "orthotropic": (
        *("young1", "young2", "young3", "poisson12", "poisson13", "poisson23"),
        *("shear12", "shear13", "shear23"),
    ),
    "full": FULL,
}
"""The constants of each kind of material but "isotropic", which takes two of five."""

_HABITS = dict(
    pair.split(":")
    for pair in [
        "e:young",
        "nu:poisson",
        "g:shear",
        "k:bulk",
        "lambda:lame",
        "mu:shear",
        "alpha:expansion",
        "cte:expansion",
        "rho:density",
        "cp:heat_capacity",
        "c:stiffness",
        "youngs_modulus:young",
        "poissons_ratio:poisson",
        "e1:young1",
        "nu12:poisson12",
        "poisson21:poisson12",
        "poisson31:poisson13",
        "poisson32:poisson23",
        "g12:shear12",
    ]
)
_CURE = (
    "give young and poisson (or two of young, poisson, bulk, shear, lame), or c11, c12, c44, or young1, "
    "young2, poisson12, poisson23, shear12 (axis 1 is that of isotropy), or the nine orthotropic constants, "
    "or stiffness"
)


def unit_of(name: str) -> str:
    """Return the SI unit of an elastic constant.

    Example:
        >>> unit_of("poisson12"), unit_of("c44")
        ('1', 'Pa')
    """
    return "1" if name.startswith("poisson") else "Pa"


def kind_of(names: Iterable[str], argument: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind of material that elastic constants make, and their names in the order of that kind.

    Raises:
        PhaseError: a combination that no kind has.

    Example:
        >>> kind_of({"shear", "young"}, "phase 1")
        ('isotropic', ('young', 'shear'))
    """
    given = set(names)
    isotropic = tuple(name for name in _ISOTROPIC if name in given)
    if len(isotropic) == len(given) == 2:
        return "isotropic", isotropic
    for kind, wanted in CONSTANTS.items():
        if given == set(wanted):
            return kind, wanted
    nearest_kind = min(CONSTANTS, key=lambda kind: len(given ^ set(CONSTANTS[kind])))
    missing = [name for name in CONSTANTS[nearest_kind] if name not in given]
    lacking = (
        "" if isotropic or not given or len(missing) > 3 else f"; {nearest_kind} lacks {', '.join(missing)}"
    )
    raise PhaseError(
        argument,
        got=f"the elastic constants {', '.join(sorted(given)) or 'none'}{lacking}",
        wanted="a set that makes a material",
        cure=_CURE,
    )


def refuse_unknown(name: str, known: Iterable[str], argument: str) -> PhaseError:
    """Return the refusal of a key, with the name that was meant."""
    habit = _HABITS.get(name.lower())
    cure = f"did you mean '{habit}'?" if habit else nearest(name, known)
    return PhaseError(argument, got=f"the key {name!r}", wanted="a constant of a material", cure=cure)


def stiffness_from(kind: str, names: tuple[str, ...], values: Array) -> Float[Array, "6 6"]:
    """Stiffness along the material's own axes from its constants; differentiable.

    Args:
        kind: as `kind_of` gives it, or "void".
        names: the constants' names.
        values: their values in SI, in that order; more may follow.

    Returns:
        (6, 6) in Mandel notation, Pa.

    Example:
        >>> float(stiffness_from("isotropic", ("bulk", "shear"), jnp.array([4.0, 3.0]))[0, 0])
        8.0
    """
    match kind:
        case "void":
            return jnp.zeros((6, 6))
        case "isotropic":
            pair = {name: values[row] for row, name in enumerate(names)}
            return isotropic_stiffness(*isotropic_moduli(**pair))
        case "cubic":
            return cubic_stiffness(values[0], values[1], values[2])
        case "transversely isotropic":
            return transversely_isotropic_stiffness(*(values[row] for row in range(5)))
        case "orthotropic":
            return orthotropic_stiffness(values[:3], values[3:6], values[6:9])
    return symmetric_matrix(values[:21])


def check_constants(kind: str, names: tuple[str, ...], values: np.ndarray, argument: str) -> None:
    """Refuse constants whose stiffness is not positive definite, and say which of them violate what.

    Args:
        kind: as `kind_of` gives it.
        names: the constants' names.
        values: their values in SI.
        argument: whose they are, for errors.

    Raises:
        PhaseError: with the condition that is violated.

    Source: positive energy: for engineering constants B. M. Lempriere (1968), AIAA J. 6, 2226,
        doi:10.2514/3.4974; for crystals M. Born (1940), Proc. Camb. Phil. Soc. 36, 160.

    Example:
        >>> check_constants(  # doctest: +ELLIPSIS
        ...     "isotropic", ("young", "poisson"), np.array([1e9, 0.5]), "phase 1"
        ... )
        Traceback (most recent call last):
        ...
        scalebridge.core.errors.PhaseError: phase 1: got poisson 0.5; wanted -1 < poisson < 0.5; an ...
    """
    known = dict(zip(names, (float(value) for value in values[: len(names)]), strict=True))
    wrong = next((name for name in known if not np.isfinite(known[name])), None)
    if wrong is not None:
        raise PhaseError(argument, got=f"{wrong} {known[wrong]}", wanted="a finite number", cure="correct it")
    for name in names:
        if name.startswith(("young", "shear", "bulk", "c11", "c44")) and known[name] <= 0:
            raise PhaseError(
                argument,
                got=f"{name} {known[name]:g}",
                wanted=f"a positive {name}",
                cure="correct the sign; a pore is {'void': True} or young=0",
            )
    {
        "isotropic": _check_isotropic,
        "cubic": _check_cubic,
        "transversely isotropic": _check_transverse,
        "orthotropic": _check_orthotropic,
        "full": _check_full,
    }[kind](known, argument)


def _check_isotropic(known: dict[str, float], argument: str) -> None:
    poisson = known.get("poisson", 0.0)
    if not -1 < poisson < 0.5:
        raise PhaseError(
            argument,
            got=f"poisson {poisson:g}",
            wanted="-1 < poisson < 0.5",
            cure="an incompressible material has no finite stiffness: write 0.499 or so"
            if poisson == 0.5
            else "correct it",
        )
    if set(known) == {"lame", "poisson"} and known["lame"] * poisson <= 0:
        raise PhaseError(
            argument,
            got=f"lame {known['lame']:g} with poisson {poisson:g}",
            wanted="both of one sign, and not zero",
            cure="give young or shear in place of lame",
        )
    with np.errstate(all="ignore"):
        bulk, shear = (float(modulus) for modulus in isotropic_moduli(**known))
    if not (bulk > 0 and shear > 0 and np.isfinite(bulk) and np.isfinite(shear)):
        raise PhaseError(
            argument,
            got=f"{_listed(known)}, that is a bulk modulus of {bulk:g} and a shear modulus of {shear:g}",
            wanted="both positive (young < 3 shear, young < 9 bulk, bulk > lame)",
            cure="check which of the two is wrong",
        )


def _check_cubic(known: dict[str, float], argument: str) -> None:
    c11, c12 = known["c11"], known["c12"]
    if not -c11 / 2 < c12 < c11:
        raise PhaseError(
            argument,
            got=f"c11 {c11:g} with c12 {c12:g}",
            wanted="-c11 / 2 < c12 < c11",
            cure="check whether the two are exchanged",
        )


def _check_transverse(known: dict[str, float], argument: str) -> None:
    _check_pair("poisson23", known["poisson23"], 1.0, "1", argument)
    ratio = known["young1"] / known["young2"]
    _check_pair("poisson12", known["poisson12"], ratio, "young1 / young2", argument)
    left = 1 - known["poisson23"] - 2 * known["poisson12"] ** 2 / ratio
    if not left > 0:
        raise _determinant(known, "1 - poisson23 - 2 poisson12^2 young2 / young1", left, argument)


def _check_orthotropic(known: dict[str, float], argument: str) -> None:
    young = [known["young1"], known["young2"], known["young3"]]
    for i, j in ((1, 2), (1, 3), (2, 3)):
        ratio, name = young[i - 1] / young[j - 1], f"poisson{i}{j}"
        _check_pair(name, known[name], ratio, f"young{i} / young{j}", argument)
    v12, v13, v23 = known["poisson12"], known["poisson13"], known["poisson23"]
    v21, v31, v32 = v12 * young[1] / young[0], v13 * young[2] / young[0], v23 * young[2] / young[1]
    left = 1 - v12 * v21 - v13 * v31 - v23 * v32 - 2 * v21 * v32 * v13
    if not left > 0:
        formula = "1 - nu12 nu21 - nu13 nu31 - nu23 nu32 - 2 nu21 nu32 nu13"
        raise _determinant(known, formula, left, argument)


def _check_full(known: dict[str, float], argument: str) -> None:
    values, vectors = np.linalg.eigh(np.asarray(symmetric_matrix(np.array([known[name] for name in FULL]))))
    if values[0] > 1e-12 * values[-1] > 0:
        return
    strain = ", ".join(f"{part:.2g}" for part in vectors[:, 0])
    raise PhaseError(
        argument,
        got=f"a stiffness with the eigenvalue {values[0]:.4g} for the strain ({strain}), Mandel notation",
        wanted="a positive definite matrix",
        cure="check signs, the notation, and the order 11, 22, 33, 23, 13, 12; a pore is {'void': True}",
    )


def _check_pair(name: str, poisson: float, ratio: float, shown: str, argument: str) -> None:
    if not poisson**2 < ratio:
        raise PhaseError(
            argument,
            got=f"{name} {poisson:g}",
            wanted=f"{name}^2 < {shown} = {ratio:.4g}",
            cure="nu_ij = -strain_j / strain_i under stress along i: check whether nu_ji was meant",
        )


def _determinant(known: dict[str, float], formula: str, left: float, argument: str) -> PhaseError:
    return PhaseError(
        argument,
        got=f"{formula} = {left:.4g} with {_listed(known)}",
        wanted="a positive number: the determinant condition of positive energy",
        cure="one of Poisson's ratios is too large; check whether nu_ji was meant for nu_ij",
    )


def _listed(known: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in known.items())
