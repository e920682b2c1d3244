"""The tables of a stiffness: the matrix, engineering constants, symmetries, bounds, derivatives, spreads."""

import math
from typing import Any

import numpy as np

from scalebridge.core.upscaled import Upscaled
from scalebridge.laws.engineering_constants import EngineeringConstants
from scalebridge.report.figures_modulus import direction_text, pressure_unit
from scalebridge.report.looks import Look
from scalebridge.report.stiffness_facts import COMPONENTS, StiffnessFacts, isotropic_moduli
from scalebridge.report.tables import Row, Table
from scalebridge.report.tensors import trusted_digits
from scalebridge.report.typeset import MISSING, align, shorten, typeset_estimate, typeset_number, typeset_unit

MANDEL = "Mandel notation (shear stresses and strains times √2)"
_LONGEST = 40
_MOST_CONSTANTS = 12
_MEANINGS = {
    "E": "Young's modulus",
    "E1": "Young's modulus along axis 1",
    "E2": "Young's modulus along axis 2",
    "E3": "Young's modulus along axis 3",
    "nu": "Poisson's ratio",
    "G": "shear modulus",
    "K": "bulk modulus",
}
_AXIS_NAMES = {"transversely isotropic": "axis 3 is that of isotropy", "cubic": "the edges of the cube"}


def matrix_table(matrix: np.ndarray, std: np.ndarray | None, title: str, digits: int = 6) -> Table:
    """A stiffness in Mandel notation, component by component."""
    scale, unit = pressure_unit(float(np.abs(matrix).max()))
    spread = None if std is None else np.asarray(std) / scale
    cells, _ = align(np.asarray(matrix) / scale, spread, digits)
    names = COMPONENTS[len(matrix)]
    rows = [Row((names[i], *row)) for i, row in enumerate(cells)]
    return Table(f"{title}, {unit}, in {MANDEL}", ("", *names), rows)


def answer_matrix(result: Upscaled) -> Table:
    """The answer, every component with its standard deviation."""
    std = None if result.std is None else np.broadcast_to(np.asarray(result.std), np.shape(result.value))
    name = f"{result.spec.name[:1].upper()}{result.spec.name[1:]}"
    return matrix_table(np.asarray(result.value, float), std, name, trusted_digits(result))


def constants_table(facts: StiffnessFacts) -> Table:
    """Engineering constants of the stiffness's own symmetry along its axes."""
    own = facts.own
    rows = [
        Row((_symbol(name), _constant(facts, own, name, value), _meaning(name)))
        for name, value in own.values.items()
    ]
    away = typeset_number(100 * own.distance, 2)
    limits = "; deviations are upper limits" if facts.std is not None else ""
    caption = f"Constants of the nearest {own.symmetry} stiffness, {away} % away{limits}"
    return Table(caption, ("constant", "value", "meaning"), rows, frozenset({0, 2}), frozenset({2}))


def frame_table(facts: StiffnessFacts) -> Table | None:
    """The axes along which the constants are meant; none for an isotropic stiffness."""
    if facts.own.symmetry == "isotropic":
        return None
    cells, _ = align(facts.own.axes, digits=4)
    names = "xyz"[: facts.dim]
    rows = [Row((f"axis {i + 1}", *cells[i], direction_text(facts.own.axes[i]))) for i in range(facts.dim)]
    more = _AXIS_NAMES.get(facts.own.symmetry)
    caption = "Frame of the constants, as unit vectors" + (f"; {more}" if more else "")
    return Table(caption, ("", *names, "along"), rows, frozenset({0, facts.dim + 1}))


def symmetry_table(facts: StiffnessFacts) -> Table:
    """The nearest stiffness of each symmetry, with its distance."""
    rows = []
    for name, fit in facts.fits.fits.items():
        axis = MISSING if fit.axis is None else direction_text(fit.axis)
        rows.append(Row((name, f"{typeset_number(100 * fit.distance, 3, trim=False)} %", axis)))
    head = ("symmetry", "distance |C − C_sym| / |C|", "distinguished axis")
    index = typeset_number(facts.fits.universal_index, 3)
    zener = (
        "" if facts.fits.zener_ratio is None else f", Zener ratio {typeset_number(facts.fits.zener_ratio, 3)}"
    )
    caption = f"Nearest stiffness of each symmetry over all orientations; universal index {index}{zener}"
    return Table(caption, head, rows, frozenset({0, 2}))


