"""What `mudra evaluate` does with a run that predicts frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
import yaml

if TYPE_CHECKING:
    from mudra.datasets import ClipDrawer
    from mudra.serving import FutureScores, KnownFuture
    from mudra.training import RunConfig

BATCH = 16
NUM_SHOWN = 4


def predicts_frames(run: Path) -> bool:
    """Whether a run folder's network predicts frames; a folder that is no run says no, and is refused elsewhere."""
    try:
        model = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))["model"]
        return bool(model["kind"] == "future_net")
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return False


def evaluate_future(run: Path, *, data: str | None, split: str, out: Path | None, as_json: bool) -> None:
    """Judge a run that predicts frames on clips drawn from its own data set.

    Writes scores.json (errors by speed and by frame) and future.png (what was seen, what came, what was predicted).

    Raises:
        ConfigError: If other data are named: no other set can be drawn.
        DataError: If the split is unknown or empty.
    """
    from mudra.errors import ConfigError
    from mudra.serving import draw_futures, judge_future, load_future, write_png
    from mudra.training import RunConfig
    from mudra.training.future_data import find_drawer

    if data is not None:
        raise ConfigError(
            "--data is for runs that name gestures; this one predicts frames of its own data set",
            hint="leave --data out; with other data.* in its run.yaml it draws other clips",
        )
    predictor = load_future(run)
    config = RunConfig.from_yaml(run / "run.yaml")
    drawer, split = find_drawer(config), _find_split(config, split)
    scores = judge_future(predictor, draw_known(drawer, split, config))
    folder = out or run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps(scores.to_json(), indent=2), encoding="utf-8")
    shown = next(draw_known(drawer, split, config, batch=min(NUM_SHOWN, drawer.count(split))))
    write_png(folder / "future.png", draw_futures(predictor, shown))
    if as_json:
        typer.echo(json.dumps(scores.to_json(), indent=2))
    else:
        _tell(scores)
        typer.echo(f"pictures: {folder / 'future.png'}")


def _find_split(config: RunConfig, word: str) -> str:
    from mudra.datasets.dataset import SPLIT_SPELLINGS, SPLITS
    from mudra.datasets.drawn_clips import DrawnConfig
    from mudra.errors import DataError, nearest_name

    split = SPLIT_SPELLINGS.get(word.lower())
    if split is None:
        raise DataError(f"no split {word!r}", hint=nearest_name(word, SPLITS))
    assert isinstance(config.data, DrawnConfig)
    if not config.data.num_clips(split):
        raise DataError(f"0 clips in split {split!r}", hint=f"train with data.clips_{split} above 0")
    return split


def draw_known(drawer: ClipDrawer, split: str, config: RunConfig, *, batch: int = BATCH) -> Iterator[KnownFuture]:
    """Yield a split in batches, cut into what the run's network sees and what follows."""
    from mudra.serving import KnownFuture
    from mudra.training.future_data import cut_future
    from mudra.types import Stream

    count = drawer.count(split)
    for start in range(0, count, batch):
        numbers = range(start, min(start + batch, count))
        clip_BTCHW, speed_B = drawer.draw(split, numbers, with_flow=Stream.FLOW in config.clip.streams)
        yield KnownFuture(*cut_future(clip_BTCHW, config.clip), speed_B)


def _tell(scores: FutureScores) -> None:
    typer.echo(f"{'speed, px per frame':<22}{'clips':>7}{'cross-entropy':>15}{'squared error':>15}")
    for score in (*scores.per_speed, scores.overall):
        name = "all" if score is scores.overall else f"{score.low_px:g} to {score.high_px:g}"
        typer.echo(f"{name:<22}{score.num_clips:>7}{score.cross_entropy:>15.1f}{score.mse:>15.2f}")
