"""The overlay of an explanation: every frame of the recording, with the maps of its moment laid over it."""

from __future__ import annotations

import warnings
from typing import Any

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mudra.serving.clip_picture import lay_heat
from mudra.serving.explanation import Explanation, Heat
from mudra.serving.place import Place
from mudra.types import FloatArray, UInt8Array

PANEL_PX = 240  # height of a panel
TITLE_PX, FOOT_PX, GAP_PX = 40, 24, 4
DPI = 100
PAPER, INK = 255, (60, 60, 60)
PLACE_RGB = (255, 208, 0)
TEXT_STYLE: dict[str, Any] = {"size": 9, "color": "#333333", "va": "center", "parse_math": False}


class OverlayPainter:
    """Draws the frames of an explanation's video, all of one size with even sides.

    Beside the frame with the place that the network looked at: the last layer's most active map, its attention where it
    has any, and Grad-CAM. Between two steps the maps are mixed, before the first and after the last they stay.

    Args:
        explanation: What is shown.
    """

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation
        last = explanation.trace.layers[-1]
        # Those of the last layer, and Grad-CAM: more panels would be too small to see.
        self._heats = explanation.heats[-3 if last.attention_THW is not None else -2 :]
        height, width = explanation.original.frames_THWC.shape[1:3]
        self._width_px = max(round(width * PANEL_PX / height), 1)
        self._title_HWC = self._draw_title()

    def draw(self, picture_HWC: UInt8Array, time_s: float) -> UInt8Array:
        """Return one frame of the video.

        Args:
            picture_HWC: The original frame, uint8 RGB.
            time_s: When it is shown.
        """
        picture_HWC = cv2.resize(picture_HWC, (self._width_px, PANEL_PX), interpolation=cv2.INTER_AREA)
        place = self._explanation.place
        panels = [_mark(picture_HWC, place)]
        for heat in self._heats:
            map_HW = heat.scaled(_map_at(heat, self._explanation.step_times_s, time_s))
            panels.append(lay_heat(picture_HWC, _spread(map_HW, place, picture_HWC.shape[:2])))
        rest_HWC = np.full((PANEL_PX + FOOT_PX, self._title_HWC.shape[1], 3), PAPER, np.uint8)
        page_HWC = np.concatenate([self._title_HWC, rest_HWC])
        for number, panel in enumerate(panels):
            left = number * (self._width_px + GAP_PX)
            page_HWC[TITLE_PX : TITLE_PX + PANEL_PX, left : left + self._width_px] = panel
        foot = (6, TITLE_PX + PANEL_PX + FOOT_PX - 8)
        cv2.putText(page_HWC, f"{time_s:.2f} s", foot, cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
        return page_HWC

    def _draw_title(self) -> UInt8Array:
        """Draw once what no frame changes; matplotlib has the letters that OpenCV lacks."""
        told = self._explanation.prediction
        num_panels = 1 + len(self._heats)
        width_px = num_panels * (self._width_px + GAP_PX) - GAP_PX
        width_px += width_px % 2
        figure = Figure(figsize=(width_px / DPI, TITLE_PX / DPI), dpi=DPI)
        canvas = FigureCanvasAgg(figure)
        label, probability = self._explanation.label, self._explanation.probability
        asked = "" if label == told.label else f"; explained: {label} {probability:.3f}"
        figure.text(6 / width_px, 0.72, f"{told.label}  {told.probability:.2f}{asked}", weight="bold", **TEXT_STYLE)
        for number, title in enumerate(["original", *(heat.short for heat in self._heats)]):
            figure.text((6 + number * (self._width_px + GAP_PX)) / width_px, 0.24, title, **TEXT_STYLE)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
            canvas.draw()
        return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _map_at(heat: Heat, step_times_s: FloatArray, time_s: float) -> FloatArray:
    position = float(np.interp(time_s, step_times_s, np.arange(len(step_times_s))))
    before = int(position)
    after = min(before + 1, len(step_times_s) - 1)
    share = position - before
    return np.asarray((1.0 - share) * heat.maps_THW[before] + share * heat.maps_THW[after])


def _spread(map_HW: FloatArray, place: Place, size: tuple[int, ...]) -> FloatArray:
    """Return the map over the whole frame: stretched over its place, zero elsewhere."""
    box = place.in_pixels(*size)
    stretched_HW = cv2.resize(map_HW, (box.width, box.height), interpolation=cv2.INTER_LINEAR)
    inside_HW = stretched_HW[max(-box.top, 0) : size[0] - box.top, max(-box.left, 0) : size[1] - box.left]
    top, left = max(box.top, 0), max(box.left, 0)
    whole_HW = np.zeros(size)
    whole_HW[top : top + inside_HW.shape[0], left : left + inside_HW.shape[1]] = inside_HW
    return whole_HW


def _mark(picture_HWC: UInt8Array, place: Place) -> UInt8Array:
    box = place.in_pixels(*picture_HWC.shape[:2])
    corner, other = (box.left, box.top), (box.left + box.width - 1, box.top + box.height - 1)
    marked_HWC: UInt8Array = cv2.rectangle(picture_HWC.copy(), corner, other, PLACE_RGB, 2)
    return marked_HWC