def bounds_table(result: Upscaled) -> Table | None:
    """The bounds of bulk and shear modulus and of the diagonal, with the answer between them."""
    rows_found = bound_rows(result)
    if not rows_found:
        return None
    scale, unit = pressure_unit(max(abs(row[3]) for row in rows_found) or 1.0)
    numbers = np.array([[low, own, high] for _, _, low, high, own in rows_found]) / scale
    cells = np.vectorize(lambda x: typeset_number(float(x), 5, trim=False), otypes=[object])(numbers)
    rows = [
        Row((what, *cells[i], f"{name} ({result.bounds[name].source})"))
        for i, (name, what, *_) in enumerate(rows_found)
    ]
    head = ("modulus", "lower", "this result", "upper", "bound")
    return Table(f"Bounds from volume fractions, {unit}", head, rows, frozenset({0, 4}), frozenset({4}))


def bound_rows(result: Upscaled) -> list[tuple[str, str, float, float, float]]:
    """Return name of the bound, modulus, lower, upper, and the answer's own number."""
    value = np.asarray(result.value, float)
    own: dict[str, float] = dict(zip(("bulk", "shear"), isotropic_moduli(value), strict=True))
    found = []
    for name, bound in result.bounds.items():
        low, high = np.asarray(bound.lower, float), np.asarray(bound.upper, float)
        if low.shape == value.shape:
            ends = zip(isotropic_moduli(low), isotropic_moduli(high), strict=True)
            found += [(name, what, *pair, own[what]) for what, pair in zip(own, ends, strict=True)]
            diagonal = COMPONENTS[len(value)]
            found += [
                (name, f"C {part}", float(low[i, i]), float(high[i, i]), float(value[i, i]))
                for i, part in enumerate(diagonal)
            ]
        elif low.ndim == 0:
            kind = next((w for w in own if w in f"{name} {bound.holds_for}".lower()), None)
            known = math.nan if kind is None else own[kind]
            found.append((name, kind or bound.holds_for, float(low), float(high), known))
    return sorted(found, key=lambda row: row[1].startswith("C "))


def bound_matrices(result: Upscaled) -> list[Table]:
    """The bounds that are matrices, as matrices."""
    shape = np.shape(result.value)
    tables = []
    for name, bound in result.bounds.items():
        if np.shape(bound.lower) == shape:
            ends = ("Reuss", "Voigt") if name == "Voigt-Reuss" else (f"{name}, lower", f"{name}, upper")
            for end, matrix in zip(ends, (bound.lower, bound.upper), strict=True):
                tables.append(matrix_table(np.asarray(matrix, float), None, f"{end} stiffness", 5))
    return tables


def derivative_table(result: Upscaled, facts: StiffnessFacts | None, looks: dict[str, Look]) -> Table | None:
    """Derivatives of the stiffness by every constant of every constituent, component by component."""
    found = {name: np.asarray(d, float) for name, d in result.derivatives.items() if d is not None}
    found = {name: d for name, d in found.items() if d.shape == np.shape(result.value) and np.any(d)}
    if not found:
        return None
    names = COMPONENTS[len(result.value)]
    dim = 3 if len(names) == 6 else 2
    places = [(i, i) for i in range(len(names))] + [(i, j) for i in range(dim) for j in range(i)]
    rows = [_derivative_row(name, slope, places, result, facts, looks) for name, slope in found.items()]
    relative = ("(p/E) ∂E/∂p", "(p/K) ∂K/∂p", "(p/G) ∂G/∂p") if facts is not None else ()
    head = ("constant p", "value", *relative, *(f"∂C {names[i]},{names[j]}" for i, j in places))
    caption = (
        "Derivatives by each constant: relative ones of the nearest isotropic moduli, then ∂C/∂p in "
        f"{typeset_unit(result.unit)} per unit of the constant"
    )
    return Table(caption, head, rows)


