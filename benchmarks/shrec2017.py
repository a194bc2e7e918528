"""SHREC'17 from depth with the preset ours/small: 14 and 28 classes, and held-out groups of training subjects.

Run: python -m benchmarks.shrec2017               (the real recordings in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.shrec2017 --only 28     (rows whose name begins so, or the one row of that name)

A row is one training from the command's preset with nothing changed, judged on people it never saw. Rows that
benchmarks/results/shrec2017.jsonl holds already are not run again (`--again` runs them anew); an interrupted row goes
on after its last whole epoch. The table and the curves come out of that file alone.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY, RESULTS, append_rows, read_rows, shared_data
from benchmarks.training import train_row
from mudra.cli.common import find_config

FILE = RESULTS / "shrec2017.jsonl"
CURVES = RESULTS / "shrec2017_curves.svg"
RUNS = REPOSITORY / "runs" / "shrec2017"
# Groups of training subjects, each validated on by a network that was trained without them.
GROUPS = {"a": (12, 13), "b": (21, 22), "c": (25, 26, 27)}
ROWS = {
    "14 classes": [],
    "28 classes": ["data.num_classes=28"],
    **{f"14 classes, group {name}": [f"data.held_out_subjects={list(who)}"] for name, who in GROUPS.items()},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="rows whose name begins so")
    parser.add_argument("--again", action="store_true", help="run rows that are there already anew")
    parser.add_argument("--set", nargs="*", default=[], help="settings of all rows, for trials; they are recorded")
    options = parser.parse_args()
    for name in [options.only] if options.only in ROWS else ROWS:
        overrides = ROWS[name]
        known = {row["row"] for row in read_rows(FILE)}
        if name.startswith(options.only) and (options.again or name not in known):
            title = f"trial of {name}: {' '.join(options.set)}" if options.set else name
            append_rows(FILE, [run_row(title, [*overrides, *options.set], anew=options.again)])
    show(read_rows(FILE))


def run_row(name: str, overrides: list[str], *, anew: bool) -> dict[str, Any]:
    """Train, judge on the validation clips, and return the row."""
    folder = RUNS / name.replace(" ", "_").replace(",", "")
    config = find_config(str(shared_data() / "shrec2017"), overrides, tell=print)
    row = train_row(name, config, folder, split="validation", command="python -m benchmarks.shrec2017", anew=anew)
    return {**row, "settings": overrides}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the tables and draw the curves of the newest row of each name."""
    newest = {row["row"]: row for row in rows if row["row"] in ROWS}
    console = Console()
    table = Table("row", "top-1", "clips", "mean class", "minutes", "waiting", "date", title="SHREC'17, ours/small")
    for name, row in newest.items():
        minutes = f"{row['minutes'] or row['training_minutes']:.1f}"
        table.add_row(
            name,
            f"{row['top1']:.4f}",
            str(row["num_clips"]),
            f"{row['mean_class_accuracy']:.4f}",
            minutes,
            f"{row['waiting_fraction']:.1%}",
            row["date"],
        )
    console.print(table)
    spread = [row["top1"] for name, row in newest.items() if name.startswith("14") and "minutes" in row]
    if len(spread) > 1:
        console.print(
            f"14 classes over {len(spread)} groups of people: {min(spread):.4f} to {max(spread):.4f}, "
            f"mean {statistics.mean(spread):.4f}"
        )
    for name in ("14 classes", "28 classes"):
        if name in newest:
            per_class = Table("class", "accuracy", title=name)
            for label, accuracy in newest[name]["per_class"].items():
                per_class.add_row(label, f"{accuracy:.3f}")
            console.print(per_class)
    draw(newest)


def draw(rows: dict[str, dict[str, Any]]) -> None:
    """Draw validation top-1 by epoch, a line per row."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, row in rows.items():
        axes.plot(range(1, len(row["curve"]) + 1), row["curve"], label=f"{name} ({row['top1']:.3f})")
    axes.set(xlabel="epoch", ylabel="validation top-1", title="SHREC'17, ours/small, people not seen in training")
    axes.set_ylim(0.4, 1.0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    figure.savefig(CURVES, metadata={"Date": None})


if __name__ == "__main__":
    main()
