"""Sections of docs/numbers.md about time and memory of layers, modules and networks."""

from __future__ import annotations

from benchmarks.tables_parts import newest, origin, rows_of, simple, table_of

# Of one part of a benchmark: its text, and its columns.
Part = tuple[str, dict[str, str]]


def recurrent() -> list[str]:
    """Speed, training memory and streaming of one recurrent layer."""
    speed = {
        "case": "case",
        "ours_ms": "ours ms",
        "floor_ms": "floor ms",
        "over_floor": "over the floor",
        "together_ms": "[x, h] together ms",
        "times_faster_than_conv_lstm": "times faster than plain",
    }
    memory = {
        "case": "case",
        "keep_between_mib": "kept MiB",
        "recompute_between_mib": "recomputed MiB",
        "recompute_over_keep_between": "ratio",
        "keep_peak_mib": "peak MiB, kept",
        "recompute_peak_mib": "peak MiB, recomputed",
        "recompute_over_keep_peak": "ratio of peaks",
    }
    stream = {"case": "case", "num_frames": "frames", "early_bytes": "bytes at first", "late_bytes": "bytes at last"}
    parts = {
        "speed": (
            "Floor: the same convolutions and matrix products alone, in the same process and in turns (wanted: plain "
            "at most 1.10 times it, (a) at most 1.6 times it and 6 times faster than plain, forward and backward).",
            speed,
        ),
        "memory": (
            "Training memory between forward and backward, and at its peak with weight gradients (wanted: at most "
            '0.6); `memory="recompute"` of `unroll`, `model.recompute_steps=true` of a network.',
            memory,
        ),
        "stream": ("Live memory of a stream in pieces.", stream),
    }
    return _in_parts(
        "One recurrent layer", "recurrent", "256 channels in and out, 3x3, 28x28, one clip.", parts, "case"
    )


def layer_time() -> list[str]:
    """Multi-kernel layers at the paper's size."""
    keys = ("layer", "mode", "device", "dtype", "threads", "channels", "batch", "num_frames")
    rows = newest(rows_of("layer_time"), *keys)
    if not rows:
        return []
    columns = {
        "layer": "layer",
        "mode": "pass",
        "device": "device",
        "dtype": "numbers",
        "threads": "threads",
        "channels": "channels",
        "batch": "clips",
        "num_frames": "frames",
        "seconds": "seconds",
        "ratio": "to 3x3",
        "paper_ratio": "paper",
        "over_floor": "over its convolutions",
    }
    return [
        "## Kernels of a recurrent layer: time",
        "One layer at the size of Agethen and Hsu 2019's table II: channels in and hidden, clips of so many frames, "
        "maps of 14x14. Training is forward and backward, testing forward alone; layers take turns. `to 3x3` is the "
        "ratio to the layer of 3x3 kernels, the paper's beside it. Over its convolutions: against the same "
        "convolutions alone (wanted: at most 1.15).",
        table_of(rows, columns),
        origin(rows),
    ]


def flow_speed() -> list[str]:
    """What feeds flow and moving digits."""
    return simple(
        "Moving digits and flow",
        "flow_speed",
        "One core. Digits: frames per second of the generator, 16 clips of 20 frames of 64x64 at a time (wanted: at "
        "least 3,000). Flow: that of 64 frames of 112x112 against reading these frames from a file of 320x240 "
        "(wanted: at most 1).",
        {
            "case": "case",
            "frames_per_s": "frames per s",
            "flow_ms": "flow ms",
            "decode_ms": "decoding ms",
            "ratio": "ratio",
        },
    )


