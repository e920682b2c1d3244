"""The tables of a report, as text that only has to be put into cells."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.upscaled import Upscaled
from scalebridge.report.looks import Look, image_of, is_stack
from scalebridge.report.tensors import (
    AXES,
    Formation,
    is_space_tensor,
    mean_of,
    principal_values,
    relative_sensitivities,
    trusted_digits,
)
from scalebridge.report.typeset import (
    MISSING,
    Cell,
    align,
    power_of_ten,
    shorten,
    typeset_estimate,
    typeset_length,
    typeset_number,
    typeset_unit,
)

_LONGEST = 40  # characters of a name in a table
_FEW = 3  # constituents that fit beside each other in a narrow table
_SETTINGS = {
    "scheme": "Discretisation",
    "boundary": "Boundary",
    "rtol": "Wanted error of the tensor",
    "residual_rtol": "Wanted residual",
    "max_steps": "Limit of steps",
    "uncertainty": "Spread of inputs by",
    "samples": "Samples",
    "seed": "Seed",
    "dtype": "Arithmetic",
}
_BOTH = "hexahedra, bracketed by finite volumes"
_ONLY_DRAWN = ("samples", "seed")  # of no effect unless samples were drawn
_MANDEL = ("xx", "yy", "zz", "yz", "xz", "xy")


def spread_out(count: int, most: int) -> list[int]:
    """Return which of `count` rows a table of at most `most` shows: evenly, first and last among them.

    Example:
        >>> spread_out(3, 40), spread_out(7, 3)
        ([0, 1, 2], [0, 3, 6])
    """
    return sorted({round(place) for place in np.linspace(0, count - 1, min(most, count))})


@dataclass(frozen=True)
class Row:
    """One row: cells, the first of which names it; a colour before the name; and a verdict that tints it."""

    cells: tuple[str | Cell, ...]
    swatch: str | None = None
    verdict: bool | None = None


@dataclass(frozen=True)
class Table:
    """A table with a caption, heads and rows.

    Args:
        caption: what it shows, with the unit.
        head: names of the columns.
        rows: the rows.
        text: numbers of the columns that hold text, set flush left; the others are numbers.
        wide: numbers of the columns that may break lines.
    """

    caption: str
    head: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    text: frozenset[int] = frozenset({0})
    wide: frozenset[int] = frozenset()


def answer_table(result: Upscaled) -> Table:
    """The answer, every component with its standard deviation."""
    value = np.atleast_1d(np.asarray(result.value, dtype=float))
    std = None if result.std is None else np.broadcast_to(np.asarray(result.std, dtype=float), value.shape)
    cells, exponent = align(value, std, trusted_digits(result))
    caption = f"{_capital(result.spec.name)}{_in_unit(result.unit, exponent)}"
    names = _component_names(value.shape[-1])
    if value.ndim == 1:
        single = value.size == 1
        rows = [Row((result.spec.name if single else names[i], cell)) for i, cell in enumerate(cells)]
        return Table(caption, ("component", "value"), rows)
    return Table(caption, ("", *names), [Row((names[i], *row)) for i, row in enumerate(cells)])


def principal_table(result: Upscaled) -> Table | None:
    """Principal values and axes of a tensor of the plane or of space."""
    if not is_space_tensor(result.value):
        return None
    found = principal_values(result)
    spread = None if found[0].std is None else np.array([p.std for p in found])
    cells, exponent = align(np.array([p.value for p in found]), spread, trusted_digits(result))
    axes, _ = align(np.array([p.axis for p in found]), digits=4)
    deviations = "" if spread is None else " (deviations: upper limits)"
    ordinal = ("largest", "smallest") if len(found) == 2 else ("largest", "middle", "smallest")
    head = (
        "principal value",
        _unit_head(result.unit, exponent),
        *(f"axis {a}" for a in AXES[: len(found)]),
        "direction",
    )
    rows = [
        Row((ordinal[i], cells[i], *axes[i], f"{p.angle:.1f}° from {p.nearest}")) for i, p in enumerate(found)
    ]
    return Table(
        f"Principal values{deviations} and their axes as unit vectors",
        head,
        rows,
        frozenset({0, len(head) - 1}),
    )


def formation_table(found: Formation | None) -> Table | None:
    """Formation factor, tortuosity factor and cementation exponent of a conductor among insulators."""
    if found is None:
        return None
    factors, _ = align(found.factors, found.stds, 5)
    bends, _ = align(found.tortuosities, None, 5)
    powers, _ = align(found.exponents, None, 4)
    names = [f"along {a}" for a in AXES[: found.factors.size - 1]] + ["mean conductivity"]
    rows = [Row((n, factors[i], bends[i], powers[i])) for i, n in enumerate(names)]
    head = ("", "formation factor F = 1/k", "tortuosity factor φF", "Archie exponent m in F = φ⁻ᵐ")
    return Table(
        f"Formation factor, with the conductor's volume fraction φ = {found.fraction:.4f}", head, rows
    )


def phase_table(result: Upscaled, looks: dict[str, Look]) -> Table | None:
    """What the constituents are and how much there is of each."""
    if not looks:
        return None
    unit = next((str(i["unit"]) for i in result.inputs.values() if i.get("unit")), result.unit)
    rows = [_phase_row(result.inputs.get(key, {}), look) for key, look in looks.items()]
    head = ("constituent", "input", f"value{_in_unit(unit, 0)}", "volume fraction")
    return Table("Constituents, values ± standard deviation", head, rows, frozenset({0, 1}))


def check_table(result: Upscaled) -> Table | None:
    """Every check with its number, tolerance, verdict and meaning."""
    if not result.checks:
        return None
    head = ("check", "verdict", "measured", "wanted", "what it says")
    rows = [_check_row(check) for check in result.checks]
    passed = sum(check.passed for check in result.checks)
    return Table(f"{passed} of {len(rows)} passed", head, rows, frozenset({0, 1, 4}), frozenset({4}))


def bound_table(result: Upscaled) -> Table | None:
    """The bounds, as mean of the principal values."""
    if not result.bounds:
        return None
    numbers = np.array([[mean_of(b.lower), mean_of(b.upper)] for b in result.bounds.values()])
    cells, exponent = align(numbers)
    rows = [
        Row((name, *cells[i], f"{bound.holds_for} ({bound.source})"))
        for i, (name, bound) in enumerate(result.bounds.items())
    ]
    head = ("bound", "lower", "upper", "holds for")
    caption = f"Bounds, mean of the principal values{_in_unit(result.unit, exponent)}"
    return Table(caption, head, rows, frozenset({0, 3}), frozenset({3}))


def convergence_table(result: Upscaled) -> Table | None:
    """Steps and last numbers of the solver by direction."""
    steps = result.stats.get("steps")
    if not isinstance(steps, list | tuple) or not steps:
        return None
    errors, residuals = (_last_numbers(result.stats.get(k), len(steps)) for k in ("errors", "residuals"))
    connected = result.stats.get("percolating") or [True] * len(steps)
    names = AXES[: len(steps)] if len(steps) <= len(AXES) else [str(i + 1) for i in range(len(steps))]
    rows = [
        Row((n, str(int(s)), errors[i], residuals[i], "yes" if connected[i] else "no: exactly zero"))
        for i, (n, s) in enumerate(zip(names, steps, strict=True))
    ]
    head = ("load along", "steps", "estimated error", "residual", "percolates")
    return Table("The solver, by direction", head, rows, frozenset({0, 4}))


def sensitivity_table(result: Upscaled, looks: dict[str, Look]) -> Table | None:
    """Relative sensitivity and dK/dk of every phase, component by component."""
    if not result.derivatives or not is_space_tensor(result.value):
        return None
    dim = np.asarray(result.value).shape[0]
    names = [n for n in _MANDEL if all(c in AXES[:dim] for c in n)]
    found = [
        (shorten(looks[key].name, _LONGEST) if key in looks else key, suffix, looks.get(key), part)
        for key, slope in result.derivatives.items()
        for suffix, part in _slope_parts(slope)
    ]
    numbers = [[math.nan] * len(names) if part is None else _components(part, names) for *_, part in found]
    cells = _digits(np.array(numbers))
    caption = "Derivatives dK/dk (dimensionless)"
    if len(found) <= _FEW:
        head = ("component", *(f"{n}, {w}" if w != "k" else n for n, w, *_ in found))
        return Table(caption, head, [Row((f"K{n}", *cells[:, i])) for i, n in enumerate(names)])
    head = ("constituent", "with respect to", *(f"K{n}" for n in names))
    rows = [Row((n, w, *c), k.colour if k else None) for (n, w, k, _), c in zip(found, cells, strict=True)]
    return Table(caption, head, rows, frozenset({0, 1}))


def uncertainty_table(result: Upscaled) -> Table | None:
    """The parts of the uncertainty, for the mean of the principal values, and their share of the variance.

    Parts that nobody assessed are named too: they are not zero.
    """
    if not result.uncertainty:
        return None
    parts = {name: mean_of(np.asarray(part.std)) for name, part in result.uncertainty.items()}
    total = math.sqrt(sum(std**2 for std in parts.values()))
    cells, exponent = align(np.array([*parts.values(), total]), digits=3)
    rows = [
        Row(
            (
                name,
                cells[i],
                f"{100 * (std / total) ** 2:.1f} %" if total else MISSING,
                result.uncertainty[name].method,
            )
        )
        for i, (name, std) in enumerate(parts.items())
    ]
    if len(parts) > 1:
        rows.append(Row(("total", cells[-1], "100.0 %" if total else MISSING, "root of the sum of squares")))
    missing = result.stats.get("not assessed", [])
    rows += [Row((name, MISSING, MISSING, "not assessed")) for name in missing]
    head = ("part", f"std{_in_unit(result.unit, exponent)}", "share of the variance", "how it was found")
    return Table(
        "Standard deviation of the mean principal value", head, rows, frozenset({0, 3}), frozenset({3})
    )


def asked_items(result: Upscaled) -> list[tuple[str, str]]:
    """What was asked, as pairs of name and text: the subject first, then the settings."""
    items = [("Quantity", f"{result.spec.name}{_in_unit(result.unit, 0)}")]
    described = result.provenance.inputs.get("image")
    described = described if isinstance(described, dict) else {}
    if described.get("file"):
        items.append(("Image", str(described["file"])))
    items += _size_items(result, described)
    if is_stack(result.subject):
        items.append(("Layers", str(len(result.subject.thicknesses))))
    items += [
        (_capital(key), plain_text(value))
        for key, value in result.provenance.inputs.items()
        if key not in ("image", "phases", "layers")
    ]
    settings = result.provenance.settings
    idle = () if settings.get("uncertainty") == "samples" else _ONLY_DRAWN
    shown = {key: value for key, value in settings.items() if key not in idle}
    if shown.get("scheme") == "both":
        shown["scheme"] = _BOTH
    items += [(_SETTINGS.get(k, _capital(k.replace("_", " "))), plain_text(v)) for k, v in shown.items()]
    return items


def origin_items(result: Upscaled) -> list[tuple[str, str]]:
    """Everything that is needed to trace the result: inputs, versions, machine, seed, time."""
    source = result.provenance
    items = [
        ("started", source.started or MISSING),
        ("seed", MISSING if source.seed is None else str(source.seed)),
    ]
    items += [(f"time, {name}", f"{seconds:.2f} s") for name, seconds in source.elapsed.items()]
    items += [(f"setting {name}", plain_text(value)) for name, value in source.settings.items()]
    items += [(f"version of {name}", version) for name, version in source.versions.items()]
    items += list(source.machine.items())
    for name, described in source.inputs.items():
        if name in ("phases", "layers"):
            continue  # shown among the constituents
        table = described if isinstance(described, dict) else {"": described}
        items += [(f"{name} {key}".strip(), plain_text(value)) for key, value in table.items()]
    return items


def sensitivity_rows(result: Upscaled, looks: dict[str, Look]) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return names and, by direction, the relative sensitivities: what the bar chart shows."""
    found = relative_sensitivities(result)
    names = [looks[key].name if key in looks else key for key in found]
    if not found:
        return [], {}
    stacked = np.stack(list(found.values()), axis=1)
    return names, dict(zip(AXES, stacked, strict=False))


