"""The synthetic data set as a `Dataset`: recordings are drawn when they are asked for."""

from __future__ import annotations

import numpy as np

from mudra.datasets.synthetic import MIRROR_PAIRS, SYNTHETIC_CLASSES, SyntheticConfig, draw_clip, iter_items
from mudra.datasets.synthetic.dataset import build_synthetic
from mudra.types import Stream

CONFIG = SyntheticConfig(
    clips_per_class_train=2, clips_per_class_validation=1, clips_per_class_test=1, size=(32, 40), num_frames=8
)


def test_recordings_follow_the_items() -> None:
    dataset = build_synthetic(CONFIG)
    for split in ("train", "validation", "test"):
        recordings, items = dataset.split(split), iter_items(CONFIG, split)
        assert [recording.label for recording in recordings] == [item.label for item in items]
        assert [recording.subject for recording in recordings] == [item.subject.name for item in items]
        assert len({recording.key for recording in recordings}) == len(items)


def test_every_stream_of_a_recording_is_that_of_its_clip() -> None:
    dataset = build_synthetic(CONFIG)
    recording, item = dataset.split("train")[13], iter_items(CONFIG, "train")[13]
    clip = draw_clip(label=item.label, subject=item.subject, seed=item.seed, config=CONFIG)
    assert dataset.source is not None
    drawn = {stream: dataset.source(recording, stream) for stream in Stream}
    np.testing.assert_array_equal(drawn[Stream.RGB].frames_THWC, clip.rgb_THWC)
    np.testing.assert_array_equal(drawn[Stream.DEPTH].frames_THWC[..., 0], clip.depth_THW)
    np.testing.assert_array_equal(drawn[Stream.FLOW].frames_THWC, clip.flow_THWC)
    np.testing.assert_array_equal(drawn[Stream.RGB].times_s, clip.times_s)


def test_card_tells_classes_counts_and_mirrors() -> None:
    card = build_synthetic(CONFIG).card
    assert card.classes == SYNTHETIC_CLASSES
    assert card.counts == {"train": 24, "validation": 12, "test": 12}
    assert card.mirror == MIRROR_PAIRS
    assert card.mirror_index() == [1, 0, 2, 3, 5, 4, *range(6, 12)]
    assert card.frame_size == (32, 40)
