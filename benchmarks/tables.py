"""Write docs/numbers.md from the committed results, and the recipes' pages from their rows.

Of every case the newest row is shown, with its command, machine and date.

Run: python -m benchmarks.tables
"""

from __future__ import annotations

import importlib
import statistics
from pathlib import Path

from benchmarks import cells_shrec, kernels_shrec, tables_speed, tables_trained
from benchmarks.common import REPOSITORY, RESULTS, read_rows
from benchmarks.grid import Grid, summarise_grid
from benchmarks.shrec2017 import ROWS
from benchmarks.tables_parts import as_table, newest, origin, picture, rows_of, simple
from mudra.recipes import list_recipes

PAPERS = ("zhang2018", "fan2021", "pigou2015", "agethen2019", "ours")
PAGE = REPOSITORY / "docs" / "numbers.md"


def main() -> None:
    PAGE.write_text(build_page(), encoding="utf-8")
    print(f"written: {PAGE}")
    for paper in PAPERS:
        print(f"written: {write_recipes(paper)}")


def build_page() -> str:
    """Return docs/numbers.md: a section for each benchmark that has rows."""
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
        *tables_trained.frame_wise("shrec"),
        *tables_trained.frame_wise("fir"),
        *tables_trained.moving_digits(is_paper=False),
        *tables_trained.moving_digits(is_paper=True),
        *tables_trained.flow_masks(),
        *tables_trained.msd_synthetic(),
        *tables_trained.msd_isogd(),
        *tables_trained.nvgesture_pairs(),
        *tables_speed.recurrent(),
        *tables_speed.layer_time(),
        *tables_speed.temporal_modules(),
        *tables_speed.frame_speed(),
        *tables_speed.long_files(),
        *tables_speed.held_memory(),
        *reading(),
        *tables_speed.flow_speed(),
    ]
    return "\n\n".join(parts) + "\n"


def reading() -> list[str]:
    """Decoding, loading, predicting and drawing."""
    return [
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
            "share of a step spent waiting for data is wanted under 10 %. Pairs of colour and depth, eight frames of "
            "224x224 of each, stand beside the decoding of the same frames by as many processes.",
            {
                "case": "case",
                "cache": "cache",
                "workers": "processes",
                "clips_per_s": "clips per s",
                "decoding_clips_per_s": "decoding alone",
                "over_decoding": "times as long",
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
    found = {row["row"]: row for row in rows_of("shrec2017")}
    rows = [found[name] for name in ROWS if name in found]
    if not rows:
        return []
    everything = rows_of("shrec2017")
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
    return [*parts, *picture("Validation top-1 by epoch", RESULTS / "shrec2017_curves.svg"), origin(rows)]


def order_in_time() -> list[str]:
    """Whether one frame tells the gesture."""
    rows = newest(rows_of("order_in_time"), "row")
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
        *picture(title, RESULTS / f"{comparison.name}.svg"),
        origin(rows),
        *([origin(times)] if times else []),
    ]


if __name__ == "__main__":
    main()
