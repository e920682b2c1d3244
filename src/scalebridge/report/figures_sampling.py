"""Pictures of a sampled posterior: traces, densities, what the coarse model knew, answers and data."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scalebridge.inference.sampled import Sampled
from scalebridge.report.canvas import (
    ACCENT,
    BAD,
    FONT_SIZE,
    INK,
    MUTED,
    RULE,
    Picture,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
    phase_colours,
    plain_ticks,
)
from scalebridge.report.typeset import typeset_number, typeset_unit

_MOST = 12  # parameters that are drawn
_POINTS = 400  # of a trace; more cannot be seen


def draw_marginals(found: Sampled, key: str) -> Picture:
    """Draw the histogram of each parameter with its mean and its 90 % interval.

    Args:
        found: the draws.
        key: name of the drawing on the page.
    """
    figure, places = _panels(min(len(found.names), _MOST))
    for axes, column, row in zip(places, range(_MOST), found.summary, strict=False):
        draws = found.values[:, :, column].ravel()
        axes.hist(draws, bins=40, color=ACCENT, alpha=0.55, linewidth=0)
        low, _, high = row.quantiles
        axes.axvspan(low, high, color=ACCENT, alpha=0.10, linewidth=0)
        axes.axvline(row.mean, color=INK, linewidth=1.3)
        axes.set_yticks([])
        _small(axes, row.name, typeset_unit(row.unit))
        plain_ticks(axes, "x")
    said = "; ".join(
        f"{row.name} {typeset_number(row.mean, 3)} ± {typeset_number(row.std, 2)}"
        for row in found.summary[:_MOST]
    )
    caption = "Histograms of the draws, all chains. Line: mean. Shaded: from the 5 % to the 95 % quantile."
    return as_svg(figure, key, f"Posterior of each parameter: {said}.", caption)


def draw_traces(found: Sampled, key: str) -> Picture:
    """Draw the chains of the parameters that mix worst.

    Args:
        found: the draws.
        key: name of the drawing on the page.
    """
    worst = np.argsort([row.ess_bulk for row in found.summary])[:4]
    figure, places = _panels(len(worst), columns=2)
    colours = phase_colours(found.values.shape[0])
    stride = max(1, found.values.shape[1] // _POINTS)
    for axes, column in zip(places, worst, strict=False):
        for chain, colour in zip(found.values[:, ::stride, column], colours, strict=True):
            axes.plot(np.arange(chain.size) * stride, chain, color=colour, linewidth=0.6)
        row = found.summary[column]
        _small(axes, f"{row.name}, R-hat {row.r_hat:.3f}", "draw")
        plain_ticks(axes, "x")
        plain_ticks(axes, "y")
    names = ", ".join(found.names[column] for column in worst)
    return as_svg(
        figure,
        key,
        f"Chains of {names}.",
        "One colour a chain; chains that agree cannot be told from each other.",
    )


def draw_levels(found: Sampled, key: str) -> Picture:
    """Draw the log-likelihood of the finest level against that of the one below, as it was corrected.

    Args:
        found: the draws.
        key: name of the drawing on the page.
    """
    figure, axes = new_plot(460, 320)
    stride = max(1, found.log_likelihoods[..., 0].size // 1500)
    fine = found.log_likelihoods[..., -1].ravel()[::stride]
    coarse = found.log_likelihoods[..., -2].ravel()[::stride]
    gap = coarse - fine
    axes.plot(fine, gap - np.median(gap), "o", color=ACCENT, markersize=2.4, alpha=0.45, markeredgewidth=0)
    axes.axhline(0.0, color=RULE, linewidth=1.0)
    label_axes(
        axes, f"log-likelihood of {found.work[-1].name}", f"{found.work[-2].name} less {found.work[-1].name}"
    )
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    spread = typeset_number(float(np.std(gap)), 2)
    return as_svg(
        figure,
        key,
        f"Difference of the log-likelihoods of neighbouring levels; standard deviation {spread}.",
        f"What the coarse level still gets wrong, to a constant: standard deviation {spread}. "
        "A proposal is lost with about half that probability.",
    )


def draw_answers_and_data(found: Sampled, key: str) -> Picture | None:
    """Draw what was measured with its noise, and what the draws answer.

    Args:
        found: the draws.
        key: name of the drawing on the page.
    """
    if found.data is None or found.noise is None:
        return None
    figure, axes = new_plot(460, 320)
    answers = found.outputs.reshape(-1, found.data.size)
    low, high = np.quantile(answers, (0.05, 0.95), axis=0)
    place = np.arange(found.data.size)
    axes.errorbar(
        place,
        found.data,
        yerr=2 * found.noise,
        fmt="o",
        color=MUTED,
        markersize=3.5,
        elinewidth=1.0,
        capsize=2,
    )
    axes.vlines(place, low, high, color=ACCENT, linewidth=3.5, alpha=0.8)
    out = int(np.sum((found.data < low - 2 * found.noise) | (found.data > high + 2 * found.noise)))
    if out:
        far = (found.data < low - 2 * found.noise) | (found.data > high + 2 * found.noise)
        axes.plot(place[far], found.data[far], "o", color=BAD, markersize=5.5)
    label_axes(axes, "measurement", "answer")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    return as_svg(
        figure,
        key,
        f"Measurements and answers; {out} of {found.data.size} measurements outside.",
        "Dots: measurements with two standard deviations of the noise. Bars: answers of the finest level, "
        "5 % to 95 %.",
    )


def _panels(count: int, columns: int = 4) -> tuple[Figure, list]:
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(230 * columns, 150 * rows)
    places = []
    for number in range(count):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.patch.set_alpha(0.0)
        axes.tick_params(colors=MUTED, labelsize=FONT_SIZE - 1.5, width=0.7)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(RULE)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        places.append(axes)
    return figure, places


def _small(axes, title: str, across: str) -> None:
    axes.set_title(title, color=INK, fontsize=FONT_SIZE, loc="left", parse_math=False)
    axes.set_xlabel(across, color=MUTED, fontsize=FONT_SIZE - 1, parse_math=False)
