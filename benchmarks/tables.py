"""Write docs/numbers.md from the committed results, and the recipes' pages from their rows.

Of every case the newest row is shown, with its command, machine and date.

Run: python -m benchmarks.tables
"""

from __future__ import annotations

import importlib
import statistics
from pathlib import Path
from typing import Any

from benchmarks import cells_shrec, kernels_shrec
from benchmarks.common import REPOSITORY, RESULTS, read_rows
from benchmarks.grid import Grid, summarise_grid
from benchmarks.shrec2017 import ROWS
from mudra.recipes import list_recipes

PAPERS = ("zhang2018", "fan2021", "pigou2015", "agethen2019", "ours")
PAGE = REPOSITORY / "docs" / "numbers.md"
Row = dict[str, Any]


def main() -> None:
    parts = [
        "# Measured numbers",
        "Made by `python -m benchmarks.tables` from `benchmarks/results/`; nothing here is typed by hand.",
        *shrec2017(),
        *order_in_time(),
        *grid(
            cells_shrec.GRID,
            "Recurrent layers on SHREC'17",
            "Only the recurrent layers change. (b), (c) and (d) are the first of two layers, the second is (a). "
            "`no_recurrence`: the same convolutions averaged over time; `spatial_only`: kernels of one frame; "
            "`middle_frame`: that on one frame.",
        ),
        *grid(
            kernels_shrec.GRID,
            "Kernels of a recurrent layer on SHREC'17",
            "One recurrent layer of 48 channels on maps of 8x8; only its kernels change. `flow_attention`: flow makes "
            "masks for both kernels; `flow_as_input`: flow goes through the backbone beside depth instead.",
        ),
        *recurrent(),
        *simple(
            "Decoding and sampling a clip",
            "decoding",
            "Sixteen frames read, scaled and converted, against decoding alone by PyAV, in turns; wanted: at most 1.3.",
            {"case": "case", "bare_ms": "bare ms", "ours_ms": "ours ms", "ratio": "ratio"},
        ),
        *simple(
            "Loader",
            "loader",
            "Clips per second of the loader alone (`none`, `memory`: its cache) and in training (`auto`), where the "
            "share of a step spent waiting for data is wanted under 10 %.",
            {
                "case": "case",
                "cache": "cache",
                "clips_per_s": "clips per s",
                "waiting_fraction": "waiting",
                "step_ms": "step ms",
            },
        ),
        *simple(
            "Latency of one prediction",
            "latency",
            "Medians in milliseconds.",
            {"case": "case", "decode": "decode", "clip": "clip", "network": "network", "all": "all"},
        ),
        *simple(
            "Drawing the synthetic set",
            "synthetic_speed",
            "One core, 112x112 unless said; wanted at least 300 frames per second.",
            {"streams": "streams", "hardness": "surroundings", "size": "size", "frames_per_s": "frames per s"},
        ),
    ]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"written: {PAGE}")
    for paper in PAPERS:
        print(f"written: {write_recipes(paper)}")


def write_recipes(paper: str) -> Path:
    """Write the page of a paper's recipes from their rows: what the paper reports, and how far ours are."""
    package = importlib.import_module(f"mudra.recipes.{paper}")
    rows = [row for row in list_recipes() if row.name.startswith(f"{paper}/")]
    table = [
        {
            "recipe": f"`{row.name}`",
            "what": row.summary,
            "in the paper": row.source,
            "paper": "; ".join(f"{e.metric} {e.value:.4f} ({e.where})" for e in row.paper),
            "status": row.status,
        }
        for row in rows
    ]
    page = Path(package.__file__ or "").parent / "README.md"
    title = (package.__doc__ or paper).strip()
    note = "Made by `python -m benchmarks.tables` from the rows; train one with `mudra train RECIPE data=...`."
    page.write_text("\n\n".join([f"# {title}", note, as_table(table)]) + "\n", encoding="utf-8")
    return page


