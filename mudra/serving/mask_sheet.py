"""The sheet of a 2-D network's temporal modules and decoders: masks of depth, excitations, and kernels over time."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mudra.serving.clip_picture import lay_heat
from mudra.serving.excitation_trace import BlockTrace, TemporalTrace
from mudra.serving.figure import GridRow, image_grid
from mudra.types import FloatArray, UInt8Array

MOST_COLUMNS = 8  # frames that are shown, evenly chosen
TILE_PX = 112
DPI = 100
ROW_IN, PLOT_IN = 1.5, 3.4  # height of a block's plots, and width of each
KERNEL_COLOURS = "RdBu_r"  # white is zero
TAPS = ("t−1", "t", "t+1")
CHANNEL_COLOUR, MOTION_COLOUR = "#1f78b4", "#d95f0e"
STYLE: dict[str, Any] = {"font.size": 8.0, "text.parse_math": False, "axes.spines.top": False}


def draw_masks(trace: TemporalTrace, pictures_THWC: UInt8Array, times_s: FloatArray) -> UInt8Array:
    """Return the sheet.

    From top to bottom: what the network saw; the decoders' maps of depth, from 0 (black) to 1 (white); for each block
    its spatio-temporal excitation laid over the frames, on a scale of its own; then a line of plots for each block:
    channel and motion excitation of every channel, mean over the frames and range, and its kernels over time. What no
    block has is left out: TEA excites by motion alone.

    Args:
        trace: What was found.
        pictures_THWC: The clip's frames, uint8 RGB.
        times_s: When each of them was.

    Returns:
        uint8 RGB, shape (H, W, 3).
    """
    columns = np.unique(np.linspace(0, len(times_s) - 1, min(len(times_s), MOST_COLUMNS)).round().astype(np.int64))
    parts = [image_grid(_rows(trace, pictures_THWC, times_s, columns), height_px=TILE_PX)]
    if trace.blocks:
        parts.append(_draw_plots(trace.blocks))
    width = max(part.shape[1] for part in parts)
    padded = [np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in parts]
    return np.concatenate(padded)


def _rows(
    trace: TemporalTrace, pictures_THWC: UInt8Array, times_s: FloatArray, columns: npt.NDArray[np.int64]
) -> list[GridRow]:
    shown = ", ".join(f"{times_s[column]:.2f}" for column in columns)
    rows = [GridRow(f"what it saw, at {shown} s", list(pictures_THWC[columns]))]
    for name, maps_THW in trace.masks.items():
        grey_THW = (maps_THW[columns].clip(0.0, 1.0) * 255.0).round().astype(np.uint8)
        caption = f"{name} decoder: depth from {maps_THW.min():.2f} to {maps_THW.max():.2f}"
        rows.append(GridRow(caption, list(np.repeat(grey_THW[..., None], 3, axis=3))))
    for block in trace.blocks:
        if block.excitations is None or (place_THW := block.excitations.spatio_temporal_THW) is None:
            continue
        low, high = float(place_THW.min()), float(place_THW.max())
        heat_THW = (place_THW[columns] - low) / max(high - low, 1e-12)
        caption = f"{block.name}: where (STE), from {low:.3f} to {high:.3f}"
        pairs = zip(pictures_THWC[columns], heat_THW, strict=True)
        rows.append(GridRow(caption, [lay_heat(picture_HWC, heat_HW) for picture_HWC, heat_HW in pairs]))
    return rows


def _draw_plots(blocks: list[BlockTrace]) -> UInt8Array:
    names = {name for block in blocks if block.excitations is not None for name in block.excitations.by_name()}
    num_plots = 1 + len(names & {"channel", "motion"})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(num_plots * PLOT_IN, len(blocks) * ROW_IN), dpi=DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        grid = figure.subplots(len(blocks), num_plots, squeeze=False)
        for line, block in zip(grid, blocks, strict=True):
            _plot_kernels(line[-1], block)
            if block.excitations is not None:
                if (channel_TC := block.excitations.channel_TC) is not None:
                    _plot_channels(line[0], f"{block.name}: channels (CE)", channel_TC, CHANNEL_COLOUR)
                # The last frame has nothing to move to: its excitation is the same whatever is seen.
                moving_TC = block.excitations.motion_TC[:-1] if len(block.excitations.motion_TC) > 1 else None
                _plot_channels(line[-2], f"{block.name}: motion (ME)", moving_TC, MOTION_COLOUR)
        canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _plot_channels(axes: Any, title: str, openings_TC: FloatArray | None, colour: str) -> None:
    """Draw a bar for each channel: its mean over the frames, and the range over them."""
    axes.set_title(title, size=8.5)
    if openings_TC is None:
        axes.text(0.5, 0.5, "one frame: nothing moves", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    channels = np.arange(openings_TC.shape[1])
    mean_C = openings_TC.mean(axis=0)
    # One outline in steps: thousands of bars of their own would take seconds.
    axes.fill_between(channels, 0.5, mean_C, step="mid", color=colour, alpha=0.8, linewidth=0)
    axes.fill_between(
        channels, openings_TC.min(axis=0), openings_TC.max(axis=0), step="mid", color="#333333", alpha=0.25, linewidth=0
    )
    axes.set(xlabel="channel", xlim=(-0.5, len(channels) - 0.5))
    axes.axhline(0.5, color="#888888", linewidth=0.6)


def _plot_kernels(axes: Any, block: BlockTrace) -> None:
    shares = block.kernel_shares()
    told = ", ".join(f"{tap} {share:.0%}" for tap, share in zip(TAPS, shares.values(), strict=True))
    largest = max(float(np.abs(block.kernels_C3).max()), 1e-12)
    style: dict[str, Any] = {"aspect": "auto", "interpolation": "nearest", "cmap": KERNEL_COLOURS}
    picture = axes.imshow(block.kernels_C3.T, vmin=-largest, vmax=largest, **style)
    axes.figure.colorbar(picture, ax=axes, ticks=[-largest, 0.0, largest], format="%.2g")
    axes.set_title(f"{block.name}: kernels over time; strongest: {told}", size=7.5)
    axes.set_yticks(range(3), TAPS)
    axes.set_xlabel("channel")
