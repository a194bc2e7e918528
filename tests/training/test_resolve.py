"""What the data set fills in or refuses: channels, classes, mirroring, depth to learn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mudra.datasets import Dataset
from mudra.errors import ConfigError, DataError
from mudra.training.resolve import resolve
from tests.fixtures.run import depth_config, tiny_config
from tests.fixtures.trained import silent


def test_other_channels_than_the_clips_are_refused(drawn: Dataset) -> None:
    config = tiny_config({"model.in_channels": 3, "clip.streams": ["rgb", "depth"]})
    with pytest.raises(
        ConfigError, match=r"in_channels is 3, the clip's streams \(rgb, depth\) have 5\n  hint: .* to 5"
    ):
        resolve(config, drawn, tell=silent)


def test_the_head_is_built_for_the_data_and_that_is_said(drawn: Dataset) -> None:
    lines: list[str] = []
    config = resolve(tiny_config({"model.num_classes": 27}), drawn, tell=lines.append)
    assert config.model.num_classes == 12
    assert lines[0] == "the head is built for the 12 classes of synthetic, not 27"


def test_labels_without_partners_forbid_mirroring_and_that_is_said(drawn: Dataset) -> None:
    strange = replace(drawn, card=drawn.card.model_copy(update={"mirror": {}}))
    lines: list[str] = []
    resolve(tiny_config(), strange, tell=lines.append)
    assert lines[0].startswith("clips are not mirrored: 'swipe_left', 'swipe_right', 'swipe_up' and 9 more")
    assert "data.mirror=" in lines[0]
    lines.clear()
    resolve(tiny_config({"clip.mirror": "never"}), strange, tell=lines.append)
    assert lines == []


def test_maps_that_were_computed_beforehand_are_not_mirrored_and_that_is_said(drawn: Dataset) -> None:
    model = {"kind": "recurrent_frame_net", "backbone": {"kind": "vgg16", "frozen": True}}
    lines: list[str] = []
    resolve(tiny_config({"model": model, "loader.features": "maps"}), drawn, tell=lines.append)
    unused = "clip.augmentation and chance in clip.sampling have no part in it"
    assert lines == [f"trained on the maps in maps: {unused}"]


def test_a_decoder_without_depth_to_learn_is_refused(drawn: Dataset) -> None:
    with pytest.raises(
        ConfigError, match=r"clip\.target does not say which depth is 0.*\n  hint: for example clip\.tar"
    ):
        resolve(depth_config({"clip.target": None}), drawn, tell=silent)
    colour = tuple(replace(recording, depth_path=None) for recording in drawn.split("train"))
    with pytest.raises(
        ConfigError, match=r"no training recording of synthetic has any\n  hint: .* model\.decoder=null"
    ):
        resolve(depth_config(), replace(drawn, recordings={"train": colour}), tell=silent)


def test_without_a_decoder_no_depth_is_read(drawn: Dataset) -> None:
    assert resolve(depth_config({"model.decoder": None}), drawn, tell=silent).clip.target is None
    assert resolve(depth_config(), drawn, tell=silent).clip.target is not None


def test_recordings_that_lack_a_stream_are_named_before_training(drawn: Dataset) -> None:
    first, *others = drawn.split("train")
    files = replace(drawn, source=None, recordings={"train": (replace(first, depth_path=None), *others)})
    config = tiny_config({"clip.streams": ["rgb", "depth"]})
    with pytest.raises(DataError, match=rf"^1 of {len(others) + 1} recordings of synthetic have no depth"):
        resolve(config, files, tell=silent)
    resolve(tiny_config(), files, tell=silent)