def shrec2017() -> list[str]:
    """The SHREC'17 tables, and the spread over groups of people."""
    found = {row["row"]: row for row in read_rows(RESULTS / "shrec2017.jsonl")}
    rows = [found[name] for name in ROWS if name in found]
    if not rows:
        return []
    everything = read_rows(RESULTS / "shrec2017.jsonl")
    earlier = ", ".join(f"{row['row']} {row['top1']:.4f}" for row in everything if row not in rows)
    table = [
        {
            "row": row["row"],
            "top-1": f"{row['top1']:.4f}",
            "clips": row["num_clips"],
            "mean class accuracy": f"{row['mean_class_accuracy']:.4f}",
            "epochs": row.get("epochs", ""),
            "minutes": row["minutes"] or row["training_minutes"],
            "threads": row["threads"],
        }
        for row in rows
    ]
    parts = [
        "## SHREC'17, depth, `ours/small`",
        f"{rows[0]['parameters']:,} parameters at 14 classes, {rows[0]['macs_per_clip'] / 1e9:.3f} GMAC per clip. "
        "Judged on people not seen in training: the two validation subjects, or a group of training subjects that was "
        "left out (no row yet where none is shown). The weights are the last epoch's; no epoch was picked, but the "
        f"preset was changed after looking at earlier rows, one seed each: {earlier or 'none'}. One clip is 0.0043, "
        "and two trainings that differ in chance alone lie a few clips apart. Minutes are of the whole training with "
        "the reading of the files, without the check for damage; rows of one thread ran beside other work on a full "
        "machine. Groups of training subjects are trained for fewer epochs than the preset's where the column says so.",
        as_table(table),
    ]
    groups = [row["top1"] for row in rows if row["row"].startswith("14")]
    if len(groups) > 1:
        parts.append(
            f"Spread over {len(groups)} groups of people, 14 classes: {min(groups):.4f} to {max(groups):.4f}, mean "
            f"{statistics.mean(groups):.4f}, standard deviation {statistics.stdev(groups):.4f}."
        )
    by_class = {row["row"]: row["per_class"] for row in rows if row["row"] in ("14 classes", "28 classes")}
    for name, per_class in by_class.items():
        cells = [{"class": label, "accuracy": f"{accuracy:.3f}"} for label, accuracy in per_class.items()]
        parts += [f"### Per class, {name}", as_table(cells)]
    parts += ["![Validation top-1 by epoch](../benchmarks/results/shrec2017_curves.svg)", origin(rows)]
    return parts


def order_in_time() -> list[str]:
    """Whether one frame tells the gesture."""
    rows = newest(read_rows(RESULTS / "order_in_time.jsonl"), "row")
    if not rows:
        return []
    wanted = {"full": "over 0.95", "single_frame": "under 0.60"}
    table = [
        {
            "network": row["row"],
            "test top-1": f"{row['top1']:.4f}",
            "clips": row["num_clips"],
            "wanted": wanted[row["row"]],
        }
        for row in rows
    ]
    return ["## Does one frame tell the gesture? (synthetic set)", as_table(table), origin(rows)]


def grid(comparison: Grid, title: str, text: str) -> list[str]:
    """Networks on SHREC'17 over seeds."""
    rows, times = read_rows(comparison.file), read_rows(comparison.times)
    if not rows:
        return []
    table = [
        {
            "network": line["variant"],
            "seeds": line["seeds"],
            "mean top-1": f"{line['mean']:.4f}",
            "st. dev.": f"{line['spread']:.4f}",
            "range": f"{line['lowest']:.4f} to {line['highest']:.4f}",
            "minus the first row": f"{line['difference']:+.4f} (st. dev. {line['difference_spread']:.4f})",
            "parameters": f"{line['parameters']:,}",
            "MMAC per clip": f"{line['macs_per_clip'] / 1e6:.0f}",
            "training, min": f"{line['minutes']:.1f}",
            "training step, ms": line.get("step_ms", ""),
            "one prediction, ms": line.get("predict_ms", ""),
        }
        for line in summarise_grid(comparison)
    ]
    timed = (
        f" Steps are of 16 clips in bf16, predictions of one clip in float32 without decoding, {times[-1]['threads']} "
        "threads, in turns."
        if times
        else ""
    )
    return [
        f"## {title}",
        f"One narrow network, {rows[-1]['epochs']} epochs, 14 classes, depth. {text} Top-1 on the official validation "
        "subjects (230 clips: one clip is 0.0043), last epoch's weights; differences to the first row are taken "
        f"seed by seed; training in minutes on one thread, others beside it.{timed}",
        as_table(table),
        f"![{title}](../benchmarks/results/{comparison.name}.svg)",
        origin(rows),
        *([origin(times)] if times else []),
    ]


