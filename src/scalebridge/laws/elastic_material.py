"""An elastic material as people write it: constants, expansion, orientation, temperature; and its stiffness.

Stiffness and expansion are in Mandel notation (11, 22, 33, 23, 13, 12), in the sample's axes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import PhaseError
from scalebridge.laws.elastic_constants import (
    CONSTANTS,
    FULL,
    check_constants,
    kind_of,
    refuse_unknown,
    stiffness_from,
    unit_of,
)
from scalebridge.laws.elasticity import mandel_from_voigt, rotate_stiffness, rotate_strain
from scalebridge.laws.material_orientation import parse_orientation
from scalebridge.laws.temperature import TemperatureConstant, parse_constant
from scalebridge.laws.temperature_table import parse_temperature
from scalebridge.laws.thermal_expansion import tangent_constant

_ISOTROPIC = ("young", "poisson", "bulk", "shear", "lame")
_ELASTIC = {*_ISOTROPIC, *(name for kind in CONSTANTS for name in CONSTANTS[kind])}
_ALONG = ("expansion1", "expansion2", "expansion3")
_MANDEL = tuple(f"expansion{pair}" for pair in (11, 22, 33, 23, 13, 12))
_EXPANSIONS = {"expansion", *_ALONG}
_OTHER = {
    "name",
    "orientation",
    "stiffness",
    "expansion_kind",
    "reference_temperature",
    "density",
    "heat_capacity",
}
_KNOWN = (*sorted(_ELASTIC - set(FULL)), *sorted(_EXPANSIONS), *sorted(_OTHER), "void")
_HOW = "write for example {'young': '70 GPa', 'poisson': 0.33, 'expansion': '23e-6 1/K'}"


@dataclass(frozen=True, eq=False)
class ElasticMaterial:
    """An elastic material. Made by `elastic_material` or `material_from`.

    Args:
        name: its name.
        kind: "isotropic", "cubic", "transversely isotropic", "orthotropic", "full" or "void".
        constants: the free constants, elastic ones first and then expansions.
        elastic_count: how many of them are elastic.
        axes: (3, 3), rows are the material's axes in the sample; None where they are the sample's.
        density: kg/m^3, or None.
        heat_capacity: at constant stress, J/kg/K, or None.
        reference_temperature: K, of the secant expansion that was given; None for a tangent one.
    """

    name: str
    kind: str
    constants: tuple[TemperatureConstant, ...]
    elastic_count: int
    axes: np.ndarray | None = None
    density: TemperatureConstant | None = None
    heat_capacity: TemperatureConstant | None = None
    reference_temperature: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free constants, elastic ones first; a void has none."""
        return tuple(constant.name for constant in self.constants)

    @property
    def units(self) -> tuple[str, ...]:
        """Their SI units."""
        return tuple(constant.unit for constant in self.constants)

    @property
    def is_void(self) -> bool:
        """Whether the stiffness is exactly zero."""
        return self.kind == "void"

    @property
    def has_expansion(self) -> bool:
        """Whether an expansion was given."""
        return len(self.constants) > self.elastic_count

    @property
    def depends_on_temperature(self) -> bool:
        """Whether stiffness or expansion depend on the temperature."""
        return any(constant.depends_on_temperature for constant in self.constants)

    @property
    def temperature_range(self) -> tuple[float, float] | None:
        """Temperatures in K between which all constants are known; None for no limit."""
        return _common_range(self.constants)

    def values(self, temperature: float | None = None) -> Any:
        """Return the constants in SI at a temperature in K.

        Returns:
            (n,) in the order of `names`, the expansion as the tangent one; a JAX array where one is traced.

        Raises:
            InputError: a temperature is needed, or is outside the range.
            PhaseError: the stiffness at that temperature is not positive definite.
        """
        found = [constant.at(temperature) for constant in self.constants]
        if any(isinstance(value, Tracer) for value in found):
            return jnp.stack([jnp.asarray(value, dtype=float) for value in found])
        numbers = np.array([float(value) for value in found])
        if not self.is_void:
            where = self.name if temperature is None else f"{self.name} at {temperature} K"
            elastic = self.names[: self.elastic_count]
            check_constants(self.kind, elastic, numbers[: self.elastic_count], where)
        return numbers

    def stds(self, temperature: float | None = None) -> np.ndarray:
        """Return the constants' standard deviations in SI at a temperature in K, zero where none is given."""
        return np.array([constant.std_at(temperature) for constant in self.constants])

    def stiffness_of(self, values: ArrayLike) -> jax.Array:
        """Return the stiffness (6, 6) in the sample's axes, Pa, of the constants' values; differentiable."""
        return _turned_stiffness(self.kind, self.names[: self.elastic_count], values, self.axes)

    def stiffness_slopes_of(self, values: ArrayLike) -> jax.Array:
        """Return the derivatives (6, 6, elastic_count) of that stiffness by the elastic constants."""
        return _stiffness_slopes(self.kind, self.names[: self.elastic_count], values, self.axes)

    def expansion_of(self, values: ArrayLike) -> jax.Array:
        """Return the expansion (6,) in the sample's axes, 1/K, zero where none is given; differentiable."""
        if not self.has_expansion:
            return jnp.zeros(6)
        return _turned_expansion(self.elastic_count, values, self.axes)

    def stiffness(self, temperature: float | None = None) -> np.ndarray:
        """Return the stiffness (6, 6) in Mandel notation, Pa, in the sample's axes, at a temperature in K."""
        return np.asarray(self.stiffness_of(self.values(temperature)))

    def expansion(self, temperature: float | None = None) -> np.ndarray:
        """Return the tangent expansion (6,) in Mandel notation, 1/K, in the sample's axes."""
        return np.asarray(self.expansion_of(self.values(temperature)))

    def to_dict(self) -> dict[str, Any]:
        """Return the material as plain data, as it was written."""
        parts = {constant.name: _recorded(constant) for constant in self.constants}
        extra = {"density": self.density, "heat_capacity": self.heat_capacity}
        parts |= {name: _recorded(constant) for name, constant in extra.items() if constant is not None}
        axes = {} if self.axes is None else {"axes": self.axes.tolist()}
        return {"name": self.name, "kind": self.kind, **parts, **axes}


