"""Pictures of grey values: the middle slices, and how often each value occurs."""

from typing import Any

import numpy as np
from matplotlib import colormaps

from scalebridge.report.canvas import BAD, FONT_SIZE, MUTED, Picture, as_png, as_svg, label_axes, new_plot
from scalebridge.report.figures_image import enlarge, framed
from scalebridge.report.typeset import typeset_number


def draw_grey_slices(data: np.ndarray, voxel: tuple[float, ...] | None) -> list[Picture]:
    """Draw the middle slice across each axis in grey, darkest and brightest half per cent cut off.

    Args:
        data: grey values, shape (x, y) or (x, y, z).
        voxel: edges of a voxel in metres, None when they are not known.
    """
    low, high = np.nanpercentile(data, [0.5, 99.5])
    planes = [(0, 1, None)] if data.ndim == 2 else [(0, 1, 2), (0, 2, 1), (1, 2, 0)]
    edges = voxel or (1.0,) * data.ndim
    drawn = []
    for right, up, across in planes:
        middle = 0 if across is None else data.shape[across] // 2
        plane = data if across is None else np.take(data, middle, axis=across)
        shade = np.clip((plane - low) / ((high - low) or 1.0), 0, 1)
        pixels = enlarge(colormaps["gray"](shade)[..., :3], (edges[right], edges[up]))
        length = None if voxel is None else voxel[right] * data.shape[right]
        axes = f"{'xyz'[right]} →, {'xyz'[up]} ↑"
        where = "" if across is None else f"{'xyz'[across]} = {middle + 1} of {data.shape[across]}"
        caption = f"{where}  ·  {axes}" if where else axes
        alt = f"Grey values{f' at {where}' if where else ''}, from {low:g} (black) to {high:g} (white)."
        drawn.append(as_png(framed(pixels, length, data.shape[right]), alt, caption))
    return drawn


def draw_histogram(grey: dict[str, Any], levels: list[float] | None, key: str) -> Picture:
    """Draw how many voxels have which grey value, with the thresholds, or Otsu's where there is none.

    Args:
        grey: what was found: "histogram" with "edges" and "counts", and "otsu".
        levels: thresholds that were used.
        key: name of the drawing on the page.
    """
    edges, counts = np.array(grey["histogram"]["edges"]), np.array(grey["histogram"]["counts"])
    figure, axes = new_plot(460, 260)
    share = counts / counts.sum()
    axes.stairs(share, edges, fill=True, color=MUTED, alpha=0.6, linewidth=0)
    marks = levels or ([grey["otsu"]] if grey["otsu"] is not None else [])
    name = "threshold" if levels else "Otsu"
    for level in marks:
        axes.axvline(level, color=BAD, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            f"{name} {typeset_number(level, 4)}",
            (level, share.max()),
            (5, -4),
            textcoords="offset points",
            color=BAD,
            fontsize=FONT_SIZE - 1,
        )
    axes.margins(x=0.01)
    label_axes(axes, "grey value", "share of the voxels")
    said = "; ".join(f"{name} at {typeset_number(level, 4)}" for level in marks)
    alt = (
        f"Histogram of the grey values from {typeset_number(edges[0], 4)} to {typeset_number(edges[-1], 4)}, "
        f"mean {typeset_number(grey['mean'], 4)}. {said}."
    )
    return as_svg(figure, key, alt)