def recurrent() -> list[str]:
    """Speed, training memory and streaming of one recurrent layer."""
    rows = list({(row["part"], row["case"]): row for row in read_rows(RESULTS / "recurrent.jsonl")}.values())
    tables = {
        "speed": (
            "Floor: the same convolutions and matrix products alone, in the same process and in turns (wanted: plain "
            "at most 1.10 times it, (a) at most 1.6 times it and 6 times faster than plain, forward and backward).",
            {
                "case": "case",
                "ours_ms": "ours ms",
                "floor_ms": "floor ms",
                "over_floor": "over the floor",
                "together_ms": "[x, h] together ms",
                "times_faster_than_conv_lstm": "times faster than plain",
            },
        ),
        "memory": (
            "Training memory between forward and backward, and at its peak with weight gradients (wanted: at most "
            '0.6); `memory="recompute"` of `unroll`, `model.recompute_steps=true` of a network.',
            {
                "case": "case",
                "keep_between_mib": "kept MiB",
                "recompute_between_mib": "recomputed MiB",
                "recompute_over_keep_between": "ratio",
                "keep_peak_mib": "peak MiB, kept",
                "recompute_peak_mib": "peak MiB, recomputed",
                "recompute_over_keep_peak": "ratio of peaks",
            },
        ),
        "stream": (
            "Live memory of a stream in pieces.",
            {"case": "case", "num_frames": "frames", "early_bytes": "bytes at first", "late_bytes": "bytes at last"},
        ),
    }
    parts = ["## One recurrent layer", "256 channels in and out, 3x3, 28x28, one clip."]
    for part, (text, heads) in tables.items():
        found = [row for row in rows if row["part"] == part]
        table = [{head: row.get(key) or "" for key, head in heads.items()} for row in found]
        parts += [text, as_table(table, list(heads.values())), origin(found)] if found else []
    return parts if rows else []


def simple(title: str, name: str, text: str, columns: dict[str, str]) -> list[str]:
    """A table of the newest run of one benchmark."""
    rows = read_rows(RESULTS / f"{name}.jsonl")
    if not rows:
        return []
    keys = [key for key in ("case", "cache", "streams", "hardness", "size") if key in rows[-1]]
    rows = list({tuple(str(row.get(key)) for key in keys): row for row in rows}.values())
    table = [{head: row[key] for key, head in columns.items() if key in row} for row in rows]
    return [f"## {title}", text, as_table(table, list(columns.values())), origin(rows)]


def newest(rows: list[Row], key: str) -> list[Row]:
    """Return the last row of each value of `key`, in the order of their first rows."""
    return list({row[key]: row for row in rows}.values())


def as_table(rows: list[Row], heads: list[str] | None = None) -> str:
    """Return rows as a Markdown table."""
    heads = heads or list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(_cell(row.get(head, "")) for head in heads) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value)) if all(isinstance(item, int) for item in value) else ", ".join(map(str, value))
    return str(value)


def origin(rows: list[Row]) -> str:
    """Say where rows come from."""
    row = rows[-1]
    versions = ", ".join(f"{name} {version}" for name, version in row.get("versions", {}).items())
    dates = sorted({row["date"] for row in rows})
    cpus = " and ".join(dict.fromkeys(row.get("cpu", "") for row in rows))
    return f"`{row['command']}`, {' to '.join(dates)}, {cpus}, {row.get('num_cpus')} cores, {versions}."


if __name__ == "__main__":
    main()