def relative_slopes(result: Upscaled, facts: StiffnessFacts) -> dict[str, dict[str, float]]:
    """Return (p/E) dE/dp, and the same of K and G, of the nearest isotropic stiffness by each constant p."""
    found = {}
    for name, slope in result.derivatives.items():
        value = constant_value(result, name)
        if slope is None or value is None or np.shape(slope) != np.shape(result.value) or not np.any(slope):
            continue
        own = facts.isotropic
        found[name] = {
            key: value * float(np.sum(own.slopes[key] * np.asarray(slope, float))) / own.values[key]
            for key in ("E", "K", "G")
        }
    return found


def split_constant(name: str, result: Upscaled) -> tuple[str, str]:
    """Split a derivative's name into constituent's and constant's: "phase 1 young", "layer 0: young"."""
    for key in sorted(result.inputs, key=len, reverse=True):
        if name != key and name.startswith(key) and not name[len(key)].isalnum():
            return key, name[len(key) :].strip(" :.,")
    return name, ""


def constants_of(given: dict[str, Any]) -> dict[str, tuple[float, float, str]]:
    """Return value, standard deviation and SI unit of a constituent's constants by name.

    Args:
        given: what a result says of a constituent: a table a constant with value, std and unit, or "values"
            and "units" of all.
    """
    values, units = given.get("values"), given.get("units", [])
    if isinstance(values, dict):
        return {n: (float(v), 0.0, str(u)) for (n, v), u in zip(values.items(), units, strict=False)}
    tables = {name: part for name, part in given.items() if isinstance(part, dict) and "value" in part}
    return {
        name: (float(part["value"]), float(part.get("std") or 0.0), str(part.get("unit", "1")))
        for name, part in tables.items()
        if isinstance(part["value"], int | float)
    }


def constant_value(result: Upscaled, name: str) -> float | None:
    """Return the value in SI of the constant that a derivative is named after, None where it is unknown."""
    key, constant = split_constant(name, result)
    found = constants_of(result.inputs.get(key, {})).get(constant)
    return None if found is None else found[0]


def constant_name(name: str, result: Upscaled, looks: dict[str, Look]) -> str:
    """Return a constant's name with its constituent's own one: "phase 1 young" becomes "quartz, young"."""
    key, constant = split_constant(name, result)
    if key not in looks:
        return name
    own = shorten(looks[key].name, _LONGEST)
    return f"{own}, {constant}" if constant else own


def materials_table(result: Upscaled, looks: dict[str, Look]) -> Table | None:
    """What the constituents are: their constants, and how much there is of each."""
    if not looks:
        return None
    rows = [_material_row(result.inputs.get(key, {}), look) for key, look in looks.items()]
    head = ("constituent", "input", "constants", "volume fraction")
    return Table("Constituents", head, rows, frozenset({0, 1, 2}), frozenset({2}))


def _material_row(given: dict[str, Any], look: Look) -> Row:
    fraction = MISSING if look.fraction is None else f"{look.fraction:.4f}"
    name = shorten(look.name, _LONGEST)
    return Row((name, look.key if name != look.key else "", constants_text(given), fraction), look.colour)


def constants_text(given: dict[str, Any]) -> str:
    """Return a constituent's constants in a line, in units that suit them."""
    found = constants_of(given)
    if not found:
        return str(given.get("kind", MISSING))
    if len(found) > _MOST_CONSTANTS:
        return f"{given.get('kind', 'full')}, {len(found)} constants"
    return ", ".join(_constant_text(name, *parts) for name, parts in found.items())


def _constant_text(name: str, value: float, std: float, unit: str) -> str:
    if unit == "Pa":
        scale, shown = pressure_unit(value)
    else:
        scale, shown = (1e-6, "·10⁻⁶/K") if unit == "1/K" else (1.0, typeset_unit(unit))
    number = typeset_estimate(value / scale, std / scale or None, 5)
    if std and shown.startswith("·"):
        number = f"({number})"
    return f"{name} {number}{'' if shown.startswith('·') else ' '}{shown}".strip()