# Compiled as wholes: operation by operation each would be compiled for itself.
@partial(jax.jit, static_argnums=(0, 1))
def _turned_stiffness(kind: str, names: tuple[str, ...], values: Any, axes: Any) -> jax.Array:
    own = stiffness_from(kind, names, values)
    return own if axes is None else rotate_stiffness(own, axes)


@partial(jax.jit, static_argnums=(0, 1))
def _stiffness_slopes(kind: str, names: tuple[str, ...], values: Any, axes: Any) -> jax.Array:
    slopes = jax.jacfwd(lambda v: _turned_stiffness(kind, names, v, axes))(values)
    return slopes[..., : len(names)]


@partial(jax.jit, static_argnums=0)
def _turned_expansion(first: int, values: Any, axes: Any) -> jax.Array:
    own = values[first:]
    if own.shape[0] != 6:
        along = {1: [0, 0, 0], 2: [0, 1, 1], 3: [0, 1, 2]}[own.shape[0]]
        own = jnp.zeros(6).at[:3].set(own[np.array(along)])
    return own if axes is None else rotate_strain(own, axes)


def elastic_material(**constants: Any) -> ElasticMaterial:
    """Describe an elastic material by its constants.

    stress = C . (strain - alpha dT)

    Args:
        constants: numbers in SI, text with a unit, (value, std), tables over the temperature, paths of CSV
            files, formulas in T, or functions: all that `laws.temperature.parse_constant` reads. Isotropic:
            two of `young`, `poisson`, `bulk`, `shear`, `lame`. Cubic: `c11`, `c12`, `c44`. Isotropic about
            axis 1: `young1`, `young2`, `poisson12`, `poisson23`, `shear12`. Orthotropic: `young1` to
            `young3`, `poisson12`, `poisson13`, `poisson23`, `shear12`, `shear13`, `shear23`, with
            nu_ij = -strain_j / strain_i under a stress along i. Any: `stiffness`, {"value": 6 x 6,
            "notation": "mandel" or "voigt", "unit": "GPa"}. A pore: `void=True` or `young=0`. Further
            `expansion` (a number, or 6 in Mandel notation), or `expansion1`, `expansion2`, `expansion3` along
            the material's axes (two are enough about axis 1); `expansion_kind`, "tangent" or "secant" with
            `reference_temperature`; `orientation` (Euler angles, quaternion, matrix, axis); `density`,
            `heat_capacity`; `name`.

    Returns:
        the material.

    Raises:
        PhaseError: constants that do not make a material, or a stiffness that is not positive definite.
        UnitError: a unit is missing, unknown or of another dimension.

    Limits: small strains; nothing is extrapolated in temperature.

    Source: J. F. Nye, Physical Properties of Crystals (1957).

    Example:
        >>> aluminium = elastic_material(young="70 GPa", poisson=0.33, expansion="23e-6 1/K")
        >>> aluminium.kind, aluminium.names
        ('isotropic', ('young', 'poisson', 'expansion'))
        >>> bool(np.isclose(aluminium.stiffness()[5, 5], 70e9 / 1.33))
        True
    """
    return material_from(constants, str(constants.get("name", "material")))


