"""`mudra data`: look at a data set, check its files, write the built-in one, or compute features once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mudra.cli.features import features

if TYPE_CHECKING:
    from rich.console import Console

    from mudra.datasets import Dataset, DatasetFacts

HELP = """Look at data sets, check files, write the built-in set, compute features once.

\b
Example: mudra data info my_gestures
         mudra data features agethen2019/table1/conv_3 data=ucf101 data.root=ucf101 --out maps
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.command()
def info(
    path: str = typer.Argument(..., metavar="PATH", help="Folder, CSV, `synthetic` or `moving_digits`."),
    overrides: list[str] = typer.Argument(None, metavar="key=value", help="Settings of the data set."),
    grid: Path = typer.Option(None, "--grid", help="Write a picture of examples here (.png)."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show classes, counts per split, lengths, frame rates, balance and subjects of a data set.

    Example: mudra data info my_gestures --grid examples.png
    """
    from mudra.cli.common import show_progress
    from mudra.datasets import describe, draw_examples

    dataset = _open(path, overrides or [])
    with show_progress() as progress:
        facts = describe(dataset, progress=lambda done, total: progress(done, total, "reading headers"))
    if as_json:
        typer.echo(json.dumps(_facts_json(facts), indent=2))
    else:
        _tell(facts)
    if grid is not None:
        draw_examples(dataset, grid, split=next(split for split, found in dataset.recordings.items() if found))
        typer.echo(f"examples: {grid}", err=as_json)


@app.command()
def check(
    path: str = typer.Argument(..., metavar="PATH", help="File, folder, pattern or CSV."),
    num_workers: int = typer.Option(None, "--workers", help="Processes; default one per core for many files."),
    is_fresh: bool = typer.Option(False, "--fresh", help="Decode again what was found good before."),
) -> None:
    """Decode every file and list the damaged ones; exit code 3 when there are any.

    Example: mudra data check my_gestures
    """
    from mudra.cli.common import show_progress
    from mudra.datasets import check_recordings
    from mudra.errors import VideoError

    what = _open(path, []).all_recordings() if _is_list(path) else path
    seen = [0]
    with show_progress() as progress:

        def report(done: int, total: int) -> None:
            seen[0] = total
            progress(done, total, "decoding files")

        bad = check_recordings(what, num_workers=num_workers, use_cache=not is_fresh, progress=report)
    if not seen[0]:
        # A check of nothing must not pass for a good one.
        raise VideoError(path, "no videos and no folders of pictures", hint="known by their suffixes: .mp4, .jpg, ...")
    for damage in bad:
        typer.echo(f"{damage.path}: {damage.reason} [{', '.join(damage.signals)}]")
    typer.echo(f"{seen[0]} files checked, {len(bad)} damaged")
    if bad:
        raise typer.Exit(3)


@app.command()
def synth(
    out: Path = typer.Argument(..., metavar="OUT", help="Folder to write into."),
    overrides: list[str] = typer.Argument(None, metavar="key=value", help="Settings, for example seed=1."),
) -> None:
    """Write the built-in data set as video files: H.264 colour, lossless depth, clips.csv, long streams.

    Example: mudra data synth drawn clips_per_class_train=10
    """
    from mudra.cli.common import show_progress
    from mudra.datasets.synthetic import SyntheticConfig, write_synthetic

    config = SyntheticConfig().with_overrides(overrides or [])
    with show_progress() as progress:
        table = write_synthetic(out, config, progress=lambda done, total: progress(done, total, "drawing clips"))
    typer.echo(f"written: {table}")


app.command()(features)


def _is_list(path: str) -> bool:
    """Whether a data set names the files, and not the path itself: a CSV, or a folder of archives."""
    from mudra.datasets.montalbano import find_samples

    return path.endswith(".csv") or bool(find_samples(Path(path)))


def _open(path: str, overrides: list[str]) -> Dataset:
    from mudra.datasets import MovingDigitsConfig, detect
    from mudra.datasets.synthetic import SyntheticConfig

    drawn = {"synthetic": SyntheticConfig, "moving_digits": MovingDigitsConfig}
    config = drawn[path]() if path in drawn else detect(Path(path))
    # A look at a set shows what is there and tells what is missing.
    lenient = [f"{name}=skip" for name in ("on_missing", "on_leak") if name in type(config).model_fields]
    return config.with_overrides([*lenient, *overrides]).build()


def _facts_json(facts: DatasetFacts) -> dict[str, object]:
    from dataclasses import asdict

    values = asdict(facts)
    values["sizes"] = [{"height": h, "width": w, "recordings": count} for (h, w), count in facts.sizes.items()]
    for name in ("length_s", "length_frames", "fps"):
        spread = getattr(facts, name)
        values[name] = spread._asdict() if spread is not None else None
    if facts.streams is not None:
        spread = facts.streams.segment_s
        values["streams"] = {**facts.streams._asdict(), "segment_s": spread._asdict() if spread is not None else None}
    values["splits"] = {split: found._asdict() for split, found in facts.splits.items()}
    return values


def _tell(facts: DatasetFacts) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(
        f"{facts.name}: {len(facts.classes)} classes, {facts.num_measured} recordings measured, "
        f"{facts.total_s / 60:.1f} min"
    )
    table = Table("class", *facts.splits, box=None)
    for name in facts.classes:
        table.add_row(name, *(str(found.class_counts[name]) for found in facts.splits.values()))
    table.add_row(
        "all" if facts.streams is None else "streams", *(str(found.num_recordings) for found in facts.splits.values())
    )
    table.add_row("subjects", *(str(found.num_subjects) for found in facts.splits.values()))
    console.print(table)
    for title, spread, unit in (
        ("length", facts.length_s, "s"),
        ("length", facts.length_frames, "frames"),
        ("frame rate", facts.fps, "per s"),
    ):
        if spread is not None:
            console.print(f"{title}: {spread.minimum:.4g} to {spread.maximum:.4g} {unit}, median {spread.median:.4g}")
    if facts.streams is not None:
        _tell_streams(console, facts)
    sizes = ", ".join(f"{width}x{height} ({count})" for (height, width), count in list(facts.sizes.items())[:4])
    console.print(f"sizes: {sizes}")
    what = "recordings" if facts.streams is None else "segments"
    console.print(f"largest class has {facts.imbalance:.2f} times the smallest one's {what}")
    leaks = ", ".join(f"{who} ({' and '.join(where)})" for who, where in list(facts.leaking_subjects.items())[:6])
    console.print(f"subjects in more than one split: {leaks or 'none'}")
    console.print(facts.mirror)
    for remark in facts.remarks:
        console.print(remark)
    for path, reason in facts.unreadable[:10]:
        console.print(f"cannot be opened: {path}: {reason}")
    for warning in facts.warnings:
        console.print(f"warning: {warning}")


def _tell_streams(console: Console, facts: DatasetFacts) -> None:
    streams = facts.streams
    assert streams is not None
    spread = streams.segment_s
    lengths = f" of {spread.minimum:.4g} to {spread.maximum:.4g} s, median {spread.median:.4g}" if spread else ""
    console.print(f"{streams.num_streams} uncut streams with {streams.num_segments} segments{lengths}")
    meaning = "without a label" if streams.idle_class is None else f"of the class {streams.idle_class!r}"
    console.print(f"in no segment, {meaning}: {streams.outside_share:.1%} of the frames")
    longest = sorted(streams.class_s.items(), key=lambda pair: -pair[1])
    shares = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in longest[:12] if seconds)
    console.print(f"time by class: {shares or 'none'}{', ...' if len(longest) > 12 else ''}")
