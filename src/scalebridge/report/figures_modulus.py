"""Pictures of a stiffness and of an expansion by direction: surfaces in space, and curves in planes."""

from collections.abc import Callable

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize

from scalebridge.laws.engineering_constants import young_extremes, young_modulus
from scalebridge.report.canvas import (
    DASHES,
    DIRECTIONS,
    FONT_SIZE,
    INK,
    MUTED,
    RULE,
    Picture,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
    plain_ticks,
)
from scalebridge.report.render_star import Star, render_star
from scalebridge.report.typeset import typeset_number

_PIXELS = 480
_SAME = 1e-9  # relative range below which a quantity is the same in all directions
_CURVE = np.linspace(0.0, 2 * np.pi, 361)
_PLANES = {"yz": (1, 2), "xz": (0, 2), "xy": (0, 1)}


def draw_modulus(stiffness: np.ndarray, key: str) -> Picture:
    """Draw Young's modulus by direction as a surface: distance from the middle and colour are the modulus.

    Args:
        stiffness: Mandel notation, (6, 6), Pa.
        key: name of the drawing on the page.
    """
    compliance = np.linalg.inv(stiffness)
    (low, soft), (high, stiff) = young_extremes(stiffness)
    scale, unit = pressure_unit(high)

    def inverse_modulus(points: np.ndarray) -> np.ndarray:
        pairs = _pairs(points)
        return np.einsum("...a,ab,...b->...", pairs, scale * compliance, pairs)

    star = Star(inverse_modulus, 4, inverse=True, largest=high / scale)
    said = (
        f"from {_number(low / scale)} {unit} along {direction_text(soft)} to {_number(high / scale)} {unit} "
        f"along {direction_text(stiff)}"
    )
    return _surface(
        star,
        lambda n: 1 / inverse_modulus(n),
        (low / scale, high / scale),
        f"Young's modulus, {unit}",
        key,
        f"Surface of Young's modulus by direction: {said}.",
        f"Young's modulus by direction, {said}; dark curves lie in the coordinate planes",
    )


def draw_modulus_sections(stiffness: np.ndarray, key: str) -> Picture:
    """Draw Young's modulus by direction in the coordinate planes (in 2-D: in the plane) as closed curves.

    Args:
        stiffness: Mandel notation, (6, 6), in the plane (3, 3), Pa.
        key: name of the drawing on the page.
    """
    dim = 3 if len(stiffness) == 6 else 2
    planes = _PLANES if dim == 3 else {"xy": (0, 1)}
    curves = {}
    for name, (right, up) in planes.items():
        directions = np.zeros((len(_CURVE), dim))
        directions[:, right], directions[:, up] = np.cos(_CURVE), np.sin(_CURVE)
        curves[name] = young_modulus(stiffness, directions)
    largest = max(float(curve.max()) for curve in curves.values())
    scale, unit = pressure_unit(largest)
    figure, axes = new_plot(400, 400)
    axes.set_aspect("equal")
    for name, curve in curves.items():
        normal = next(axis for axis in "xyz" if axis not in name)
        axes.plot(
            curve / scale * np.cos(_CURVE),
            curve / scale * np.sin(_CURVE),
            color=DIRECTIONS[normal],
            linestyle=DASHES[normal],
            linewidth=1.8,
            label=f"{name[0]} →, {name[1]} ↑",
        )
    reach = 1.08 * largest / scale
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.axhline(0, color=RULE, linewidth=0.8)
    axes.axvline(0, color=RULE, linewidth=0.8)
    axes.legend(loc="upper right", fontsize=FONT_SIZE - 1, labelcolor=INK, frameon=False, handlelength=1.8)
    for which in "xy":
        plain_ticks(axes, which)
    label_axes(axes, f"Young's modulus, {unit}")
    ends = "; ".join(
        f"{name} from {_number(float(c.min()) / scale)} to {_number(float(c.max()) / scale)}"
        for name, c in curves.items()
    )
    caption = "Young's modulus by direction in the coordinate planes: the distance from the middle"
    return as_svg(figure, key, f"Young's modulus in {unit} by direction in the planes {ends}.", caption)


