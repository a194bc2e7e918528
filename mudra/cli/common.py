"""What several commands share: finding the data and the recipe that a word means, and showing progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mudra.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mudra.clips import FrameSource
    from mudra.datasets import Dataset
    from mudra.training import RunConfig
    from mudra.types import PixelBox, Recording, Stream

DEFAULT_RECIPE = "ours/small"

Progress = Callable[[int, int, str], None]


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Yield a function (done, all, what) that draws a bar with the time left on a terminal, and is silent elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report


def find_config(word: str, overrides: list[str], *, tell: Callable[[str], None]) -> RunConfig:
    """Return the run that a word on the command line means: a recipe, a YAML file or a folder of clips.

    Raises:
        ConfigError: If it is none of them, or an override does not fit.
    """
    from mudra.recipes import find_recipe
    from mudra.training import RunConfig

    path = Path(word)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return RunConfig.from_yaml(path).with_overrides(overrides)
    if path.is_dir() or path.suffix == ".csv":
        return _config_for_data(path, overrides, tell=tell)
    if path.suffix in (".yaml", ".yml") or word.startswith((".", "/", "~")):
        raise ConfigError(f"{word}: no such file or folder", hint="give a recipe, a YAML file or a folder of clips")
    try:
        return find_recipe(word).with_overrides(overrides)
    except ConfigError as error:
        if "no recipe" not in error.message:
            raise
        hint = f"{error.hint} Recipes: mudra list recipes. It is no file or folder either."
        raise ConfigError(error.message, hint=hint) from None


def _config_for_data(path: Path, overrides: list[str], *, tell: Callable[[str], None]) -> RunConfig:
    from mudra.datasets import detect
    from mudra.recipes import find_recipe

    found = detect(path)
    config = find_recipe(DEFAULT_RECIPE)
    config = config.model_copy(update={"data": found})
    # The data's own settings come first: they say which streams it has. What the user says of streams comes last.
    own = [word for word in overrides if word.startswith("data.")]
    card = open_dataset(config.with_overrides(own)).card
    streams = card.streams[:1]
    config = config.with_overrides({"clip.streams": [streams[0].value]}).with_overrides(overrides)
    if config.clip.streams == streams:
        tell(
            f"{path}: {found.kind} data set, {len(card.classes)} classes; recipe {DEFAULT_RECIPE}, "
            f"stream {streams[0].value} (others: clip.streams=[...])"
        )
    return config


def open_dataset(config: RunConfig) -> Dataset:
    """Return the run's data set.

    Raises:
        ConfigError: If the recipe leaves the data open.
    """
    if config.data is None:
        raise ConfigError(
            "the recipe does not say which data to train on",
            hint="add data=synthetic, or data=folder data.root=PATH, or train on a folder: mudra train PATH",
        )
    return config.data.build()


def find_dataset(word: str | None, config: RunConfig, classes: tuple[str, ...]) -> Dataset:
    """Return the data that an evaluation means, labelled by the run's classes.

    Args:
        word: A folder, a CSV or `synthetic`; None for the run's own data.
        config: The run.
        classes: The run's classes.
    """
    from mudra.datasets import detect

    if word is None:
        dataset = open_dataset(config)
    else:
        chosen = config.data if word == "synthetic" and config.data and config.data.kind == word else None
        if chosen is None and word == "synthetic":
            dataset = config.with_overrides(["data=synthetic"]).data.build()  # type: ignore[union-attr]
            return dataset.with_classes(classes)
        # A run that labels frames is asked about streams, of which a list may hold one segment each.
        found = chosen or detect(Path(word), streams=config.model.kind == "frame_wise_net")
        if config.data is not None and found.kind == config.data.kind and word != "synthetic":
            # The run's own settings (the number of classes, depth units) go with another root of the same form.
            place = {name: value for name, value in found.model_dump().items() if name in ("root", "path")}
            found = config.data.model_copy(update=place)
        dataset = found.build()
    return dataset.with_classes(classes)


def parse_box(word: str) -> PixelBox:
    """Return the box that a word on the command line means: top,left,height,width in pixels.

    Raises:
        ConfigError: If it is not four whole numbers, the last two of them above 0.
    """
    from mudra.types import PixelBox

    try:
        box = PixelBox(*(int(part) for part in word.split(",")))
    except (TypeError, ValueError):
        box = None
    if box is None or min(box.top, box.left) < 0 or min(box.height, box.width) < 1:
        raise ConfigError(
            f"--box is {word!r}; wanted TOP,LEFT,HEIGHT,WIDTH in pixels", hint="for example --box 40,120,400,400"
        )
    return box


def open_sources_of(
    dataset: Dataset, streams: tuple[Stream, ...]
) -> Callable[[Recording, ExitStack], dict[Stream, FrameSource]]:
    """Return the function that opens a recording's streams."""
    from mudra.training.clip_dataset import open_sources

    return lambda recording, stack: open_sources(dataset, recording, streams, stack)


def without_damaged(dataset: Dataset, config: RunConfig, progress: Progress) -> tuple[Dataset, tuple[str, ...]]:
    """Check the files that training reads, and refuse or leave out damaged ones, as `data.on_damaged` says.

    Returns:
        The data set without damaged recordings, and what was left out, with the reason.

    Raises:
        DataError: If files are damaged and `data.on_damaged` is `refuse`.
    """
    from dataclasses import replace

    from mudra.datasets import check_recordings

    if dataset.source is not None or config.data is None:
        return dataset, ()
    used = [r for split in ("train", "validation") for r in dataset.recordings.get(split, ())]
    bad = check_recordings(used, num_workers=None, progress=lambda done, total: progress(done, total, "checking files"))
    if not bad:
        return dataset, ()
    left_out = tuple(f"{damage.path}: {damage.reason}" for damage in bad)
    if config.data.on_damaged == "refuse":
        shown = "\n  ".join(left_out[:10]) + (f"\n  ... ({len(bad)} in all)" if len(bad) > 10 else "")
        raise DataError(
            f"{len(bad)} of {len(used)} recordings are damaged:\n  {shown}",
            hint="record them again, or train without them: data.on_damaged=skip",
        )
    names = {damage.path for damage in bad}

    def is_good(recording: Recording) -> bool:
        paths = (recording.path, recording.depth_path)
        return not any(path is not None and str(path.resolve()) in names for path in paths)

    kept = {split: tuple(filter(is_good, found)) for split, found in dataset.recordings.items()}
    return replace(dataset, recordings=kept), left_out