def plain_text(value: Any) -> str:
    """Set a setting as text."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return typeset_number(value, 6)
    if isinstance(value, list | tuple):
        return ", ".join(plain_text(v) for v in value)
    if isinstance(value, dict):
        return "; ".join(f"{k}: {plain_text(v)}" for k, v in value.items())
    return str(value)


def _size_items(result: Upscaled, described: dict[str, Any]) -> list[tuple[str, str]]:
    image = image_of(result)
    shape = image.shape if image is not None else tuple(described.get("shape") or ())
    voxel = image.voxel if image is not None else described.get("voxel")
    items = [("Size", " × ".join(map(str, shape)) + " voxels (x first)")] if shape else []
    if shape:
        items.append(("Voxel", "not known" if voxel is None else _lengths(voxel)))
    if shape and voxel is not None:
        items.append(("Sample", _lengths([n * v for n, v in zip(shape, voxel, strict=True)])))
    return items


def _lengths(lengths: Any) -> str:
    texts = [typeset_length(float(length)) for length in lengths]
    return (
        texts[0] + (f" (each of {len(texts)} edges)" if len(texts) > 1 else "")
        if len(set(texts)) == 1
        else " × ".join(texts)
    )


def _phase_row(given: dict[str, Any], look: Look) -> Row:
    return Row((shorten(look.name, _LONGEST), look.key, *_phase_cells(given, look)), look.colour)


def _phase_cells(given: dict[str, Any], look: Look) -> tuple[str, str]:
    fraction = MISSING if look.fraction is None else f"{look.fraction:.4f}"
    value = given.get("value")
    if value is None:
        return MISSING, fraction
    array = np.asarray(value, dtype=float)
    if array.ndim == 0:
        return typeset_estimate(float(array), given.get("std") or None), fraction
    rows = np.atleast_2d(array)
    text = "; ".join(", ".join(typeset_number(float(x), 6) for x in row) for row in rows)
    return f"diag({text})" if array.ndim == 1 else f"[{text}]", fraction


def _digits(numbers: np.ndarray, digits: int = 4) -> np.ndarray:
    """Set every number with its own significant digits; rounding noise becomes a zero."""
    noise = 1e-13 * np.nanmax(np.abs(numbers), initial=0.0)
    texts = np.empty(numbers.shape, dtype=object)
    for at, number in np.ndenumerate(numbers):
        texts[at] = "0" if abs(number) <= noise else typeset_number(float(number), digits, trim=False)
    return texts


def _check_row(check: Check) -> Row:
    relation = {"at most": "≤", "at least": "≥"}[check.relation]
    verdict = "✓ pass" if check.passed else "✗ FAIL"
    wanted = f"{relation} {typeset_number(check.tolerance, 3)}"
    return Row(
        (check.name, verdict, typeset_number(check.value, 3), wanted, check.meaning), verdict=check.passed
    )


def _slope_parts(slope: Any) -> list[tuple[str, np.ndarray | None]]:
    """Split a derivative into (dim, dim) parts: one for a number, one a component for anything else."""
    if slope is None:
        return [("not defined", None)]
    array = np.asarray(slope, dtype=float)
    if array.ndim == 2:
        return [("k", array)]
    if array.ndim == 3:
        return [(f"k{AXES[a]}{AXES[a]}", array[..., a]) for a in range(array.shape[2])]
    dim = array.shape[2]
    return [(f"k{AXES[a]}{AXES[b]}", array[..., a, b]) for a in range(dim) for b in range(dim)]


def _components(part: np.ndarray, names: list[str]) -> list[float]:
    return [float(part[AXES.index(a), AXES.index(b)]) for a, b in names]


def _last_numbers(stored: Any, size: int) -> list[str]:
    histories = stored if isinstance(stored, list | tuple) and len(stored) == size else [[]] * size
    kept = [[x for x in h if x is not None and math.isfinite(x)] for h in histories]
    return [typeset_number(float(h[-1]), 2, trim=False) if h else MISSING for h in kept]


def _component_names(size: int) -> list[str]:
    if size <= len(AXES):
        return list(AXES[:size])
    return list(_MANDEL) if size == len(_MANDEL) else [str(i + 1) for i in range(size)]


def _in_unit(unit: str, exponent: int) -> str:
    text = _power_and_unit(unit, exponent)
    return f", {text}" if text else ""


def _unit_head(unit: str, exponent: int) -> str:
    return _power_and_unit(unit, exponent) or "value"


def _power_and_unit(unit: str, exponent: int) -> str:
    return f"{power_of_ten(exponent) if exponent else ''} {typeset_unit(unit)}".strip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