def draw_expansion(expansion: np.ndarray, key: str) -> Picture:
    """Draw thermal expansion by direction as a surface: distance is its size, colour its value.

    Args:
        expansion: Mandel notation, (6,), 1/K.
        key: name of the drawing on the page.
    """
    scaled = 1e6 * np.asarray(expansion, float)
    root = np.sqrt(2)
    tensor = np.diag(scaled[:3])
    for place, (i, j) in enumerate([(1, 2), (0, 2), (0, 1)], 3):
        tensor[i, j] = tensor[j, i] = scaled[place] / root
    values, vectors = np.linalg.eigh(tensor)

    def along(points: np.ndarray) -> np.ndarray:
        return np.einsum("...i,ij,...j->...", points, tensor, points)

    star = Star(along, 2, inverse=False, largest=float(np.abs(values).max()) or 1.0)
    said = (
        f"from {_number(values[0])} along {direction_text(vectors[:, 0])} to {_number(values[2])} along "
        f"{direction_text(vectors[:, 2])}, in 10⁻⁶/K"
    )
    return _surface(
        star,
        along,
        (float(values[0]), float(values[2])),
        "thermal expansion, 10⁻⁶/K",
        key,
        f"Surface of thermal expansion by direction: {said}.",
        f"Thermal expansion by direction, {said}; distance from the middle: its size",
    )


def pressure_unit(largest: float) -> tuple[float, str]:
    """Return the unit that suits a modulus: its size in pascals, and its name.

    Example:
        >>> pressure_unit(70e9), pressure_unit(3e5)
        ((1000000000.0, 'GPa'), (1000.0, 'kPa'))
    """
    units = [(1e9, "GPa"), (1e6, "MPa"), (1e3, "kPa"), (1.0, "Pa")]
    return next((pair for pair in units if abs(largest) >= pair[0]), units[-1])


def direction_text(direction: np.ndarray) -> str:
    """Return a direction as text: an axis's name, or its components.

    Example:
        >>> direction_text(np.array([0, 0, -1.0])), direction_text(np.array([0.6, -0.8, 0.0]))
        ('z', '(−0.6, 0.8, 0)')
    """
    vector = np.asarray(direction, float) / np.linalg.norm(direction)
    vector = vector * np.sign(vector[np.argmax(np.round(np.abs(vector), 6))])
    for axis, name in enumerate("xyz"[: len(vector)]):
        if vector[axis] > np.cos(np.radians(0.5)):
            return name
    return "(" + ", ".join(typeset_number(0.0 if abs(x) < 5e-4 else float(x), 2) for x in vector) + ")"


def _surface(
    star: Star,
    value: Callable[[np.ndarray], np.ndarray],
    ends: tuple[float, float],
    label: str,
    key: str,
    alt: str,
    caption: str,
) -> Picture:
    """Draw a surface with the names of its axes and a colour bar."""
    colours, scale = _colours(*ends)
    pixels, tips = render_star(star, lambda n: np.asarray(colours(scale(value(n))))[:, :3], pixels=_PIXELS)
    rows, columns = pixels.shape[:2]
    figure = new_figure(470, 400)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.imshow(pixels, interpolation="none", extent=(0, columns, rows, 0))
    for name, (column, row) in zip("xyz", tips, strict=True):
        axes.text(column, row, name, color=INK, fontsize=FONT_SIZE + 2, ha="center", va="center")
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, shrink=0.7, aspect=22, pad=0.03)
    bar.outline.set_edgecolor(RULE)
    bar.ax.tick_params(colors=MUTED, labelsize=FONT_SIZE)
    plain_ticks(bar.ax, "y")
    bar.ax.set_ylabel(label, color=INK, fontsize=FONT_SIZE, parse_math=False)
    return as_svg(figure, key, alt, caption)


def _colours(low: float, high: float) -> tuple[Colormap, Normalize]:
    """Return colours from the lowest to the highest; about zero where there are both signs."""
    if low < 0 < high:
        reach = max(-low, high)
        return colormaps["coolwarm"], Normalize(-reach, reach)
    if high - low <= _SAME * max(abs(low), abs(high)):
        low, high = low - 0.01 * abs(low), high + 0.01 * abs(high)
    return colormaps["viridis"], Normalize(low, high)


def _pairs(points: np.ndarray) -> np.ndarray:
    """Return p p of points of any length in Mandel notation, shape (..., 6)."""
    mixed = [points[..., i] * points[..., j] for i, j in ((1, 2), (0, 2), (0, 1))]
    return np.concatenate([points**2, np.sqrt(2) * np.stack(mixed, axis=-1)], axis=-1)


def _number(value: float) -> str:
    return typeset_number(float(value), 3)
