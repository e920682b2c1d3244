"""Pictures of flow through pores: speed in slices, streamlines in the plane and in space."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm

from scalebridge.report.canvas import (
    FONT_SIZE,
    MUTED,
    RULE,
    Picture,
    as_png,
    as_svg,
    label_axes,
    new_figure,
    plain_ticks,
)
from scalebridge.report.figures_image import enlarge, framed, framed_volume
from scalebridge.report.render_lines import render_tubes
from scalebridge.report.streamlines import Streamline, trace_streamlines
from scalebridge.report.tensors import AXES
from scalebridge.report.typeset import typeset_number

_MAP = colormaps["inferno"]
_SOLID = np.array([128, 135, 142], np.uint8)  # between the page's light and dark
_TOP = 99.7  # percentile of the speed in the pores at which the colours end
_DARKEST = 0.16  # share of the colour map that is left out: lines are seen on a dark page too
_LINES = {2: 70, 3: 160}
_WIDTH = 500
_TICKS = (0, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Flow:
    """Flow through pores for one direction of the mean force.

    Args:
        axis: the direction: 0, 1 or 2.
        velocity: (dim, voxels...), zero in the solid, in any unit.
        pores: booleans (voxels...).
        aspect: edge lengths of a voxel, in any unit.
        voxel: the same in metres, None when unknown.
        periodic: whether opposite faces are joined.
    """

    axis: int
    velocity: np.ndarray
    pores: np.ndarray
    aspect: tuple[float, ...]
    voxel: tuple[float, ...] | None = None
    periodic: bool = True

    @property
    def speed(self) -> np.ndarray:
        """Speed in each voxel, relative to the mean velocity of the fluid in the pores along the force."""
        return np.sqrt(np.sum(self.velocity**2, axis=0)) / self.mean

    @property
    def mean(self) -> float:
        """Mean velocity along the force, of the fluid in the pores."""
        return float(self.velocity[self.axis][self.pores].mean())

    @property
    def dim(self) -> int:
        """Number of axes."""
        return self.pores.ndim

    def backflow(self) -> float:
        """Share of the pores in which the fluid goes against the force."""
        return float(np.mean(self.velocity[self.axis][self.pores] < 0))


def draw_flow(flows: list[Flow], key: str) -> tuple[list[Picture], list[Picture]]:
    """Draw speed slices with one colour scale, and streamlines.

    Args:
        flows: one a direction along which anything flows.
        key: name of the drawings on the page.

    Returns:
        slices with the colour bar last, and streamlines; empty without a flow.

    Cost: about 5 s for three directions of 128^3 voxels.
    """
    kept = [flow for flow in flows if flow.mean > 0]
    if not kept:
        return [], []
    top = max(float(np.percentile(flow.speed[flow.pores], _TOP)) for flow in kept)
    norm = PowerNorm(0.5, 0.0, top, clip=True)
    slices = [_slice(flow, norm) for flow in kept]
    return [*slices, _colour_bar(norm, top, key)], [_streamlines(flow, norm) for flow in kept]


def _slice(flow: Flow, norm: PowerNorm) -> Picture:
    plane, pores, (right, up), where = _cut(flow)
    pixels = _shade(plane, pores, norm)
    pixels = enlarge(pixels, (flow.aspect[right], flow.aspect[up]))
    length = None if flow.voxel is None else flow.voxel[right] * flow.pores.shape[right]
    load, speed = AXES[flow.axis], flow.speed[flow.pores]
    caption = (
        f"Force along {load}: fastest {typeset_number(float(speed.max()), 3)} × the mean, half of all "
        f"motion in the fastest {typeset_number(100 * half_flow_share(speed), 2)} % of pores, "
        f"{typeset_number(100 * flow.backflow(), 2)} % flows back{f'  ·  {where}' if where else ''}  ·  "
        f"{AXES[right]} →, {AXES[up]} ↑"
    )
    place = f", {where}" if where else ""
    alt = f"Speed for a force along {load}, bright is fast, grey is solid{place}."
    return as_png(framed(pixels, length, plane.shape[0]), alt, caption)


def half_flow_share(speed: np.ndarray) -> float:
    """Return the smallest share of the pores in which half of all speed is.

    Example:
        >>> half_flow_share(np.array([1.0, 1.0, 1.0, 3.0]))
        0.25
    """
    ranked = np.sort(np.ravel(speed))[::-1]
    sums = np.cumsum(ranked)
    return float((np.searchsorted(sums, 0.5 * sums[-1]) + 1) / ranked.size)


def _cut(flow: Flow) -> tuple[np.ndarray, np.ndarray, tuple[int, int], str]:
    """Return the slice through the fastest voxel that contains the force, its pores, axes and place."""
    speed = flow.speed
    if flow.dim == 2:
        return speed, flow.pores, (0, 1), ""
    across = 1 if flow.axis == 2 else 2
    busiest = np.argmax(speed.mean(axis=tuple(i for i in range(3) if i != across)))
    right, up = (i for i in range(3) if i != across)
    where = f"{AXES[across]} = {busiest + 1} of {speed.shape[across]}, the busiest slice"
    return np.take(speed, busiest, across), np.take(flow.pores, busiest, across), (right, up), where


def _shade(speed: np.ndarray, pores: np.ndarray, norm: PowerNorm) -> np.ndarray:
    """Colours by speed in the pores, one grey in the solid."""
    colours = ScalarMappable(norm, _MAP).to_rgba(speed, bytes=True)[..., :3]
    return np.where(pores[..., None], colours, _SOLID)


def _streamlines(flow: Flow, norm: PowerNorm) -> Picture:
    lines = trace_streamlines(
        flow.velocity / flow.mean,
        flow.axis,
        aspect=flow.aspect,
        count=_LINES[flow.dim],
        periodic=flow.periodic,
    )
    load = AXES[flow.axis]
    caption = f"Force along {load}: paths of the fluid, each of the same flow, brighter where it is faster"
    alt = f"{len(lines)} streamlines through the pores for a force along {load}."
    draw = _in_plane if flow.dim == 2 else _in_space
    return draw(flow, lines, norm, alt, caption)


def _in_plane(flow: Flow, lines: list[Streamline], norm: PowerNorm, alt: str, caption: str) -> Picture:
    """Draw streamlines over the solid, each with the colours of its speed."""
    pixels = np.where(flow.pores[..., None], np.array([20, 20, 28], np.uint8), _SOLID)
    size = [n * a for n, a in zip(flow.pores.shape, flow.aspect, strict=True)]
    length = None if flow.voxel is None else flow.voxel[0] * flow.pores.shape[0]
    shown = enlarge(pixels, (flow.aspect[0], flow.aspect[1]))
    figure = framed(shown, length, flow.pores.shape[0])
    axes = figure.axes[0]
    scale = np.array([shown.shape[1] / size[0], shown.shape[0] / size[1]])
    for line in lines:
        points = line.points * scale
        pieces = np.stack([points[:-1], points[1:]], axis=1)
        drawn = LineCollection(
            list(pieces), colors=list(_bright(norm)(line.speeds[1:])), linewidths=1.1, capstyle="round"
        )
        drawn.set_zorder(0.5)  # above the picture, below the scale bar
        axes.add_collection(drawn)
    axes.set(xlim=(0, shown.shape[1]), ylim=(0, shown.shape[0]))
    return as_png(figure, alt, caption)


def _in_space(flow: Flow, lines: list[Streamline], norm: PowerNorm, alt: str, caption: str) -> Picture:
    box = tuple(n * a for n, a in zip(flow.pores.shape, flow.aspect, strict=True))
    pixels = render_tubes(
        [line.points for line in lines],
        [line.speeds for line in lines],
        _bright(norm),
        (box[0], box[1], box[2]),
        body=(~flow.pores).astype(np.uint8),
        pixels=_WIDTH,
    )
    return as_png(framed_volume(pixels, flow.pores.shape, flow.aspect, flow.voxel), alt, caption)


def _bright(norm: PowerNorm) -> Callable[[np.ndarray], np.ndarray]:
    """Colours of relative speeds, without the darkest ones."""
    return lambda speed: _MAP(_DARKEST + (1 - _DARKEST) * np.asarray(norm(speed)))[:, :3]


def _colour_bar(norm: PowerNorm, top: float, key: str) -> Picture:
    figure = new_figure(440, 62)
    axes = figure.add_subplot()
    bar = figure.colorbar(ScalarMappable(norm, _MAP), cax=axes, orientation="horizontal", extend="max")
    bar.outline.set_edgecolor(RULE)
    axes.tick_params(colors=MUTED, labelsize=FONT_SIZE)
    bar.set_ticks([tick for tick in _TICKS if tick <= top])
    plain_ticks(axes, "x")
    label_axes(axes, "speed / mean velocity in the pores  (dimensionless)")
    end = typeset_number(top, 3)
    alt = f"Colour scale from 0 to {end}, by its square root; brighter is faster; beyond, one colour."
    return as_svg(figure, f"{key}-speed-bar", alt)
