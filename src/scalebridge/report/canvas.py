"""Drawing without global state: figures whose colours follow the page, and pictures as PNG.

Plots become inline SVG whose text stays text and whose neutral colours are the page's CSS variables, so that
one drawing serves light, dark and print. Each neutral colour is drawn in a code colour that stands for its
variable.
"""

import base64
import io
import re
import warnings
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import hsv_to_rgb, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter

from scalebridge.report.typeset import typeset_number

INK, MUTED, RULE, ACCENT, GOOD, BAD, PAPER = (f"#0{i}0{i}0{i}" for i in range(1, 8))
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    ACCENT: "accent",
    GOOD: "good",
    BAD: "bad",
    PAPER: "paper",
}
_PHASES = ("#4a78b5", "#dba95a", "#4fa39a", "#c45b45", "#8d6fb8", "#93a94c", "#b0769c", "#7d8a96")
_PIXELS_PER_INCH = 96.0
FONT_SIZE = 9.5  # points: 12.7 px at the drawing's own size
DIRECTIONS = {"x": "#d24f5d", "y": "#2f9e6e", "z": "#4a86d8"}
DASHES = {"x": "solid", "y": (0, (5, 2)), "z": (0, (1.5, 1.5))}


@dataclass(frozen=True)
class Picture:
    """A picture for the page.

    Args:
        kind: "png" or "svg".
        data: the file's bytes (for SVG a fragment for HTML, without a prologue).
        alt: what there is to see, for those who cannot.
        caption: what stands below it.
        width: the width in CSS pixels that it is drawn for.
    """

    kind: str
    data: bytes
    alt: str
    caption: str = ""
    width: int = 460

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        mime = {"png": "image/png", "svg": "image/svg+xml"}[self.kind]
        return f"data:{mime};base64,{base64.b64encode(self.data).decode('ascii')}"

    @property
    def markup(self) -> str:
        """The text of an SVG fragment."""
        return self.data.decode("utf-8")


def phase_colours(count: int) -> list[str]:
    """Return colours for phases in the order of their labels: eight chosen ones, then golden-ratio hues."""
    hues = (np.arange(count - len(_PHASES)) * 0.6180339887 + 0.03) % 1.0
    further = [to_hex(tuple(hsv_to_rgb((h, 0.45, 0.62 + 0.24 * (i % 2))))) for i, h in enumerate(hues)]
    return [*_PHASES[:count], *further]


def colour_table(colours: dict[int, str]) -> dict[int, tuple[float, float, float]]:
    """Return colours by label as numbers in 0..1."""
    return {label: to_rgb(colour) for label, colour in colours.items()}


def new_figure(width: float, height: float) -> Figure:
    """Return a transparent figure of so many CSS pixels."""
    size = (width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH)
    figure = Figure(figsize=size, dpi=_PIXELS_PER_INCH, layout="constrained")
    figure.patch.set_alpha(0.0)
    return figure


def new_plot(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes in the page's style."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0.0)
    axes.tick_params(colors=MUTED, labelsize=FONT_SIZE, width=0.8, which="both")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(RULE)
    axes.grid(visible=True, color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def label_axes(axes: Axes, across: str, up: str = "") -> None:
    """Name the axes."""
    axes.set_xlabel(across, color=INK, fontsize=FONT_SIZE, parse_math=False)
    axes.set_ylabel(up, color=INK, fontsize=FONT_SIZE, parse_math=False)


def plain_ticks(axes: Axes, which: str) -> None:
    """Print the tick labels of axis "x" or "y" as the page prints numbers."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: typeset_number(value, 4)))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axis.get_offset_text().set_visible(False)


def as_svg(figure: Figure, key: str, alt: str, caption: str = "") -> Picture:
    """Draw a figure as an SVG fragment whose text is text and whose neutral colours are the page's.

    Args:
        figure: the figure.
        key: a name that is unique on the page; it goes into every id.
        alt: what there is to see.
        caption: what stands below.
    """
    stream = io.StringIO()
    FigureCanvasSVG(figure)
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": key, "svg.image_inline": True}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the browser has other fonts
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = _fragment(stream.getvalue(), re.sub(r"[^a-z0-9]+", "-", key.lower()))
    width = round(float(figure.get_figwidth()) * _PIXELS_PER_INCH)
    return Picture("svg", text.encode("utf-8"), alt, caption, width)


def as_png(figure: Figure, alt: str, caption: str = "") -> Picture:
    """Draw a figure as a transparent PNG at its own resolution."""
    stream = io.BytesIO()
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(stream, format="png", transparent=True, pil_kwargs={"optimize": True})
    return Picture(
        "png", stream.getvalue(), alt, caption, round(float(figure.get_figwidth()) * _PIXELS_PER_INCH)
    )


def pixels_as_png(pixels: np.ndarray, alt: str, caption: str = "", width: int | None = None) -> Picture:
    """Encode an array of pixels, (rows, columns, 3 or 4) of bytes, as PNG."""
    stream = io.BytesIO()
    imsave(stream, pixels, format="png", pil_kwargs={"optimize": True})
    return Picture("png", stream.getvalue(), alt, caption, pixels.shape[1] if width is None else width)


def _fragment(text: str, key: str) -> str:
    """Cut prologue and metadata, make ids unique, and put the page's variables for code colours and fonts."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s(?:xmlns(?::xlink)?|version)="[^"]*"', "", text)
    text = re.sub(r"<svg\b[^>]*?(viewBox=\"[^\"]*\")[^>]*>", r'<svg \1 aria-hidden="true">', text, count=1)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{key}-", text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", text)
    for code, variable in _VARIABLES.items():
        text = text.replace(code, f"var(--{variable})")
    return text.strip()
