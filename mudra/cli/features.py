"""`mudra data features`: a frozen backbone's maps of every recording, computed once for all trainings."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mudra.cli.common import Progress
    from mudra.datasets import Dataset
    from mudra.training import RunConfig
    from mudra.training.feature_clips import Wanted
    from mudra.training.feature_maker import FeatureMaker
    from mudra.types import Recording

DAMAGED = 3  # exit code


class Numbers(StrEnum):
    """What maps are kept as."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


def features(
    what: str = typer.Argument(..., metavar="RECIPE|FILE.yaml|FOLDER", help="The run that is to be trained."),
    overrides: list[str] = typer.Argument(None, metavar="dotted.key=value", help="Settings to change."),
    out: Path = typer.Option(..., "--out", help="Folder of the maps; what is there and whole is kept."),
    splits: list[str] = typer.Option(None, "--split", help="Only this split; may be given again. Default all."),
    num_views: int = typer.Option(
        0, "--views", min=0, help="Views of each training clip, drawn as training draws them, besides the test view."
    ),
    numbers: Numbers = typer.Option(Numbers.FLOAT32, "--numbers", help="float16 takes half the room."),
    is_dry: bool = typer.Option(False, "--dry-run", help="Tell clips, room and time; write nothing."),
) -> None:
    """Compute the maps of a run's frozen backbone once, for all epochs; exit code 3 when recordings are damaged.

    Every recording is seen at its test view, without chance. Training then reads the maps, not the recordings.

    \b
    Example: mudra data features agethen2019/table1/conv_3 data=ucf101 data.root=ucf101 --out maps
             mudra train agethen2019/table1/conv_3 data=ucf101 data.root=ucf101 loader.features=maps
    """
    from mudra.cli.common import find_config, open_dataset, show_progress
    from mudra.training.feature_maker import FeatureMaker

    config = find_config(what, overrides or [], tell=typer.echo)
    dataset = open_dataset(config)
    for note in dataset.notes:
        typer.echo(f"note: {note}")
    # Without --split: what a training lacks may be in another one.
    more = ["--views", str(num_views)] if num_views else []
    more += ["--numbers", numbers.value] if numbers is not Numbers.FLOAT32 else []
    command = shlex.join(["mudra", "data", "features", what, *(overrides or []), "--out", str(out), *more])
    maker = FeatureMaker(config, dataset, out, num_views=num_views, numbers=numbers.value, command=command)
    chosen = _choose_splits(maker.dataset, splits or [])
    _tell_what(maker, chosen)
    if is_dry:
        _tell_dry_run(maker, maker.survey(chosen, is_quick=True).wanted)
        return
    with show_progress() as progress:
        wanted, num_there = maker.survey(chosen, progress=progress)
        good, left_out = _without_damaged(wanted, dataset, config, progress)
        try:
            computed = maker.compute(good, progress=progress)
        except KeyboardInterrupt:
            typer.echo(f"{out}: what is written is kept; to go on:\n  {command}", err=True)
            raise
    left_out += computed.unread
    for line in left_out:
        typer.echo(f"left out: {line}")
    num_computed = computed.num_computed
    num_bad = len(wanted) - num_computed
    typer.echo(f"{out}: {num_computed} recordings computed, {num_there} were there, {num_bad} left out")
    train = shlex.join(["mudra", "train", what, *(overrides or []), f"loader.features={out}"])
    typer.echo(f"next: {train}")
    if left_out:
        raise typer.Exit(DAMAGED)


def _choose_splits(dataset: Dataset, names: list[str]) -> dict[str, tuple[Recording, ...]]:
    """Return the recordings of the splits that are named, in any spelling; of all for none."""
    named = [dataset.split(name) for name in names]
    return {
        split: found
        for split, found in dataset.recordings.items()
        if not names or any(found is chosen for chosen in named)
    }


def _tell_what(maker: FeatureMaker, chosen: dict[str, tuple[Recording, ...]]) -> None:
    manifest = maker.manifest
    counts = ", ".join(f"{len(found)} {split}" for split, found in chosen.items() if found)
    typer.echo(f"clips: {counts or 'none'}, at the test view, without chance")
    if maker.num_views:
        typer.echo(f"and {maker.num_views} drawn views of each training clip")
    typer.echo(f"maps of {manifest.backbone.kind} (T, C, H, W): {manifest.shape}, {manifest.numbers}")


def _tell_dry_run(maker: FeatureMaker, wanted: list[Wanted]) -> None:
    estimate = maker.estimate(wanted)
    time = "not known: no recording can be read"
    if estimate.seconds is not None:
        time = f"about {estimate.seconds / 60:.1f} min on {maker.device}"
    typer.echo(f"to compute: {len(wanted)} recordings")
    typer.echo(f"room: {_show_bytes(estimate.num_bytes)}, free: {_show_bytes(estimate.free_bytes)}")
    typer.echo(f"time: {time if wanted else 'none'}")
    typer.echo("dry run: nothing was written")


def _show_bytes(num_bytes: int) -> str:
    """Return a number of bytes as it is read: 1,234 bytes, 5.6 MB, 7.8 GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if num_bytes >= size:
            return f"{num_bytes / size:,.1f} {unit}"
    return f"{num_bytes:,} bytes"


def _without_damaged(
    wanted: list[Wanted], dataset: Dataset, config: RunConfig, progress: Progress
) -> tuple[list[Wanted], tuple[str, ...]]:
    """Return those whose files are whole, and why the others are left out: training would leave them out too."""
    from dataclasses import replace

    from mudra.cli.common import without_damaged

    if dataset.source is not None or config.data is None:
        return wanted, ()
    one_split = replace(dataset, recordings={"train": tuple(each.recording for each in wanted)})
    good, left_out = without_damaged(one_split, config.with_overrides(["data.on_damaged=skip"]), progress)
    keys = {recording.key for recording in good.recordings["train"]}
    return [each for each in wanted if each.recording.key in keys], left_out
