"""The contract's own parts: frames are split without a copy, and what looks ahead refuses to go on."""

from __future__ import annotations

import pytest
import torch

from mudra.backbones import Action, TemporalShift
from mudra.backbones.temporal_module import reduced_channels, split_frames
from mudra.errors import ModelError


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_frames_are_split_in_place(layout: torch.memory_format) -> None:
    maps_BCHW = torch.arange(6 * 4 * 2 * 3.0).view(6, 4, 2, 3).contiguous(memory_format=layout)
    split = split_frames(maps_BCHW, 3)
    assert split.data_ptr() == maps_BCHW.data_ptr()
    assert torch.equal(split[1, 2], maps_BCHW[5])


def test_a_sixteenth_of_the_channels_is_left_and_never_none() -> None:
    assert [reduced_channels(channels) for channels in (2048, 208, 15)] == [128, 13, 1]


@pytest.mark.parametrize("module", [Action(in_channels=8), TemporalShift(in_channels=8)], ids=["action", "tsm"])
def test_what_looks_ahead_keeps_nothing(module: Action | TemporalShift) -> None:
    assert not module.is_causal
    with pytest.raises(ModelError, match=r"sees the frames to come.*\n  hint: give whole clips, or take a shift"):
        module.remember(torch.zeros(2, 8, 1, 1), 2)
