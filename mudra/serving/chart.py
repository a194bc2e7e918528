"""Charts of the evaluation report as inline SVG: confusion matrix, calibration, learning curves.

Letters come from the page's own fonts, so that any script is shown, and ink takes the page's text colour, so that one
chart serves a light and a dark page. Nothing here touches pyplot, whose figures live until someone closes them.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mudra.scoring import Calibration, Scores
from mudra.types import FloatArray

INK = "#010203"  # replaced by currentColor in the SVG; no chart uses this colour for anything else
RIGHT_RGB = (0.12, 0.47, 0.71)
WRONG_RGB = (0.85, 0.33, 0.10)
LINES = ("#1f78b4", "#d95f0e", "#31a354", "#9467bd", "#c51b8a", "#8c6d31", "#17a2b8")
MOST_CELL_TEXTS = 40  # classes; beyond, a count no longer fits into its cell
MOST_NAMES = 64  # classes; beyond, the axes carry numbers
LONGEST_NAME = 32
PAGE_IN = 11.5  # as wide as the page's column
MARGIN_IN = 0.4
LETTER_IN = 0.07  # mean width of a letter of 9 points
SVG_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mudra",  # the same scores give the same file
    "text.parse_math": False,  # a "$" in a class name is no formula
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_confusion(scores: Scores) -> str:
    """Return the confusion matrix as SVG: right answers blue, wrong ones orange, both as shares of the true class.

    Up to 40 classes the cells carry counts and up to 64 the axes carry names; beyond, the axes carry the classes'
    numbers from 1.
    """
    count_KK = scores.confusion_KK.numpy()
    num_classes = len(count_KK)
    labels = _axis_labels([one.name for one in scores.per_class])
    margin_in = MARGIN_IN + LETTER_IN * max(len(label) for label in labels.values())
    size_in = min(_side_in(num_classes) + margin_in, PAGE_IN)
    with matplotlib.rc_context(SVG_SETTINGS):
        figure = Figure(figsize=(size_in, size_in), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(_colour_cells(count_KK), interpolation="none")
        axes.set(xlabel="predicted", ylabel="true")
        _label_classes(axes, labels, num_classes=num_classes)
        if num_classes <= MOST_CELL_TEXTS:
            _write_counts(axes, count_KK, size=9 if num_classes <= 20 else 7)
        alt = (
            f"Confusion matrix of {num_classes} classes: {scores.num_right} of {scores.num_clips} clips lie on the "
            "diagonal. The most frequent confusions are listed beside it."
        )
        return _to_svg(figure, alt)


def draw_calibration(calibration: Calibration) -> str:
    """Return accuracy over confidence, and below it how many clips had that confidence, as SVG."""
    bins = [one for one in calibration.bins if one.accuracy is not None]
    with matplotlib.rc_context(SVG_SETTINGS):
        figure = Figure(figsize=(4.6, 4.8), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)))
        upper.bar(
            [(one.low + one.high) / 2 for one in bins],
            [one.accuracy for one in bins],
            width=[0.9 * (one.high - one.low) for one in bins],
            color=(*RIGHT_RGB, 0.55),
        )
        upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
        lower.bar(
            [(one.low + one.high) / 2 for one in calibration.bins],
            [one.num_clips for one in calibration.bins],
            width=[0.9 * (one.high - one.low) for one in calibration.bins],
            color=(*WRONG_RGB, 0.55),
        )
        lower.set(xlabel="confidence", ylabel="clips")
        lower.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
        alt = (
            f"Calibration: mean confidence {calibration.mean_confidence:.2f}, expected calibration error "
            f"{calibration.expected_error:.3f}. Bars below the dashed diagonal say that the network is too sure."
        )
        return _to_svg(figure, alt)


def draw_curves(curves: Sequence[Mapping[str, Any]]) -> str | None:
    """Return losses, accuracies and learning rate over the epochs as SVG, one panel each.

    Args:
        curves: Rows of a run's `metrics.csv`, values as numbers or as text; what is empty or no number is left out. A
            column belongs to the panel that its name says (`loss` or `nll`; `top1`, `top5`, `accuracy` or `jaccard`;
            `lr`); other columns are not drawn. Of several values in one epoch the last counts.

    Returns:
        The SVG, or None if no row holds anything to draw.
    """
    panels = {
        "loss": _series(curves, ("loss", "nll")),
        "accuracy": _series(curves, ("top1", "top5", "accuracy", "acc", "jaccard")),
        "learning rate": _series(curves, ("lr",)),
    }
    filled = {title: series for title, series in panels.items() if series}
    if not filled:
        return None
    with matplotlib.rc_context(SVG_SETTINGS):
        figure = Figure(figsize=(3.6 * len(filled), 3.0), layout="constrained")
        for axes, (title, series) in zip(np.ravel(figure.subplots(1, len(filled))), filled.items(), strict=True):
            _plot_series(axes, title, series)
        drawn = "; ".join(f"{title}: {', '.join(series)}" for title, series in filled.items())
        return _to_svg(figure, f"Learning curves over the epochs. {drawn}.")


def _side_in(num_classes: int) -> float:
    """Return the wanted side of the matrix in inches: cells as large as their text needs, or all of the page."""
    if num_classes <= 20:
        return max(2.2, num_classes * 0.36)
    return max(7.2, num_classes * 0.24) if num_classes <= MOST_CELL_TEXTS else PAGE_IN


def _colour_cells(count_KK: FloatArray) -> FloatArray:
    """Return RGBA cells, clear where nothing was counted, so that the page's own background shows."""
    share_KK = count_KK / np.maximum(count_KK.sum(axis=1, keepdims=True), 1)
    rgba_KKC = np.empty((*count_KK.shape, 4))
    rgba_KKC[..., :3] = WRONG_RGB
    diagonal = np.arange(len(count_KK))
    rgba_KKC[diagonal, diagonal, :3] = RIGHT_RGB
    # A single confusion among fifty clips must still be seen: the exponent lifts small shares.
    rgba_KKC[..., 3] = np.where(count_KK > 0, 0.08 + 0.92 * share_KK**0.7, 0)
    return rgba_KKC