def material_from(given: Any, argument: str) -> ElasticMaterial:
    """Read a material as people write it.

    Args:
        given: an `ElasticMaterial`, a mapping of what `elastic_material` takes, or "void".
        argument: whose material, for errors, such as "phase 1"; its name unless it has one.

    Raises:
        PhaseError, UnitError: as for `elastic_material`.

    Example:
        >>> material_from({"young": 0}, "phase 0").is_void
        True
    """
    if isinstance(given, ElasticMaterial):
        return given
    if isinstance(given, str) and given.strip().lower() == "void":
        return ElasticMaterial(argument, "void", (), 0)
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise PhaseError(argument, got=repr(given), wanted="a table of constants", cure=_HOW)
    table = {key: value for key, value in given.items() if value is not None}
    unknown = [key for key in table if key not in _KNOWN]
    if unknown:
        raise refuse_unknown(unknown[0], _KNOWN, argument)
    name = str(table.get("name", argument))
    if _is_void(table, argument):
        return ElasticMaterial(name, "void", (), 0, None, *_thermal(table, argument))
    kind, elastic = _elastic(table, argument)
    reference = _reference(table, argument)
    expansions = _expansion(table, kind, reference, argument)
    axes = parse_orientation(table["orientation"], argument) if "orientation" in table else None
    constants = (*elastic, *expansions)
    made = ElasticMaterial(name, kind, constants, len(elastic), axes, *_thermal(table, argument), reference)
    _check_everywhere(made, argument)
    return made


def _is_void(table: dict[str, Any], argument: str) -> bool:
    if "void" in table:
        if table["void"] is not True or _ELASTIC & set(table) or "stiffness" in table:
            raise PhaseError(
                argument,
                got=f"void={table['void']!r} among {sorted(table)}",
                wanted="void=True, without elastic constants",
                cure="leave one out",
            )
        return True
    zeros = [name for name in ("young", "bulk", "shear") if name in table and _is_zero(table[name], name)]
    others = set(table) & _ELASTIC - set(zeros) - {"poisson"}
    if zeros and others:
        raise PhaseError(
            argument,
            got=f"{zeros[0]} 0 with {', '.join(sorted(others))}",
            wanted="a positive stiffness, or none at all",
            cure="write {'void': True} for a pore; a fluid (no shear stiffness) is not a solid phase",
        )
    return bool(zeros)


