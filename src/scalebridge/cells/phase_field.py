"""The flat interface of a phase field: tension and width from gradient energy and barrier, and back.

    F = int  W phi^2 (1 - phi)^2 + 1/2 grad phi . kappa grad phi  dV

Across a flat interface of normal n the energy is least for phi = (1 + tanh(x / 2 l)) / 2 with
l = sqrt(kappa_n / 2 W), and is gamma = sqrt(2 kappa_n W) / 6 an area, kappa_n = n . kappa n. With a driving
force m that enters as m phi^2 (3 - 2 phi) the same profile travels at v = 6 L m l.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.core import Tracer

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, UnitError
from scalebridge.core.units import parse_quantity, split_quantity
from scalebridge.laws.conduction import conductivity_tensor

_UNITS = {"gradient_energy": "J/m", "barrier": "J/m^3", "tension": "J/m^2", "length": "m"}
_CURE = "write for example flat_interface(tension='0.3 J/m^2', length='1 nm')"


@dataclass(frozen=True)
class FlatInterface:
    """A flat interface at rest, or driven.

    Args:
        gradient_energy: kappa, J/m: a number, or a symmetric positive definite tensor (dim, dim).
        barrier: W, J/m^3: sixteen times the height of the double well.

    Example:
        >>> grain = FlatInterface(gradient_energy=0.5, barrier=4.0)
        >>> grain.tension(), grain.length()
        (0.3333333333333333, 0.25)
    """

    gradient_energy: Any
    barrier: Any

    def along(self, normal: Any = None) -> Any:
        """Return kappa_n = n . kappa n, J/m.

        Args:
            normal: direction across the interface; its length does not count. Needed with a tensor.

        Raises:
            InputError: a tensor without a direction of its dimension.
        """
        if np.ndim(self.gradient_energy) == 0:
            return self.gradient_energy
        dim = np.shape(self.gradient_energy)[0]
        if normal is None or np.shape(normal) != (dim,):
            raise InputError(
                "normal",
                got=repr(normal),
                wanted=f"{dim} components, because the gradient energy is a tensor",
                cure=f"pass normal={(1,) + (0,) * (dim - 1)}",
            )
        if not isinstance(normal, Tracer) and not np.any(np.asarray(normal)):
            raise InputError("normal", got=repr(normal), wanted="a direction", cure="pass a vector not zero")
        direction = normal if isinstance(normal, Tracer) else np.asarray(normal, dtype=float)
        return direction @ self.gradient_energy @ direction / (direction @ direction)

    def tension(self, normal: Any = None) -> Any:
        """Energy an area, J/m^2: gamma = sqrt(2 kappa_n W) / 6."""
        return (2.0 * self.along(normal) * self.barrier) ** 0.5 / 6.0

    def length(self, normal: Any = None) -> Any:
        """Length of the profile, m: l = sqrt(kappa_n / 2 W)."""
        return (self.along(normal) / (2.0 * self.barrier)) ** 0.5

    def width(self, normal: Any = None, share: float = 0.1) -> Any:
        """Distance between phi = share and phi = 1 - share, m: 2 l ln((1 - share) / share).

        Args:
            normal: as in `along`.
            share: between 0 and 1/2; 0.1 gives the usual width of 4.394 l.

        Raises:
            InputError: a share that is not between 0 and 1/2.
        """
        if not 0 < share < 0.5:
            raise InputError("share", got=share, wanted="between 0 and 1/2", cure="pass 0.1")
        return 2.0 * self.length(normal) * math.log((1.0 - share) / share)

    def profile(self, distance: Any, normal: Any = None) -> Any:
        """Phase field at a signed distance from the interface, m: (1 + tanh(x / 2 l)) / 2."""
        return 0.5 * (1.0 + np.tanh(np.asarray(distance) / (2.0 * self.length(normal))))

    def speed(self, mobility: Any, driving: Any, normal: Any = None) -> Any:
        """Speed under a driving force, m/s: v = 6 L m l, exact for |m| < W / 3.

        Args:
            mobility: kinetic coefficient L of phi_t = -L dF/dphi, m^3/(J s).
            driving: m, J/m^3.
            normal: as in `along`.
        """
        return self.mobility(mobility, normal) * driving

    def mobility(self, mobility: Any, normal: Any = None) -> Any:
        """Mobility M of the sharp interface, v = M m, m^4/(J s): M = 6 L l.

        The same M moves a curved interface: v = M gamma K with K the sum of its principal curvatures, because
        M gamma = L kappa_n.

        Args:
            mobility: kinetic coefficient L, m^3/(J s).
            normal: as in `along`.
        """
        return 6.0 * mobility * self.length(normal)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, of a number, in SI."""
        return {
            "gradient_energy": self.gradient_energy,
            "barrier": self.barrier,
            "tension": self.tension(),
            "length": self.length(),
            "width": self.width(),
        }


