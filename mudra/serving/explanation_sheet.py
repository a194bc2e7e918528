"""The sheet of an explanation: frames, the maps over them, and the gates, in columns of steps.

Nothing here touches pyplot, whose figures live until someone closes them.
"""

from __future__ import annotations

import textwrap
import warnings
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mudra.serving.clip_picture import HEAT_COLOURS, draw_original, lay_heat
from mudra.serving.explanation import Explanation, Heat
from mudra.serving.trace import LayerTrace
from mudra.types import UInt8Array

DPI = 110
MOST_COLUMNS = 8  # steps that are shown, evenly chosen
TILE_IN = 1.3  # width of a picture
LABEL_IN, SCALE_IN, GAP_IN, EDGE_IN = 1.75, 0.75, 0.05, 0.12
TITLE_IN, TIMES_IN = 0.62, 0.22
PLOT_IN, PLOT_ROOM_IN = 1.55, 0.55  # a plot of gates, and the room for its title and axis
LEAST_WIDTH_IN = 9.0  # so that the plots of two layers and Grad-CAM have room
LETTERS_OF_LABEL = 24
PLACE_RGB = "#ffd000"
LONGEST_NAME = 60  # of a path in the title
BAR = "#1f78b4"
# Class names and paths are the user's: a "$" in one is no formula.
STYLE: dict[str, Any] = {
    "font.size": 8.0,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class _Row(NamedTuple):
    """Pictures of one kind, a column for each step that is shown."""

    caption: str
    pictures: list[UInt8Array]
    heat: Heat | None = None

    @property
    def height_in(self) -> float:
        height, width = self.pictures[0].shape[:2]
        return TILE_IN * float(height) / float(width)


def draw_explanation(explanation: Explanation) -> UInt8Array:
    """Return the sheet.

    From top to bottom: the original frames with the place that the network looked at; what it saw, stream by stream;
    each layer's most active map, and its attention where it has any; Grad-CAM of the explained class; the gates over
    time, mean and standard deviation; and how Grad-CAM spreads over the steps.

    Returns:
        uint8 RGB, shape (H, W, 3).
    """
    columns = _choose_columns(len(explanation.steps))
    rows = _rows(explanation, columns)
    width_in = max(EDGE_IN + LABEL_IN + len(columns) * (TILE_IN + GAP_IN) + SCALE_IN, LEAST_WIDTH_IN)
    plots_in = PLOT_IN + 2 * PLOT_ROOM_IN
    with matplotlib.rc_context(STYLE):
        sheet = _Sheet(width_in, TITLE_IN + TIMES_IN + sum(row.height_in + GAP_IN for row in rows) + plots_in)
        _write_title(sheet, explanation)
        for column, time_s in enumerate(explanation.step_times_s[columns]):
            sheet.text(_left_in(column) + TILE_IN / 2, TITLE_IN + TIMES_IN / 2, f"{time_s:.2f} s", ha="center")
        top_in = TITLE_IN + TIMES_IN
        for index, row in enumerate(rows):
            tiles = _draw_row(sheet, top_in, row)
            if index == 0:
                _mark_place(tiles, explanation)
            top_in += row.height_in + GAP_IN
        _draw_plots(sheet, top_in + PLOT_ROOM_IN, explanation)
        return sheet.to_picture()


class _Sheet:
    """A figure measured in inches from its upper left corner."""

    def __init__(self, width_in: float, height_in: float) -> None:
        self.width_in, self.height_in = width_in, height_in
        self.figure = Figure(figsize=(width_in, height_in), dpi=DPI)
        self.canvas = FigureCanvasAgg(self.figure)

    def axes(self, left_in: float, top_in: float, width_in: float, height_in: float) -> Any:
        bottom = 1.0 - (top_in + height_in) / self.height_in
        return self.figure.add_axes(
            (left_in / self.width_in, bottom, width_in / self.width_in, height_in / self.height_in)
        )

    def text(self, left_in: float, top_in: float, text: str, **style: Any) -> None:
        self.figure.text(left_in / self.width_in, 1.0 - top_in / self.height_in, text, va="center", **style)

    def to_picture(self) -> UInt8Array:
        with warnings.catch_warnings():
            # A letter that the font lacks is drawn as a box, which is no reason to refuse the sheet.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
            self.canvas.draw()
        return np.ascontiguousarray(np.asarray(self.canvas.buffer_rgba())[..., :3])


def _choose_columns(num_steps: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, num_steps - 1, min(num_steps, MOST_COLUMNS)).round().astype(np.int64))


def _rows(explanation: Explanation, columns: npt.NDArray[np.int64]) -> list[_Row]:
    frames = np.asarray(explanation.steps)[columns]
    original_THWC = draw_original(explanation.original.frames_THWC)
    rows = [_Row("original, and where the network looks", list(original_THWC[frames]))]
    for stream, pictures_THWC in explanation.clip_THWC.items():
        rows.append(_Row(f"what it saw: {stream.value}", list(pictures_THWC[frames])))
    below_THWC = explanation.below_THWC[frames]
    for heat in explanation.heats:
        maps = heat.scaled(heat.maps_THW[columns])
        rows.append(_Row(heat.title, [lay_heat(*pair) for pair in zip(below_THWC, maps, strict=True)], heat))
    return rows