def _is_zero(given: Any, name: str) -> bool:
    if isinstance(given, bool | Tracer | jax.Array | Mapping) or not isinstance(given, int | float | str):
        return False
    try:
        constant = parse_constant(given, name, "Pa")
    except ValueError:  # refused where it is read, with its place
        return False
    return not constant.depends_on_temperature and constant.number == 0


def _elastic(table: dict[str, Any], argument: str) -> tuple[str, tuple[TemperatureConstant, ...]]:
    named = [key for key in table if key in _ELASTIC]
    if "stiffness" in table:
        if named:
            raise PhaseError(
                argument, got=f"stiffness and {named[0]}", wanted="one of them", cure="leave one out"
            )
        return "full", _full(table["stiffness"], f"{argument}, stiffness")
    kind, names = kind_of(named, argument)
    return kind, tuple(parse_constant(table[name], name, unit_of(name), argument) for name in names)


def _full(given: Any, argument: str) -> tuple[TemperatureConstant, ...]:
    keys = {"value", "table", "notation", "unit", "temperature_unit", "interpolation"}
    notation = given.get("notation") if isinstance(given, Mapping) else None
    if notation not in {"mandel", "voigt"} or set(given) - keys or ("value" in given) == ("table" in given):
        raise PhaseError(
            argument,
            got=f"the keys {sorted(given)}" if isinstance(given, Mapping) else "a matrix without notation",
            wanted="a value (or a table over the temperature) and a notation, 'mandel' or 'voigt'",
            cure="write {'value': [[...], ...], 'notation': 'voigt', 'unit': 'GPa'}, in the order 11, 22, "
            "33, 23, 13, 12",
        )
    options = {key: given[key] for key in ("unit",) if key in given}
    if "value" in given:
        matrix = _matrix(given["value"], options, notation, argument)
        return tuple(
            parse_constant(matrix[i, j], name, "Pa", argument)
            for name, i, j in zip(FULL, *np.triu_indices(6), strict=True)
        )
    rows = list(given["table"])
    if not all(isinstance(row, list | tuple) and len(row) == 2 for row in rows):
        raise PhaseError(
            argument, got="a table of other rows", wanted="pairs of temperature and matrix", cure=_HOW
        )
    matrices = [_matrix(row[1], options, notation, argument) for row in rows]
    over = {key: given[key] for key in ("temperature_unit", "interpolation") if key in given}
    return tuple(
        parse_constant(
            {"table": [(row[0], matrix[i, j]) for row, matrix in zip(rows, matrices, strict=True)], **over},
            *(name, "Pa", argument),
        )
        for name, i, j in zip(FULL, *np.triu_indices(6), strict=True)
    )


def _matrix(given: Any, options: dict[str, Any], notation: str, argument: str) -> Any:
    """Read 6 x 6 entries into Mandel notation and Pa."""
    if isinstance(given, Tracer | jax.Array):
        found = jnp.asarray(given)
    else:
        rows = [list(row) for row in given] if np.ndim(np.asarray(given, dtype=object)) == 2 else []
        if len(rows) != 6 or any(len(row) != 6 for row in rows):
            raise PhaseError(
                argument, got="entries of another shape", wanted="6 rows of 6 entries", cure=_HOW
            )
        found = np.array(
            [
                [parse_constant({"value": _plain(e), **options}, "entry", "Pa", argument).number for e in r]
                for r in rows
            ]
        )
        gap = float(np.max(np.abs(found - found.T)))
        if gap > 1e-9 * float(np.max(np.abs(found))):
            cure = "pass (C + C') / 2 if the asymmetry means nothing"
            raise PhaseError(argument, got=f"C - C' up to {gap:.3g}", wanted="a symmetric matrix", cure=cure)
        found = (found + found.T) / 2
    if notation == "mandel":
        return found
    turned = mandel_from_voigt(found)
    return turned if isinstance(found, jax.Array) else np.asarray(turned)