def temporal_modules() -> list[str]:
    """Networks with temporal modules, the modules alone, and the decoder's part of a training step."""
    place = {"case": "case", "size_px": "px", "device": "device", "clock": "clock", "memory": "memory"}
    place |= {"threads": "threads"}
    parts = {
        "networks": (
            "ResNet-50 plain, with TSM and with ACTION; Res2Net-50 plain and as TEA: forward in evaluation and a "
            "training step, and the ratio to the same backbone without the module (wanted of a step: TSM at most 1.08, "
            "ACTION at most 1.35).",
            {
                "forward_ms": "forward ms",
                "forward_over_plain": "over plain",
                "step_ms": "step ms",
                "step_over_plain": "step over plain",
            },
        ),
        "modules": (
            "TSM and ACTION alone on the maps that ResNet-50's blocks take in, against the 1x1 convolution behind "
            "them.",
            {
                "forward_ms": "forward ms",
                "conv_forward_ms": "convolution ms",
                "forward_over_conv": "ratio",
                "forward_backward_ms": "forward+backward ms",
                "conv_forward_backward_ms": "convolution, both ms",
                "forward_backward_over_conv": "ratio of both",
            },
        ),
        "decoder": (
            "ACTION with the multi-scale decoder and without (wanted: at most 0.25 more of a step, nothing of forward "
            "in evaluation).",
            {
                "forward_ms": "forward ms",
                "forward_without_ms": "without",
                "forward_added_fraction": "added",
                "step_ms": "step ms",
                "step_without_ms": "step without",
                "step_added_fraction": "added to a step",
            },
        ),
    }
    return _in_parts(
        "Temporal modules: time",
        "temporal_modules",
        "One clip of eight frames, 83 classes; programs of a part take turns. With bfloat16 networks run under "
        "autocast.",
        {part: (text, {**place, **columns}) for part, (text, columns) in parts.items()},
        *place,
    )


def frame_speed() -> list[str]:
    """Networks that label frames, on streams."""
    place = {"case": "network", "threads": "threads", "frames_per_s": "frames per s"}
    parts = {
        "offline": ("A whole stream, in pieces.", place),
        "live": (
            "Frame by frame: the causal twin, or the windows of a network that has one, each answered for its middle.",
            {
                **place,
                "waits_frames": "answers later by frames",
                "median_ms": "median ms",
                "slowest_of_100_ms": "slowest of 100, ms",
            },
        ),
        "sliding": (
            "Networks with a window: what neighbouring windows share is computed once, against every window by itself "
            "(wanted: at least 8 times faster, with equal numbers). Temporal convolutions see zeros at both ends of "
            "their window, and deeper layers more of them: what only one window has is a third of its multiplications.",
            {
                **place,
                "window_frames": "frames of a window",
                "one_by_one_frames_per_s": "one by one, frames per s",
                "times_faster": "times faster",
                "fewer_macs": "times fewer multiplications",
                "largest_difference": "largest difference of logits",
            },
        ),
    }
    return _in_parts(
        "A label for every frame: speed",
        "frame_speed",
        "Frames of 4 channels and 64x64 pixels, 21 classes, networks at full width.",
        parts,
        "case",
        "threads",
    )


def long_files() -> list[str]:
    """Whole programs on files of hours."""
    return simple(
        "Files of hours",
        "long_files",
        "`mudra segment` as a whole program on drawn videos of 160x120 at 25 frames per second; memory is the largest "
        "that was resident.",
        {
            "recipe": "recipe",
            "video_minutes": "minutes of video",
            "seconds": "seconds",
            "times_real_time": "times real time",
            "frames_per_s": "frames per s",
            "peak_memory_mib": "peak MiB",
        },
    )


def held_memory() -> list[str]:
    """Training steps with and without memory held between them."""
    return simple(
        "Memory held between training steps",
        "held_memory",
        "The same training steps in bf16 with memory given back to the system after each and with memory held "
        "(`fitting.hold_memory`), in programs of their own, in turns.",
        {
            "case": "case",
            "threads": "threads",
            "given_back_step_s": "given back, s",
            "held_step_s": "held, s",
            "times_faster": "times faster",
            "given_back_peak_memory_mib": "given back, peak MiB",
            "held_peak_memory_mib": "held, peak MiB",
        },
    )


def _in_parts(title: str, name: str, text: str, parts: dict[str, Part], *keys: str) -> list[str]:
    """Return a section with a table for each part that has rows; `keys` tell the cases of a part apart."""
    rows = newest(rows_of(name), "part", *keys)
    section = []
    for part, (what, columns) in parts.items():
        found = [row for row in rows if row["part"] == part]
        section += [what, table_of(found, columns), origin(found)] if found else []
    return [f"## {title}", text, *section] if section else []