def spread_table(result: Upscaled, facts: StiffnessFacts | None) -> Table | None:
    """The parts of the uncertainty: of the nearest isotropic moduli, and the largest of the matrix."""
    if not result.uncertainty:
        return None
    scale, unit = pressure_unit(float(np.abs(np.asarray(result.value, float)).max()))
    rows = []
    for name, part in result.uncertainty.items():
        std = np.asarray(part.std, float)
        moduli = [MISSING] * 2
        if facts is not None:
            limits = facts.isotropic.spreads(np.broadcast_to(std, facts.value.shape))
            moduli = [typeset_number(limits[key] / scale, 2) for key in ("E", "G")]
        rows.append(Row((name, *moduli, typeset_number(float(np.max(std)) / scale, 2), part.method)))
    if facts is not None and len(rows) > 1:
        total = [typeset_number((facts.spread(facts.isotropic, k) or 0.0) / scale, 2) for k in ("E", "G")]
        whole = typeset_number(float(np.max(np.asarray(result.std))) / scale, 2)
        rows.append(Row(("total", *total, whole, "root of the sum of squares")))
    missing = result.stats.get("not assessed", [])
    rows += [Row((name, MISSING, MISSING, MISSING, "not assessed")) for name in missing]
    head = ("part", f"of E, {unit}", f"of G, {unit}", f"largest of C, {unit}", "how it was found")
    caption = "Standard deviations (of the nearest isotropic moduli: upper limits)"
    return Table(caption, head, rows, frozenset({0, 4}), frozenset({4}))


def steps_table(result: Upscaled) -> Table | None:
    """Steps and last numbers of the solver by load case."""
    steps = result.stats.get("steps")
    if not isinstance(steps, list | tuple) or not steps:
        return None
    names = load_names(len(steps), len(np.asarray(result.value)))
    ends = [_last(result.stats.get(key), len(steps)) for key in ("errors", "residuals")]
    rows = [
        Row((n, str(int(s)), ends[0][i], ends[1][i]))
        for i, (n, s) in enumerate(zip(names, steps, strict=True))
    ]
    head = ("mean strain", "steps", "estimated error", "residual")
    return Table("The solver, by load case", head, rows)


def load_names(count: int, size: int) -> list[str]:
    """Return names of load cases: mean strains, and for expansion a last one of temperature."""
    names = [*COMPONENTS.get(size, COMPONENTS[6])]
    names += ["temperature"] * (count == len(names) + 1)
    if count == 1:
        return ["temperature"]
    return names[:count] if count <= len(names) else [str(i + 1) for i in range(count)]


def _derivative_row(
    name: str,
    slope: np.ndarray,
    places: list[tuple[int, int]],
    result: Upscaled,
    facts: StiffnessFacts | None,
    looks: dict[str, Look],
) -> Row:
    value = constant_value(result, name)
    shown = MISSING if value is None else typeset_number(value, 5)
    relative: list[str] = []
    if facts is not None:
        known = relative_slopes(result, facts).get(name)
        relative = [
            MISSING if known is None else typeset_number(known[k], 3, trim=False) for k in ("E", "K", "G")
        ]
    numbers = [typeset_number(float(slope[place]), 4, trim=False) for place in places]
    key = split_constant(name, result)[0]
    swatch = looks[key].colour if key in looks else None
    return Row((constant_name(name, result, looks), shown, *relative, *numbers), swatch)


def _constant(facts: StiffnessFacts, own: EngineeringConstants, name: str, value: float) -> str:
    std = facts.spread(own, name)
    if name.startswith("nu"):
        return typeset_estimate(value, std, 4)
    return (
        f"{typeset_estimate(value / facts.scale, None if std is None else std / facts.scale, 5)} {facts.unit}"
    )


_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _symbol(name: str) -> str:
    return name.replace("nu", "ν").translate(_DIGITS)


def _meaning(name: str) -> str:
    if name in _MEANINGS:
        return _MEANINGS[name]
    first, second = name[-2], name[-1]
    if name.startswith("nu"):
        return f"contraction along axis {second} by stress along axis {first}"
    return f"shear modulus in the plane of axes {first} and {second}"


def _last(stored: Any, size: int) -> list[str]:
    histories = stored if isinstance(stored, list | tuple) and len(stored) == size else [[]] * size
    listed = [h if isinstance(h, list | tuple) else [h] for h in histories]
    kept = [[x for x in h if x is not None and math.isfinite(x)] for h in listed]
    return [typeset_number(float(h[-1]), 2, trim=False) if h else MISSING for h in kept]