def _plain(entry: Any) -> Any:
    return entry.item() if isinstance(entry, np.generic) else entry


def _expansion(
    table: dict[str, Any], kind: str, reference: float | None, argument: str
) -> tuple[TemperatureConstant, ...]:
    given = [name for name in ("expansion", *_ALONG) if name in table]
    if not given:
        return ()
    wanted = [["expansion"], list(_ALONG), *([list(_ALONG[:2])] if kind == "transversely isotropic" else [])]
    if given not in wanted:
        raise PhaseError(
            argument,
            got=f"{', '.join(given)} for a material that is {kind}",
            wanted=" or ".join(", ".join(names) for names in wanted),
            cure="give expansion alone for the same in all directions, or one an axis",
        )
    values = {name: table[name] for name in given}
    whole = values.get("expansion")
    six = list(whole) if isinstance(whole, list | tuple | np.ndarray) else []
    if len(six) == 6 and all(np.ndim(entry) == 0 for entry in six):
        values = dict(zip(_MANDEL, (_plain(entry) for entry in six), strict=True))
    found = [parse_constant(value, name, "1/K", argument) for name, value in values.items()]
    if reference is None:
        return tuple(found)
    return tuple(tangent_constant(constant, reference, argument) for constant in found)


def _reference(table: dict[str, Any], argument: str) -> float | None:
    """Return the reference temperature of a secant expansion, None for a tangent one."""
    kind = table.get("expansion_kind", "tangent")
    if kind not in {"tangent", "secant"}:
        raise PhaseError(
            argument,
            got=f"expansion_kind {kind!r}",
            wanted="'tangent' or 'secant'",
            cure="choose one of them",
        )
    if kind == "secant" and "reference_temperature" not in table:
        raise PhaseError(
            argument,
            got="a secant expansion without reference_temperature",
            wanted="the temperature of zero thermal strain",
            cure="add reference_temperature='20 degC', or give the tangent expansion",
        )
    if kind == "tangent":
        return None
    return parse_temperature(table["reference_temperature"], f"{argument}, reference_temperature")


def _thermal(
    table: dict[str, Any], argument: str
) -> tuple[TemperatureConstant | None, TemperatureConstant | None]:
    """Read density and heat capacity, where they are given."""
    units = {"density": "kg/m^3", "heat_capacity": "J/kg/K"}
    found = {
        name: parse_constant(table[name], name, units[name], argument) for name in units if name in table
    }
    for name, constant in found.items():
        if constant.law is None and not isinstance(constant.number, Tracer) and not constant.number > 0:
            raise PhaseError(
                argument, got=f"{name} {constant.number}", wanted="a positive number", cure="correct the sign"
            )
    return found.get("density"), found.get("heat_capacity")


def _check_everywhere(material: ElasticMaterial, argument: str) -> None:
    """Refuse a material that is impossible at a temperature of its tables, or in its ranges."""
    if not material.depends_on_temperature:
        material.values(None)
        return
    limits = material.temperature_range
    if limits is None:
        return
    if limits[0] > limits[1]:
        raise PhaseError(
            argument,
            got="tables without a common temperature",
            wanted="constants that are known at the same temperatures",
            cure="extend the tables",
        )
    points = {float(point) for constant in material.constants for point in constant.points()}
    for point in sorted(points | set(limits)):
        if limits[0] <= point <= limits[1]:
            material.values(point)


def _common_range(constants: tuple[TemperatureConstant, ...]) -> tuple[float, float] | None:
    ranges = [constant.range for constant in constants if constant.range is not None]
    if not ranges:
        return None
    return max(low for low, _ in ranges), min(high for _, high in ranges)


def _recorded(constant: TemperatureConstant) -> Any:
    text = constant.text if constant.text is not None else constant.number
    absolute, relative = constant.std
    shown = str(text) if isinstance(text, Tracer) else text
    if not (absolute or relative):
        return shown
    return {"value": shown, "std": f"{100 * relative:g} %" if relative else absolute}
