"""Pictures of frames: colour, depth and flow made visible, contact sheets and captioned grids.

Letters: T frames, H W pixels, C channels. Every picture is uint8 RGB with shape (H, W, 3).

Depth is drawn near to far as white to dark grey, and what the camera did not measure in magenta, which no grey can be
mistaken for. Flow is drawn on the colour wheel: the hue is the direction of motion, the brightness its speed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mudra.errors import ClipError
from mudra.types import FloatArray, UInt8Array

MISSING_RGB = (205, 30, 160)
PAPER_RGB = (255, 255, 255)
INK_RGB = (60, 60, 60)
DARKEST_GREY = 40  # the farthest measured point must not look like a hole
RANGE_PERCENTILES = (1.0, 99.0)  # a few stray pixels must not use up the grey levels
LEAST_TILE_PX = 72  # narrower tiles cannot carry a time such as "12.34 s"
STRIP_PX = 16
GAP_PX = 2
DPI = 100
CAPTION_PX = 26
CAPTION_LETTER_PX = 8  # mean width of a letter of 10 points
# Captions are names that users gave: a "$" in one is no formula.
CAPTION_STYLE: dict[str, Any] = {"size": 10, "color": "#333333", "verticalalignment": "center", "parse_math": False}


class GridRow(NamedTuple):
    """One row of `image_grid`.

    Args:
        caption: What the row shows.
        frames: Pictures of any size, each as `Frames.frames_THWC[t]` holds it, shape (H, W, C).
    """

    caption: str
    frames: Sequence[npt.NDArray[np.generic]]


def draw_frames(frames_THWC: npt.NDArray[np.generic]) -> UInt8Array:
    """Return frames of any stream as colour pictures.

    Depth and flow are scaled by all frames together, so that the pictures of one clip can be compared.

    Args:
        frames_THWC: uint8 RGB (C = 3), uint16 depth in mm (C = 1, 0 where missing) or floating flow in pixels per frame
            (C = 2: x right, y down).

    Returns:
        uint8 RGB, shape (T, H, W, 3).

    Raises:
        ClipError: If the frames are of no such kind, there are none, or flow is not finite.
    """
    if frames_THWC.ndim == 4 and frames_THWC.size:
        kind, channels = frames_THWC.dtype, frames_THWC.shape[3]
        if kind == np.uint8 and channels == 3:
            return frames_THWC.astype(np.uint8, copy=False)
        if kind == np.uint16 and channels == 1:
            return _draw_depth(frames_THWC[..., 0].astype(np.float64))
        if np.issubdtype(kind, np.floating) and channels == 2:
            return _draw_flow(frames_THWC.astype(np.float64))
    raise ClipError(
        f"frames of type {frames_THWC.dtype} and shape {frames_THWC.shape} cannot be drawn",
        hint="wanted (T, H, W, C) with T > 0: uint8 and C = 3, uint16 depth and C = 1, or floating flow and C = 2",
    )


def frame_sheet(
    frames_THWC: npt.NDArray[np.generic], *, columns: int, times_s: FloatArray | Sequence[float] | None = None
) -> UInt8Array:
    """Return a contact sheet: the frames side by side, row by row.

    Frames narrower than 72 pixels are enlarged by a whole number, each pixel becoming a square.

    Args:
        frames_THWC: Frames of any stream, as `draw_frames` takes them.
        columns: Frames in a full row.
        times_s: When each frame is shown, in seconds; printed under it.

    Returns:
        uint8 RGB, shape (H, W, 3).

    Raises:
        ClipError: If the frames cannot be drawn, `columns` is below 1, or times and frames differ in number.

    Example:
        >>> frame_sheet(np.zeros((5, 80, 100, 3), np.uint8), columns=3).shape
        (162, 304, 3)
    """
    if columns < 1:
        raise ClipError(f"a sheet of {columns} columns", hint="columns must be 1 or more")
    if times_s is not None and len(times_s) != len(frames_THWC):
        raise ClipError(f"{len(times_s)} times for {len(frames_THWC)} frames", hint="give one time for each frame")
    tiles = list(_enlarge(draw_frames(frames_THWC)))
    if times_s is not None:
        tiles = [_with_strip(tile, f"{time:.2f} s") for tile, time in zip(tiles, times_s, strict=True)]
    return _join(tiles, columns=min(columns, len(tiles)))


def image_grid(rows: Sequence[GridRow], *, height_px: int = 96) -> UInt8Array:
    """Return rows of pictures, each row under its caption: examples of every class on one sheet.

    Args:
        rows: Captions and pictures; rows may differ in length, pictures in size and stream.
        height_px: Height to which every picture is scaled; its proportions are kept.

    Returns:
        uint8 RGB, shape (H, W, 3).

    Raises:
        ClipError: If there is no picture at all, or one cannot be drawn.

    Example:
        >>> image_grid([GridRow("grab", [np.zeros((48, 64, 3), np.uint8)] * 3)], height_px=96).shape
        (124, 390, 3)
    """
    drawn = [[_scale(picture, height_px) for picture in _draw_row(row.frames)] for row in rows]
    if not any(drawn):
        raise ClipError("a grid without pictures", hint="give at least one row with one frame")
    width_px = max(sum(picture.shape[1] + GAP_PX for picture in pictures) for pictures in drawn)
    width_px = max(width_px, *(len(row.caption) * CAPTION_LETTER_PX for row in rows))
    row_px = CAPTION_PX + height_px + GAP_PX
    figure = Figure(figsize=(width_px / DPI, len(rows) * row_px / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    for index, (row, pictures) in enumerate(zip(rows, drawn, strict=True)):
        top_px = (len(rows) - index) * row_px
        figure.text(3 / width_px, (top_px - CAPTION_PX / 2) / (len(rows) * row_px), row.caption, **CAPTION_STYLE)
        left_px = 0
        for picture in pictures:
            # figimage copies pixels as they are; axes would resample them.
            figure.figimage(picture, left_px, top_px - CAPTION_PX - height_px, origin="upper")
            left_px += picture.shape[1] + GAP_PX
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, which is no reason to refuse the sheet.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def encode_picture(picture_HWC: UInt8Array, *, suffix: str = ".png") -> bytes:
    """Return the bytes of a picture file.

    Args:
        picture_HWC: uint8 RGB, shape (H, W, 3).
        suffix: `.png` (exact) or `.jpg` (a fifth of the size for photographs, quality 88).
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, 88] if suffix == ".jpg" else []
    encoded = cv2.imencode(suffix, cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR), options)[1]
    return bytes(encoded.tobytes())


