"""The synthetic data set as a `Dataset`: recordings that are drawn when they are asked for."""

from __future__ import annotations

from pathlib import Path

from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset
from mudra.datasets.synthetic.config import MIRROR_PAIRS, SPLITS, SYNTHETIC_CLASSES, SyntheticConfig
from mudra.datasets.synthetic.generator import SyntheticItem, draw_clip, iter_items
from mudra.errors import DataError
from mudra.types import Frames, Recording, Stream


def build_synthetic(config: SyntheticConfig) -> Dataset:
    """Return the isolated clips of `config`, drawn one by one as they are read.

    Example:
        >>> dataset = build_synthetic(SyntheticConfig(clips_per_class_train=1))
        >>> len(dataset.split("train"))
        12
    """
    items: dict[Path, SyntheticItem] = {}
    recordings: dict[str, tuple[Recording, ...]] = {}
    for split in SPLITS:
        found = []
        for index, item in enumerate(iter_items(config, split)):
            path = Path("synthetic", str(config.seed), split, f"{index:05d}-{SYNTHETIC_CLASSES[item.label]}")
            items[path] = item
            # Depth and colour come from the same drawing, under the same name.
            found.append(
                Recording(path=path, depth_path=path, label=item.label, split=split, subject=item.subject.name)
            )
        recordings[split] = tuple(found)

    def draw(recording: Recording, stream: Stream) -> Frames:
        item = items[recording.path]
        wanted = config.model_copy(update={"streams": (stream,)})
        clip = draw_clip(label=item.label, subject=item.subject, seed=item.seed, config=wanted)
        frames = {Stream.RGB: clip.rgb_THWC, Stream.DEPTH: clip.depth_THW[..., None], Stream.FLOW: clip.flow_THWC}
        chosen = frames[stream]
        if chosen is None:
            raise DataError(f"the synthetic data set did not draw the {stream.value} stream")
        return Frames(chosen, clip.times_s)

    return Dataset(card=card_of(config), recordings=recordings, source=draw)


def card_of(config: SyntheticConfig) -> DatasetCard:
    """Return the card of the drawn set."""
    return DatasetCard(
        name="synthetic",
        title="Mudra's synthetic hands",
        classes=SYNTHETIC_CLASSES,
        streams=(Stream.RGB, Stream.DEPTH),
        fps=config.fps,
        frame_size=config.size,
        licence="Apache-2.0",
        mirror=dict(MIRROR_PAIRS),
        counts={split: config.num_clips(split) for split in SPLITS},
        subjects_disjoint=True,
    )