def _axis_labels(names: Sequence[str]) -> dict[int, str]:
    """Return the texts of the axes by class index: every name, or with many classes some of the numbers from 1."""
    if len(names) > MOST_NAMES:
        step = 10 if len(names) <= 150 else 25
        return {index: str(index + 1) for index in (0, *range(step - 1, len(names), step))}
    return {
        index: name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for index, name in enumerate(names)
    }


def _label_classes(axes: Any, labels: Mapping[int, str], *, num_classes: int) -> None:
    size = 7 if MOST_CELL_TEXTS < num_classes <= MOST_NAMES else 9
    axes.tick_params(length=0, labelsize=size)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_alpha(0.4)
    axes.set_xticks(list(labels), list(labels.values()), rotation=0 if num_classes > MOST_NAMES else 90)
    axes.set_yticks(list(labels), list(labels.values()))


def _write_counts(axes: Any, count_KK: FloatArray, *, size: int) -> None:
    share_KK = count_KK / np.maximum(count_KK.sum(axis=1, keepdims=True), 1)
    for row, column in np.argwhere(count_KK > 0):
        # On a strong colour the page's ink may not stand out, on a faint one it does.
        ink = "white" if share_KK[row, column] > 0.7 else INK
        axes.text(column, row, str(int(count_KK[row, column])), ha="center", va="center", color=ink, size=size)


def _series(curves: Sequence[Mapping[str, Any]], words: tuple[str, ...]) -> dict[str, dict[float, float]]:
    """Return, for every column whose name holds one of `words`, its last value in each epoch."""
    series: dict[str, dict[float, float]] = {}
    for index, row in enumerate(curves):
        epoch = _number(row.get("epoch"))
        for column, value in row.items():
            number = _number(value)
            if number is not None and set(words) & set(re.split(r"[^a-z0-9]+", str(column).lower())):
                series.setdefault(str(column), {})[index if epoch is None else epoch] = number
    return series


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _plot_series(axes: Any, title: str, series: Mapping[str, Mapping[float, float]]) -> None:
    for index, (name, points) in enumerate(series.items()):
        marker = "o" if len(points) < 3 else None
        axes.plot(list(points), list(points.values()), color=LINES[index % len(LINES)], marker=marker, label=name,
                  linewidth=1.6)  # fmt: skip
    axes.set_title(title, size=10)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(alpha=0.15, color=INK)
    if title == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    if title == "learning rate":
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
    axes.legend(frameon=False)


def _to_svg(figure: Any, alt: str) -> str:
    target = io.StringIO()
    with warnings.catch_warnings():
        # The browser's fonts draw the letters; the font that only measures them need not have them all.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        FigureCanvasSVG(figure).print_svg(target, metadata={"Date": None, "Creator": None})
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Group ids repeat from one figure to the next, and a page must not hold an id twice; nothing refers to them.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
