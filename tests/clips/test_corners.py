"""Corner crops: the released code's sizes and places, each as often as any other, alike for all streams."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from mudra.clips.corners import PLACES, Crop, choose_crop, cut_corner
from mudra.types import Stream

SCALES = (1.0, 0.875, 0.75, 0.66)


def crops_of(frame_size: tuple[int, int], size: tuple[int, int], scales: tuple[float, ...]) -> list[Crop]:
    """All crops, each met by a fraction from the middle of its part."""
    number = (3 * len(scales) - 2) * 13
    return [choose_crop(frame_size, size, scales, fraction=(k + 0.5) / number) for k in range(number)]


def by_the_released_code(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Offsets and sizes as TSN's GroupMultiScaleCrop lists them, for an input of 224 pixels."""
    sizes = [int(224 * scale) for scale in SCALES]
    found = []
    for i, crop_height in enumerate(sizes):
        for j, crop_width in enumerate(sizes):
            if abs(i - j) > 1:
                continue
            w, h = (width - crop_width) // 4, (height - crop_height) // 4
            corners = [(0, 0), (4 * w, 0), (0, 4 * h), (4 * w, 4 * h), (2 * w, 2 * h)]
            sides = [(0, 2 * h), (4 * w, 2 * h), (2 * w, 4 * h), (2 * w, 0)]
            quarters = [(w, h), (3 * w, h), (w, 3 * h), (3 * w, 3 * h)]
            found += [(top, left, crop_height, crop_width) for left, top in corners + sides + quarters]
    return found


@pytest.mark.parametrize("frame_size", [(224, 224), (224, 298), (301, 224)])
def test_sizes_and_places_are_those_of_the_released_code(frame_size: tuple[int, int]) -> None:
    crops = crops_of(frame_size, (224, 224), SCALES)
    assert len(crops) == 130
    assert Counter(map(tuple, crops)) == Counter(by_the_released_code(frame_size[1], frame_size[0]))
    assert {crop.height for crop in crops} == {224, 196, 168, 147}


def test_thirteen_places_differ_and_ten_pairs_of_sizes_do() -> None:
    assert len(set(PLACES)) == 13
    crops = crops_of((224, 298), (224, 224), SCALES)
    assert len({(crop.height, crop.width) for crop in crops}) == 10
    assert all(1 / 0.749 > crop.height / crop.width > 0.749 for crop in crops)


def test_other_shapes_and_a_single_scale() -> None:
    assert set(crops_of((40, 60), (32, 48), (1.0,))) == {Crop(down * 2, right * 3, 32, 48) for down, right in PLACES}
    last = choose_crop((40, 60), (32, 48), (1.0, 0.5), fraction=1.0 - 1e-12)
    assert (last.height, last.width) == (16, 24)


def test_the_cut_is_scaled_to_the_clips_size_bilinearly() -> None:
    ramp_TCHW = (torch.arange(16.0) * 10).expand(2, 3, 16, 16)
    number = 4 * 13  # pairs (0, 0), (0, 1), (1, 0), (1, 1); the last with its 13 places
    cut = cut_corner(ramp_TCHW, Stream.RGB, size=(16, 16), scales=(1.0, 0.5), fraction=(3 * 13 + 3.5) / number)
    assert cut.shape == (2, 3, 16, 16)
    row = cut[1, 2, 7]
    assert row[1:-1].tolist() == pytest.approx([80.0 + 10 * ((k + 0.5) / 2 - 0.5) for k in range(1, 15)])
    whole = cut_corner(ramp_TCHW, Stream.RGB, size=(16, 16), scales=(1.0, 0.5), fraction=0.0)
    assert torch.equal(whole, ramp_TCHW)


def test_flow_counts_the_new_pixels() -> None:
    flow_TCHW = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(4, 2, 24, 24)
    number = 4 * 13
    # The pair (1, 0): half as high, all of the width.
    cut = cut_corner(flow_TCHW, Stream.FLOW, size=(24, 24), scales=(1.0, 0.5), fraction=(2 * 13 + 0.5) / number)
    assert cut[:, 0].unique().tolist() == [3.0]
    assert cut[:, 1].unique().tolist() == [-4.0]