def flat_interface(
    *, gradient_energy: Any = None, barrier: Any = None, tension: Any = None, length: Any = None
) -> FlatInterface:
    """Find a flat interface from any two of gradient energy, barrier, tension and length; exact.

    gamma = sqrt(2 kappa W) / 6 and l = sqrt(kappa / 2 W); back, kappa = 6 gamma l and W = 3 gamma / l.

    Args:
        gradient_energy: kappa: "1e-9 J/m", a number, or (only with `barrier`) a tensor.
        barrier: W: "2e6 J/m^3" or a number.
        tension: gamma: "0.3 J/m^2" or a number.
        length: l of the profile (1 + tanh(x / 2 l)) / 2: "1 nm" or a number; the distance from 0.1 to 0.9 is
            4.394 l.

    Returns:
        the interface, in SI; numbers without units stay in the caller's.

    Raises:
        InputError: not two of them, or one that is not positive.
        UnitError: a unit of another kind, or on one of the two only.

    Limits: two wells of equal depth, W phi^2 (1 - phi)^2; no elastic or chemical excess.
    Source: J. W. Cahn, J. E. Hilliard, J. Chem. Phys. 28 (1958) 258; S. M. Allen, J. W. Cahn, Acta Metall. 27
    (1979) 1085.

    Example:
        >>> grain = flat_interface(tension="0.3 J/m^2", length="1 nm")
        >>> print(f"{grain.gradient_energy:.3g} J/m, {grain.barrier:.3g} J/m^3, {grain.width():.3g} m")
        1.8e-09 J/m, 9e+08 J/m^3, 4.39e-09 m
    """
    given = {
        "gradient_energy": gradient_energy,
        "barrier": barrier,
        "tension": tension,
        "length": length,
    }
    known = {name: value for name, value in given.items() if value is not None}
    if len(known) != 2:
        raise InputError(
            "flat_interface",
            got=f"{', '.join(known) or 'nothing'}",
            wanted="two of gradient_energy, barrier, tension and length",
            cure=_CURE,
        )
    if np.ndim(gradient_energy) > 0 and not isinstance(gradient_energy, str):
        return _anisotropic(gradient_energy, known)
    numbers = _in_si(known)
    kappa, height = _solve(numbers)
    return FlatInterface(kappa, height)


def _solve(known: dict[str, Any]) -> tuple[Any, Any]:
    """Return kappa and W from any two of the four."""
    match known:
        case {"gradient_energy": kappa, "barrier": height}:
            return kappa, height
        case {"gradient_energy": kappa, "tension": gamma}:
            return kappa, 18.0 * gamma**2 / kappa
        case {"gradient_energy": kappa, "length": length}:
            return kappa, kappa / (2.0 * length**2)
        case {"barrier": height, "tension": gamma}:
            return 18.0 * gamma**2 / height, height
        case {"barrier": height, "length": length}:
            return 2.0 * height * length**2, height
    gamma, length = known["tension"], known["length"]
    return 6.0 * gamma * length, 3.0 * gamma / length


def _anisotropic(tensor: Any, known: dict[str, Any]) -> FlatInterface:
    if "barrier" not in known or not isinstance(known["barrier"], int | float | np.ndarray | Tracer):
        raise InputError(
            "gradient_energy",
            got=f"a tensor with {', '.join(n for n in known if n != 'gradient_energy')}",
            wanted="numbers in SI, and barrier with a tensor",
            cure="pass the tensor in J/m and barrier in J/m^3, without units",
        )
    dim = np.shape(tensor)[0]
    full = conductivity_tensor(tensor, dim, "gradient_energy")
    if not isinstance(full, Tracer):
        full = np.asarray(full)
        if float(np.min(np.linalg.eigvalsh(full))) <= 0:
            _refuse_sign("gradient_energy", tensor)
    return FlatInterface(full, _positive("barrier", known["barrier"]))


def _in_si(known: dict[str, Any]) -> dict[str, Any]:
    bare = {n: isinstance(v, Tracer) or split_quantity(v, n)[1] is None for n, v in known.items()}
    if any(bare.values()) and not all(bare.values()):
        lonely = next(name for name, is_bare in bare.items() if is_bare)
        raise UnitError(
            lonely,
            got=repr(known[lonely]),
            wanted="a unit on both numbers or on none",
            cure=f"write '{known[lonely]} {_UNITS[lonely]}'",
        )
    plain = all(bare.values())
    return {
        name: _positive(
            name,
            value
            if isinstance(value, Tracer)
            else parse_quantity(value, "1" if plain else _UNITS[name], name),
        )
        for name, value in known.items()
    }


def _positive(name: str, value: Any) -> Any:
    if not isinstance(value, Tracer) and not (math.isfinite(value) and value > 0):
        _refuse_sign(name, value)
    return value


def _refuse_sign(name: str, value: Any) -> None:
    raise InputError(
        name, got=repr(value), wanted="positive and finite", cure=f"correct the sign or the number of {name}"
    )
