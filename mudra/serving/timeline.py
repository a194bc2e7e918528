"""The timeline of a stream: probabilities over time, the decoded events, and the truth where it is known.

After Pigou et al. 2015, figure 2: a line per class, "no gesture" dashed. Long streams go on in rows below.

Nothing here touches pyplot, whose figures live until someone closes them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from mudra.errors import DataError
from mudra.scoring import Event
from mudra.types import FloatArray

DPI = 110
WIDTH_IN, EDGE_IN, LABEL_IN = 12.0, 0.15, 0.75
PLOT_IN, BAND_IN, ROW_GAP_IN, TITLE_IN, LEGEND_LINE_IN = 1.25, 0.24, 0.42, 0.42, 0.22
USUAL_ROW_S = 40.0
MOST_ROWS = 10
LEAST_SHOWN = 0.25  # a class that never reaches this, and is in no event, has no line
MOST_LINES = 12
LETTER_IN = 0.07  # mean width of a letter of 8 points
IDLE_COLOUR = "#888888"
# Neighbours in the list differ in hue and in brightness.
COLOURS = (
    "#1f78b4", "#d95f0e", "#31a354", "#9467bd", "#c51b8a", "#8c6d31", "#17a2b8", "#e6ab02",
    "#25305c", "#8b1a1a", "#8ccf3f", "#f28ab5", "#4d4d4d", "#5ad1b0", "#5b1a6b", "#f0825a",
)  # fmt: skip
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mudra",  # the same stream gives the same file
    "text.parse_math": False,  # a "$" in a class name is no formula
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Timeline(NamedTuple):
    """What a timeline shows.

    Args:
        title: Name of the recording.
        classes: In the order of the probabilities.
        idle_class: The one that says that no gesture is shown, or None.
        probability_TK: The probabilities, as the network says them.
        times_s: When each row is.
        span_s: From the first frame to the end of the last one.
        events: What was decoded.
        truth: What happens; None where it is not known.
    """

    title: str
    classes: Sequence[str]
    idle_class: str | None
    probability_TK: FloatArray
    times_s: FloatArray
    span_s: tuple[float, float]
    events: Sequence[Event]
    truth: Sequence[Event] | None = None


def write_timeline(path: Path | str, timeline: Timeline) -> None:
    """Write the picture.

    Args:
        path: `.png` or `.svg`.
        timeline: What to show.

    Raises:
        DataError: If the file has another ending, or cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg"):
        raise DataError(f"{path}: a timeline is a .png or a .svg, not {path.suffix!r}")
    try:
        with path.open("wb") as file:
            draw_timeline(timeline, file, form="png" if path.suffix.lower() == ".png" else "svg")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from None


def draw_timeline(timeline: Timeline, file: BinaryIO, *, form: Literal["png", "svg"]) -> None:
    """Write the picture into an open file."""
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, which is no reason to refuse the picture.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure = _draw(timeline)
        if form == "svg":
            FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None})
        else:
            FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})


