"""Sections of docs/numbers.md about trainings that compare networks: labels of frames, moving digits, depth learned."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks import flow_masks as masks
from benchmarks import frame_wise as frames
from benchmarks import moving_digits as digits
from benchmarks import msd_isogd as isogd
from benchmarks import msd_synthetic as synthetic
from benchmarks import nvgesture_pairs as pairs
from benchmarks.tables_parts import Row, as_table, newest, origin, picture, rows_of
from benchmarks.training import summarise

STREAMS = {
    "shrec": ("SHREC'17 as streams", "Streams spliced of SHREC'17's clips, depth, 14 gestures; validation subjects."),
    "fir": ("FIR", "FIR's uncut streams, colour; three that no training saw."),
}


def frame_wise(data: str) -> list[str]:
    """Networks that label frames, on one set of streams."""
    rows = [row for row in rows_of("frame_wise") if row["data"] == data]
    if not rows:
        return []
    lines = frames.summarise(data)
    table = [
        {
            "network": line["network"],
            "seeds": line["seeds"],
            "mean Jaccard": f"{line['jaccard']:.4f}",
            "st. dev.": "" if line["spread"] is None else f"{line['spread']:.4f}",
            "union": f"{line['union']:.4f}",
            "frames right": f"{line['frame_accuracy']:.4f}",
            "gestures wrong": f"{line['error_rate']:.4f}",
            "parameters": f"{line['parameters']:,}",
            "training, min": f"{line['minutes']:.1f}",
            "paper": line["paper"] or "",
        }
        for line in lines
    ]
    title, what = STREAMS[data]
    return [
        f"## A label for every frame: {title}",
        f"{what} The networks of Pigou et al. 2015, channels and features times {frames.WIDTH}, and ours. "
        "`ours` is ours/frame_wise with its LSTM in both directions, as the paper's networks. Few epochs, as many for "
        "all of the paper's; ours trains longest. The minutes are those of a processor that did other work too. "
        "Mean Jaccard index over the gestures that a stream has; `union`: over those that it has or was given. "
        "Frames right are of all frames whose label is known: always answering the largest class would reach "
        f"{lines[-1]['largest_class']:.4f}. Gestures wrong: the vote of their frames says something else. The paper's "
        "column is its mean Jaccard index on Montalbano, other data. Last epoch's weights; means over seeds.",
        as_table(table),
        *(picture("Mean Jaccard index of networks that label frames", frames.PICTURE) if data == "shrec" else []),
        origin(rows),
    ]


def moving_digits(*, is_paper: bool) -> list[str]:
    """The future of one digit by kernel and speed."""
    rows = digits.known_rows(is_paper)
    if not rows:
        return []
    losses, macs = digits.summarise(rows), {row["kernels"]: row["macs_per_clip"] for row in rows}
    table = []
    for kernels, name in digits.KERNELS.items():
        cells = {speed: losses.get((kernels, speed), []) for speed in digits.SPEEDS_PX}
        if any(cells.values()):
            told = {f"{speed} px per frame": digits.tell(values) for speed, values in cells.items()}
            table.append({"kernels": name, "MMAC per clip": f"{macs[kernels] / 1e6:.0f}", **told})
    minutes = [row["minutes"] for row in rows if row["minutes"] is not None]
    took = f" A training took {statistics.median(minutes):.1f} minutes (median)." if minutes else ""
    size = (
        "The paper's size"
        if is_paper
        else "Smaller than in the paper: 16 hidden channels, 1,600 steps of 8 clips, a larger rate"
    )
    return [
        f"## The future of one moving digit: kernels by speed{', at the size of the paper' * is_paper}",
        f"Agethen and Hsu 2019's figure 3 on MNIST's digits, ten frames in and ten out, {rows[-1]['num_clips']} test "
        f"clips. Cross-entropy of a test clip, mean over the seeds that all kernels of a speed have, and, in "
        f"parentheses, half of their range. {size}; all networks have equally many hidden channels.{took}",
        as_table(table),
        *picture(
            "Test cross-entropy by speed of the digit", digits.RESULTS / f"{digits.name_of(is_paper=is_paper)}.svg"
        ),
        origin(rows),
    ]


def flow_masks() -> list[str]:
    """Which digit masks of flow prefer."""
    rows = newest(masks.known_rows(), "source", "seed")
    if not rows:
        return []
    table = []
    for source in masks.SOURCES:
        own = [row for row in rows if row["source"] == source]
        for size in masks.KERNELS if own else ():
            kernel = f"{size}x{size}"
            table.append(
                {
                    "digits": source,
                    "kernel": kernel,
                    "seeds": len(own),
                    "masks for the slow digit": _mean_and_range([row[f"slow_masks_{kernel}"] for row in own]),
                    "clips for it": _mean_and_range([row[f"slow_clips_{kernel}"] for row in own]),
                    "open on the slow digit": _mean_and_range([row[f"open_on_slow_{kernel}"] for row in own]),
                    "open on the fast digit": _mean_and_range([row[f"open_on_fast_{kernel}"] for row in own]),
                }
            )
    return [
        "## Masks of flow: slow digits and fast ones",
        "Agethen and Hsu 2019's figure 14: two digits of about 1 and 8 pixels per frame, kernels of 5x5 and 7x7 behind "
        "16 masks of flow each. The share of masks that are wider open on the slow digit, over up to "
        f"{masks.NUM_CLIPS} test clips (one half by chance; the paper, by eye in one sequence: 10 of 16 for 5x5, 5 of "
        "16 for 7x7), the share of clips in which a kernel's masks together are so, and how far they are open. Means "
        "over seeds and their range.",
        as_table(table),
        *picture("Masks of flow for one clip", masks.PICTURE),
        origin(rows),
    ]


def _mean_and_range(shares: Sequence[float]) -> str:
    return f"{statistics.mean(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})"


def msd_synthetic() -> list[str]:
    """Depth supervision against none, on the drawn set."""
    rows = rows_of("msd_synthetic")
    if not rows:
        return []
    table = [
        {
            "network": line["variant"],
            "seeds": line["seeds"],
            "mean top-1": f"{line['mean']:.4f}",
            "st. dev.": f"{line['spread']:.4f}" if line["seeds"] > 1 else "",
            "range": f"{line['lowest']:.4f} to {line['highest']:.4f}",
            "parameters": f"{line['parameters']:,}",
            "MMAC per clip": f"{line['macs_per_clip'] / 1e6:.0f}",
            "training, min": f"{line['minutes']:.1f}",
        }
        for line in summarise(rows)
    ]
    return [
        "## Does learning depth beside the classes help? (synthetic set)",
        "ResNet-18 at half its width on colour alone, 8 frames of 64x64, the drawn set made hard; with TSM's shift "
        "and with ACTION. A `base` is trained once, on other people, and stands in for ImageNet: before a still wall, "
        "where it did not leave chance, and twice before a moving one; ACTION's takes over TSM's weights before the "
        "last. From there come the arms: without a decoder, with the multi-scale decoder of Fan et al. 2021 and its "
        "losses (`_msd`), and for TSM with losses of 1 : 3 : 3 (`_masks`); decoders are gone in tests. "
        f"{rows[-1]['num_clips']} clips of people that no training saw, last epoch's weights; a seed draws everything "
        "anew and is the same for the arms that are compared. Rows of the bases and of the first seed were held up "
        "while other things were measured, which their minutes include.",
        as_table(table),
        *(f"{found.explain()}." for found in synthetic.differences(rows) if len(found.by_seed) > 1),
        *picture("Top-1 without and with depth supervision", synthetic.PICTURE),
        origin(rows),
    ]


def msd_isogd() -> list[str]:
    """Errors of depth from colour on real pairs."""
    rows = newest(rows_of("msd_isogd"), "row")
    table: list[Row] = []
    for split in isogd.SPLITS:
        for size in dict.fromkeys(row["size"] for row in reversed(rows)):
            own = [row for row in rows if (row["split"], row["size"]) == (split, size)]
            base = next((row for row in own if row["method"] == "mean_map"), None)
            for method in isogd.METHODS:
                for epochs in sorted({row["epochs"] for row in own if row["method"] == method}):
                    found = [row for row in own if (row["method"], row["epochs"]) == (method, epochs)]
                    table.append(_line_of_errors(found, base))
    if not table:
        return []
    held = ", ".join(f"{row['num_train']} and {row['num_held']} by {row['split']}" for row in newest(rows, "split"))
    return [
        "## Depth from colour on real pairs (IsoGD)",
        "Mean squared error of depth in [0, 1] over the measured pixels of recordings that no training saw, at the "
        "clip's size (local) and at a quarter of it (global), and after each recording's mean difference is taken away "
        "(shape), for grey levels of different recordings mean different distances; less: below that of `mean_map`, "
        f"the training recordings' mean depth of every pixel. Recordings to train on and held: {held}; split by the "
        "distance of file numbers, where the same rooms stand on both sides, and by scenes, where they are kept apart. "
        "`msd`: the multi-scale decoder of Fan et al. 2021 beside the classes; `masks`: the same without classes; "
        "`unet`: a plain U-Net of as many parameters, whose map is scaled down for the global error. All start from "
        "chance; means over seeds and their standard deviation. Lines of 64x96 are a first try; the second changed the "
        "size of frames and the changes of colour after it, judged on the same recordings.",
        as_table(table),
        origin(rows),
    ]


def _line_of_errors(found: list[Row], base: Row | None) -> Row:
    """Return one line of the table: several seeds of one method, beside the mean map."""
    line = {key: found[-1][key] for key in ("split", "size", "method", "epochs")} | {"seeds": len(found)}
    for key, name in isogd.ERRORS.items():
        errors = [row[key] for row in found if key in row]
        spread = f" ± {statistics.stdev(errors):.5f}" if len(errors) > 1 else ""
        line[name] = f"{statistics.mean(errors):.5f}{spread}" if errors else ""
        line[f"{name}, less"] = f"{1 - statistics.mean(errors) / base[key]:.0%}" if errors and base is not None else ""
    line["parameters"] = f"{found[-1]['parameters']:,}"
    minutes = [row["minutes"] for row in found if row["minutes"] is not None]
    line["training, min"] = f"{statistics.median(minutes):.1f}" if minutes else ""
    return line


def nvgesture_pairs() -> list[str]:
    """One real depth recording of a class learned, the other named."""
    rows = newest(rows_of("nvgesture_pairs"), "row")
    if not rows:
        return []
    table = [
        {
            "training": row["row"],
            "top-1": f"{row['top1']:.2f}",
            "times chance": f"{row['times_chance']:.1f}",
            "clips": row["num_clips"],
            "train loss": f"{row['train_loss']:.3f}",
            "epochs": row["epochs"],
            "training, min": f"{row['training_minutes']:.1f}",
            "min of one core": row["cpu_minutes"] or "",
        }
        for row in rows
    ]
    return [
        "## NVGesture's pairs of real depth recordings",
        f"{pairs.NOTE} Of each of {rows[-1]['num_clips']} classes one recording trains and the other is judged, all of "
        "people seen in training and most in the very class. Chance is "
        f"{pairs.CHANCE:.2f}; wanted was at least {pairs.WANTED:.2f}. ours/small at 3/4 of its width, strong "
        "augmentation, last epoch's weights.",
        as_table(table),
        *picture("What each class was taken for", pairs.PICTURE),
        origin(rows),
    ]
