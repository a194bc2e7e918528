"""Pictures of a comparison: a bar for each class, speeds of the classes that gained and lost, and gates.

Each is written as SVG and as PNG. Nothing here touches pyplot, whose figures live until someone closes them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from mudra.serving.comparison import NOTABLE, Comparison
from mudra.serving.flow_speed import EDGES, median_of
from mudra.serving.gate_saturation import NUM_BINS, QUANTITIES, GateUse
from mudra.types import FloatArray

DPI = 110
BETTER, WORSE, ALL = "#1f78b4", "#d95f0e", "#777777"
BETWEEN = "#b8cce4"  # around maps, so that white ones end somewhere
BAR_IN = 0.19  # height of a class's line
MOST_LETTERS = 32
STYLE: dict[str, Any] = {
    "font.size": 8.5,
    "text.parse_math": False,  # a "$" in a class name is no formula
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "mudra",  # the same numbers give the same file
}


def draw_classes(out: Path, comparison: Comparison) -> Path:
    """Write the difference in accuracy of every class, sorted, as classes.svg and classes.png; return the PNG."""
    classes = comparison.classes
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 1.3 + BAR_IN * len(classes)), layout="constrained")
        axes = figure.add_subplot()
        differences = [one.difference for one in classes]
        colours = [BETTER if difference > 0 else WORSE for difference in differences]
        axes.barh(range(len(classes)), differences, color=colours)
        axes.set_yticks(range(len(classes)), [_shorten(one.name) for one in classes])
        axes.invert_yaxis()
        axes.margins(y=0.3 / len(classes))
        axes.axvline(0.0, color="#333333", linewidth=0.8)
        for edge in (-NOTABLE, NOTABLE):
            axes.axvline(edge, color="#999999", linewidth=0.6, linestyle=":")
        first, second = comparison.names
        axes.set_xlabel(f"accuracy of {second} − accuracy of {first}")
        counts = comparison.counts
        axes.set_title(
            f"right: both {counts.both}, only {first} {counts.first_alone}, only {second} {counts.second_alone}, "
            f"neither {counts.neither}; p = {counts.p_value:.3g}",
            size=8.5,
        )
        return _save(figure, out / "classes")


def draw_speeds(out: Path, comparison: Comparison, shares: Mapping[str, FloatArray]) -> Path:
    """Write the squared velocities of the classes that gained and lost as speeds.svg and speeds.png; return the PNG.

    Args:
        out: The folder.
        comparison: Says which classes gained and lost.
        shares: What `measure_speeds` returned.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 3.8), layout="constrained")
        axes = figure.add_subplot()
        second = comparison.names[1]
        lines = {
            f"all classes ({len(shares)})": (median_of(shares, list(shares)), ALL),
            f"{second} is better ({len(comparison.gained)})": (median_of(shares, comparison.gained), BETTER),
            f"{second} is worse ({len(comparison.lost)})": (median_of(shares, comparison.lost), WORSE),
        }
        for label, (share_X, colour) in lines.items():
            if share_X is not None:
                # Bins without a pixel have no place on a logarithmic axis.
                axes.stairs(np.where(share_X > 0, share_X, np.nan), EDGES, color=colour, label=label, linewidth=1.5)
        if shares:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # the usual powers are formulas
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.legend(frameon=False)
        else:
            axes.text(0.5, 0.5, "no flow could be measured", ha="center", transform=axes.transAxes)
        axes.set(xlabel="squared velocity in squared pixels per frame", ylabel="share of pixels, median over classes")
        return _save(figure, out / "speeds")


def draw_gates(out: Path, uses: Mapping[str, Mapping[str, GateUse]]) -> Path:
    """Write maps and histograms of the gates as gates.svg and gates.png; return the PNG.

    Args:
        out: The folder.
        uses: What `measure_gates` returned, by name of the run.
    """
    names = [name for name in QUANTITIES if any(name in gates for gates in uses.values())]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.4 * len(names), 3.7 * len(uses)), layout="constrained")
        grid = figure.subplots(2 * len(uses), len(names), squeeze=False, height_ratios=[2.0, 1.2] * len(uses))
        for number, (run, gates) in enumerate(uses.items()):
            for column, name in enumerate(names):
                above, below = grid[2 * number, column], grid[2 * number + 1, column]
                above.set_axis_off()
                if name not in gates:
                    below.set_axis_off()
                    continue
                _draw_gate(above, below, name, gates[name])
            grid[2 * number, 0].text(0.0, 1.2, run, transform=grid[2 * number, 0].transAxes, weight="bold", size=10)
        return _save(figure, out / "gates")


def _draw_gate(above: Any, below: Any, name: str, use: GateUse) -> None:
    grey = matplotlib.colormaps["gray"].with_extremes(bad=BETWEEN)
    above.imshow(_tile(use.maps_DHW), cmap=grey, vmin=use.low, vmax=1.0, interpolation="nearest")
    above.set_title(name.replace("_", " "), size=9)
    edges = np.linspace(use.low, 1.0, NUM_BINS + 1)
    below.stairs(use.share_X, edges, fill=True, color=BETTER, alpha=0.8)
    below.set_title(f"saturated: {use.saturated_fraction:.0%}", size=8.5)
    below.set_xlim(use.low, 1.0)


def _tile(maps_DHW: FloatArray) -> FloatArray:
    """Return maps side by side in a square, a gap of nothing between."""
    side = int(np.ceil(np.sqrt(len(maps_DHW))))
    height, width = maps_DHW.shape[1:]
    gap = 1 if min(height, width) > 2 else 0
    sheet = np.full((side * (height + gap) + gap, side * (width + gap) + gap), np.nan)
    for index, map_HW in enumerate(maps_DHW):
        top, left = gap + (index // side) * (height + gap), gap + (index % side) * (width + gap)
        sheet[top : top + height, left : left + width] = map_HW
    return sheet


def _shorten(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"


def _save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, which is no reason to refuse the picture.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(path.with_suffix(".png"), dpi=DPI)
    return path.with_suffix(".png")