def _left_in(column: int) -> float:
    return EDGE_IN + LABEL_IN + column * (TILE_IN + GAP_IN)


def _write_title(sheet: _Sheet, explanation: Explanation) -> None:
    told = explanation.prediction
    path = told.path if len(told.path) <= LONGEST_NAME else "…" + told.path[-LONGEST_NAME + 1 :]
    others = "then " + ", ".join(f"{one.label} {one.probability:.2f}" for one in told.top[1:3])
    sheet.text(EDGE_IN, 0.2, f"{told.label}  {told.probability:.2f}", size=13, weight="bold")
    asked = "" if explanation.label == told.label else f"; explained: {explanation.label} {explanation.probability:.3f}"
    span = f"{told.span_s[0]:.2f} to {told.span_s[1]:.2f} s"
    sheet.text(
        EDGE_IN, 0.45, "; ".join(part for part in (path, span, others) if part) + asked, size=8.5, color="#444444"
    )


def _draw_row(sheet: _Sheet, top_in: float, row: _Row) -> list[Any]:
    """Draw caption, pictures and the scale of their heat; return the pictures' axes."""
    caption = textwrap.fill(row.caption, LETTERS_OF_LABEL)
    sheet.text(EDGE_IN, top_in + row.height_in / 2, caption, ha="left", linespacing=1.3)
    tiles = []
    for column, picture in enumerate(row.pictures):
        axes = sheet.axes(_left_in(column), top_in, TILE_IN, row.height_in)
        axes.imshow(picture, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        tiles.append(axes)
    if row.heat is not None:
        low, high = row.heat.low, max(row.heat.high, row.heat.low + 1e-12)
        axes = sheet.axes(_left_in(len(tiles)) + 0.04, top_in + 0.08, 0.1, row.height_in - 0.16)
        bar = sheet.figure.colorbar(ScalarMappable(Normalize(low, high), HEAT_COLOURS), cax=axes, ticks=[low, high])
        bar.ax.set_yticklabels([f"{low:.2g}", f"{high:.2g}"])
        bar.ax.tick_params(length=0, labelsize=7)
    return tiles


def _mark_place(tiles: list[Any], explanation: Explanation) -> None:
    height, width = explanation.original.frames_THWC.shape[1:3]
    place = explanation.place
    # The middle of the first pixel, not its corner, is where a picture's axes have zero.
    corner = (place.left * width - 0.5, place.top * height - 0.5)
    style: dict[str, Any] = {"fill": False, "edgecolor": PLACE_RGB, "linewidth": 1.6}
    for axes in tiles:
        axes.add_patch(Rectangle(corner, place.width * width, place.height * height, **style))


def _draw_plots(sheet: _Sheet, top_in: float, explanation: Explanation) -> None:
    layers = [layer for layer in explanation.trace.layers if layer.gates]
    room_in = (sheet.width_in - 2 * EDGE_IN) / (len(layers) + 1)
    for number, layer in enumerate(layers):
        axes = sheet.axes(EDGE_IN + 0.4 + number * room_in, top_in, room_in - 0.55, PLOT_IN)
        _plot_gates(axes, layer, explanation)
    axes = sheet.axes(EDGE_IN + 0.4 + len(layers) * room_in, top_in, room_in - 0.55, PLOT_IN)
    times_s = explanation.step_times_s
    step_s = np.diff(times_s).mean() if len(times_s) > 1 else 1.0
    axes.bar(times_s, explanation.evidence_T, width=0.8 * step_s, color=BAR, alpha=0.7)
    nothing = "" if explanation.evidence_T.any() else " (nothing speaks for it)"
    axes.set_title(f"Grad-CAM: share of each step{nothing}", size=8.5)
    axes.set_xlabel("time in s")


def _plot_gates(axes: Any, layer: LayerTrace, explanation: Explanation) -> None:
    times_s = explanation.step_times_s
    for number, (name, gate) in enumerate(layer.gates.items()):
        colour = f"C{number}"
        axes.plot(
            times_s, gate.mean_T, color=colour, linewidth=1.6, marker="o", markersize=3, label=name[: -len("_gate")]
        )
        low_T, high_T = ((gate.mean_T + sign * gate.spread_T).clip(0.0, 1.0) for sign in (-1.0, 1.0))
        axes.fill_between(times_s, low_T, high_T, color=colour, alpha=0.15, linewidth=0)
    axes.set_title(f"{layer.name} ({layer.kind}): gates, mean ± std", size=8.5)
    axes.set(xlabel="time in s", ylim=(-0.02, 1.02))
    axes.legend(frameon=False, ncols=3, loc="lower center", fontsize=7)