def write_png(path: Path | str, picture_HWC: UInt8Array) -> None:
    """Write a picture, uint8 RGB of shape (H, W, 3), as PNG."""
    Path(path).write_bytes(encode_picture(picture_HWC))


def _draw_depth(depth_THW: FloatArray) -> UInt8Array:
    missing_THW = depth_THW == 0
    grey_THW = np.zeros(depth_THW.shape, np.uint8)
    if not missing_THW.all():
        near_mm, far_mm = np.percentile(depth_THW[~missing_THW], RANGE_PERCENTILES)
        nearness_THW = np.clip((far_mm - depth_THW) / max(far_mm - near_mm, 1.0), 0, 1)
        grey_THW = (DARKEST_GREY + nearness_THW * (255 - DARKEST_GREY)).astype(np.uint8)
    frames_THWC = np.repeat(grey_THW[..., None], 3, axis=3)
    frames_THWC[missing_THW] = MISSING_RGB
    return frames_THWC


def _draw_flow(flow_THWC: FloatArray) -> UInt8Array:
    if not np.isfinite(flow_THWC).all():
        raise ClipError("flow holds nan or infinity, which has no direction", hint="check the flow's source")
    x_THW, y_THW = flow_THWC[..., 0], flow_THWC[..., 1]
    speed_THW = np.hypot(x_THW, y_THW)
    fastest = max(float(np.percentile(speed_THW, RANGE_PERCENTILES[1])), 1e-6)
    hsv_THWC = np.full((*speed_THW.shape, 3), 255, np.uint8)
    # OpenCV keeps hue in half degrees, 0 to 179, so that it fits a byte.
    hsv_THWC[..., 0] = np.round(np.degrees(np.arctan2(y_THW, x_THW)) % 360 / 2) % 180
    hsv_THWC[..., 2] = np.round(np.clip(speed_THW / fastest, 0, 1) * 255)
    return np.stack([cv2.cvtColor(hsv_HWC, cv2.COLOR_HSV2RGB) for hsv_HWC in hsv_THWC]).astype(np.uint8)


def _draw_row(frames: Sequence[npt.NDArray[np.generic]]) -> list[UInt8Array]:
    # Frames of one clip are scaled together; frames that cannot be stacked are no clip, and each stands for itself.
    if len({(frame.shape, frame.dtype) for frame in frames}) == 1:
        return list(draw_frames(np.stack(frames)))
    return [draw_frames(frame[None])[0] for frame in frames]


def _enlarge(frames_THWC: UInt8Array) -> UInt8Array:
    factor = -(-LEAST_TILE_PX // frames_THWC.shape[2])
    return np.repeat(np.repeat(frames_THWC, factor, axis=1), factor, axis=2)


def _scale(picture_HWC: UInt8Array, height_px: int) -> UInt8Array:
    height, width = picture_HWC.shape[:2]
    # Area averages when shrinking, and shows the pixels as they are when enlarging.
    method = cv2.INTER_AREA if height > height_px else cv2.INTER_NEAREST
    size = (max(1, round(width * height_px / height)), height_px)
    scaled_HWC: UInt8Array = cv2.resize(picture_HWC, size, interpolation=method)
    return scaled_HWC


def _with_strip(tile_HWC: UInt8Array, text: str) -> UInt8Array:
    strip_HWC = np.full((STRIP_PX, tile_HWC.shape[1], 3), PAPER_RGB, np.uint8)
    cv2.putText(strip_HWC, text, (3, STRIP_PX - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK_RGB, 1, cv2.LINE_AA)
    return np.concatenate([tile_HWC, strip_HWC])


def _join(tiles: list[UInt8Array], *, columns: int) -> UInt8Array:
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    shape = (rows * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3)
    sheet_HWC = np.full(shape, PAPER_RGB, np.uint8)
    for index, tile in enumerate(tiles):
        y, x = (index // columns) * (height + GAP_PX), (index % columns) * (width + GAP_PX)
        sheet_HWC[y : y + height, x : x + width] = tile
    return sheet_HWC