def split_rows(span_s: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the spans of a picture's rows, all of one length.

    Example:
        >>> split_rows((0.0, 90.0))
        [(0.0, 30.0), (30.0, 60.0), (60.0, 90.0)]
    """
    start_s, end_s = span_s
    length_s = max(end_s - start_s, 1e-3)
    num_rows = min(max(int(np.ceil(length_s / USUAL_ROW_S - 1e-9)), 1), MOST_ROWS)
    row_s = length_s / num_rows
    return [(start_s + row * row_s, start_s + (row + 1) * row_s) for row in range(num_rows)]


def choose_lines(timeline: Timeline) -> list[str]:
    """Return the classes that have a line: those of events and of the truth, and the most probable of the others."""
    named = {event.label for event in (*timeline.events, *(timeline.truth or ()))}
    peak_K = timeline.probability_TK.max(axis=0) if timeline.probability_TK.size else np.zeros(len(timeline.classes))
    order = sorted(range(len(timeline.classes)), key=lambda k: (timeline.classes[k] not in named, -peak_K[k]))
    wanted = [timeline.classes[k] for k in order if timeline.classes[k] in named or peak_K[k] >= LEAST_SHOWN]
    kept = set(wanted[: max(MOST_LINES, len(named))]) | {timeline.idle_class}
    return [name for name in timeline.classes if name in kept]


class _Sheet:
    """Places axes on the page in inches from its upper left corner."""

    def __init__(self, height_in: float) -> None:
        self.figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")
        self._height_in = height_in

    def axes(self, top_in: float, height_in: float) -> Any:
        left_in = EDGE_IN + LABEL_IN
        box = (left_in / WIDTH_IN, 1.0 - (top_in + height_in) / self._height_in,
               (WIDTH_IN - left_in - EDGE_IN) / WIDTH_IN, height_in / self._height_in)  # fmt: skip
        return self.figure.add_axes(box)

    def text(self, left_in: float, top_in: float, text: str, **style: Any) -> None:
        style = {"va": "center", "ha": "left", **style}
        self.figure.text(left_in / WIDTH_IN, 1.0 - top_in / self._height_in, text, **style)


def _draw(timeline: Timeline) -> Any:
    rows, shown = split_rows(timeline.span_s), choose_lines(timeline)
    colours = _colour_classes(timeline)
    legend = _lay_legend(shown)
    bands = [("events", timeline.events)] + ([] if timeline.truth is None else [("truth", timeline.truth)])
    head_in = TITLE_IN + LEGEND_LINE_IN * (1 + legend[-1][1] if legend else 0)
    row_in = PLOT_IN + len(bands) * BAND_IN + ROW_GAP_IN
    sheet = _Sheet(head_in + len(rows) * row_in + EDGE_IN)
    sheet.text(EDGE_IN, 0.2, timeline.title, size=11, weight="bold")
    for name, (left_in, line) in zip(shown, legend, strict=True):
        top_in = TITLE_IN + LEGEND_LINE_IN * (line + 0.3)
        dashed = name == timeline.idle_class
        sheet.text(left_in, top_in, "╌╌" if dashed else "━━", color=colours[name])
        sheet.text(left_in + 0.3, top_in, name, color="#333333")
    for number, span_s in enumerate(rows):
        top_in = head_in + number * row_in
        axes = sheet.axes(top_in, PLOT_IN)
        _plot_lines(axes, timeline, shown, colours, span_s)
        for place, (name, events) in enumerate(bands):
            band = sheet.axes(top_in + PLOT_IN + place * BAND_IN, BAND_IN)
            _plot_band(band, name, events, colours, span_s, is_last=place == len(bands) - 1)
    return sheet.figure


def _colour_classes(timeline: Timeline) -> dict[str, str]:
    gestures = [name for name in timeline.classes if name != timeline.idle_class]
    # The truth may name classes that the run does not know.
    gestures += sorted({event.label for event in timeline.truth or ()} - set(timeline.classes))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(gestures)}
    return colours | ({timeline.idle_class: IDLE_COLOUR} if timeline.idle_class is not None else {})


def _lay_legend(names: Sequence[str]) -> list[tuple[float, int]]:
    """Return for each name its left edge and its line."""
    placed, left_in, line = [], EDGE_IN, 0
    for name in names:
        width_in = 0.55 + LETTER_IN * len(name)
        if left_in + width_in > WIDTH_IN and left_in > EDGE_IN:
            left_in, line = EDGE_IN, line + 1
        placed.append((left_in, line))
        left_in += width_in
    return placed


def _plot_lines(
    axes: Any, timeline: Timeline, shown: Sequence[str], colours: dict[str, str], span_s: tuple[float, float]
) -> None:
    # One row beyond either end, so that lines do not end before the axes do.
    inside = slice(
        max(int(np.searchsorted(timeline.times_s, span_s[0])) - 1, 0),
        int(np.searchsorted(timeline.times_s, span_s[1])) + 1,
    )
    for name in shown:
        column_T = timeline.probability_TK[inside, list(timeline.classes).index(name)]
        dashed = name == timeline.idle_class
        axes.plot(
            timeline.times_s[inside], column_T, color=colours[name], linewidth=1.0 if dashed else 1.4,
            linestyle=(0, (3, 2)) if dashed else "-", alpha=0.8 if dashed else 1.0,
        )  # fmt: skip
    axes.set(xlim=span_s, ylim=(-0.02, 1.04), yticks=(0.0, 0.5, 1.0))
    axes.tick_params(axis="x", labelbottom=False, length=0)
    axes.spines["bottom"].set_alpha(0.3)
    axes.grid(axis="y", alpha=0.2)


def _plot_band(
    axes: Any,
    name: str,
    events: Sequence[Event],
    colours: dict[str, str],
    span_s: tuple[float, float],
    *,
    is_last: bool,
) -> None:
    axes.set(xlim=span_s, ylim=(0, 1), yticks=(0.5,))
    axes.set_yticklabels([name])
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", length=2 if is_last else 0, labelbottom=is_last, labelsize=7)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_facecolor("#f3f4f6")
    s_per_in = (span_s[1] - span_s[0]) / (WIDTH_IN - 2 * EDGE_IN - LABEL_IN)
    for event in events:
        low_s, high_s = max(event.start_s, span_s[0]), min(event.end_s, span_s[1])
        if low_s >= high_s and not span_s[0] <= event.start_s < span_s[1]:
            continue
        axes.axvspan(low_s, high_s, 0.08, 0.92, color=colours.get(event.label, IDLE_COLOUR), linewidth=0)
        num_letters = int((high_s - low_s) / s_per_in / LETTER_IN)
        if num_letters >= 3:
            label = event.label if len(event.label) <= num_letters else event.label[: num_letters - 1] + "…"
            axes.text((low_s + high_s) / 2, 0.47, label, ha="center", va="center", color="white", size=7, clip_on=True)
    if is_last:
        axes.set_xlabel("time in s", size=7, labelpad=1)
